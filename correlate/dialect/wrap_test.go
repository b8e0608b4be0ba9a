package dialect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
)

const canarySays = `{"dst_host":"10.0.0.5","dst_port":22,"local_time":"2026-11-26 10:00:00.000000","logdata":{"PASSWORD":"a","USERNAME":"root"},"logtype":4002,"node_id":"decoy-1","src_host":"192.0.2.1","src_port":1906,"utc_time":"2026-11-26 10:00:00.000000"}`

// JSON in a line of syslog counts with the option, and under a reason of its own
// without.
func TestJSONInSyslog(t *testing.T) {
	headers := map[string]string{
		"RFC 5424":                     "<133>1 2026-11-26T10:00:00.000Z decoy-1 cowrie 77 - - ",
		"RFC 5424 with a BOM":          "<133>1 2026-11-26T10:00:00.000Z decoy-1 cowrie 77 - - \uFEFF",
		"RFC 5424, data of another":    `<133>1 2026-11-26T10:00:00.000Z decoy-1 cowrie - - [timeQuality tzKnown="1"] `,
		"RFC 3164":                     "<133>Nov 26 10:00:00 decoy-1 cowrie: ",
		"RFC 3164 with a process id":   "<133>Nov 26 10:00:00 decoy-1 cowrie[77]: ",
		"RFC 3164, one digit of day":   "<133>Nov 6 10:00:00 decoy-1 cowrie[77]: ",
		"RFC 3164 without a host":      "<133>Nov 26 10:00:00 cowrie[77]: ",
		"rsyslog's file":               "Nov 26 10:00:00 decoy-1 cowrie[77]: ",
		"rsyslog's file, ISO 8601":     "2026-11-26T10:00:00.123456+01:00 decoy-1 cowrie[77]: ",
		"with a space in it":           "2026-11-26 10:00:00 decoy-1 cowrie[77]: ",
		"nothing but a tag":            "<133>cowrie: ",
		"with a cookie":                "<133>Nov 26 10:00:00 decoy-1 suricata[1]: @cee: ",
		"with a cookie and no space":   "<133>Nov 26 10:00:00 decoy-1 suricata[1]: @cee:",
		"BusyBox's syslogd":            "Nov 26 10:00:00 decoy-1 local0.notice cowrie[77]: ",
		"BusyBox's logread":            "Thu Nov 26 10:00:00 2026 local0.notice cowrie[77]: ",
		"FreeBSD's syslogd -v":         "Nov 26 10:00:00 <local0.notice> decoy-1 cowrie[77]: ",
		"a tag with spaces in it":      "<12>cowrie[9    :140000000000000]: ",
		"the same behind a host":       "Nov 26 10:00:00 decoy-1 cowrie[9    :140000000000000]: ",
		"a relay's line around a line": "<14>1 2026-11-26T10:00:00Z relay 1 - - - 2026-11-26T10:00:00Z decoy-1 cowrie - - - ",
	}
	off, on, forced := newParser(t, Options{}), newParser(t, Options{JSON: JSONTrust{All: true}}), newParser(t, Options{JSON: JSONTrust{All: true}, Force: "cowrie"})
	for name, header := range headers {
		for _, end := range []string{"", "\n", "\x00"} {
			r := logRecord(header + cowrieSays + end)
			if got := verdictOf(t, off, r); got != "json_in_syslog" {
				t.Errorf("%s, off: got %s", name, got)
			}
			for _, p := range []*Parser{on, forced} {
				if got := verdictOf(t, p, r); got != cowrieMeans {
					t.Errorf("%s: got %s", name, got)
				}
			}
		}
	}
	split := recordOf("pri", "133", "time", "Nov 26 10:00:00", "host", "decoy-1", "ident", "cowrie", "pid", "77", "message", cowrieSays)
	noIdent := recordOf("pri", "133", "time", "Nov 26 10:00:00", "host", "decoy-1", "message", cowrieSays)
	split5424 := recordOf("pri", "133", "time", stamp, "host", "decoy-1", "ident", "cowrie", "pid", "77", "msgid", "-", "extradata", "-", "message", cowrieSays)
	for _, r := range []*event.Record{split, noIdent, split5424} {
		for p, want := range map[*Parser]string{off: "json_in_syslog", on: cowrieMeans, forced: cowrieMeans} {
			if got := verdictOf(t, p, r); got != want {
				t.Errorf("%v: got %s, want %s", r.Fields, got, want)
			}
		}
	}
	quoted := logRecord(headers["RFC 3164"] + fmt.Sprintf("%q", cowrieSays))
	if off, on := verdictOf(t, off, quoted), verdictOf(t, on, quoted); off != "json_in_syslog" || on != cowrieMeans {
		t.Errorf("JSON as a string: %s and %s", off, on)
	}
	if got := verdictOf(t, newParser(t, Options{DropApps: []string{"cowrie"}, JSON: JSONTrust{All: true}}), logRecord(headers["RFC 3164"]+cowrieSays)); got != "drop_app" {
		t.Errorf("a program that is dropped: %s", got)
	}
	// What only begins like a header, or goes on like a sentence, is no JSON.
	for _, line := range []string{"Nov 26 10:00:00 decoy-1 cowrie: x " + cowrieSays, "Nov 26 10:00:00 decoy-1 sshd[1]: Invalid user " + cowrieSays} {
		if got := verdictOf(t, on, logRecord(line)); strings.Contains(got, "192.0.2.1") {
			t.Errorf("%s\nblames %s", line, got)
		}
	}
}

