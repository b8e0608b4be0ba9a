package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"

	"github.com/tinylib/msgp/msgp"
)

// encoded is what the three states have in common.
type encoded interface {
	Append([]byte) []byte
	Decode([]byte) error
	Reset()
}

func states() []encoded { return []encoded{new(Attacker), new(Target), new(Activity), new(Indicator)} }

// inner are the fields of states that are no knowledge of their own: what a
// newer version added, which TestUnknownNamesAreCarriedThrough tests, and a
// count for whoever has the state in memory.
var inner = map[string]bool{"carried": true, "changes": true, "told": true, "shellCut": true}

// dump shows what a value of a state holds, through the methods of its law.
func dump(t *testing.T, v reflect.Value) string {
	t.Helper()
	items := func(list []law.Item, cut bool) string {
		var b strings.Builder
		for _, i := range list {
			fmt.Fprintf(&b, "%d %s ", i.Time, strings.TrimRight(i.A+"/"+i.B+"/"+i.C, "/"))
		}
		return strings.TrimSpace(b.String()) + mark(cut)
	}
	switch l := v.Addr().Interface().(type) {
	case *int64, *event.Time, *bool, *[3]int64, *Crowd:
		return fmt.Sprint(v.Interface())
	case *[]Transition:
		return fmt.Sprintf("%+v", *l)
	case *law.Bottom:
		var b strings.Builder
		for _, e := range l.Sorted() {
			fmt.Fprintf(&b, "%s x%d %d-%d rank %d %s; ", strings.ReplaceAll(e.Key, "\x00", "|"), e.Count, e.First, e.Last, e.Rank, fields(e.Payload))
		}
		return strings.TrimSpace(b.String()) + mark(l.Truncated())
	case *law.First:
		return items(l.Items(), l.Truncated())
	case *law.Newest:
		return items(append(slices.Clone(l.Gone()), l.Items()...), l.Truncated())
	case *law.Times:
		return fmt.Sprint(l.List()) + mark(l.Truncated())
	case *law.Hours:
		return fmt.Sprint(l.List())
	case *law.Distinct:
		return fmt.Sprint(l.Count()) + mark(l.Truncated())
	case *law.Latest:
		return fmt.Sprintf("%d %s", l.Time, fields(l.Value))
	case *told:
		return strings.Trim(fmt.Sprint(*l), "[]")
	case *waiting:
		return items(l.Items(), l.Truncated())
	case *logins:
		return fmt.Sprintf("%+v, gone %+v", l.list, l.gone.list)
	case *Turns:
		return fmt.Sprint(l.List())
	default:
		t.Fatalf("a field of type %s: tell this test how it is filled and shown", v.Type())
		return ""
	}
}

func mark(cut bool) string {
	if cut {
		return " cut"
	}
	return ""
}

// fields shows a payload, or the text that it is instead.
func fields(payload string) string {
	var b strings.Builder
	DecodeFields(payload, func(k, v string) { fmt.Fprintf(&b, "%s=%s,", k, v) })
	if b.Len() == 0 {
		return payload
	}
	return strings.TrimSuffix(b.String(), ",")
}

// fill sets the n-th field of a state to values that are its own.
func fill(t *testing.T, v reflect.Value, n int) {
	t.Helper()
	at := event.Time(1_767_000_000_000_000 + n)
	few := law.Limit{Keys: 2, Note: 9, Firsts: 1}
	name := func(i int) string { return fmt.Sprint("name ", n, " ", i) }
	switch l := v.Addr().Interface().(type) {
	case *int64:
		*l = int64(1000 + n)
	case *event.Time:
		*l = at
	case *bool:
		*l = true
	case *[3]int64:
		*l = [3]int64{int64(n)*10 + 1, int64(n)*10 + 2, int64(n)*10 + 3}
	case *Crowd:
		*l = Crowd{Share: 0.25, Chunk: [16]byte{1, 15: byte(n)}}
	case *[]Transition:
		*l = []Transition{
			{Action: "observed", Time: at, Chunk: [16]byte{2, 15: byte(n)}},
			{Action: "risk", Value: "High", Time: at + 1, Chunk: [16]byte{3}, Stray: true},
			{Action: "class", Value: "bot", Time: at + 2, Chunk: [16]byte{4}},
			{Action: "class", Value: "human", Time: at + 3, Chunk: [16]byte{5}, Stray: true},
		}
	case *law.Bottom:
		for i := range 3 {
			l.Add(law.Entry{Key: name(i), Count: int64(2 + i), First: at + event.Time(i), Last: at + event.Time(10*i), Rank: uint8(1 + i), Payload: name(9 + i)}, few)
		}
	case *law.First:
		for i := range 3 {
			l.Add(law.Item{Time: at + event.Time(i), A: name(i), B: "b", C: "c"}, few)
		}
	case *law.Newest:
		for i := range 3 {
			l.Add(law.Item{Time: at + event.Time(i), A: name(i), B: "b", C: "c"}, few)
		}
	case *law.Times:
		for i := range 3 {
			l.Add(at+event.Time(i), 2)
		}
	case *law.Hours:
		for i := range 3 {
			l.Add(at+event.Time(i)*3600e6, 2)
		}
	case *law.Distinct:
		for i := range 3 {
			l.Add(name(i), 2)
		}
	case *law.Latest:
		l.Add(at, name(0))
	case *waiting:
		few.Firsts = 0
		for i := range 3 {
			l.Add(law.Item{Time: at + event.Time(i), A: name(i), B: "b", C: "c"}, few)
		}
	case *told:
		for i := range 3 {
			l.tell(uint64(7*n+i), services[1+i%2])
		}
	case *logins:
		for i := range 3 {
			l.add(name(i), at+event.Time(i))
			l.add(name(i), at+event.Time(9*i))
		}
		for i := range event.Time(maxLogins) {
			l.add(name(0), at+i*day+7)
		}
	case *Turns:
		for i := range 3 {
			l.Add(at+event.Time(i), name(i), name(i))
		}
	default:
		t.Fatalf("a field of type %s: tell this test how it is filled and shown", v.Type())
	}
}

