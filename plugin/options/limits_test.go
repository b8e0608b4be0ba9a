package options

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/authority"
)

func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func words(n int, word string) string { return strings.TrimSpace(strings.Repeat(word+" ", n)) }

// TestLimits: at each documented limit a value is taken, one step beyond it is
// not.
func TestLimits(t *testing.T) {
	for key, test := range map[string]struct{ good, bad []string }{
		"es_hosts": {
			[]string{words(64, "http://a"), "http://a:1", "http://a:65535", "https://a/path/"},
			[]string{words(65, "http://a"), "http://a:0", "http://a:65536", "http://a?x", "http:a"},
		},
		"index_prefix": {
			[]string{"a", "0", strings.Repeat("a", 100), "a.b_c-d", "log", "logsx", "metric", "tracesx-a", "synthetic", "profilingx", "profilin", "my-profiling", "my-logs-x"},
			[]string{strings.Repeat("a", 101), "A", ".a", "_a", "-a", "a/b", "logs", "logs-", "logs-x", "metrics", "metrics-x", "traces", "traces-x", "synthetics", "synthetics-x", "profiling", "profiling-x"},
		},
		"shards":           {[]string{"1", "2", "64"}, []string{"0", "65", "-1", "1x"}},
		"replicas":         {[]string{"auto", "0", "1", "5"}, []string{"-1", "6"}},
		"refresh_interval": {[]string{"100ms", "101ms", "10m"}, []string{"99ms", "99999999ns", "10m1ms", "600001ms"}},
		"commit_timeout":   {[]string{"500ms", "5m"}, []string{"499ms", "5m1ms"}},
		"cache_size": {
			[]string{"8M", "8388608", "8192K", "64G", "65536M", "68719476736", "9mb", "9MiB", "9 M", "9 mib", "64 GiB"},
			[]string{"8388607", "8191K", "7M", "68719476737", "65537M", "65G", "9MM", "9 MI", "9T", "", "-9M", "9.5M", "0x9M", "1000000000000G"},
		},
		"dead_letter_path": {[]string{"/", "/a b"}, []string{"a", "./a", "~/a", "/a\x7f"}},
		"sensor_id":        {[]string{"a", strings.Repeat("a", 128), "A.b_c-9"}, []string{strings.Repeat("a", 129), "a b", "a/b", "a:b"}},
		"decoy_names": {
			[]string{"10.0.0.1=" + strings.Repeat("a", 128), names(1000)},
			[]string{"10.0.0.1=" + strings.Repeat("a", 129), names(1001), "fe80::1%eth0=a", "10.0.0.1=a ::ffff:10.0.0.1=b"},
		},
		"port_map":              {[]string{"65535=1", "1=65535"}, []string{"65536=1", "1=65536"}},
		"exclude":               {[]string{"port=65535", "type=" + strings.Repeat("a", 251)}, []string{"port=65536", "type=" + strings.Repeat("a", 252)}},
		"exclude_nets":          {[]string{words(1000, "10.0.0.1"), "::ffff:1.2.3.0/96", "0.0.0.0/0"}, []string{words(1001, "10.0.0.1"), "::ffff:1.2.3.0/95", "10.0.0.0/33", "::/129"}},
		"decoy_nets":            {[]string{words(1000, "10.0.0.1")}, []string{words(1001, "10.0.0.1")}},
		"drop_apps":             {[]string{words(100, "a"), strings.Repeat("a", 64), "none"}, []string{words(101, "a"), strings.Repeat("a", 65)}},
		"internal_decky_prefix": {[]string{strings.Repeat("a", 64), "none"}, []string{strings.Repeat("a", 65), "a b"}},
		"ipv6_prefix":           {[]string{"16", "17", "64", "128"}, []string{"15", "129", "0"}},
		"metrics_listen":        {[]string{"127.0.0.1:1", "[::]:65535", "localhost:9600", "off"}, []string{"127.0.0.1:0", "127.0.0.1:65536", "host:9600", "localhost"}},
		"tlp":                   {[]string{"WHITE", "white", "CLEAR", "Green", "AMBER", "amber+Strict", "red"}, []string{"PURPLE", "AMBER +STRICT"}},
		"activity":              {[]string{"hourly", "HOURLY", "off", "Off"}, []string{"on", "no", "daily"}},
		"dialect":               {[]string{"auto", "AUTO", "decnet", "cowrie", "opencanary", "suricata", "ecs", "ECS"}, []string{"syslog", "ecs,cowrie"}},
		"store_secrets":         {[]string{"plain", "sha256", "none", "NONE"}, []string{"off", "sha1"}},
	} {
		for _, v := range test.good {
			if _, _, err := parse(t, properties{"sensor_id": "s1", key: v}); err != nil {
				t.Errorf("%s %.60q: %v", key, v, err)
			}
		}
		for _, v := range test.bad {
			if v == "" {
				continue
			}
			if o, _, err := parse(t, properties{"sensor_id": "s1", key: v}); err == nil {
				t.Errorf("%s %.60q is taken: %+v", key, v, o)
			} else if !strings.HasPrefix(err.Error(), "dossier: option "+key+": got ") || len(err.Error()) > 1000 {
				t.Errorf("%s %.60q: %v", key, v, err)
			}
		}
	}
}

