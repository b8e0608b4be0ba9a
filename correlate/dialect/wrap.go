package dialect

import (
	"slices"
	"strings"

	"dossier/correlate/event"
)

// JSONTrust says whose JSON counts that stands inside a line of syslog. Whoever
// has a shell on a host can write any line under any program's name.
type JSONTrust struct {
	// All says that only sensors log into what is read. Of systemd's journal it
	// means the services in which nobody has a shell.
	All bool
	// Units are the units of systemd's whose JSON counts.
	Units []string
}

func (t *JSONTrust) any() bool { return t.All || len(t.Units) > 0 }

// trusts says whether the JSON in a line counts.
func (t *JSONTrust) trusts(f *frame) bool {
	if f.journal == nil {
		return t.All
	}
	return f.journal.ofRuntime() || slices.Contains(t.Units, f.journal.unit) && f.journal.unit != "" || t.All && f.journal.sensorUnit()
}

// ceeCookie is what stands in front of JSON in syslog by the Common Event
// Expression's rules, which nothing else of is left.
const ceeCookie = "@cee:"

// jsonIn returns the JSON that a line's message is.
func jsonIn(f *frame) (text string, ok bool) {
	text = f.msg
	if program(f.app) == "opencanaryd" {
		text = behindLevel(text)
	}
	if rest, cookie := strings.CutPrefix(text, ceeCookie); cookie {
		text = strings.TrimLeft(rest, " ")
	}
	if text == "" || text[0] != '{' && !strings.HasPrefix(text, `"{`) {
		return "", false
	}
	return strings.TrimRight(text, "\x00\n\r "), true
}

// behindLevel cuts "NAME LEVEL " off what OpenCanary's SysLogHandler writes: its
// format is "opencanaryd[%(process)-5s:%(thread)d]: %(name)s %(levelname)-5s
// %(message)s" (opencanary/logger.py). A relay that takes the space in the
// brackets for the tag's end leaves the rest of them in front.
func behindLevel(msg string) string {
	if rest, ok := strings.CutPrefix(msg, ":"); ok {
		if thread, rest, ok := strings.Cut(rest, "]: "); ok && isNumber(thread) {
			msg = rest
		}
	}
	_, rest, ok := strings.Cut(msg, " ")
	if !ok {
		return msg
	}
	level, text, ok := strings.Cut(rest, " ")
	if !ok || !slices.Contains([]string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}, level) {
		return msg
	}
	return strings.TrimLeft(text, " ")
}

// jsonInLine reads the JSON in a line of syslog where it may count.
func (p *Parser) jsonInLine(x *scratch, r *event.Record, f *frame, text string, out *event.Event) Verdict {
	if !p.json.trusts(f) {
		return Verdict{Dialect: Native, Reason: JSONInSyslog}
	}
	if text[0] == '"' || strings.HasPrefix(text, `{\"`) {
		var ok bool
		if text, ok = x.unquoted(text); !ok {
			return Verdict{Dialect: Native, Reason: BadJSON}
		}
	}
	return p.jsonText(x, r, text, x.depth, out)
}

// cutCRI cuts off what a container runtime puts in front of a line by the
// Container Runtime Interface: TIME STREAM TAGS, of which the first tag says
// whether the line is whole (F) or goes on in the next (P).
func cutCRI(line string) (rest string, partial, ok bool) {
	stamp, rest, ok := strings.Cut(line, " ")
	if !ok || len(stamp) < len("2006-01-02T15:04:05Z") || len(stamp) > len("2006-01-02T15:04:05.123456789+00:00") || stamp[4] != '-' || stamp[10] != 'T' {
		return "", false, false
	}
	stream, rest, ok := strings.Cut(rest, " ")
	if !ok || stream != "stdout" && stream != "stderr" {
		return "", false, false
	}
	tags, rest, _ := strings.Cut(rest, " ")
	tag, _, _ := strings.Cut(tags, ":")
	if tag != "F" && tag != "P" {
		return "", false, false
	}
	if _, ok := parseTime(stamp); !ok {
		return "", false, false
	}
	return rest, tag == "P", true
}

