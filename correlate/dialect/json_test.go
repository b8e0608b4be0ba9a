package dialect

import (
	"encoding/json"
	"strings"
	"testing"

	"dossier/correlate/event"
)

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
		{`{"":1,"` + strings.Repeat("k", maxKey+1) + `":2,"b":3}`, `b=3`},
		{`{"a":[[[[[[[[[[1]]]]]]]]]],"b":2}`, `b=2`},
		{`{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":1}}}}}}}}`, `a.b.c.d.e.f.g.h=1`},
	}
	for _, tt := range tests {
		var a event.Arena
		fields, ok := flatten(&a, nil, tt.in, maxFields)
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
		if fields, ok := flatten(new(event.Arena), nil, bad, maxFields); ok {
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
	list := `"a":[` + strings.TrimSuffix(strings.Repeat("1,", 10*maxFields), ",") + `]`
	fields, ok := flatten(&a, nil, "{"+list+`,"src_ip":"x"}`, maxFields)
	if last := fields[len(fields)-1]; !ok || len(fields) != maxFields+1 || last.Key != "src_ip" {
		t.Errorf("%d fields kept, the last is %v, ok %v: want %d of the array's and the one behind it", len(fields), last, ok, maxFields)
	}
	many := "{" + strings.TrimSuffix(strings.Repeat(`"k":1,`, 10*maxFields), ",") + "}"
	if fields, ok := flatten(&a, nil, many, maxFields); !ok || len(fields) != maxTop {
		t.Errorf("%d of %d fields kept, ok %v, want %d", len(fields), 10*maxFields, ok, maxTop)
	}
	if fields, ok := flatten(&a, nil, many, 10); !ok || len(fields) != 10 {
		t.Errorf("%d of %d fields kept, ok %v, want 10", len(fields), 10*maxFields, ok)
	}
	for _, deep := range []string{
		strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000),
		`{"a":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + "}",
	} {
		if _, ok := flatten(&a, nil, deep, maxFields); !ok {
			t.Error("a deep document is refused")
		}
		if _, ok := flatten(&a, nil, deep[:len(deep)-1], maxFields); ok {
			t.Error("a deep document without its end is accepted")
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
	f.Fuzz(func(t *testing.T, s string) {
		var a event.Arena
		fields, ok := flatten(&a, nil, s, maxFields)
		if valid := json.Valid([]byte(s)) && strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "{"); valid != ok {
			// What lies too deep is only counted by its brackets, and control
			// characters in strings, which the grammar forbids, are repaired
			// later instead.
			if valid || !lax(s) {
				t.Fatalf("flatten(%q) = %v, encoding/json says %v", s, ok, valid)
			}
			return
		}
		if !ok || lax(s) {
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
			if strings.HasPrefix(field.Key, ".") || strings.Contains(field.Key, "..") || strings.HasSuffix(field.Key, ".") || len(field.Key) > maxKey {
				return // empty and long names are left out
			}
			want = append(want, field)
		}
		if len(want) >= maxTop || strings.Contains(s, `""`) {
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
		if join(fields) != join(want) {
			t.Fatalf("flatten(%q)\n got %q\nwant %q", s, join(fields), join(want))
		}
	})
}

// lax says whether a document is one that the scanner reads less strictly than
// the grammar asks.
func lax(s string) bool {
	depth, deepest := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
		if s[i] < 0x20 {
			return true
		}
	}
	return deepest > maxDepth
}
