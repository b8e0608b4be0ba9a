package dialect

import (
	"encoding/json"
	"strings"
	"testing"

	"dossier/correlate/event"
)

// flatten reads a document with a scanner of its own.
func flatten(a *event.Arena, fields []event.Field, s string, limit int) ([]event.Field, bool) {
	return new(scanner).flatten(a, fields, s, limit)
}

func TestFlatten(t *testing.T) {
	tests := []struct {
		in, want string
	}{
		{`{}`, ``},
		{` { "a" : 1 , "b" : "x" } `, `a=1;b=x`},
		{`{"a":{"b":{"c":true}},"d":[1,"x",{"e":null,"f":-1.5e+3}],"g":null}`, `a.b.c=true;d.0=1;d.1=x;d.2.f=-1.5e+3`},
		{`{"a":"q\"b\\s\/\b\f\n\r\té€😀"}`, "a=q\"b\\s/\b\f\n\r\té€😀"},
		{`{"a":"\ud83d","b":"\ud83dA","c":"\udc00"}`, "a=\ufffd;b=\ufffdA;c=\ufffd"},
		{`{"a":1,"a":2}`, `a=1;a=2`},
		{`{"":1,"` + strings.Repeat("k", event.MaxKey+1) + `":2,"b":3}`, `b=3`},
		{`{"a":[[[[[[[[[[1]]]]]]]]]],"b":2}`, `b=2`},
		{`{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":1}}}}}}}}`, `a.b.c.d.e.f.g.h=1`},
	}
	for _, tt := range tests {
		var a event.Arena
		fields, ok := flatten(&a, nil, tt.in, event.MaxFields)
		if !ok {
			t.Errorf("flatten(%s) fails", tt.in)
		}
		if got := join(fields); got != tt.want {
			t.Errorf("flatten(%s)\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
	for _, bad := range []string{
		``, `[]`, `"x"`, `1`, `null`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{'a':1}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":1e}`, `{"a":NaN}`, `{"a":tru}`, `{"a":"x}`, `{"a":"\x"}`,
		`{"a":"\u12g4"}`, `{"a":"\`, `{"a":[1,]}`, `{"a":[1}`, `{"a":1}x`, `{"a":1}{}`, "{\"a\":\"\\", `{"a":1}}`,
	} {
		if fields, ok := flatten(new(event.Arena), nil, bad, event.MaxFields); ok {
			t.Errorf("flatten(%s) = %q, want a failure", bad, join(fields))
		}
	}
}

func join(fields []event.Field) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(f.Key + "=" + f.Value)
	}
	return b.String()
}

func TestFlattenBounds(t *testing.T) {
	var a event.Arena
	list := `"a":[` + strings.TrimSuffix(strings.Repeat("1,", 10*event.MaxFields), ",") + `]`
	fields, ok := flatten(&a, nil, "{"+list+`,"src_ip":"x"}`, event.MaxFields)
	if last := fields[len(fields)-1]; !ok || len(fields) != event.MaxFields+1 || last.Key != "src_ip" {
		t.Errorf("%d fields kept, the last is %v, ok %v: want %d of the array's and the one behind it", len(fields), last, ok, event.MaxFields)
	}
	many := "{" + strings.TrimSuffix(strings.Repeat(`"k":1,`, 10*event.MaxFields), ",") + "}"
	if fields, ok := flatten(&a, nil, many, event.MaxFields); !ok || len(fields) != maxTop {
		t.Errorf("%d of %d fields kept, ok %v, want %d", len(fields), 10*event.MaxFields, ok, maxTop)
	}
	if fields, ok := flatten(&a, nil, many, 10); !ok || len(fields) != 10 {
		t.Errorf("%d of %d fields kept, ok %v, want 10", len(fields), 10*event.MaxFields, ok)
	}
	for _, bounds := range []struct {
		what, in, want string
		limit          int
	}{
		{
			"names of MaxKey bytes", `{"a":{"` + strings.Repeat("k", event.MaxKey-2) + `":1,"` + strings.Repeat("l", event.MaxKey-1) + `":2},"b":3}`,
			"a." + strings.Repeat("k", event.MaxKey-2) + "=1;b=3", 9,
		},
		{
			"an outermost name of MaxKey bytes", `{"` + strings.Repeat("k", event.MaxKey) + `":1,"` + strings.Repeat("l", event.MaxKey+1) + `":2}`,
			strings.Repeat("k", event.MaxKey) + "=1", 9,
		},
		{"an object's name that is too long itself", `{"` + strings.Repeat("k", event.MaxKey) + `":{"":1,"a":2},"b":3}`, "b=3", 9},
		{"MaxDepth objects inside each other", `{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":1,"i":{"j":2},"k":[3]}}}}}}}}`, "a.b.c.d.e.f.g.h=1", 9},
		{"MaxDepth arrays and objects", `{"a":[[[[[[[1,[2],{"b":3}],4]]]]]]}`, "a.0.0.0.0.0.0.0=1;a.0.0.0.0.0.1=4", 9},
		{"nested members of the limit", `{"a":{"b":1,"c":2,"d":3},"e":4}`, "a.b=1;a.c=2;e=4", 2},
		{"as many members as there may be", `{"a":1,"b":2,"c":3}`, "a=1;b=2", 2},
	} {
		fields, ok := flatten(&a, nil, bounds.in, bounds.limit)
		if got := join(fields); !ok || got != bounds.want {
			t.Errorf("%s: %q, ok %v, want %q", bounds.what, got, ok, bounds.want)
		}
	}
	// Whatever is left out is checked, as deep as encoding/json goes, without
	// a stack and nearly without memory.
	for depth, want := range map[int]bool{8: true, 9: true, 63: true, 64: true, 65: true, 130: true, 9999: true, 10_000: true, 10_001: false, 1_000_000: false} {
		for _, deep := range []string{
			strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1),
			`{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}",
			strings.Repeat(`{"a":[ `, depth/2) + strings.Repeat("{", depth%2) + strings.Repeat("}", depth%2) + strings.Repeat("] }", depth/2),
		} {
			if _, ok := flatten(&a, nil, deep, event.MaxFields); ok != want || ok != json.Valid([]byte(deep)) {
				t.Errorf("%d deep: ok %v, want %v", depth, ok, want)
			}
			for _, bad := range []string{deep[:len(deep)-1], deep + "}", strings.Replace(deep, "]}", "}]", 1) + " ", strings.Replace(deep, "}}", "]}", 1) + " "} {
				if _, ok := flatten(&a, nil, bad, event.MaxFields); ok != json.Valid([]byte(bad)) {
					t.Errorf("%d deep and broken: ok %v", depth, ok)
				}
			}
		}
	}
}

// nested is s, an object, in so many others.
func nested(s string, depth int) string {
	return strings.Repeat(`{"a":`, depth) + s + strings.Repeat("}", depth)
}

// Whatever the depth, the verdict is encoding/json's.
func TestJSONIsStrict(t *testing.T) {
	for _, value := range []string{
		"\"x\x01", "\"x\n", "\"\x00", "\"x\\n\x01", // a control character ends no string
		"\"x\x01y\"", "\"line\nfeed\"", "\"\x1f\"", "\"1234567\x00\"", "\"12345678\x08\"", "\" \"", "\"\x7f\u0080\"", "\"\xff\xfe\"", `"\ud800"`, `"\ud800\u0041"`, `"\udc00\ud800"`, `"\ud83d\ude00"`,
		"\"\\\x01\"", `"\u00"`, `"\u00e9\uABCD"`, `"\u00g0"`, `"\U0041"`, `"\a"`, `"\/\b\f\n\r\t\"\\"`, `"`, `"\"`, `""`, "\"\t\"",
		`[}`, `{]`, `{"j" "k" nonsense !!}`, `{"j":}`, `{"j":1,}`, `{,}`, `{"j"}`, `{"j":1 "k":2}`, `{1:2}`, `{"a":1,"a":[]}`, `{ "a" : [ 1 , { } , [ ] ] }`,
		`[,]`, `[1,]`, `[1 2]`, `[[]`, `[]]`, `[[],[{}],{"":[]}]`, `[1,[2,[3,{"a":[4,{"b":5}]}]],6]`, "[\n1,\r2,\t3 ]", "[\v1]", "[\f1]", "[\u00a01]", "[1,\x002]",
		`0`, `-0`, `-`, `01`, `1.`, `.5`, `1.5e`, `1e+`, `1E-7`, `1e5.5`, `+1`, `0x1`, `NaN`, `Infinity`, `1_000`, `true`, `tru`, `truex`, `null`, `nul`, `nullnull`, `True`, `false`, `falsey`, ``, `'x'`, `//`, `1//`,
	} {
		for _, depth := range []int{0, 1, 2, 6, 7, 8, 9, 30, 63, 64, 65, 66, 200} {
			for _, s := range []string{nested(`{"a":`+value+`,"b":[`+value+`]}`, depth), nested(`{"a":`+value+`}`, depth), nested(`{"a":[[[[`+value+`,1]]]]}`, depth)} {
				_, ok := flatten(new(event.Arena), nil, s, event.MaxFields)
				if want := json.Valid([]byte(s)); ok != want {
					t.Errorf("%q at depth %d: ok %v, encoding/json says %v", value, depth, ok, want)
				}
			}
		}
	}
}

// FuzzFlatten checks that the scanner takes what encoding/json takes, and
// reads the same from it.
func FuzzFlatten(f *testing.F) {
	for _, seed := range []string{
		`{"a":{"b":[1,"xé\n",null,true]},"c":-0.5e-7}`, `{"a":"\ud83d\ude00\ud83d"}`, `{"a":[[[[[[[[[1]]]]]]]]]}`, `{"a":1}x`, "{\"\xff\":\"\xff\"}",
	} {
		f.Add(seed)
	}
	for _, deep := range []string{nested(`{"a":[{"b":"\u00e9"},[],{}]}`, 9), nested("{\"a\":\"\x01\"}", 9), nested(`{"a":[}`, 9), nested(`{"a" 1}`, 70)} {
		f.Add(deep)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var a event.Arena
		fields, ok := flatten(&a, nil, s, event.MaxFields)
		if valid := json.Valid([]byte(s)) && strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "{"); valid != ok {
			t.Fatalf("flatten(%q) = %v, encoding/json says %v", s, ok, valid)
		}
		if !ok {
			return
		}
		r := &event.Record{}
		dec := json.NewDecoder(strings.NewReader(s))
		dec.UseNumber()
		if err := flattenTokens(dec, "", r); err != nil {
			return // deeper than encoding/json goes
		}
		want := make([]event.Field, 0, len(r.Fields))
		for _, field := range r.Fields {
			if strings.HasPrefix(field.Key, ".") || strings.Contains(field.Key, "..") || strings.HasSuffix(field.Key, ".") || len(field.Key) > event.MaxKey {
				return // empty and long names are left out
			}
			want = append(want, field)
		}
		if len(want) >= maxTop || strings.Contains(s, `""`) || open(s) > event.MaxDepth {
			return
		}
		for i := range fields {
			fields[i].Key = strings.ToValidUTF8(fields[i].Key, "\ufffd")
			fields[i].Value = strings.ToValidUTF8(fields[i].Value, "\ufffd")
		}
		for i := range want {
			want[i].Key = strings.ToValidUTF8(want[i].Key, "\ufffd")
			want[i].Value = strings.ToValidUTF8(want[i].Value, "\ufffd")
		}
		if strings.Contains(s, "\xff") || strings.ContainsRune(join(want), 0xfffd) {
			return // runs of invalid bytes are repaired in different ways
		}
		// Of names that are put together there is a bound that depends on how
		// much was read; everything else is there.
		n := 0
		for _, field := range want {
			switch {
			case n < len(fields) && fields[n] == field:
				n++
			case !strings.Contains(field.Key, "."):
				t.Fatalf("flatten(%q)\n got %q\nwant %q", s, join(fields), join(want))
			}
		}
		if n < len(fields) {
			t.Fatalf("flatten(%q)\n got %q\nwant %q", s, join(fields), join(want))
		}
	})
}

// open is how many brackets of s are open at once at the most, in strings too.
func open(s string) int {
	depth, deepest := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}