// each calls do for every field of a state that is knowledge of its own, those
// of what is claimed and contacted one by one.
func each(s encoded, do func(n int, name string, v reflect.Value)) {
	n := 0
	var of func(path string, v reflect.Value)
	of = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Type == reflect.TypeFor[Claimed]() || f.Type == reflect.TypeFor[Contacts]() || f.Type == reflect.TypeFor[Unnamed]() {
				of(f.Name+".", v.Field(i))
				continue
			}
			if n++; !inner[f.Name] {
				do(n, path+f.Name, v.Field(i))
			}
		}
	}
	of("", reflect.ValueOf(s).Elem())
}

// fieldOf returns the field of that name, as each has it.
func fieldOf(s encoded, name string) (field reflect.Value) {
	each(s, func(_ int, other string, v reflect.Value) {
		if other == name {
			field = v
		}
	})
	return field
}

// Every field of every state comes back from its encoding as it went in, alone
// and beside all others, into a state that held something else; and Reset
// forgets each. A field that is added and forgotten in one of them fails here.
func TestEveryFieldIsEncoded(t *testing.T) {
	for i, whole := range states() {
		show := func(s encoded) map[string]string {
			m := map[string]string{}
			each(s, func(_ int, name string, v reflect.Value) { m[name] = dump(t, v) })
			return m
		}
		empty := show(states()[i])
		each(whole, func(n int, name string, v reflect.Value) { fill(t, v, n) })
		want := show(whole)
		got := states()[i]
		if err := got.Decode(whole.Append(nil)); err != nil {
			t.Fatal(err)
		}
		for name, value := range show(got) {
			if value != want[name] || value == empty[name] {
				t.Errorf("%T.%s is %s, want %s, which isn't %s", whole, name, value, want[name], empty[name])
			}
		}
		each(whole, func(n int, name string, _ reflect.Value) {
			one := states()[i]
			each(one, func(m int, _ string, v reflect.Value) {
				if m == n {
					fill(t, v, n)
				}
			})
			want := show(one)
			wire := one.Append(nil)
			if err := got.Decode(wire); err != nil { // it holds all others from before
				t.Fatal(err)
			}
			if !bytes.Equal(got.Append(nil), wire) {
				t.Errorf("%T.%s: another encoding after reading", whole, name)
			}
			for other, value := range show(got) {
				if value != want[other] {
					t.Errorf("%T with only %s: %s is %s, want %s", whole, name, other, value, want[other])
				}
			}
			if err := got.Decode(whole.Append(nil)); err != nil {
				t.Fatal(err)
			}
		})
		whole.Reset()
		for name, value := range show(whole) {
			if value != empty[name] {
				t.Errorf("%T.%s is %s after Reset, want %s", whole, name, value, empty[name])
			}
		}
	}
}

// What Size counts is what there is: every list, every name, every number.
func TestSizeCountsEveryField(t *testing.T) {
	base := new(Attacker).Size()
	numbers := 0
	var all Attacker
	each(&all, func(n int, name string, v reflect.Value) {
		fill(t, v, n)
		var one Attacker
		f := fieldOf(&one, name)
		fill(t, f, n)
		switch f.Addr().Interface().(type) {
		case *int64, *event.Time:
			numbers++
		case *[3]int64:
			numbers += 3
		case *bool, *Crowd, *[]Transition: // counted in full, always
		default:
			if one.Size() <= base {
				t.Errorf("Size doesn't count %s", name)
			}
		}
		if got := len(one.Append(nil)); got > one.Size() {
			t.Errorf("%s: %d bytes, said to be at most %d", name, got, one.Size())
		}
	})
	described := 0
	for i := range attackerTable {
		if attackerTable[i].number != nil {
			described++
		}
	}
	if numbers != described {
		t.Errorf("%d numbers and times, the table has %d", numbers, described)
	}
	n, _, err := msgp.ReadMapHeaderBytes(all.Append(nil))
	if want := len(attackerTable) + 1; err != nil || int(n) != want { // and the Rank's
		t.Errorf("%d names, %v; Size counts %d", n, err, want)
	}
	// Numbers that take most, and nothing that Size counts too high: what
	// isn't there.
	var s Attacker
	each(&s, func(_ int, _ string, v reflect.Value) {
		switch l := v.Addr().Interface().(type) {
		case *int64:
			*l = math.MinInt64
		case *event.Time:
			*l = math.MinInt64
		case *[3]int64:
			*l = [3]int64{math.MinInt64, math.MinInt64, math.MinInt64}
		case *bool:
			*l = true
		case *Crowd:
			l.Share = 0.1
		}
	})
	lists := 0
	for i := range attackerTable {
		if f := &attackerTable[i]; f.of != nil && f.name != "cw" && f.most > 1 || f.rank != nil {
			lists += attackerTable.slots(&s, &s.carried)[i].size()
		}
	}
	if got, fixed := len(s.Append(nil)), s.Size()-lists; got > fixed {
		t.Errorf("what isn't in lists takes %d bytes, said to be at most %d", got, fixed)
	}
}