// names are so many decoys.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "10.0.%d.%d=d%d ", i/250, i%250, i)
	}
	return b.String()
}

// TestValuesAtLimits: what is taken is kept as it is meant.
func TestValuesAtLimits(t *testing.T) {
	for v, want := range map[string]int64{"8M": 8 << 20, "8192K": 8 << 20, "8388608": 8 << 20, "64G": 64 << 30, "65536M": 64 << 30, "9 mib": 9 << 20, "1gb": 1 << 30, "10000k": 10000 << 10} {
		if o := mustParse(t, properties{"cache_size": v}); o.CacheSize != want {
			t.Errorf("cache_size %s: %d, want %d", v, o.CacheSize, want)
		}
	}
	for v, want := range map[string]time.Duration{"100ms": 100 * time.Millisecond, "10m": 10 * time.Minute, "1m30s": 90 * time.Second} {
		if o := mustParse(t, properties{"refresh_interval": v}); o.RefreshInterval != want {
			t.Errorf("refresh_interval %s: %v", v, o.RefreshInterval)
		}
	}
	for v, want := range map[string]string{"white": "WHITE", "amber+strict": "AMBER+STRICT"} {
		if o := mustParse(t, properties{"tlp": v}); o.TLP != want {
			t.Errorf("tlp %s: %s", v, o.TLP)
		}
	}
}

// TestSwitches: each switch takes the words that Fluent Bit takes, in any
// case, and no others.
func TestSwitches(t *testing.T) {
	switches := map[string]func(Options) bool{
		"es_tls_verify": func(o Options) bool { return o.TLSVerify }, "manage_templates": func(o Options) bool { return o.ManageTemplates },
		"unparsed_dead_letters": func(o Options) bool { return o.UnparsedDeadLetters }, "ptr": func(o Options) bool { return o.PTR },
		"structured_data": func(o Options) bool { return o.StructuredData },
	}
	for i := range table {
		if table[i].want == wantOnOff && switches[table[i].key] == nil {
			t.Errorf("%s is not tried", table[i].key)
		}
	}
	for key, of := range switches {
		for v, want := range map[string]bool{"on": true, "true": true, "yes": true, "On": true, "YES": true, "off": false, "false": false, "no": false, "OFF": false, "False": false} {
			if o := mustParse(t, properties{key: v}); of(o) != want {
				t.Errorf("%s %s: %v", key, v, of(o))
			}
		}
		for _, v := range []string{"1", "0", "y", "n", "enabled", "o", "onn", "auto"} {
			if _, _, err := parse(t, properties{key: v}); err == nil {
				t.Errorf("%s takes %q", key, v)
			}
		}
	}
	for v, want := range map[string]Compress{"yes": CompressOn, "true": CompressOn, "ON": CompressOn, "no": CompressOff, "false": CompressOff, "auto": CompressAuto, "AUTO": CompressAuto} {
		if o := mustParse(t, properties{"es_compress": v}); o.Compress != want {
			t.Errorf("es_compress %s: %s", v, o.Compress)
		}
	}
}

// TestSecretFiles: empty ones, those of white space alone and too large ones
// are refused; the largest is taken, without the white space around it.
func TestSecretFiles(t *testing.T) {
	most := strings.Repeat("p", 8<<10)
	for key, more := range map[string]properties{"es_password_file": {"es_user": "u"}, "es_api_key_file": {}} {
		with := func(path string) properties {
			p := properties{"sensor_id": "s1", key: path}
			maps.Copy(p, more)
			return p
		}
		for text, reason := range map[string]string{"": "(empty)", " \n\t\r\n": "(empty)", most + "p": "(too large)"} {
			path := file(t, text, 0o600)
			if _, _, err := parse(t, with(path)); err == nil || !strings.Contains(err.Error(), "option "+key+": got ") || !strings.HasSuffix(err.Error(), reason) {
				t.Errorf("%s of %d bytes: %v", key, len(text), err)
			}
		}
		if _, _, err := parse(t, with(file(t, "a:b\x00", 0o600))); err == nil {
			t.Errorf("%s with a control character is taken", key)
		}
	}
	if o := mustParse(t, properties{"es_user": "u", "es_password_file": file(t, most, 0o600)}); o.Password.Reveal() != most {
		t.Errorf("a password of %d bytes", len(o.Password.Reveal()))
	}
	if o := mustParse(t, properties{"es_user": "u", "es_password_file": file(t, "\n a b \r\n", 0o600)}); o.Password.Reveal() != "a b" {
		t.Errorf("got %q", o.Password.Reveal())
	}
}

