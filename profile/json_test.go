package profile

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
	"unicode/utf8"

	"dossier/correlate/event"
)

func TestTimesAreThoseOfTheTimePackage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	times := []event.Time{minTime, maxTime, event.Never, -1, 1, event.FromTime(time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC))}
	for range 20000 {
		times = append(times, minTime+event.Time(r.Int64N(int64(maxTime-minTime))))
	}
	for _, at := range times {
		want := at.Time().Format("2006-01-02T15:04:05.000000Z")
		if got := string(appendTime(nil, at)); got != want {
			t.Fatalf("%d is %s, want %s", at, got, want)
		}
	}
	for at, want := range map[event.Time]string{
		minTime - 1: "0001-01-01T00:00:00.000000Z",
		maxTime + 1: "9999-12-31T23:59:59.999999Z",
	} {
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("beyond what Elasticsearch reads: %s, want %s", got, want)
		}
	}
}

func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		"":                      `""`,
		"plain → ä":             `"plain → ä"`,
		"\"\\\b\x00\x1f\x7f":    `"\"\\\u0008\u0000\u001f\u007f"`,
		"a\nb\rc\td":            `"a\nb\rc\td"`,
		"\u2028\u2029":          `"\u2028\u2029"`,
		"\xff\xc3(\xed\xa0\x80": "\"\ufffd\ufffd(\ufffd\ufffd\ufffd\"",
		"</script>\U0001f4a9":   "\"</script>\U0001f4a9\"",
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

// Wherever a byte stands in a text, it is written as it is alone.
func TestStringsByteByByte(t *testing.T) {
	const before, behind = "abcdefghijklmnopq", "rstuvwxyz"
	for c := range 256 {
		alone := string(appendString(nil, string([]byte{byte(c)})))
		for at := range len(before) + 1 {
			in := before[:at] + string([]byte{byte(c)}) + behind
			want := `"` + before[:at] + alone[1:len(alone)-1] + behind + `"`
			if got := string(appendString(nil, in)); got != want {
				t.Fatalf("%q is %s, want %s", in, got, want)
			}
		}
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\"b\\c\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, in string) {
		out := appendString(nil, in)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if want := string(bytes.ToValidUTF8([]byte(in), []byte("\ufffd"))); utf8.ValidString(in) && back != in || !utf8.ValidString(back) || len(back) < len(want) {
			t.Fatalf("%q came back as %q", in, back)
		}
		if bytes.ContainsAny(out, "\n\r") {
			t.Fatalf("%q holds a line end", out)
		}
	})
}