// The transitions there is room for are kept with their chunk, in the order in
// which they were crossed; the others are counted, each once however often it
// is concluded again.
func TestCrossIsBounded(t *testing.T) {
	line := func(i, length int) Transition {
		return Transition{Action: "stage", Value: fmt.Sprintf("%0*d", length, i), Time: event.Time(1 + i), Chunk: [16]byte{byte(i)}, Stray: i%3 == 1}
	}
	for _, tt := range []struct{ length, kept int }{{8, LimitTransitions.Keys}, {200, 17}, {27, 64}, {28, 63}} {
		var s Attacker
		var lines []Transition
		for i := range 100 {
			lines = append(lines, line(i, tt.length))
			s.Cross(lines[max(0, i-3):]) // some again, as each fold concludes them again
		}
		if len(s.Transitions) != tt.kept || !slices.Equal(s.Transitions, lines[:tt.kept]) {
			t.Errorf("values of %d: %d kept, want the first %d", tt.length, len(s.Transitions), tt.kept)
		}
		if s.Untold != 4 {
			t.Errorf("values of %d: %d untold of 4 at once", tt.length, s.Untold)
		}
		s.Cross(lines)
		s.Cross(lines[:1])
		if want := int64(100 - tt.kept); s.Untold != want || len(s.Transitions) != tt.kept {
			t.Errorf("values of %d: %d untold, want %d", tt.length, s.Untold, want)
		}
		if got := len((*transitions)(&s.Transitions).Append(nil)) + len((*stray)(&s.Transitions).Append(nil)); got > transitionBytes+2 {
			t.Errorf("values of %d: %d bytes, said to be at most %d", tt.length, got, transitionBytes+2)
		}
		var again Attacker
		if err := again.Decode(s.Append(nil)); err != nil || !slices.Equal(again.Transitions, s.Transitions) || again.Untold != s.Untold {
			t.Errorf("values of %d: not what was written: %v", tt.length, err)
		}
	}
	// Another value, and another action, is another line.
	var s Attacker
	s.Cross([]Transition{{Action: "a", Value: "x"}, {Action: "a", Value: "y"}, {Action: "b", Value: "x"}, {Action: "a", Value: "x", Time: 9}})
	if len(s.Transitions) != 3 || s.Transitions[0].Time != 0 || s.Untold != 0 {
		t.Errorf("%+v", s.Transitions)
	}
}

// A state of a version that knew nothing of strays decodes as before; one whose
// list of them speaks of transitions that aren't there is corrupt.
func TestStrayTransitionsOnTheWire(t *testing.T) {
	s := Attacker{Transitions: []Transition{{Action: "observed", Time: 5}, {Action: "risk", Value: "High", Time: 6}}}
	old := s.Append(nil)
	if bytes.Contains(old, []byte("ts")) || bytes.Contains(old, []byte("tu")) {
		t.Error("names for what isn't there")
	}
	s.Transitions[1].Stray = true
	wire := s.Append(nil)
	var got Attacker
	if err := got.Decode(old); err != nil || got.Transitions[0].Stray || got.Transitions[1].Stray {
		t.Errorf("%+v, %v", got.Transitions, err)
	}
	if err := got.Decode(wire); err != nil || got.Transitions[0].Stray || !got.Transitions[1].Stray {
		t.Errorf("%+v, %v", got.Transitions, err)
	}
	wire[bytes.Index(wire, []byte("ts"))+4] = 2
	if err := got.Decode(wire); err == nil {
		t.Error("a third of two transitions is stray")
	}
}

// expect fails where a field isn't what is wanted of it, and where nothing is.
func expect(t *testing.T, want map[string]string, name, got string, order []int) {
	t.Helper()
	if value, known := want[name]; !known || got != value {
		t.Fatalf("order %v: %s is\n%q, want\n%q", order, name, got, value)
	}
}

const (
	t0 = event.Time(1_767_225_600_000_000) // 2026-01-01T00:00:00Z
	hr = event.Time(3600e6)
)

