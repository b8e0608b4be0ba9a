package dialect

import (
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// scratch is the memory a Parser works in while it reads into an arena. What
// leaves it is copied to the arena.
type scratch struct {
	parser  *Parser
	arena   *event.Arena
	secrets Secrets
	// protocol says by whose rules what the event at hand shows is read.
	protocol redact.Protocol
	// usual is the protocol of the port where none is named.
	usual redact.Protocol
	// params has the named values of the line or document at hand: what was
	// read into own, or the fields of somebody else's document.
	params []event.Field
	own    []event.Field
	// text says that the document came as text, not as a record's own
	// fields, from which Fluent Bit takes the time.
	text bool
	// documents has the fields of JSON documents that came as text.
	documents []event.Field
	// headers has the HTTP headers of the request at hand.
	headers []event.Field
	// payload is the payload of the evidence at hand.
	payload []event.Field
	// name is memory to put a name together in.
	name []byte
	// json reads the JSON documents.
	json scanner
	// evidence is what was found so far.
	evidence []event.Evidence
	memo     memo
	// seen is the fields of the record or document read last, frame the line
	// of syslog in it: what Basis shows.
	seen  []event.Field
	frame frame
	// depth is how many documents the one at work stands in.
	depth int
	// custom is the field map that read the document at hand.
	custom *fieldMap
	// port is the decoy's port that a sentence tells.
	port string
	// sessions is what the chunk's records tell of their sessions, told the
	// last of it.
	sessions map[sessionKey]sessionPlace
	toldOf   sessionKey
	told     sessionPlace
}

// maxKeptSessions is the most sessions whose room is kept for the next chunk.
const maxKeptSessions = 1 << 15

// next makes x ready for a record.
func (x *scratch) next() {
	x.params, x.text, x.protocol, x.usual = nil, false, redact.Shell, redact.Shell
	x.own, x.documents, x.headers = x.own[:0], x.documents[:0], x.headers[:0]
	x.payload, x.evidence = x.payload[:0], x.evidence[:0]
	x.seen, x.frame, x.depth, x.port = nil, frame{}, 0, ""
}

// Reset forgets the records: no view of a chunk that is gone may stay. It is
// for the arena to call.
func (x *scratch) Reset() {
	x.next()
	for _, f := range [...][]event.Field{x.own, x.documents, x.headers, x.payload} {
		clear(f[:cap(f)])
	}
	clear(x.evidence[:cap(x.evidence)])
	x.json.reset()
	x.memo = memo{}
	x.toldOf, x.told = sessionKey{}, sessionPlace{}
	if len(x.sessions) > maxKeptSessions {
		x.sessions = nil // or one large chunk's room would stay for ever
	}
	clear(x.sessions)
}

// keep adds a parameter of a line.
func (x *scratch) keep(key, value string) {
	if len(x.own) < maxParams {
		x.own = append(x.own, event.Field{Key: key, Value: value})
		x.params = x.own
	}
}

// document makes the fields of a document the parameters at hand.
func (x *scratch) document(fields []event.Field) { x.params = fields }

// lookup returns the last parameter named key: where a name comes twice, the
// last one counts, as it does for DECNET.
func (x *scratch) lookup(key string) (string, bool) {
	for i := len(x.params) - 1; i >= 0; i-- {
		if x.params[i].Key == key {
			return x.params[i].Value, true
		}
	}
	return "", false
}

// get returns the parameter named key, "" without one or where its value
// stands for none.
func (x *scratch) get(key string) string {
	v, _ := x.lookup(key)
	if v == "None" || v == "null" {
		return ""
	}
	return v
}

// joined puts a name together, to look up alone.
func (x *scratch) joined(prefix, name string) string {
	if prefix == "" {
		return name
	}
	x.name = append(append(x.name[:0], prefix...), name...)
	return event.View(x.name)
}

// first returns the first parameter of keys that says something.
func (x *scratch) first(keys ...string) string {
	for _, key := range keys {
		if v := x.get(key); v != "" {
			return v
		}
	}
	return ""
}

// int returns the parameter named key as a number.
func (x *scratch) int(key string) (int64, bool) {
	v, _ := x.lookup(key)
	return parseInt(v)
}

// parseInt reads a decimal number.
func parseInt(s string) (int64, bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}

// value repairs and caps s for display.
func (x *scratch) value(s string) string {
	s, _ = x.arena.Clean(s, event.MaxValue)
	return s
}

// put adds a field to the payload at hand unless it is empty.
func (x *scratch) put(key, value string) { x.note(key, x.value(value)) }

// note adds a field whose value may be shown as it is to the payload at hand
// unless it is empty.
func (x *scratch) note(key, value string) {
	if value != "" {
		x.payload = append(x.payload, event.Field{Key: key, Value: value})
	}
}

// putAll adds the parameters named by keys to the payload at hand.
func (x *scratch) putAll(keys ...string) {
	for _, key := range keys {
		x.put(key, x.get(key))
	}
}

// add takes e with the payload at hand.
func (x *scratch) add(e event.Evidence) {
	e.Payload = x.arena.Fields(x.payload)
	x.payload = x.payload[:0]
	x.evidence = append(x.evidence, e)
}

// found adds evidence of a kind with the payload at hand, to be filled in: in
// place, for what most events have.
func (x *scratch) found(kind event.EvidenceKind) *event.Evidence {
	n := len(x.evidence)
	x.evidence = append(x.evidence, event.Evidence{})
	e := &x.evidence[n]
	e.Kind, e.Payload = kind, x.arena.Fields(x.payload)
	x.payload = x.payload[:0]
	return e
}

// fingerprint adds a fingerprint with the payload at hand, unless value is
// empty.
func (x *scratch) fingerprint(kind, value string) {
	if value == "" {
		x.payload = x.payload[:0]
		return
	}
	shown := x.value(value)
	e := x.found(event.Fingerprint)
	e.A, e.B = kind, shown
}

// command adds a command line: as it was typed into a shell, else without the
// secrets of the protocol at hand and without local parts.
func (x *scratch) command(line string) { x.commandIn(line, "") }

// commandIn adds one that was given in the session of that id.
func (x *scratch) commandIn(line, session string) {
	line = redact.Shown(x.protocol, x.usual, x.secrets != Plain, line)
	if line = strings.TrimSpace(line); line == "" {
		return
	}
	line, _ = x.arena.Clean(line, event.MaxCommand)
	x.add(event.Evidence{Kind: event.Command, A: line, C: x.value(session)})
}

// decimal writes n.
func (x *scratch) decimal(n int64) string {
	return x.arena.Keep(strconv.AppendInt(x.arena.Grab(20), n, 10))
}
