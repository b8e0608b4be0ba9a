package redact

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

func TestLocalPartsAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		"no address":                           "no address",
		"RCPT TO:<ceo@example.com>":            "RCPT TO:<***@example.com>",
		"<a.b+tag@x.org>, Bob <bob@y.org>":     "<*******@x.org>, Bob <***@y.org>",
		"jörg@münchen.example":                 "*****@münchen.example",
		"ceo@[192.0.2.1]":                      "***@[192.0.2.1]",
		"ceo@192.0.2.1":                        "***@192.0.2.1",
		"a@b@c.com":                            "*@*@c.com",
		`"john doe"@example.com`:               `"********"@example.com`,
		`<"a\"b@c"@example.com>`:               `<"******"@example.com>`,
		"mail=ceo%40example.com&x=1":           "********%40example.com&x=1",
		"relay ceo%2Btag@x.com":                "relay *********@x.com",
		"[relay@55555 src=\"1.1.1.1\"]":        "[relay@55555 src=\"1.1.1.1\"]",
		"a @ b, @, user@":                      "a @ b, @, user@",
		`{"to":"ceo@example.com","n":1}`:       `{"to":"***@example.com","n":1}`,
		`{"to":"ceo\u0040example.com"}`:        `{"to":"***\u0040example.com"}`,
		`{"to":"j\u00f6rg@example.com"}`:       `{"to":"*********@example.com"}`,
		`{"t":"line\nceo@example.com"}`:        `{"t":"line\n***@example.com"}`,
		`{"t":"<\"john doe\"@example.com>"}`:   `{"t":"<\"********\"@example.com>"}`,
		`{"t":"\"a\\\"b\"@example.com"}`:       `{"t":"\"******\"@example.com"}`,
		`{"a":1,"k": "@example.com"}`:          `{"a":1,"k": "@example.com"}`,
		`{"a":"x","k":["","@example.com"]}`:    `{"a":"x","k":["","@example.com"]}`,
		`["\"x ","\"@example.com"]`:            `["\"x ","\"@example.com"]`,
		`["x ", null,"@example.com"]`:          `["x ", null,"@example.com"]`,
		`{"a":"EXAMPLE\\ceo@example.com"}`:     `{"a":"EXAMPLE\\***@example.com"}`,
		"ceo@\xff\xfe":                         "***@\xff\xfe",
		strings.Repeat("x", 5000) + "@a.com":   strings.Repeat("*", 5000) + "@a.com",
		`"` + strings.Repeat("x ", 90) + "\"@": `"` + strings.Repeat("x ", 90) + "\"@",
	} {
		got := Options{}.Bytes([]byte(in))
		if string(got) != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		if json.Valid([]byte(in)) && !json.Valid(got) {
			t.Errorf("%s is no JSON any more: %s", in, got)
		}
	}
}

// What stands around a string in msgpack may look like part of an address.
func TestRecordsStayReadable(t *testing.T) {
	record := []any{
		[]any{1767323045, map[string]any{}},
		map[string]any{
			"log":   "ceo@example.com",                          // a fixstr
			"long":  strings.Repeat("y ", 28) + "ceo@x.com",     // its length is an "A"
			"more":  strings.Repeat("z ", 12345) + "ceo@x.com",  // two bytes of length
			"bin":   []byte("ceo@x.com"),                        // not text, but could be
			"list":  []any{"ceo@x.com", 7, -7, 1.5, nil, true},  //
			"large": []any{uint64(1) << 63, int64(-1) << 40, 3}, //
		},
	}
	var in bytes.Buffer
	enc := msgpack.NewEncoder(&in)
	enc.SetSortMapKeys(true)
	for range 3 {
		if err := enc.Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	given := bytes.Clone(in.Bytes())
	out := Options{}.Records(in.Bytes())
	if !bytes.Equal(given, in.Bytes()) {
		t.Error("the chunk itself was changed")
	}
	if bytes.Contains(out, []byte("ceo")) || bytes.Count(out, []byte("***@")) != 3*5 {
		t.Errorf("%d addresses hidden, want 15", bytes.Count(out, []byte("***@")))
	}
	dec := msgpack.NewDecoder(bytes.NewReader(out))
	for i := range 3 {
		var got []any
		if err := dec.Decode(&got); err != nil || len(got) != 2 {
			t.Fatalf("record %d can't be read any more: %v", i, err)
		}
	}
	if same := (Options{}).Records([]byte("\x81\xa3log\xa1x")); string(same) != "\x81\xa3log\xa1x" {
		t.Errorf("%q", same)
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("\x92\xd9\x0fceo@example.com\xc1ceo@example.com"))
	f.Add([]byte(`{"t":"\"a\\\"b\"@example.com"}`))
	f.Add([]byte(`["\"x ","\"@example.com","j\u00f6rg@x.org","\nceo%40x.org"]`))
	f.Add([]byte("\xdb\xff\xff\xff\xffceo@x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		given := bytes.Clone(data)
		for _, o := range []Options{{}, {Secrets: true}} {
			for _, mask := range []func([]byte) []byte{o.Bytes, o.Records, o.Broken} {
				out := mask(data)
				if !bytes.Equal(data, given) || len(out) != len(data) {
					t.Fatalf("%q became %q", given, out)
				}
			}
			if out := o.Bytes(data); structured(data) && !json.Valid(out) {
				t.Fatalf("%q is no JSON any more: %q", data, out)
			}
		}
		if structured(data) {
			return
		}
		plain := found{}
		out := Options{}.Bytes(data)
		for i := 1; i < len(out); i++ {
			if out[i] == '@' && named(string(out[i+1:])) && plain.atom(out[i-1], false) && out[i-1] != '*' {
				t.Fatalf("%q still has a local part: %q", data, out)
			}
		}
	})
}

// structured says whether data is JSON that has strings.
func structured(data []byte) bool {
	text := bytes.TrimLeft(data, " \t\r\n")
	return json.Valid(data) && bytes.IndexByte([]byte(`{["`), text[0]) >= 0
}