// OpenCanary's SysLogHandler, by itself and through a relay.
func TestOpenCanarySysLogHandler(t *testing.T) {
	p := newParser(t, Options{JSON: JSONTrust{All: true}})
	for _, header := range []string{
		"<12>opencanaryd[9    :140000000000000]: decoy-1 WARNING ", "<12>opencanaryd[12345:140000000000000]: decoy-1 INFO  ",
		"Nov 26 10:00:00 host opencanaryd[9    :140000000000000]: decoy-1 WARNING ", "<12>1 " + stamp + " host opencanaryd - - - decoy-1 WARNING ",
		"<12>1 " + stamp + " host opencanaryd - - -     :140000000000000]: decoy-1 WARNING ",
	} {
		if got := verdictOf(t, p, logRecord(header+canarySays)); got != "192.0.2.1 decoy-1 ssh login" {
			t.Errorf("%s: got %s", header, got)
		}
	}
	if got := verdictOf(t, newParser(t, Options{}), logRecord("<12>opencanaryd[9    :14]: decoy-1 WARNING "+canarySays)); got != "json_in_syslog" {
		t.Errorf("got %s", got)
	}
}

// What a container runtime puts in front of a line needs no option.
func TestContainerRuntimes(t *testing.T) {
	p := newParser(t, Options{})
	q := fmt.Sprintf("%q", cowrieSays+"\n")
	for _, tt := range []struct {
		name string
		r    *event.Record
		want string
	}{
		{"CRI", logRecord("2026-11-26T10:00:00.000000000Z stdout F " + cowrieSays), cowrieMeans},
		{"CRI with more tags", logRecord("2026-11-26T10:00:00.5+01:00 stderr F:x " + cowrieSays), cowrieMeans},
		{"a piece by CRI", logRecord("2026-11-26T10:00:00.000000000Z stdout P " + cowrieSays[:50]), "partial_line"},
		{"a sentence behind CRI's", logRecord("2026-11-26T10:00:00.000000000Z stderr F Nov 26 10:00:00 decoy-1 sshd[1]: " + sshdSays), sshdBlames},
		{"JSON in a line behind CRI's", logRecord("2026-11-26T10:00:00.000000000Z stdout F <133>Nov 26 10:00:00 decoy-1 cowrie: " + cowrieSays), "json_in_syslog"},
		{"nothing behind CRI's", logRecord("2026-11-26T10:00:00.000000000Z stdout F "), "empty"},
		{"not CRI", logRecord("2026-11-26T10:00:00.000000000Z stdin F " + cowrieSays), "json_in_syslog"},
		{"Fluent Bit's parser for CRI", recordOf("time", stamp, "stream", "stdout", "_p", "F", "log", cowrieSays), cowrieMeans},
		{"a piece by that", recordOf("time", stamp, "stream", "stdout", "_p", "P", "log", cowrieSays[:50]), "partial_line"},
		{"a piece by that, older", recordOf("time", stamp, "stream", "stdout", "logtag", "P", "log", cowrieSays[:50]), "partial_line"},
		{"Docker", logRecord(`{"log":` + q + `,"stream":"stdout","time":"` + stamp + `"}`), cowrieMeans},
		{"a piece by Docker", logRecord(`{"log":` + fmt.Sprintf("%q", cowrieSays[:50]) + `,"stream":"stdout","time":"` + stamp + `"}`), "partial_line"},
		{"a cookie alone", logRecord("@cee: " + cowrieSays), cowrieMeans},
	} {
		if got := verdictOf(t, p, tt.r); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// What pipelines wrap a sensor's document in.
func TestWrappers(t *testing.T) {
	p := newParser(t, Options{})
	inside := func(prefix string, more ...string) *event.Record {
		return recordOf(append([]string{
			prefix + "eventid", "cowrie.login.failed", prefix + "username", "root", prefix + "password", "a", prefix + "src_ip", "192.0.2.1", prefix + "protocol", "ssh",
			prefix + "sensor", "decoy-1", prefix + "timestamp", "2026-11-26T10:00:00.000000Z",
		}, more...)...)
	}
	q := fmt.Sprintf("%q", cowrieSays)
	for _, tt := range []struct {
		name string
		r    *event.Record
		want string
	}{
		{"Kubernetes' filter", inside("log_processed.", "stream", "stdout", "kubernetes.pod_name", "cowrie-0", "kubernetes.labels.app", "x"), cowrieMeans},
		{"the same with the line kept", inside("log_processed.", "log", cowrieSays, "stream", "stdout", "kubernetes.pod_name", "cowrie-0"), cowrieMeans},
		{"the line alone", recordOf("log", cowrieSays, "stream", "stdout", "kubernetes.pod_name", "cowrie-0"), cowrieMeans},
		{"log as an object", inside("log.", "stream", "stdout"), cowrieMeans},
		{"message as an object", inside("message.", "@timestamp", stamp, "host.name", "h"), cowrieMeans},
		{"Kafka's payload", recordOf("topic", "honeypot", "partition", "0", "offset", "12", "payload", cowrieSays), cowrieMeans},
		{"Kafka's payload as an object", inside("payload.", "topic", "honeypot", "partition", "0", "offset", "12"), cowrieMeans},
		{"Kafka's payload with Docker's in it", recordOf("topic", "t", "partition", "0", "offset", "1", "payload", `{"log":`+q+`,"stream":"stdout"}`), cowrieMeans},
		{"Kafka's payload in a line", logRecord(`{"topic":"t","partition":0,"offset":1,"payload":` + q + `}`), cowrieMeans},
		{"OpenTelemetry's body", recordOf("body", cowrieSays, "severity_number", "9", "attributes.log.file.name", "cowrie.json"), cowrieMeans},
		{"OpenTelemetry's body as an object", inside("body.", "resource.service.name", "cowrie", "observed_timestamp", "1"), cowrieMeans},
		{"OpenTelemetry's body in a line", logRecord(`{"body":{"stringValue":` + q + `},"observedTimeUnixNano":"1"}`), cowrieMeans},
		{"Logstash's first version", recordOf("@message", cowrieSays, "@timestamp", stamp, "@source_host", "h"), cowrieMeans},
		{"Kafka's payload alone", recordOf("payload", cowrieSays), cowrieMeans},
		{"Kafka's payload beside its topic", recordOf("topic", "t", "payload", cowrieSays), cowrieMeans},
		{"Kafka's payload beside its key", recordOf("topic", "t", "key", "k", "@timestamp", stamp, "payload", cowrieSays), cowrieMeans},
		{"kcat", recordOf("topic", "t", "partition", "0", "offset", "1", "tstype", "create", "ts", "1", "broker", "1", "payload", cowrieSays), cowrieMeans},
		{"Kafka's value", recordOf("topic", "t", "partition", "0", "offset", "1", "value", cowrieSays), cowrieMeans},
		{"Filebeat's document in Kafka's payload", recordOf("topic", "t", "payload", beat(q, `"agent":{"type":"filebeat"},"log":{"offset":1,"file":{"path":"/x"}},`)), cowrieMeans},
		{"Filebeat's document in a line", logRecord(beat(q, `"@metadata":{"beat":"filebeat"},"input":{"type":"filestream"},`)), cowrieMeans},
		{"an old Filebeat's document", logRecord(beat(q, `"beat":{"hostname":"h"},"prospector":{"type":"log"},"offset":7,"source":"/x",`)), cowrieMeans},
		{"a Filebeat's document of a pod", logRecord(beat(q, `"kubernetes":{"pod":{"name":"cowrie-0"}},"stream":"stdout",`)), cowrieMeans},
		{"Filebeat's document as an object in Kafka's payload", recordOf("topic", "t", "payload.@timestamp", stamp, "payload.agent.type", "filebeat", "payload.message", cowrieSays), cowrieMeans},
		{"a sentence in Filebeat's document", logRecord(beat(fmt.Sprintf("%q", "Nov 26 10:00:00 decoy-1 sshd[1]: "+sshdSays), `"agent":{"type":"filebeat"},`)), sshdBlames},
		{"Logstash's document in a line", logRecord(beat(q, `"@version":"1","host":"h","path":"/x",`)), cowrieMeans},
		{"Vector's document in a line", logRecord(`{"file":"/x","host":"h","source_type":"file","timestamp":"` + stamp + `","message":` + q + `}`), cowrieMeans},
		{"Fluent Bit's own message to Kafka", recordOf("topic", "t", "payload", `{"@timestamp":1796000000.0,"log":`+q+`}`), cowrieMeans},
		{"Splunk's event as an object", inside("event.", "time", "1796000000.0", "host", "h", "sourcetype", "cowrie"), cowrieMeans},
		{"Splunk's event as text", recordOf("event", cowrieSays, "time", "1796000000.0", "host", "h", "source", "x", "sourcetype", "cowrie", "index", "main", "fields.env", "x"), cowrieMeans},
		{"Splunk's event in a line", logRecord(`{"sourcetype":"_json","event":` + cowrieSays + `}`), cowrieMeans},
		{"Filebeat's decoded JSON", inside("json.", "@timestamp", stamp, "agent.type", "filebeat", "host.name", "h"), cowrieMeans},
		{"what an index had", inside("_source.", "_index", "x", "_id", "y", "_score", "1"), cowrieMeans},
		{"JSON as a string", logRecord(q), cowrieMeans},
		{"JSON as a string twice", logRecord(fmt.Sprintf("%q", q)), cowrieMeans},
		{"JSON as a string's inside", logRecord(strings.Trim(q, `"`)), cowrieMeans},
		{"JSON as a string by Docker", logRecord(`{"log":` + fmt.Sprintf("%q", q+"\n") + `,"stream":"stdout"}`), cowrieMeans},
		{"no string", logRecord(q + "x"), "bad_json"},
		{"an open string", logRecord(q[:len(q)-1]), "bad_json"},
		{"OpenTelemetry's list of keys", logRecord(`{"timeUnixNano":"1","body":{"kvlistValue":{"values":` + kvlist(false) + `}}}`), cowrieMeans},
		{"the same with values first", logRecord(`{"body":{"kvlist_value":{"values":` + kvlist(true) + `}},"attributes":[{"key":"a","value":{"stringValue":"b"}}]}`), cowrieMeans},
		{"OpenTelemetry's list of lists", logRecord(`{"timeUnixNano":"1","body":` + keyValues(t, canarySays) + `}`), "192.0.2.1 decoy-1 ssh login"},
		{"OpenTelemetry's envelope", logRecord(`{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{"name":"x"},"logRecords":[{"timeUnixNano":"1","body":{"stringValue":` + q + `}}]}]}]}`), cowrieMeans},
		{"OpenTelemetry's envelope of a list", logRecord(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":` + keyValues(t, cowrieSays) + `}]}]}]}`), cowrieMeans},
		{"OpenTelemetry's envelope of two", logRecord(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":` + q + `}},{"body":{"stringValue":` + q + `}}]}]}]}`), "unknown_shape"},
		{"OpenTelemetry's data model", recordOf("Body", cowrieSays, "SeverityText", "INFO", "Timestamp", "1", "Resource.service.name", "cowrie"), cowrieMeans},
		{"OpenTelemetry's data model, an object", inside("Body.", "Timestamp", "1"), cowrieMeans},
		{"Fluentd's log driver in Kafka's payload", recordOf("topic", "t", "payload", `{"container_id":"x","container_name":"/cowrie","source":"stdout","log":`+q+`}`), cowrieMeans},
		{"Graylog's format", recordOf("version", "1.1", "host", "h", "short_message", cowrieSays, "timestamp", "1", "level", "6", "_container_name", "cowrie"), cowrieMeans},
		{"the original of Logstash's document", recordOf("@version", "1", "@timestamp", stamp, "event.original", cowrieSays, "host.name", "h"), cowrieMeans},
		{"OpenTelemetry's body in snake case", logRecord(`{"body":{"string_value":` + q + `},"observed_time_unix_nano":"1"}`), cowrieMeans},
		{"a log's file beside a message", recordOf("log.file.path", "/var/log/auth.log", "log.offset", "1", "message", "Nov 26 10:00:00 decoy-1 sshd[1]: "+sshdSays), sshdBlames},
		{"a log record of OpenTelemetry's", logRecord(`{"timeUnixNano":"1","severityText":"INFO","body":{"stringValue":` + q + `},"attributes":[{"key":"a","value":{"stringValue":"b"}}]}`), cowrieMeans},
		{"a body with a time of OpenTelemetry's", recordOf("timeUnixNano", "1", "body", cowrieSays), cowrieMeans},
		{"a list of keys with a log in it", logRecord(`{"timeUnixNano":"1","body":{"kvlistValue":{"values":[{"key":"log","value":{"kvlistValue":{"values":` + kvlist(false) + `}}}]}}}`), cowrieMeans},
		{"a text of OpenTelemetry's beside a client", logRecord(`{"client":"192.0.2.7","body":{"stringValue":` + q + `}}`), "unknown_shape"},
		// What a sensor that isn't known got from a client.
		{"a body of somebody's", recordOf("body", cowrieSays, "src_ip", "192.0.2.7", "method", "POST"), "unknown_shape"},
		{"a payload of somebody's", recordOf("payload", cowrieSays, "src_ip", "192.0.2.7"), "unknown_shape"},
		{"a payload as an object", inside("payload.", "src_ip", "192.0.2.7"), "unknown_shape"},
		{"a body as an object", inside("body.", "method", "POST", "stream", "x"), "unknown_shape"},
		{"a list of keys beside somebody's", logRecord(`{"client":"192.0.2.7","body":{"kvlistValue":{"values":` + kvlist(false) + `}}}`), "unknown_shape"},
		{"an event of somebody's", recordOf("event", cowrieSays, "client", "192.0.2.7", "sourcetype", "x"), "unknown_shape"},
		{"an event without a collector's fields", recordOf("event", cowrieSays, "time", "1"), "unknown_shape"},
		{"a message in a document", logRecord(`{"message":` + q + `}`), "unknown_shape"},
		{"a message in a document with a time", logRecord(`{"@timestamp":"x","message":` + q + `}`), "unknown_shape"},
		{"a message beside a client", logRecord(beat(q, `"agent":{"type":"filebeat"},"client":"192.0.2.7",`)), "unknown_shape"},
		{"a short message of somebody's", recordOf("short_message", cowrieSays, "client", "192.0.2.7"), "unknown_shape"},
		{"an original of somebody's", recordOf("event.original", cowrieSays, "@timestamp", stamp), "unknown_shape"},
		{"a value of somebody's", recordOf("value", cowrieSays, "topic", "x"), "unknown_shape"},
		{"headers", inside("headers.", "topic", "x"), "unknown_shape"},
		{"a message among others", recordOf("@message", cowrieSays, "client", "192.0.2.7"), "unknown_shape"},
	} {
		if got := verdictOf(t, p, tt.r); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	// However deep, it ends.
	text := cowrieSays
	for range 30 {
		text = `{"log":` + fmt.Sprintf("%q", text) + `,"stream":"x"}`
		if len(text) > 1<<20 {
			break
		}
		verdictOf(t, p, logRecord(text))
	}
	if got := verdictOf(t, p, logRecord(text)); got != "unknown_shape" {
		t.Errorf("too deep: %s", got)
	}
}

// beat returns a document of a shipper's with a message, more standing in it.
func beat(message, more string) string {
	return `{"@timestamp":"` + stamp + `",` + more + `"message":` + message + `}`
}

// kvlist returns what cowrieSays as a KeyValueList of OpenTelemetry's.
func kvlist(valuesFirst bool) string {
	var members []string
	for pair := range strings.SplitSeq(strings.Trim(cowrieSays, "{}"), `,"`) {
		key, value, _ := strings.Cut(strings.TrimPrefix(pair, `"`), `":`)
		k, v := `"key":"`+key+`"`, `"value":{"stringValue":`+value+`}`
		if valuesFirst {
			k, v = v, k
		}
		members = append(members, "{"+k+","+v+"}")
	}
	return "[" + strings.Join(members, ",") + "]"
}

// keyValues returns a document as a KeyValueList of OpenTelemetry's, objects in it
// as well.
func keyValues(t *testing.T, document string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatal(err)
	}
	var of func(v any) map[string]any
	of = func(v any) map[string]any {
		switch v := v.(type) {
		case map[string]any:
			var members []any
			for _, key := range slices.Sorted(maps.Keys(v)) {
				members = append(members, map[string]any{"key": key, "value": of(v[key])})
			}
			return map[string]any{"kvlistValue": map[string]any{"values": members}}
		case float64:
			return map[string]any{"intValue": fmt.Sprint(int64(v))}
		default:
			return map[string]any{"stringValue": fmt.Sprint(v)}
		}
	}
	text, err := json.Marshal(of(value))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