// TestConflicts: each pair of options that exclude each other is refused by
// the name of one, saying the other; each alone with what it needs is not.
func TestConflicts(t *testing.T) {
	password, key := file(t, "p", 0o600), file(t, "a:b", 0o600)
	value := properties{
		"es_cloud_id": "site:ZXUuZXhhbXBsZSRhYmMkZGVm", "es_hosts": "http://127.0.0.1", "es_user": "u", "es_password": "p", "es_password_file": password,
		"es_api_key": "a:b", "es_api_key_file": key,
	}
	for _, keys := range []string{
		"es_cloud_id", "es_hosts", "es_user es_password", "es_user es_password_file", "es_api_key", "es_api_key_file", "es_cloud_id es_api_key_file", "",
	} {
		p := properties{"sensor_id": "s1"}
		for k := range strings.FieldsSeq(keys) {
			p[k] = value[k]
		}
		if _, _, err := parse(t, p); err != nil {
			t.Errorf("%s: %v", keys, err)
		}
	}
	for _, pair := range [][2]string{
		{"es_cloud_id", "es_hosts"},
		{"es_password_file", "es_password"},
		{"es_api_key_file", "es_api_key"},
		{"es_api_key", "es_user"},
		{"es_api_key_file", "es_user"},
		{"es_api_key", "es_password"},
		{"es_api_key_file", "es_password"},
		{"es_api_key", "es_password_file"},
		{"es_api_key_file", "es_password_file"},
	} {
		p := properties{"sensor_id": "s1", pair[0]: value[pair[0]], pair[1]: value[pair[1]]}
		_, _, err := parse(t, p)
		if want := "dossier: option " + pair[0] + ": got a value beside " + pair[1] + ", want only one of the two"; err == nil || err.Error() != want {
			t.Errorf("%v: got %v", pair, err)
		}
	}
	for _, p := range []properties{{"es_user": "u"}, {"es_password": "p"}, {"es_password_file": password}} {
		if _, _, err := parse(t, p); err == nil || !strings.HasPrefix(err.Error(), "dossier: option es_user: got ") {
			t.Errorf("%v: %v", p, err)
		}
	}
}

// TestModesOfSecrets: of every file that holds a secret it is warned where all
// users of the host can read, write or run it, and only there.
func TestModesOfSecrets(t *testing.T) {
	cert, key := authority.ClientFiles(t)
	for name, of := range map[string]func(mode os.FileMode) (path string, p properties){
		"password": func(m os.FileMode) (string, properties) {
			f := file(t, "p", m)
			return f, properties{"es_user": "u", "es_password_file": f}
		},
		"key": func(m os.FileMode) (string, properties) {
			f := file(t, "a:b", m)
			return f, properties{"es_api_key_file": f}
		},
		"client key": func(m os.FileMode) (string, properties) {
			if err := os.Chmod(key, m); err != nil {
				t.Fatal(err)
			}
			return key, properties{"es_client_cert": cert, "es_client_key": key}
		},
	} {
		for mode, warned := range map[os.FileMode]bool{0o400: false, 0o600: false, 0o640: false, 0o660: false, 0o604: true, 0o602: true, 0o601: true, 0o644: true} {
			path, p := of(mode)
			_, warnings, err := parse(t, p)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(warnings) == 1 && strings.Contains(warnings[0], fmt.Sprintf("%q can be read by every user", path)); got != warned || !warned && len(warnings) > 0 {
				t.Errorf("%s with mode %o: %q", name, mode, warnings)
			}
		}
	}
}

