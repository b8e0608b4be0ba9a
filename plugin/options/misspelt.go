package options

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// misnomers are names that people who know other outputs are likely to try,
// with what to use here. Fluent Bit keeps host, port and tls.* to itself, so
// those are found only on hosts that hand them on.
var misnomers = map[string]string{
	"host": "es_hosts", "port": "es_hosts", "hosts": "es_hosts", "url": "es_hosts", "urls": "es_hosts",
	"uri": "es_hosts", "path": "es_hosts", "address": "es_hosts", "addresses": "es_hosts", "upstream": "es_hosts",
	"es_url": "es_hosts", "es_urls": "es_hosts", "es_address": "es_hosts", "es_port": "es_hosts",
	"es_nodes": "es_hosts", "nodes": "es_hosts", "endpoint": "es_hosts", "elasticsearch_url": "es_hosts",
	"elasticsearch_hosts": "es_hosts", "elasticsearch_host": "es_hosts",

	"cloud_id": "es_cloud_id", "cloud_auth": "es_user and es_password",

	"http_user": "es_user", "user": "es_user", "username": "es_user", "es_username": "es_user",
	"http_passwd": "es_password", "http_password": "es_password", "password": "es_password",
	"passwd": "es_password", "es_passwd": "es_password", "es_pass": "es_password",
	"password_file": "es_password_file",
	"http_api_key":  "es_api_key", "api_key": "es_api_key", "apikey": "es_api_key", "es_apikey": "es_api_key",
	"es_token": "es_api_key", "api_key_file": "es_api_key_file",

	"tls": "https in es_hosts", "tls.verify": "es_tls_verify", "tls.ca_file": "es_ca_file",
	"tls.ca_path": "es_ca_file", "tls.crt_file": "es_client_cert", "tls.key_file": "es_client_key",
	"tls.vhost": "the host name in es_hosts", "tls.debug": "log_level debug",
	"tls_verify": "es_tls_verify", "tls_ca_file": "es_ca_file", "tls_crt_file": "es_client_cert",
	"tls_key_file": "es_client_key", "ssl_verify": "es_tls_verify", "ssl": "https in es_hosts",
	"ca_file": "es_ca_file", "ca_cert": "es_ca_file", "es_ca": "es_ca_file", "es_ca_cert": "es_ca_file",
	"es_ca_path": "es_ca_file", "es_tls_ca_file": "es_ca_file", "es_tls_ca": "es_ca_file",
	"client_cert": "es_client_cert", "client_key": "es_client_key", "es_cert": "es_client_cert",
	"es_key": "es_client_key", "es_tls_cert": "es_client_cert", "es_tls_key": "es_client_key",
	"es_client_cert_file": "es_client_cert", "es_client_key_file": "es_client_key",
	"es_tls": "https in es_hosts", "es_ssl_verify": "es_tls_verify", "es_verify": "es_tls_verify",
	"es_insecure": "es_tls_verify", "insecure": "es_tls_verify",
	"compress": "es_compress", "es_compression": "es_compress", "compression": "es_compress",

	"index": "index_prefix", "es_index": "index_prefix", "prefix": "index_prefix", "indices": "index_prefix",
	"es_index_prefix": "index_prefix", "logstash_format": "index_prefix", "logstash_prefix": "index_prefix",
	"logstash_dateformat": "index_prefix", "index_name": "index_prefix",
	"templates": "manage_templates", "install_templates": "manage_templates", "setup_templates": "manage_templates",
	"number_of_shards": "shards", "number_of_replicas": "replicas", "refresh": "refresh_interval",

	"sensor": "sensor_id", "sensor_name": "sensor_id", "instance_name": "sensor_id",
	"timeout": "commit_timeout", "flush_timeout": "commit_timeout", "es_timeout": "commit_timeout",
	"cache": "cache_size", "cache_bytes": "cache_size", "buffer_size": "cache_size",
	"dead_letters": "dead_letter_path", "dead_letter_dir": "dead_letter_path", "dlq_path": "dead_letter_path",
	"format": "dialect", "parser": "dialect", "dialects": "dialect", "mapping": "field_map",
	"exclude_rules": "exclude", "excludes": "exclude", "exclude_cidrs": "exclude_nets", "ignore_nets": "exclude_nets",
	"home_net": "decoy_nets", "secrets": "store_secrets", "store_passwords": "store_secrets",
	"geoip": "geoip_db", "geoip_database": "geoip_db", "geo_db": "geoip_db", "geoip2_db": "geoip_db",
	"asn": "asn_db", "asn_database": "asn_db", "tor_exits": "network_types", "network_lists": "network_types", "marking": "tlp", "tlp_marking": "tlp",
	"reverse_dns": "ptr", "rdns": "ptr", "dns": "ptr",
	"metrics": "metrics_listen", "listen": "metrics_listen", "metrics_port": "metrics_listen",
	"http_listen": "metrics_listen", "prometheus": "metrics_listen",
}

