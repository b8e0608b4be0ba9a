package dialect

import (
	"strings"
	"testing"

	"dossier/correlate/event"
)

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		record *event.Record
		want   string
	}{
		{&event.Record{}, "fields (none)"},
		{logRecord("Jan what is this"), "fields log; 16 bytes of text"},
		{logRecord(""), "fields log; 0 bytes of text"},
		{logRecord("<13>secret"), "fields log; 10 bytes of syslog"},
		{logRecord(`{"password":"secret","a":{"b":[1]}}`), "fields log; 35 bytes of JSON with the fields password, a.b.0"},
		{logRecord(`{"password":"secret`), "fields log; 19 bytes of broken JSON with the fields (none)"},
		{logRecord(`{"ceo@example.com":"secret","\u001b[2J\n":1}`), `fields log; 44 bytes of JSON with the fields …, \x1b[2J\x0a`},
		{
			&event.Record{Fields: []event.Field{{Key: "stream", Value: "secret"}, {Key: "message", Value: "secret"}, {Key: strings.Repeat("k", 50)}}},
			"fields stream, message, " + strings.Repeat("k", 40) + "…; 6 bytes of text",
		},
		{
			&event.Record{Fields: make([]event.Field, 500)},
			"fields " + strings.TrimSuffix(strings.Repeat(", ", describedNames), ", ") + " and 488 more",
		},
	} {
		if got := Describe(tt.record); got != tt.want {
			t.Errorf("%v\n got %q\nwant %q", tt.record.Fields[:min(2, len(tt.record.Fields))], got, tt.want)
		}
	}
}