// TestDangersAreWarnedOf: one line each, and none where there is no danger.
func TestDangersAreWarnedOf(t *testing.T) {
	const clear, published = "is not encrypted", "fit to be published"
	for _, test := range []struct {
		p    properties
		want string
	}{
		{properties{"tlp": "WHITE"}, published},
		{properties{"tlp": "white"}, published},
		{properties{"tlp": "clear"}, published},
		{properties{"tlp": "GREEN"}, ""},
		{properties{"tlp": "WHITE", "store_secrets": "sha256"}, ""},
		{properties{"tlp": "CLEAR", "store_secrets": "none"}, ""},
		{properties{"es_hosts": "http://192.0.2.1", "es_api_key": "a:b"}, clear},
		{properties{"es_hosts": "http://192.0.2.1", "es_user": "u", "es_password": "p"}, clear},
		{properties{"es_hosts": "https://192.0.2.1 http://192.0.2.2 http://192.0.2.3", "es_api_key": "a:b"}, "http://192.0.2.2:9200 " + clear},
		{properties{"es_hosts": "http://192.0.2.1"}, ""},
		{properties{"es_hosts": "https://192.0.2.1", "es_api_key": "a:b"}, ""},
		{properties{"es_hosts": "http://localhost http://127.0.0.9 http://[::1]", "es_api_key": "a:b"}, ""},
		{properties{"es_hosts": "http://localhost.example", "es_api_key": "a:b"}, clear},
		{properties{"es_tls_verify": "no"}, "es_tls_verify is off"},
		{properties{"es_tls_verify": "yes"}, ""},
	} {
		_, warnings, err := parse(t, test.p)
		if err != nil {
			t.Errorf("%v: %v", test.p, err)
		}
		if want := test.want; want == "" && len(warnings) != 0 || want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], want)) {
			t.Errorf("%v: got %q, want %q", test.p, warnings, want)
		}
	}
}

// TestSharedOptions: each option but those that an output has for itself must
// be the same on outputs to the same indices, whoever is asked.
func TestSharedOptions(t *testing.T) {
	own := map[string]bool{
		"es_hosts": true, "es_cloud_id": true, "index_prefix": true, // which make them the same indices
		"es_password_file": true, "es_api_key_file": true, // what is in them counts
		"commit_timeout": true, "unparsed_dead_letters": true, "sensor_id": true, "dialect": true, "field_map": true, "exclude_nets": true, "exclude": true,
		"decoy_nets": true, "decoy_names": true, "port_map": true, "drop_apps": true, "structured_data": true, "json_in_syslog": true, "syslog_timezone": true, "internal_decky_prefix": true, "metrics_listen": true,
	}
	known := make(map[string]func(*Options) any)
	for _, s := range shared {
		known[s.key] = s.of
	}
	for i := range table {
		if key := table[i].key; own[key] == (known[key] != nil) {
			t.Errorf("%s: is it shared, or an output's own?", key)
		}
	}
	cert, key := authority.ClientFiles(t)
	database := file(t, "\xab\xcd\xefMaxMind.com\xe0", 0o600)
	text := file(t, "x", 0o600)
	base := properties{"sensor_id": "s1", "es_client_cert": cert, "es_client_key": key, "es_user": "u", "es_password": "p"}
	cert2, key2 := authority.ClientFiles(t)
	for name, change := range map[string]properties{
		"es_user": {"es_user": "v"}, "es_password": {"es_password": "q"}, "es_ca_file": {"es_ca_file": cert}, "es_tls_verify": {"es_tls_verify": "off"},
		"es_client_cert": {"es_client_cert": cert2, "es_client_key": key2}, "es_compress": {"es_compress": "on"}, "manage_templates": {"manage_templates": "off"},
		"shards": {"shards": "2"}, "replicas": {"replicas": "1"}, "refresh_interval": {"refresh_interval": "1s"}, "cache_size": {"cache_size": "9M"},
		"dead_letter_path": {"dead_letter_path": "/x"}, "ipv6_prefix": {"ipv6_prefix": "64"}, "store_secrets": {"store_secrets": "none"},
		"internal_nets": {"internal_nets": "10.0.0.0/8"}, "internal_hosts": {"internal_hosts": text},
		"geoip_db": {"geoip_db": database}, "asn_db": {"asn_db": database}, "network_types": {"network_types": text}, "tlp": {"tlp": "RED"}, "activity": {"activity": "off"},
		"attack_rules": {"attack_rules": text}, "tool_rules": {"tool_rules": text}, "risk_rules": {"risk_rules": text}, "known_scanners": {"known_scanners": text}, "known_good": {"known_good": text}, "ptr": {"ptr": "on"},
	} {
		p := properties{}
		maps.Copy(p, base)
		maps.Copy(p, change)
		a, b := mustParse(t, base), mustParse(t, p)
		if x, y := a.Disagrees(&b), b.Disagrees(&a); x != name || y != name {
			t.Errorf("%s: %q and %q", name, x, y)
		}
	}
}
