package dialect

import (
	"crypto/sha256"
	"strings"

	"dossier/correlate/event"
)

// memo remembers what was found out about texts that the records of a chunk
// have over and over. Each text has one place, which the next one takes.
type memo struct {
	headers  [256]header
	kinds    [256]kindMemo
	programs [64]programMemo
	values   [128]valueMemo
	requests [64]request
	agents   [64]agentMemo
	secrets  [256]secretMemo
}

// valueMemo is a PARAM-VALUE without its escapes.
type valueMemo struct{ text, value string }

// kindMemo is what an event type means in a dialect.
type kindMemo struct {
	text    string
	dialect Dialect
	class   class
	name    string // cleaned
}

// kind returns what an event type means in a dialect.
func (x *scratch) kind(d Dialect, text string) *kindMemo {
	m := &x.memo.kinds[(event.Mix(text)+uint(d))%uint(len(x.memo.kinds))]
	if m.text != text || m.dialect != d {
		*m = kindMemo{text, d, classify(d, text), x.arena.Name(text, event.MaxService)}
	}
	return m
}

// programMemo is what an APP-NAME says.
type programMemo struct {
	text string
	app  app
	name string // without what the program says of itself in brackets
	// service is name, cleaned.
	service string
}

// program returns what an APP-NAME says.
func (x *scratch) program(text string) *programMemo {
	m := &x.memo.programs[event.Mix(text)%uint(len(x.memo.programs))]
	if m.text != text || text == "" {
		name := program(text)
		*m = programMemo{text, x.parser.apps[name], name, x.arena.Name(name, event.MaxService)}
	}
	return m
}

// agentMemo is what a user agent says.
type agentMemo struct{ text, category, tool, signals, shown string }

// userAgent returns what a user agent says.
func (x *scratch) userAgent(text string) *agentMemo {
	m := &x.memo.agents[event.Mix(text)%uint(len(x.memo.agents))]
	if m.text != text {
		category, tool := agents.match(text)
		*m = agentMemo{text, category, tool, x.agentSignals(text), x.value(text)}
	}
	return m
}

// secretMemo is a secret's SHA-256.
type secretMemo struct {
	text   string
	digest [sha256.Size]byte
}

// sum returns a secret's SHA-256. Attackers try the same lists.
func (x *scratch) sum(secret string) *[sha256.Size]byte {
	m := &x.memo.secrets[event.Mix(secret)%uint(len(x.memo.secrets))]
	if m.text != secret || secret == "" {
		*m = secretMemo{secret, sha256.Sum256(event.Bytes(secret))}
	}
	return &m.digest
}

// header is the end of an RFC 5424 line's HEADER: APP-NAME, PROCID and MSGID
// up to the structured data, taken apart and understood.
type header struct {
	text             string
	app, proc, msgID string
	program          programMemo
	kind             kindMemo
}

// header returns the place of the header that s starts with, and its length;
// 0 where no structured data follows.
func (x *scratch) header(s string) (h *header, n int) {
	n = max(strings.IndexByte(s, '['), 0)
	return &x.memo.headers[event.Mix(s[:n])%uint(len(x.memo.headers))], n
}