// unquoted returns the text that a line is a JSON string of, or what such a
// string's inside is: a document that was written as text into another one.
func (x *scratch) unquoted(line string) (string, bool) {
	if line[0] != '"' {
		return unescape(x.arena, line)
	}
	x.json.reset()
	x.json.s, x.json.arena = line, x.arena
	text, ok := x.json.text(true)
	return text, ok && x.json.i == len(line)
}

// wrappers are the names under which a pipeline puts the document that a sensor
// wrote, as an object: Fluent Bit's and Filebeat's filters, brokers, Splunk's
// HTTP Event Collector, an index that was read out.
var wrappers = []string{"log_processed.", "log_parsed.", "log.", "message.", "payload.", "body.", "Body.", "@message.", "event.", "json.", "_source."}

// envelope starts the names of a log record's fields in OpenTelemetry's JSON, where
// it is the only one.
const envelope = "resourceLogs.0.scopeLogs.0.logRecords.0."

// kvlists are the names under which OpenTelemetry's JSON has an object's members.
var kvlists = []string{"body.kvlistValue.values.", "body.kvlist_value.values.", envelope + "body.kvlistValue.values."}

// mayWrap says whether a field is of those that documents are wrapped in.
func mayWrap(key string) bool {
	if key == "" {
		return false
	}
	switch key[0] {
	case 'l', 'm', 'p', 'b', 'B', '@', 'e', 'j', '_':
		return key == "payload" || key == "@message" || key == "body" || key == "Body" || key == "event" ||
			slices.ContainsFunc(wrappers, func(w string) bool { return strings.HasPrefix(key, w) })
	case 'v':
		return key == "value"
	case 's':
		return key == "short_message"
	case 'r':
		return strings.HasPrefix(key, envelope)
	}
	return false
}

// around are the fields that pipelines put around a document: the first ones
// have values, the others are objects.
var around = []string{
	"stream", "logtag", "_p", "time", "timestamp", "ts", "date", "tag", "tags", "type", "log", "message", "container_id", "container_name", "source",
	"file", "filename", "path", "host", "hostname", "@timestamp", "@version", "topic", "partition", "offset", "key", "error", "node", "cluster", "environment",
	"trace_id", "span_id", "trace_flags", "flags", "severity", "severity_text", "severity_number", "severityText", "severityNumber", "traceId", "spanId",
	"observed_timestamp", "observed_time_unix_nano", "observedTimeUnixNano", "timeUnixNano", "time_unix_nano", "dropped_attributes_count",
	"sourcetype", "index", "tstype", "broker", "timestamp_type", "message_key", "source_type", "_index", "_id", "_score", "_type", "_version", "sort",
	"event.dataset", "event.module", "event.created", "event.ingested", "event.timezone", "event.kind", "event.original", "event.agent_id_status",
	"fileset.name", "service.type", "service.name", "kubernetes.", "docker.", "container.", "host.", "agent.", "ecs.", "input.", "@metadata.", "labels.", "tags.",
	"fields.", "log.file.", "log.offset", "attributes.", "resource.", "resources.", "scope.", "instrumentation_scope.", "otlp.", "headers.",
	"beat.", "prospector.", "cloud.", "data_stream.", "elastic_agent.", "orchestrator.",
	"Timestamp", "ObservedTimestamp", "TraceId", "SpanId", "TraceFlags", "SeverityText", "SeverityNumber", "Attributes.", "Resource.", "InstrumentationScope.", "resourceLogs.0.",
}

// isAround says whether a field is one that a pipeline puts around a document.
func isAround(key string) bool {
	return slices.ContainsFunc(around, func(name string) bool {
		return key == name || strings.HasSuffix(name, ".") && strings.HasPrefix(key, name)
	})
}

