package dialect

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/testbed/race"
)

// What is remembered of the records before must not show: a record reads alike
// in an arena of its own and behind thousands of others, some of which differ
// from it in a byte.
func TestMemosDoNotShow(t *testing.T) {
	race.OneGoroutine(t)
	lines := readLines(t, filepath.Join(dataDir, "decnet", "raw_20k.log"))
	for _, s := range sensors {
		lines = append(lines, readLines(t, filepath.Join(dataDir, s.file))...)
	}
	for _, secrets := range []Secrets{Plain, SHA256} {
		p := newParser(t, Options{Secrets: secrets, DropApps: []string{"none"}})
		r := rand.New(rand.NewPCG(uint64(secrets), 9))
		var shared event.Arena
		for i := range 5000 {
			line := lines[r.IntN(len(lines))]
			if r.IntN(2) == 0 && line != "" {
				b := []byte(line)
				b[r.IntN(len(b))] = "ax19.:\"\\] "[r.IntN(10)]
				line = string(b)
			}
			if i%2000 == 1999 {
				shared.Reset()
			}
			var own event.Arena
			var want, got event.Event
			wantVerdict := p.Parse(&own, logRecord(line), &want)
			gotVerdict := p.Parse(&shared, logRecord(line), &got)
			if gotVerdict != wantVerdict || !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, record %d: %s\n%+v %+v\nwant\n%+v %+v", secrets, i, line, gotVerdict, got, wantVerdict, want)
			}
		}
	}
}

func TestQuoteOrSlash(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			if b[i] = byte(r.UintN(256)); r.IntN(8) == 0 {
				b[i] = "\"\\!#]["[r.IntN(6)]
			}
		}
		s := string(b)
		from := r.IntN(len(s) + 1)
		want := len(s)
		if i := strings.IndexAny(s[from:], `"\`); i >= 0 {
			want = from + i
		}
		if got := quoteOrSlash(s, from); got != want {
			t.Fatalf("quoteOrSlash(%q, %d) = %d, want %d", s, from, got, want)
		}
	}
}

// plainValue is parseValue, a character at a time.
func plainValue(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\' || s[i+1] == ']'):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

func TestParseValue(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	var a event.Arena
	x := &scratch{arena: &a}
	for i := range 200_000 {
		b := make([]byte, r.IntN(24))
		for i := range b {
			b[i] = "\"\\]abcdefgh \\"[r.IntN(13)]
		}
		s := string(b)
		value, rest, ok := x.parseValue(s, true)
		wantValue, wantRest, wantOK := plainValue(s)
		if value != wantValue || rest != wantRest || ok != wantOK {
			t.Fatalf("parseValue(%q) = %q, %q, %v, want %q, %q, %v", s, value, rest, ok, wantValue, wantRest, wantOK)
		}
		if i%1000 == 0 {
			a.Reset()
			x.Reset()
		}
	}
}
