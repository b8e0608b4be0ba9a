package options

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dossier/correlate/redact"
)

// Parse reads all options through get, which returns the value of a key or
// "", and returns them complete. An error is one line: the key, what was
// given, what is allowed; the values of secrets are in none of them. What is
// allowed but likely a mistake goes to warn, one line each.
func Parse(get func(key string) string, warn func(string)) (Options, error) {
	var o Options
	isSet := make(map[string]bool)
	for i := range table {
		row := &table[i]
		v := strings.TrimSpace(get(row.key))
		isSet[row.key] = v != ""
		if v == "" {
			v = row.value
		}
		if v == "" {
			continue
		}
		if err := row.set(&o, v); err != nil {
			return Options{}, row.fault(v, err)
		}
	}
	if err := o.finish(isSet); err != nil {
		return Options{}, err
	}
	o.warn(warn)
	misspelt(get, warn)
	return o, nil
}

// badValue says what is wrong with a value.
type badValue struct {
	// value is the element of a list that is wrong, "" for the whole.
	value string
	// reason completes what the option wants where that alone is not clear.
	reason string
	// hidden says that the value must not be shown.
	hidden bool
}

// errWant says that a value is not what its option wants, and no more.
var errWant error = &badValue{}

func (e *badValue) Error() string { return e.reason }

// fault makes the line that Fluent Bit's user reads.
func (row *option) fault(value string, err error) error {
	var bad *badValue
	if !errors.As(err, &bad) {
		bad = &badValue{reason: err.Error()}
	}
	if bad.value != "" {
		value = bad.value
	}
	got := quote(value)
	if row.secret || bad.hidden {
		got = "a value"
	}
	reason := ""
	if bad.reason != "" {
		reason = " (" + bad.reason + ")"
	}
	return &Fault{[]string{row.key}, fmt.Sprintf("dossier: option %s: got %s, want %s%s", row.key, got, row.want, reason)}
}

// conflict is an error about how options stand to each other: the one of key
// to others that are set.
func conflict(key, got, want string, others ...string) error {
	return &Fault{append([]string{key}, others...), fmt.Sprintf("dossier: option %s: got %s, want %s", key, got, want)}
}

// finish sets what depends on more than one option.
func (o *Options) finish(isSet map[string]bool) error {
	for _, pair := range [...][2]string{
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
		if isSet[pair[0]] && isSet[pair[1]] {
			return conflict(pair[0], "a value beside "+pair[1], "only one of the two", pair[1])
		}
	}
	switch {
	case o.User != "" && o.Password == "":
		return conflict("es_user", quote(o.User)+" without a password",
			"es_password or es_password_file beside it (an environment variable that is not set counts as empty)")
	case o.Password != "" && o.User == "":
		return conflict("es_user", "nothing beside a password", "the user that the password belongs to", "es_password", "es_password_file")
	case o.ClientCert != "" && o.ClientKey == "":
		return conflict("es_client_key", "nothing beside es_client_cert", "the key of that certificate", "es_client_cert")
	case o.ClientKey != "" && o.ClientCert == "":
		return conflict("es_client_cert", "nothing beside es_client_key", "the certificate of that key", "es_client_key")
	}
	if o.ClientCert != "" {
		if err := checkKeyPair(o.ClientCert, o.ClientKey); err != nil {
			return conflict("es_client_key", quote(o.ClientKey),
				"the unencrypted PEM key of "+quote(o.ClientCert)+" ("+err.Error()+")", "es_client_cert")
		}
	}
	if !o.StructuredData && (o.JSONInSyslog || len(o.JSONUnits) > 0) {
		return conflict("json_in_syslog", "a value beside structured_data off, which refuses all JSON", "only one of the two", "structured_data")
	}
	if o.SyslogTimezone == nil {
		o.SyslogTimezone = time.Local
	}
	if o.CloudID == "" && len(o.Hosts) == 0 {
		o.Hosts, o.HostsDefaulted = []string{"http://127.0.0.1:9200"}, true
	}
	if o.CommitTimeout == 0 {
		o.CommitTimeout, o.EngineCommitTimeout = defaultCommitTimeout, defaultEngineCommitTimeout
	}
	if o.SensorID == "" {
		name, err := os.Hostname()
		if err != nil || !sensorName.MatchString(name) {
			return conflict("sensor_id", "nothing, and the host name "+quote(name)+" can't stand in", "a name for this sensor")
		}
		o.SensorID = name
	}
	return nil
}

// warn tells of what is allowed but dangerous.
func (o *Options) warn(warn func(string)) {
	if !o.TLSVerify {
		warn("es_tls_verify is off: the certificates of Elasticsearch are not checked, anybody on the way can read and change everything")
	}
	for _, h := range o.Hosts {
		u, err := url.Parse(h)
		if err != nil || u.Scheme != "http" {
			continue
		}
		if (o.Password != "" || o.APIKey != "") && !loopback(u.Hostname()) {
			warn("es_hosts: " + h + " is not encrypted: the credentials and all profiles travel in the clear; use https")
			break
		}
	}
	for _, f := range []string{o.PasswordFile, o.APIKeyFile, o.ClientKey} {
		if f == "" {
			continue
		}
		if st, err := os.Stat(f); err == nil && st.Mode().Perm()&0o007 != 0 {
			warn(fmt.Sprintf("%s can be read by every user of this host: chmod o= it", quote(f)))
		}
	}
	if o.StoreSecrets == redact.Plain && o.TLP != "" && (o.TLP == "CLEAR" || o.TLP == "WHITE") {
		warn("tlp " + o.TLP + " marks the profiles as fit to be published, but store_secrets plain shows the passwords that were tried")
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// quote shows a value in one line of bounded length.
func quote(v string) string {
	const most = 100
	if len(v) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(v[cut]) {
			cut--
		}
		return strconv.Quote(v[:cut]) + "…"
	}
	return strconv.Quote(v)
}