// shipped says whether a document is what a shipper makes of a line: it tells
// which shipper, and nothing stands beside the line but what shippers add.
func shipped(fields []event.Field) bool {
	marked := false
	stamped, log := false, false
	for i := range fields {
		key := fields[i].Key
		switch {
		case slices.Contains(lineKeys[:], key):
			log = log || key == "log"
		case !isAround(key):
			return false
		}
		switch key {
		case "agent.type", "agent.ephemeral_id", "@metadata.beat", "beat.name", "beat.hostname", "prospector.type", "input.type", "@version", "source_type", "container_id":
			marked = true
		case "@timestamp":
			stamped = true
		default:
			marked = marked || strings.HasPrefix(key, "kubernetes.")
		}
	}
	// Fluent Bit's Kafka output adds a time to what its inputs have under log.
	return marked || stamped && log
}

// unwrapped reads the document or line that a pipeline wrapped: as an object of
// its own, as the payload of a message of Kafka's, as the body of a log record of
// OpenTelemetry's, as the event of Splunk's, as the @message of Logstash's first
// version. It returns false where none is.
//
// What a sensor that isn't known writes may have fields of such names that are
// an attacker's. So nothing but what pipelines add may stand around an object,
// and it must be a document that is known.
func (p *Parser) unwrapped(x *scratch, r *event.Record, fields []event.Field, depth int, out *event.Event) (v Verdict, ok bool) {
	if depth == maxNesting {
		return v, false
	}
	for _, wrapper := range wrappers {
		start := len(x.documents)
		only := true
		for i := range fields {
			f := &fields[i]
			if rest, inside := strings.CutPrefix(f.Key, wrapper); inside {
				x.documents = append(x.documents, event.Field{Key: rest, Value: f.Value})
			} else if !isAround(f.Key) {
				only = false
				break
			}
		}
		inner := x.documents[start:]
		if s := p.shapeOf(inner); only && len(inner) > 0 && (s.dialect != None || s.journal || s.docker || s.rank < len(lineKeys) && shipped(inner)) {
			return p.document(x, r, inner, depth+1, out), true
		}
		x.documents = x.documents[:start]
	}
	for _, list := range kvlists {
		start := len(x.documents)
		if !x.keyValues(fields, list) {
			x.documents = x.documents[:start]
			continue
		}
		inner := x.documents[start:]
		if s := p.shapeOf(inner); s.dialect != None || s.wrapped {
			return p.document(x, r, inner, depth+1, out), true
		}
		x.documents = x.documents[:start]
	}
	if text := wrappedText(fields); text != "" {
		return p.line(x, r, text, depth, out), true
	}
	return v, false
}

// keyValues appends to x.documents the members of the object that stands under
// list as OpenTelemetry's KeyValueList, {"key": …, "value": {"stringValue": …}} a
// member (opentelemetry/proto/common/v1/common.proto). It returns false where
// there is none, or where something stands beside it that no pipeline adds.
func (x *scratch) keyValues(fields []event.Field, list string) bool {
	start := len(x.documents)
	for i := range fields {
		f := &fields[i]
		if !strings.HasPrefix(f.Key, list) {
			if !isAround(f.Key) || severalRecords(f.Key) {
				return false
			}
			continue
		}
		if name := x.nameOf(fields, i, len(list)); name != "" {
			x.documents = append(x.documents, event.Field{Key: name, Value: f.Value})
		}
	}
	return len(x.documents) > start
}

// nameOf returns the name of the member whose value the i-th field is, "" where it
// is no value: the keys of the lists that it stands in, which begin at a place of
// its name, with dots between them.
func (x *scratch) nameOf(fields []event.Field, i, at int) string {
	key, name := fields[i].Key, ""
	for {
		member, what, _ := strings.Cut(key[at:], ".")
		what, ok := strings.CutPrefix(what, "value.")
		if !ok {
			return ""
		}
		own := keyOf(fields, i, key[:at], member)
		if own == "" {
			return ""
		}
		if name == "" {
			name = own
		} else {
			name = x.arena.Join(name, ".", own)
		}
		list, _, _ := strings.Cut(what, ".")
		if event.IsKeyValueList(list) {
			inner := len(list) + len(".values.")
			if at = len(key) - len(what) + inner; at >= len(key) {
				return ""
			}
			continue
		}
		if element, ok := elementOf(what); ok {
			name = x.arena.Join(name, ".", element)
		}
		return name
	}
}