// Every field of an attacker by value, whatever the order of the events: the
// law each follows shows in the figures.
func TestAttackerByValue(t *testing.T) {
	payload := func(kv ...string) (f []event.Field) {
		for i := 0; i < len(kv); i += 2 {
			f = append(f, event.Field{Key: kv[i], Value: kv[i+1]})
		}
		return f
	}
	addr := netip.MustParseAddr
	events := []*event.Event{
		{Time: t0 + 2, Proof: event.ByConnection, Addr: addr("2001:db8::2"), Decky: "d2", Service: "ssh", Port: 22, Transport: event.TCP, Type: "auth", Kind: event.Scan, Phase: event.Recon, Evidence: []event.Evidence{
			{Kind: event.Login, A: "root", B: "plaintext", C: "x", Outcome: event.Failure},
			{Kind: event.Session, A: "s1", N: 700},
			{Kind: event.Alert, A: "sig", B: "cat", N: 3},
			{Kind: event.Retransmits, N: 4},
			{Kind: event.Recipient, A: "a.example"},
		}},
		{Time: t0 + 1, Proof: event.ByConnection, Addr: addr("2001:db8::1"), Decky: "d1", Service: "ssh", Type: "connect", Kind: event.Scan, Phase: event.Recon, Large: true, Evidence: []event.Evidence{
			{Kind: event.Login, A: "root", B: "plaintext", C: "xy", Outcome: event.Success},
			{Kind: event.Login, A: "root", Outcome: event.Success}, // no secret shown
			{Kind: event.Session, A: "s1", N: 900},
			{Kind: event.Alert, A: "sig", B: "cat", N: 2},
			{Kind: event.Alert, A: "unknown severity", N: 0},
			{Kind: event.Alert, A: "negative", N: -5},
			{Kind: event.Alert, A: "worst", N: 1},
			{Kind: event.Alert, A: "least", N: 254},
			{Kind: event.Alert, A: "beyond", N: 1000},
			{Kind: event.Stack, A: "linux", N: 64, M: 7, Payload: payload("window", "1", "ipid_class", "zero", "isn_class", "random")},
			{Kind: event.Message, A: "b.example"},
		}},
		{Time: t0 + hr + 5, Proof: event.ByConnection, Addr: addr("2001:db8::2"), Decky: "d2", Service: "ssh", Type: "command", Kind: event.Interaction, Phase: event.Exfil, Evidence: []event.Evidence{
			{Kind: event.Command, A: "uname -a", N: 1},
			{Kind: event.Login, A: "root", Outcome: event.Success}, // not the first one
			{Kind: event.Fingerprint, A: "ja3", B: "aa", Payload: payload("v", "1")},
			{Kind: event.Fingerprint, A: "ja3", B: "aa", Payload: payload("v", "12")},
			{Kind: event.Artifact, A: "sha", B: "url", C: "file", Payload: payload("n", "x")},
			{Kind: event.Leak, A: "9.9.9.9", B: "XFF", C: "public"},
			{Kind: event.Session, A: "s2", N: 5},
			{Kind: event.Retransmits, N: 3},
			{Kind: event.KexOrder, A: "k1,k2"},
			{Kind: event.Tool, A: "curl", B: "agent"},
			{Kind: event.Technique, A: "T1059", B: "why"},
			{Kind: event.Conclusion, A: "fetch", B: "wget", N: 3},
			{Kind: event.Indicator, A: "url", B: "http://a/x", C: "file"},
			{Kind: event.Indicator, A: "url", B: "http://a/x", C: "command"},
			{Kind: event.Indicator, A: "sha256", B: "aa", C: "file"},
			{Kind: event.Forward, A: "c.example:25", B: "direct-tcpip"},
			{Kind: event.Stack, A: "linux", N: 63, M: 7, Payload: payload("window", "2", "ipid_class", "unknown", "isn_class", "")},
		}},
		{Time: t0 + 3*hr, Addr: addr("2001:db8::1"), Decky: "d1", Service: "http", Type: "request", Kind: event.Noise, Phase: event.Exfil, Proof: event.ByConnection, Large: true, Evidence: []event.Evidence{
			{Kind: event.Command, A: "id"},
			{Kind: event.Login, A: "root", B: "plaintext", C: "w", Outcome: event.Unknown},
			{Kind: event.Technique, A: "T1059", B: "longer why"},
			{Kind: event.Conclusion, A: "fetch", B: "wget http", N: 3},
			{Kind: event.Conclusion, A: "fetch", N: 3, M: 1},
			{Kind: event.Conclusion, A: "of-later", N: 9},
			{Kind: event.Recipient, A: "b.example"},
			{Kind: event.Stack, N: 0, M: 0},
		}},
		// An observer is no service; nothing named is nothing touched.
		{Time: t0 + 4, Proof: event.ByConnection, Addr: addr("2001:db8::1"), Role: event.Sniffer, Type: "syn", Kind: event.Scan, Phase: event.Recon | event.Exfil},
		// Our own probe adds evidence, and no more.
		{Time: t0 - 5*hr, Addr: addr("2001:db8::9"), Decky: "d9", Service: "prober", Role: event.Prober, Kind: event.Scan, Phase: event.Recon | event.Exfil, Proof: event.ByConnection, Large: true, Evidence: []event.Evidence{
			{Kind: event.Fingerprint, A: "jarm", B: "jj"},
		}},
	}
	want := map[string]string{
		"First": fmt.Sprint(t0 + 1), "Last": fmt.Sprint(t0 + 3*hr), "Events": "5", "Kinds": "[1 3 1]",
		"Services": fmt.Sprintf("http x1 %d-%d rank 0 ; ssh x3 %d-%d rank 2 ;", t0+3*hr, t0+3*hr, t0+1, t0+hr+5),
		"Deckies":  fmt.Sprintf("d1 x2 %d-%d rank 0 ; d2 x2 %d-%d rank 0 ;", t0+1, t0+3*hr, t0+2, t0+hr+5),
		"Hops":     fmt.Sprintf("%d d1/ssh/connect %d d2/ssh/auth %d d1/http/request", t0+1, t0+2, t0+3*hr),
		"Times":    fmt.Sprint([]event.Time{t0 + 1, t0 + 2, t0 + 4, t0 + hr + 5, t0 + 3*hr}),
		"Hours":    fmt.Sprint([]law.Hour{{Start: t0, Count: 3}, {Start: t0 + hr, Count: 1}, {Start: t0 + 3*hr, Count: 1}}),
		"Commands": fmt.Sprintf("%d ssh/d2/uname -a %d http/d1/id", t0+hr+5, t0+3*hr), "CommandCount": "2", "FirstCommand": fmt.Sprint(t0 + hr + 5),
		// The digest is zero in all of them.
		"Credentials": fmt.Sprintf("http|root|plaintext|%s x1 %d-%d rank 0 w; ssh|root|plaintext|%s x2 %d-%d rank 2 xy;", zeros, t0+3*hr, t0+3*hr, zeros, t0+1, t0+2),
		"Admitted":    fmt.Sprintf("ssh|root|plaintext|%s x1 %d-%d rank 2 xy;", zeros, t0+1, t0+1),
		"Known":       fmt.Sprintf("ssh|uname -a x1 %d-%d rank 0 ;", t0+hr+5, t0+hr+5),
		"Attempts":    "5", "Successes": "3", "FirstSuccess": fmt.Sprint(t0 + 1),
		"Fingerprints": fmt.Sprintf("ja3|aa x2 %d-%d rank 0 v=12; jarm|jj x1 %d-%d rank 0 ;", t0+hr+5, t0+hr+5, t0-5*hr, t0-5*hr),
		"Artifacts":    fmt.Sprintf("sha|url|file x1 %d-%d rank 0 n=x;", t0+hr+5, t0+hr+5),
		"Leaks":        fmt.Sprintf("9.9.9.9|XFF|public x1 %d-%d rank 0 ;", t0+hr+5, t0+hr+5),
		"Sessions":     "2", "LongestSession": "900",
		"Sensors": "one x0 0-0 rank 0 ; two x0 0-0 rank 0 ;",
		"Network": fmt.Sprintf("%d 2001:db8::1 %d 2001:db8::2", -(t0 + 3*hr), -(t0 + hr + 5)),
		"Recon":   fmt.Sprint(t0 + 4), "Exfil": fmt.Sprint(t0 + 4), "Large": "2",
		"SystemGuesses": fmt.Sprintf("linux x2 %d-%d rank 1 ;", t0+1, t0+hr+5),
		"TTLs":          fmt.Sprintf("63 x1 %d-%d rank 0 ; 64 x1 %d-%d rank 0 ;", t0+hr+5, t0+hr+5, t0+1, t0+1),
		"Distances":     fmt.Sprintf("7 x2 %d-%d rank 0 ;", t0+1, t0+hr+5),
		"Stack":         fmt.Sprintf("%d window=2,ipid_class=unknown,isn_class=", t0+hr+5),
		"IPIDClass":     fmt.Sprintf("%d zero", t0+1), "ISNClass": fmt.Sprintf("%d random", t0+1),
		"Retransmits": "7", "KexOrders": fmt.Sprintf("k1,k2 x1 %d-%d rank 0 ;", t0+hr+5, t0+hr+5),
		"Tools":       fmt.Sprintf("curl x1 %d-%d rank 0 agent;", t0+hr+5, t0+hr+5),
		"Techniques":  fmt.Sprintf("T1059 x2 %d-%d rank 0 longer why;", t0+hr+5, t0+3*hr),
		"Conclusions": fmt.Sprintf("3!fetch x1 %[2]d-%[2]d rank 0 ; 3fetch x2 %[1]d-%[2]d rank 0 wget http; 4of-later x1 %[2]d-%[2]d rank 0 ;", t0+hr+5, t0+3*hr),
		"Alerts": fmt.Sprintf("beyond| x1 %[1]d-%[1]d rank 1 ; least| x1 %[1]d-%[1]d rank 1 ; negative| x1 %[1]d-%[1]d rank 254 ; sig|cat x2 %[1]d-%[2]d rank 253 ; unknown severity| x1 %[1]d-%[1]d rank 254 ; worst| x1 %[1]d-%[1]d rank 254 ;",
			t0+1, t0+2),
		"Ports":   fmt.Sprintf("\x01|\x16 x1 %[1]d-%[1]d rank 1 ;", t0+2),
		"Domains": "2", "Crowd": fmt.Sprint(Crowd{}), "Handshake": "true",
		"Indicators":     fmt.Sprintf("sha256|aa x1 %[1]d-%[1]d rank 0 file; url|http://a/x x2 %[1]d-%[1]d rank 0 command;", t0+hr+5),
		"Forwards":       fmt.Sprintf("direct-tcpip|c.example:25 x1 %[1]d-%[1]d rank 0 ; smtp_relay|a.example x1 %[2]d-%[2]d rank 0 ; smtp_relay|b.example x1 %[3]d-%[3]d rank 0 ;", t0+hr+5, t0+2, t0+3*hr),
		"IndicatorCount": "2", "IndicatorCrowd": fmt.Sprint(Crowd{}),
		"Transitions": "[]", "Untold": "0", // no fold's work: TestCrossIsBounded
		"Turns": func() string {
			var l Turns
			l.Add(t0+hr+5, "s2", "uname -a")
			return fmt.Sprint(l.List())
		}(),
		"Logins": func() string {
			var l logins
			l.add("d1", t0+1)
			l.add("d2", t0+hr+5) // the other one failed
			return fmt.Sprintf("%+v, gone []", l.list)
		}(),
		// Nothing of it is claimed: TestClaimedByValue.
		"Claimed.First": "0", "Claimed.Last": "0", "Claimed.Events": "0", "Claimed.Kinds": "[0 0 0]", "Claimed.Commands": "0", "Claimed.Attempts": "0",
		"Claimed.Successes": "0", "Claimed.Large": "0", "Claimed.Services": "", "Claimed.Deckies": "", "Claimed.Evidence": "", "Claimed.Shell": "", "Claimed.Known": "",
		"Contacts.First": "0", "Contacts.Last": "0", "Contacts.Events": "0",
		// Nothing waits for its service: TestNamesByValue.
		"Unnamed.Told": "", "Unnamed.Events": "", "Unnamed.Guessed": "0",
	}
	permute(len(events), func(order []int) {
		a, s := new(event.Arena), new(Attacker)
		for i, n := range order {
			s.Fold(a, []string{"one", "two"}[min(i, 1)], true, []*event.Event{events[n]})
		}
		// Whichever came first was "one": a prober's alone is no sensor's sight.
		if events[order[0]].Role == event.Prober {
			s.Fold(a, "one", true, []*event.Event{})
			s.Sensors.Add(law.Entry{Key: "one"}, LimitSensors)
		}
		each(s, func(_ int, name string, v reflect.Value) {
			expect(t, want, name, dump(t, v), order)
		})
	})
	s := new(Attacker)
	s.Fold(new(event.Arena), "one", false, events)
	if n := len(s.Network.Items()); n != 0 {
		t.Errorf("a single address has %d addresses", n)
	}
	s.Reset()
	s.Fold(new(event.Arena), "one", true, events[len(events)-1:])
	if s.Sensors.Len() != 0 || s.Events != 0 || s.Handshake || len(s.Network.Items()) != 0 || s.Fingerprints.Len() != 1 {
		t.Errorf("our own probe counts: %d sensors, %d events", s.Sensors.Len(), s.Events)
	}
	s.Fold(new(event.Arena), "", true, events)
	if s.Sensors.Len() != 0 {
		t.Error("a sensor without a name")
	}
}