// fluentBits are names that people are likely to try for what Fluent Bit itself
// reads on an output. Such a slip is silent and dear: without retry_limit a
// chunk is given up after one retry.
var fluentBits = map[string]string{
	"retries": "retry_limit", "retry": "retry_limit", "max_retries": "retry_limit", "retry_max": "retry_limit", "retrylimit": "retry_limit",
	"retry_limits": "retry_limit", "limit_retry": "retry_limit",
	"worker": "workers", "threads": "workers", "num_workers": "workers", "worker_count": "workers", "concurrency": "workers",
	"matches": "match", "match_tag": "match", "match_tags": "match", "tag_match": "match", "tag": "match", "tags": "match", "regex": "match_regex",
	"loglevel": "log_level", "level": "log_level",
	"total_limit_size": "storage.total_limit_size", "storage_total_limit_size": "storage.total_limit_size",
	"storage.limit": "storage.total_limit_size", "storage.max_size": "storage.total_limit_size",
	"storage.type": "storage.type of the input",
}

// misspelt warns of properties that are set under a name that nothing reads.
// Fluent Bit neither rejects nor lists them, so every likely name is asked
// for: the misnomers and all names one slip away from an option's, or from one
// of Fluent Bit's own that matter here.
func misspelt(get func(key string) string, warn func(string)) {
	for _, s := range slips() {
		if get(s.wrong) != "" {
			warn(fmt.Sprintf("option %s does not exist and has no effect; did you mean %s?", s.wrong, s.right))
		}
	}
}

// slip is a likely wrong name with the right one.
type slip struct{ wrong, right string }

// slips returns every likely wrong name once. They are made when the first
// instance starts and not when the library is loaded: a dry run must not pay
// for them.
var slips = sync.OnceValue(func() []slip {
	known := make(map[string]bool)
	for _, key := range reserved {
		known[key] = true
	}
	for i := range table {
		known[table[i].key] = true
	}
	var out []slip
	add := func(wrong, right string) {
		if !known[wrong] {
			known[wrong] = true
			out = append(out, slip{wrong, right})
		}
	}
	for _, wrong := range slices.Sorted(maps.Keys(misnomers)) {
		add(wrong, misnomers[wrong])
	}
	for _, wrong := range slices.Sorted(maps.Keys(fluentBits)) {
		add(wrong, fluentBits[wrong])
	}
	for _, key := range []string{"match", "match_regex", "alias", "log_level", "workers", "retry_limit", "storage.total_limit_size"} {
		for wrong := range oneSlip(key) {
			add(wrong, key)
		}
	}
	for i := range table {
		for wrong := range oneSlip(table[i].key) {
			add(wrong, table[i].key)
		}
	}
	return out
})

// reserved are the names Fluent Bit itself reads on an output.
var reserved = []string{
	"name", "match", "match_regex", "alias", "log_level", "workers", "retry_limit", "active", "ipv6",
	"storage.total_limit_size", "log_suppress_interval",
}

// oneSlip yields the names one letter away from key: one missing, one too
// many, one wrong, two swapped; and the ones with other separators.
func oneSlip(key string) iter.Seq[string] {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_-."
	return func(yield func(string) bool) {
		b := []byte(key)
		for _, separator := range []string{"-", ".", ""} {
			other := make([]byte, 0, len(b))
			for _, c := range b {
				if c == '_' {
					other = append(other, separator...)
				} else {
					other = append(other, c)
				}
			}
			if !yield(string(other)) {
				return
			}
		}
		for i := 0; i <= len(b); i++ {
			for j := range len(letters) {
				if !yield(key[:i] + letters[j:j+1] + key[i:]) {
					return
				}
				if i < len(b) && !yield(key[:i]+letters[j:j+1]+key[i+1:]) {
					return
				}
			}
			if i < len(b) && !yield(key[:i]+key[i+1:]) {
				return
			}
			if i+1 < len(b) && !yield(key[:i]+key[i+1:i+2]+key[i:i+1]+key[i+2:]) {
				return
			}
		}
	}
}