// severalRecords says whether a field is of another log record of OpenTelemetry's
// than the first, of which one record can't be read alone.
func severalRecords(key string) bool {
	return strings.HasPrefix(key, "resourceLogs.") && (!strings.HasPrefix(key, "resourceLogs.0.") || strings.Contains(key, ".scopeLogs.1.") || strings.Contains(key, ".logRecords.1."))
}

// keyOf returns the key of a member of a list, whose value is the i-th field: it
// stands near it.
func keyOf(fields []event.Field, i int, list, member string) string {
	const near = 64
	for j := max(0, i-near); j < min(len(fields), i+near); j++ {
		rest, ok := strings.CutPrefix(fields[j].Key, list)
		if !ok {
			continue
		}
		if rest, ok = strings.CutPrefix(rest, member); ok && rest == ".key" {
			return fields[j].Value
		}
	}
	return ""
}

// elementOf returns the number of an array's element, false for what is none.
func elementOf(what string) (string, bool) {
	for _, array := range [...]string{"arrayValue.values.", "array_value.values."} {
		if rest, ok := strings.CutPrefix(what, array); ok {
			number, _, _ := strings.Cut(rest, ".")
			return number, true
		}
	}
	return "", false
}

// gelfFields are the fields of the Graylog Extended Log Format beside those that
// begin with an underscore.
var gelfFields = []string{"version", "host", "short_message", "full_message", "timestamp", "level", "facility", "line", "file"}

// wrappedText returns the line or document that is wrapped as text, "" without
// one.
func wrappedText(fields []event.Field) string {
	var payload, value, message, body, text, original, short string
	kafka, otel, proto, splunk, gelf := 0, false, false, false, true
	logstash, others, collector := true, true, true
	for i := range fields {
		key, v := fields[i].Key, fields[i].Value
		if severalRecords(key) {
			return ""
		}
		gelf = gelf && (key[:min(1, len(key))] == "_" || slices.Contains(gelfFields, key))
		logstash = logstash && key[:min(1, len(key))] == "@"
		switch key {
		case "topic", "partition", "offset":
			kafka++
		case "payload":
			payload = v
			continue
		case "value":
			value = v
		case "@message":
			message = v
		case "body", "body.stringValue", "body.string_value", "Body", "Body.stringValue":
			body = v
			proto = proto || len(key) > len("body") // nobody else writes a text so
			continue
		case "timeUnixNano", "severityText":
			proto = true
		case envelope + "body.stringValue":
			body, otel = v, true
		case "event.original":
			original = v
		case "short_message":
			short = v
			continue
		case "event":
			text = v
			continue
		case "sourcetype", "index":
			splunk = true
			continue
		case "time", "host", "source":
		case "observed_timestamp", "observed_time_unix_nano", "observedTimeUnixNano", "severity_number", "severityNumber", "SeverityText", "SeverityNumber", "ObservedTimestamp":
			otel = true
		default:
			otel = otel || strings.HasPrefix(key, "resource.") || strings.HasPrefix(key, "resources.") || strings.HasPrefix(key, "scope.") ||
				strings.HasPrefix(key, "instrumentation_scope.")
			collector = collector && strings.HasPrefix(key, "fields.")
		}
		others = others && isAround(key)
	}
	switch {
	case payload != "" && (kafka == 3 || others):
		return payload
	case value != "" && kafka == 3:
		return value
	case message != "" && logstash:
		return message
	case body != "" && (otel || proto && others):
		return body
	case text != "" && splunk && collector:
		return text
	case original != "" && others && shipped(fields):
		return original
	case short != "" && gelf:
		return short
	default:
		return ""
	}
}