var zeros = strings.Repeat("|", 32)

// Every field of a mail domain by value.
func TestTargetByValue(t *testing.T) {
	named := func(kind event.EvidenceKind, domain string, o event.Outcome) event.Evidence {
		return event.Evidence{Kind: kind, A: domain, Outcome: o}
	}
	events := []*event.Event{
		{Time: t0 + 5, Proof: event.ByConnection, Decky: "d1", Service: "smtp", Evidence: []event.Evidence{
			named(event.Recipient, "a.example", event.Success), named(event.Recipient, "a.example", event.Success), named(event.Recipient, "b.example", event.Success),
			named(event.Recipient, "a.example", event.Failure), named(event.Recipient, "a.example", event.Unknown), named(event.Message, "a.example", event.Unknown),
		}},
		{Time: t0 + 9, Proof: event.ByConnection, Decky: "d2", Service: "smtp", Evidence: []event.Evidence{named(event.Message, "a.example", event.Success)}},
		{Time: t0 + 1, Proof: event.ByConnection, Evidence: []event.Evidence{named(event.Recipient, "a.example", event.Unknown)}},
		// It isn't named here, or not as a domain, or by ourselves.
		{Time: t0, Proof: event.ByConnection, Decky: "d3", Service: "x", Evidence: []event.Evidence{named(event.Recipient, "b.example", event.Success), named(event.Command, "a.example", event.Success)}},
		{Time: t0 + 20, Proof: event.ByConnection, Decky: "d4", Service: "y", Role: event.Prober, Evidence: []event.Evidence{named(event.Recipient, "a.example", event.Success)}},
	}
	want := map[string]string{
		"First": fmt.Sprint(t0 + 1), "Last": fmt.Sprint(t0 + 9), "Count": "3", "Accepted": "2", "Denied": "1", "Messages": "2",
		"Services": "smtp x2 0-0 rank 0 ;", "Deckies": "d1 x1 0-0 rank 0 ; d2 x1 0-0 rank 0 ;", "Sensors": "one x0 0-0 rank 0 ;",
		"Summary": "7 newer",
	}
	permute(len(events), func(order []int) {
		s := new(Target)
		for i, n := range order {
			s.Fold("one", "a.example", []*event.Event{events[n]})
			s.Summary.Add(event.Time([]int{3, 7, 6, 7, 1}[i]), []string{"old", "newer", "z", "newer", "y"}[i])
		}
		each(s, func(_ int, name string, v reflect.Value) {
			expect(t, want, name, dump(t, v), order)
		})
	})
	s := new(Target)
	s.Fold("one", "a.example", events[3:])
	s.Fold("", "a.example", events[:1])
	if s.Sensors.Len() != 0 {
		t.Error("a sensor that saw nothing, or has no name")
	}
}

