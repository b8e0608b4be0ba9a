package dialect

import "dossier/correlate/event"

// memo remembers what was found out about texts that the records of a chunk
// have over and over. Each text has one place, which the next one takes.
type memo struct {
	kinds    [64]kindMemo
	programs [32]programMemo
}

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