// Every field of an indicator by value.
func TestIndicatorByValue(t *testing.T) {
	events := []*event.Event{
		{Time: t0 + 5, Proof: event.ByConnection, Decky: "d1", Service: "ssh"},
		{Time: t0 + 9, Proof: event.BySession, Decky: "d2", Service: "ssh"},
		// Whose it is only a shell's environment tells.
		{Time: t0 + 1, Proof: event.ByShell, Decky: "d1", Service: "ssh"},
		{Time: t0 + 20, Role: event.Contact},
	}
	uses := []string{"command", "file", "command", "fetched"}
	want := map[string]string{
		"First": fmt.Sprint(t0 + 1), "Last": fmt.Sprint(t0 + 20), "Count": "4", "Claimed": "1", "Fetched": "1",
		"Uses":      "command x2 0-0 rank 0 ; fetched x1 0-0 rank 0 ; file x1 0-0 rank 0 ;",
		"Attackers": fmt.Sprintf("9.9.9.9 x2 %d-%d rank 0 ;", t0+5, t0+9),
		"Services":  "ssh x3 0-0 rank 0 ;", "Deckies": "d1 x2 0-0 rank 0 ; d2 x1 0-0 rank 0 ;", "Sensors": "one x0 0-0 rank 0 ;",
	}
	permute(len(events), func(order []int) {
		s := new(Indicator)
		for _, n := range order {
			s.Fold("one", "9.9.9.9", uses[n], events[n])
		}
		each(s, func(_ int, name string, v reflect.Value) {
			expect(t, want, name, dump(t, v), order)
		})
	})
	for _, ev := range events {
		if !OpensIndicators(ev) {
			t.Errorf("an event of proof %v names nothing", ev.Proof)
		}
	}
	if OpensIndicators(&event.Event{Proof: event.Claimed}) || OpensIndicators(&event.Event{Proof: event.BySession, Role: event.Prober}) {
		t.Error("what anybody could say in another's name, and what we did ourselves, open no document")
	}
}

// Many attackers of one URL are counted alike in every order, read back in
// between; the first four stay.
func TestAnIndicatorOfManyIsFreeOfOrder(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 33))
		type sight struct {
			attacker, use string
			ev            *event.Event
		}
		sights := make([]sight, 400+r.IntN(400))
		for i := range sights {
			sights[i] = sight{fmt.Sprintf("203.0.%d.%d", r.IntN(4), r.IntN(256)), pick(r, "command", "file", "request"), &event.Event{
				Time: t0 + event.Time(r.Int64N(1e9)), Proof: pick(r, event.ByShell, event.BySession, event.ByConnection), Decky: fmt.Sprint("d", r.IntN(60)), Service: "ssh",
			}}
		}
		var want []byte
		for shuffle := range 4 {
			s := new(Indicator)
			s.By(testRank)
			for i, x := range sights {
				s.Fold(fmt.Sprint("sensor-", len(x.attacker)), x.attacker, x.use, x.ev)
				if i%97 == int(seed) {
					if err := s.Decode(append([]byte(nil), s.Append(nil)...)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !s.Attackers.Truncated() {
				t.Fatalf("seed %d: the list isn't full", seed)
			}
			if got := s.Append(nil); shuffle == 0 {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Fatalf("seed %d, shuffle %d: the order of events shows", seed, shuffle)
			}
			r.Shuffle(len(sights), func(i, j int) { sights[i], sights[j] = sights[j], sights[i] })
		}
		if most := indicatorTable.most(); len(want) > most {
			t.Errorf("seed %d: %d bytes of at most %d", seed, len(want), most)
		}
	}
}

// Every field of an hour by value.
func TestActivityByValue(t *testing.T) {
	events := []*event.Event{
		{Time: t0 + 5, Proof: event.ByConnection, Decky: "d1", Service: "ssh", Port: 22, Transport: event.TCP, Kind: event.Scan, Evidence: []event.Evidence{
			{Kind: event.Login, A: "root", B: "plaintext", C: "x", Outcome: event.Success},
			{Kind: event.Login, A: "root", B: "plaintext", C: "xy", Outcome: event.Failure},
			{Kind: event.Login, A: "pi", B: "publickey", C: "k"},
			{Kind: event.Login, Outcome: event.Success},
			{Kind: event.Recipient, A: "x"},
			{Kind: event.Message, A: "x"},
		}},
		{Time: t0 + 9, Proof: event.ByConnection, Decky: "d1", Service: "ssh", Kind: event.Interaction, Evidence: []event.Evidence{{Kind: event.Command, A: "id"}, {Kind: event.Command, A: "ls"}}},
		{Time: t0 + 1, Role: event.Sniffer, Kind: event.Noise},
		{Time: t0 + 2, Proof: event.ByConnection, Decky: "d2", Service: "http", Kind: event.Interaction, Evidence: []event.Evidence{{Kind: event.Recipient, A: "y"}}},
		{Time: t0 + 3, Proof: event.ByConnection, Decky: "d9", Service: "prober", Kind: event.Interaction, Role: event.Prober, Evidence: []event.Evidence{
			{Kind: event.Command, A: "no"}, {Kind: event.Login, B: "plaintext", C: "no", Outcome: event.Success}, {Kind: event.Recipient, A: "y"},
		}},
	}
	want := map[string]string{
		"Events": "4", "Kinds": "[1 1 2]", "CommandCount": "2", "Attempts": "4", "Successes": "2", "Recipients": "2", "Claimed": "1",
		"Services": "http x1 0-0 rank 2 ; ssh x2 0-0 rank 2 ;", "Deckies": "d1 x2 0-0 rank 0 ; d2 x1 0-0 rank 0 ;", "Sensors": "one x0 0-0 rank 0 ;",
		"Ports":    fmt.Sprintf("\x01|\x16 x1 %[1]d-%[1]d rank 1 ;", t0+5),
		"Commands": fmt.Sprintf("%d ssh/d1/id %d ssh/d1/ls", t0+9, t0+9), "Summary": "7 newer",
		"Lines":        fmt.Sprintf("id x1 %[1]d-%[1]d rank 0 ; ls x1 %[1]d-%[1]d rank 0 ;", t0+9),
		"Tried":        "ssh|pi|publickey|" + zeros + fmt.Sprintf(" x1 %[1]d-%[1]d rank 0 k; ssh|root|plaintext|%[2]s x2 %[1]d-%[1]d rank 0 xy;", t0+5, zeros),
		"Admitted":     fmt.Sprintf("ssh|root|plaintext|%s x1 %[2]d-%[2]d rank 0 x;", zeros, t0+5),
		"Unnamed.Told": "", "Unnamed.Events": "", "Unnamed.Guessed": "0",
	}
	permute(len(events), func(order []int) {
		a, s := new(event.Arena), new(Activity)
		for i, n := range order {
			s.Fold(a, "one", []*event.Event{events[n]})
			s.Summary.Add(event.Time([]int{3, 7, 6, 7, 1}[i]), []string{"old", "newer", "z", "newer", "y"}[i])
		}
		each(s, func(_ int, name string, v reflect.Value) {
			expect(t, want, name, dump(t, v), order)
		})
	})
	a, s := new(event.Arena), new(Activity)
	s.Fold(a, "one", events[4:])
	s.Fold(a, "", events[:1])
	if s.Sensors.Len() != 0 || s.Events != 1 {
		t.Errorf("%d sensors, %d events of one", s.Sensors.Len(), s.Events)
	}
}

// permute calls do with every order of n things (Heap, 1963).
func permute(n int, do func(order []int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var rest func(k int)
	rest = func(k int) {
		if k <= 1 {
			do(order)
			return
		}
		for i := range k {
			rest(k - 1)
			if k%2 == 0 {
				order[i], order[k-1] = order[k-1], order[i]
			} else {
				order[0], order[k-1] = order[k-1], order[0]
			}
		}
	}
	rest(n)
}

// The domains that a crowd opens: before the bound all, behind it those of the
// chunk that crossed it, and of these the share.
func TestCrowdOpens(t *testing.T) {
	domains := make([]string, 2000)
	for i := range domains {
		domains[i] = fmt.Sprint("d", i, ".example")
	}
	sort.Slice(domains, func(i, j int) bool { return law.Rank{}.Share(domains[i]) < law.Rank{}.Share(domains[j]) })
	crossed, another := [16]byte{1}, [16]byte{2}
	half := Crowd{Share: law.Rank{}.Share(domains[999]), Chunk: crossed}
	for i, d := range domains {
		if !(Crowd{}).Opens(law.Rank{}, d, crossed) || !(Crowd{Chunk: another}).Opens(law.Rank{}, d, crossed) {
			t.Fatalf("%s isn't opened where there is no crowd", d)
		}
		if half.Opens(law.Rank{}, d, another) {
			t.Fatalf("%s is opened by another chunk than the one that crossed the bound", d)
		}
		if got := half.Opens(law.Rank{}, d, crossed); got != (i <= 999) {
			t.Fatalf("%s, at %d of 2000: opened %v with a share of half", d, i, got)
		}
	}
}

// TestWordsOfAStackAreShort: what p0f or a sensor calls a class is a word; what is longer,
// or says nothing, is none.
func TestWordsOfAStackAreShort(t *testing.T) {
	for value, want := range map[string]string{
		"random": "random", "unknown": "", "": "",
		strings.Repeat("w", maxWord): strings.Repeat("w", maxWord), strings.Repeat("w", maxWord+1): "",
	} {
		s := new(Attacker)
		s.Fold(new(event.Arena), "one", false, []*event.Event{{Time: t0, Proof: event.ByConnection, Evidence: []event.Evidence{
			{Kind: event.Stack, Payload: []event.Field{{Key: "ipid_class", Value: value}, {Key: "isn_class", Value: value}}},
		}}})
		if s.IPIDClass.Value != want || s.ISNClass.Value != want {
			t.Errorf("%.80q: got %.80q and %.80q", value, s.IPIDClass.Value, s.ISNClass.Value)
		}
	}
}

// TestAnEarlierVersionsCrowdStays: what an earlier version wrote of an address with
// more mail domains than its bound goes on to open no more, and one that it was
// only made to believe in is forgotten.
func TestAnEarlierVersionsCrowdStays(t *testing.T) {
	crowd := Crowd{Share: 0.25, Chunk: [16]byte{7}}
	for events, want := range map[int64]Crowd{MaxTargets + 1: crowd, MaxTargets: {}} {
		s := new(Attacker)
		s.Fold(new(event.Arena), "one", false, []*event.Event{{Time: t0, Proof: event.ByConnection}})
		s.Events, s.Crowd = events, crowd
		wire := s.Append(nil)
		wire[4]++ // one more name, as that version wrote it: cut at the hash that was the largest
		wire = msgp.AppendBool(msgp.AppendArrayHeader(msgp.AppendString(wire, "do"), 2), true)
		wire = msgp.AppendBytesHeader(wire, 8*LimitDomains)
		for i := range uint64(LimitDomains) {
			wire = binary.BigEndian.AppendUint64(wire, i<<32) // of many more domains than events
		}
		if err := s.Decode(wire); err != nil {
			t.Fatal(err)
		}
		if s.Domains.Count() != events || s.Crowd != want {
			t.Errorf("%d domains of %d events: crowd %v, want %v", s.Domains.Count(), events, s.Crowd, want)
		}
	}
}
