package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"

	"github.com/tinylib/msgp/msgp"
)

// Every field of what is claimed by value, whatever the order of the events:
// nothing of it stands among what is proven.
func TestClaimedByValue(t *testing.T) {
	digest := sha256.Sum256([]byte("public"))
	long := strings.Repeat("x", maxClaim-1) + "é"
	events := []*event.Event{
		{Time: t0 + 3, Decky: "d1", Service: "snmp", Type: "get_request", Kind: event.Interaction, Phase: event.Exfil, Large: true, Evidence: []event.Evidence{
			{Kind: event.Login, A: "", B: "snmp_community", C: "public", Digest: digest, Outcome: event.Success},
			{Kind: event.Command, A: "1.3.6"},
			{Kind: event.Technique, A: "T1046", B: "why"},
		}},
		{Time: t0 + 1, Decky: "d1", Service: "tftp", Kind: event.Interaction, Evidence: []event.Evidence{
			{Kind: event.Command, A: long},
			{Kind: event.Artifact, A: "sha", B: "url", C: "file"},
			{Kind: event.Tool, A: "nmap", B: "x"},
			{Kind: event.Fingerprint, A: "ja4_quic", B: "q"},
			{Kind: event.Leak, A: "9.9.9.9", B: "XFF", C: "public"},
			{Kind: event.Alert, A: "sig", B: "cat", N: 2},
			{Kind: event.Recipient, A: "a.example"},
			{Kind: event.Message, A: "a.example"},
			{Kind: event.KexOrder, A: "k1"},
			{Kind: event.Session, A: "s1", N: 5},
		}},
		{Time: t0 + 9, Decky: "d2", Role: event.Sniffer, Kind: event.Scan, Phase: event.Recon, Evidence: []event.Evidence{
			{Kind: event.Stack, A: "nmap", N: 64, M: 3},
			{Kind: event.Retransmits, N: 2},
			{Kind: event.Login, A: "root"}, // no secret shown
		}},
		{Time: t0 + 5, Decky: "d1", Service: "ssh", Type: "command", Kind: event.Interaction, Proof: event.ByShell, Evidence: []event.Evidence{
			{Kind: event.Command, A: "id", N: 1}, {Kind: event.Technique, A: "T1033"}, {Kind: event.Session, A: "s2"}, {Kind: event.Command, A: "another"},
		}},
		{Time: t0 + 6, Decky: "d1", Service: "ssh", Type: "session_recorded", Kind: event.Interaction, Proof: event.ByShell},
	}
	claim := func(key string, count int, at event.Time, rank int, payload string) string {
		return fmt.Sprintf("%s x%d %d-%d rank %d %s;", key, count, at, at, rank, payload)
	}
	dig := strings.ReplaceAll(string(digest[:]), "\x00", "|")
	want := map[string]string{
		"Claimed.First": fmt.Sprint(t0 + 1), "Claimed.Last": fmt.Sprint(t0 + 9), "Claimed.Events": "5", "Claimed.Kinds": "[0 1 4]",
		"Claimed.Commands": "4", "Claimed.Attempts": "2", "Claimed.Successes": "1", "Claimed.Large": "1",
		"Claimed.Services": fmt.Sprintf("snmp x1 %d-%d rank 2 ; ssh x2 %d-%d rank 2 ; tftp x1 %d-%d rank 2 ;", t0+3, t0+3, t0+5, t0+6, t0+1, t0+1),
		"Claimed.Deckies":  fmt.Sprintf("d1 x4 %d-%d rank 0 ; d2 x1 %d-%d rank 0 ;", t0+1, t0+6, t0+9, t0+9),
		"Claimed.Shell":    fmt.Sprintf("%d ssh/d1/id %d ssh/d1", t0+5, t0+6),
		"Claimed.Known":    fmt.Sprintf("ssh|id|d1 x1 %[1]d-%[1]d rank 0 ;", t0+5),
		"Claimed.Evidence": strings.Join([]string{
			claim("alert|tftp|sig|cat|", 1, t0+1, 253, ""), claim("command|snmp|1.3.6||", 1, t0+3, 0, ""), claim("command|ssh|another||", 1, t0+5, 0, ""),
			claim("command|tftp|"+law.Shorten(long, maxClaim)+"||", 1, t0+1, 0, ""),
			claim("file|tftp|sha|url|file", 1, t0+1, 0, ""), claim("fingerprint|tftp|ja4_quic|q|", 1, t0+1, 0, ""), claim("ip_leak|tftp|9.9.9.9|XFF|public", 1, t0+1, 0, ""),
			claim("kex_order|tftp|k1||", 1, t0+1, 0, ""), claim("login||root||", 1, t0+9, 0, ""), claim("login|snmp||snmp_community|"+dig, 1, t0+3, 2, "public"),
			claim("recipient|tftp|a.example||", 2, t0+1, 0, ""), claim("technique|snmp|T1046||", 1, t0+3, 0, "why"), claim("tool|tftp|nmap||", 1, t0+1, 0, "x"),
		}, " "),
		// What nobody is judged by is where it always was; a label that isn't
		// proven says so by its rank.
		"Sensors": "one x0 0-0 rank 0 ;", "Sessions": "2", "Retransmits": "2",
		"SystemGuesses": claim("nmap", 1, t0+9, 0, ""), "TTLs": claim("64", 1, t0+9, 0, ""), "Distances": claim("3", 1, t0+9, 0, ""),
	}
	empty := map[string]string{}
	each(new(Attacker), func(_ int, name string, v reflect.Value) { empty[name] = dump(t, v) })
	permute(len(events), func(order []int) {
		a, s := new(event.Arena), new(Attacker)
		for _, n := range order {
			s.Fold(a, "one", true, []*event.Event{events[n]})
		}
		each(s, func(_ int, name string, v reflect.Value) {
			value, known := want[name]
			if !known {
				value = empty[name]
			}
			if got := dump(t, v); got != value {
				t.Fatalf("order %v: %s is\n%q, want\n%q", order, name, got, value)
			}
		})
		if first, last := s.Seen(); first != t0+1 || last != t0+9 || s.Total() != 5 {
			t.Fatalf("seen from %d to %d, %d events", first, last, s.Total())
		}
	})
}

// A key of a claim is taken apart into what it was made of, whatever bytes a
// digest has.
func TestClaimOf(t *testing.T) {
	digest := "\x00\x01\x00" + strings.Repeat("\x00", 29)
	for _, c := range []Claim{
		{ClaimLogin, "ssh", "root", "plaintext", digest}, {Kind: ClaimLogin, A: "root"}, {Kind: ClaimCommand, Service: "tftp", A: "a b"}, {ClaimFile, "", "a", "b", "c"},
	} {
		if got := ClaimOf(c.Key(new(event.Arena))); got != c {
			t.Errorf("%+v came back as %+v", c, got)
		}
	}
}

// Logins are kept free of order, beyond what is kept of them too, and tell what
// the list of all of them would.
func TestLoginsTellWhetherThereWasOneWithinTheDay(t *testing.T) {
	type entry struct {
		decoy string
		at    event.Time
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		days := 1 + r.Int64N(12)
		all := make([]entry, r.IntN(60))
		for i := range all {
			all[i] = entry{fmt.Sprint("d", r.IntN(5)), t0 - 3*day + event.Time(r.Int64N(days*int64(day)))}
		}
		var l logins
		for _, e := range all {
			l.add(e.decoy, e.at)
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var other logins
		for i, e := range all {
			other.add(e.decoy, e.at)
			if i%7 == 0 {
				if rest, err := other.Decode(other.Append(nil)); err != nil || len(rest) != 0 {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(l.list, other.list) {
			t.Fatalf("seed %d: the order of logins shows", seed)
		}
		for range 200 {
			decoy, at := fmt.Sprint("d", r.IntN(6)), t0-4*day+event.Time(r.Int64N((days+2)*int64(day)))
			if len(all) > 0 && r.IntN(2) == 0 { // right at a bound
				e := all[r.IntN(len(all))]
				decoy, at = e.decoy, e.at+[]event.Time{0, -1, day, day + 1}[r.IntN(4)]
			}
			want := slices.ContainsFunc(all, func(e entry) bool { return e.decoy == decoy && e.at <= at && at-e.at <= day })
			if len(l.list) < maxLogins && l.admits(decoy, at) != want {
				t.Fatalf("seed %d: %s at %d: %v, want %v", seed, decoy, at, !want, want)
			}
		}
	}
	// Beyond the bound the newest days stay, in any order.
	var up, down logins
	const n = 3 * maxLogins
	for i := range event.Time(n) {
		up.add("d", t0+i*day)
		down.add("d", t0+(n-1-i)*day)
	}
	if !slices.Equal(up.list, down.list) || len(up.list) != maxLogins || !up.admits("d", t0+(n-1)*day) {
		t.Errorf("%d and %d kept", len(up.list), len(down.list))
	}
	// Of the others the oldest do.
	if !slices.Equal(up.gone.list, down.gone.list) || len(up.gone.list) != maxGoneLogins || !up.admits("d", t0) || !up.admits("d", t0+(maxGoneLogins-1)*day+1) || up.admits("d", t0+(maxGoneLogins+1)*day) {
		t.Errorf("%d and %d of those before", len(up.gone.list), len(down.gone.list))
	}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 12))
		all := make([]entry, 1+r.IntN(3*maxLogins))
		for i := range all {
			all[i] = entry{fmt.Sprint("d", r.IntN(4)), t0 + event.Time(r.Int64N(80*int64(day)))}
		}
		var one, other logins
		for _, e := range all {
			one.add(e.decoy, e.at)
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i, e := range all {
			other.add(e.decoy, e.at)
			if i%7 == 0 {
				for _, part := range []interface {
					Append([]byte) []byte
					Decode([]byte) ([]byte, error)
				}{&other, &other.gone} {
					if rest, err := part.Decode(part.Append(nil)); err != nil || len(rest) != 0 {
						t.Fatal(err)
					}
				}
			}
		}
		if !slices.Equal(one.list, other.list) || !slices.Equal(one.gone.list, other.gone.list) {
			t.Fatalf("seed %d: the order of logins shows", seed)
		}
	}
}

// What somebody typed stays his, however often he logs in afterwards.
func TestLaterLoginsTakeNothingFromAShell(t *testing.T) {
	a, s := new(event.Arena), new(Attacker)
	login := func(decoy string, at event.Time) *event.Event {
		return &event.Event{Time: at, Decky: decoy, Service: "ssh", Type: "login", Proof: event.ByConnection, Evidence: []event.Evidence{{Kind: event.Login, A: "root", Outcome: event.Success}}}
	}
	s.Fold(a, "one", false, []*event.Event{login("d", t0), {
		Time: t0 + 1, Decky: "d", Service: "ssh", Type: "command", Kind: event.Interaction, Proof: event.ByShell, Evidence: []event.Evidence{{Kind: event.Command, A: "id", N: 1}},
	}})
	for i := range event.Time(5 * maxLogins) {
		s.Fold(a, "one", false, []*event.Event{login(fmt.Sprint("d", i%7), t0+(2+i)*day)})
	}
	if !s.ProvesShell() {
		t.Fatal("the command is a claim again")
	}
	if n := s.ProveShell(a, new(ShellMemory), func(*event.Event) {}); n != 1 || s.CommandCount != 1 || s.Claimed.Events != 0 {
		t.Errorf("%d proven, %d commands, %d claimed", n, s.CommandCount, s.Claimed.Events)
	}
}

// A claim tells no length of a session, and what is proven and claimed counts
// once, though the list of what is proven was cut or the claim's text was.
func TestClaimsCountOnce(t *testing.T) {
	login := func(user string, p event.Proof) *event.Event {
		e := event.Evidence{Kind: event.Login, A: user, B: "plaintext", C: "a", Digest: sha256.Sum256([]byte("a")), Outcome: event.Failure}
		return &event.Event{Time: t0, Decky: "d", Service: "ssh", Type: "login", Proof: p, Evidence: []event.Evidence{e}}
	}
	fingerprint := func(value string, p event.Proof) *event.Event {
		return &event.Event{Time: t0, Decky: "d", Service: "ssh", Type: "x", Proof: p, Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "hassh", B: value}}}
	}
	long, longer := strings.Repeat("u", maxClaim+1), strings.Repeat("v", 400)
	a, s := new(event.Arena), new(Attacker)
	for _, user := range []string{"root", long, longer} {
		s.Fold(a, "one", false, []*event.Event{login(user, event.ByConnection), login(user, event.Claimed)})
	}
	for _, value := range []string{"aa", long} {
		s.Fold(a, "one", false, []*event.Event{fingerprint(value, event.ByConnection), fingerprint(value, event.Claimed)})
	}
	if n := s.CredentialCount(); n != 3 {
		t.Errorf("%d credentials of three", n)
	}
	if n := s.Bounties(); n != 5 {
		t.Errorf("%d bounties of five", n)
	}
	s.Fold(a, "one", false, []*event.Event{login("other", event.Claimed)})
	if n := s.CredentialCount(); n != 4 {
		t.Errorf("%d credentials of four", n)
	}
	const tried = 1000
	s = new(Attacker)
	for i := range tried {
		user := fmt.Sprint("user", i)
		s.Fold(a, "one", false, []*event.Event{login(user, event.ByConnection), login(user, event.Claimed)})
	}
	if n, of := s.CredentialCount(), s.Credentials.Distinct(); !s.Credentials.Truncated() || n != of {
		t.Errorf("%d credentials, where the list says %d", n, of)
	}
	s = new(Attacker)
	s.Fold(a, "one", false, []*event.Event{{Time: t0, Service: "ssh", Proof: event.Claimed, Evidence: []event.Evidence{{Kind: event.Session, A: "s", N: 1 << 40}}}})
	s.Fold(a, "one", false, []*event.Event{{Time: t0, Decky: "d", Service: "ssh", Proof: event.ByShell, Evidence: []event.Evidence{{Kind: event.Session, A: "t", N: 1 << 40}}}})
	if s.LongestSession != 0 || s.Sessions.Count() != 2 {
		t.Errorf("claims tell of %d ms, %d sessions", s.LongestSession, s.Sessions.Count())
	}
}

// What shells told is a session's where the address logged in on that decoy
// within the day before, whenever the login comes, and whoever saw it.
func TestShellsAreProvenByALogin(t *testing.T) {
	login := func(decoy, service string, at event.Time, o event.Outcome, p event.Proof) *event.Event {
		return &event.Event{
			Time: at, Decky: decoy, Service: service, Type: "auth_attempt", Kind: event.Scan, Proof: p,
			Evidence: []event.Evidence{{Kind: event.Login, A: "root", Outcome: o}},
		}
	}
	command := &event.Event{
		Time: t0, Decky: "d1", Service: "ssh", Type: "command", Kind: event.Interaction, Phase: event.Exfil, Proof: event.ByShell,
		Evidence: []event.Evidence{{Kind: event.Command, A: "id"}},
	}
	for name, tt := range map[string]struct {
		login *event.Event
		want  int
	}{
		"no login":                    {nil, 0},
		"a login":                     {login("d1", "ssh", t0-1, event.Success, event.ByConnection), 1},
		"at the same time":            {login("d1", "ssh", t0, event.Success, event.ByConnection), 1},
		"by telnet":                   {login("d1", "telnet", t0-1, event.Success, event.ByConnection), 1},
		"that doesn't tell its end":   {login("d1", "ssh", t0-1, event.Unknown, event.ByConnection), 1},
		"that failed":                 {login("d1", "ssh", t0-1, event.Failure, event.ByConnection), 0},
		"a day before":                {login("d1", "ssh", t0-day, event.Success, event.ByConnection), 1},
		"more than a day before":      {login("d1", "ssh", t0-day-1, event.Success, event.ByConnection), 0},
		"afterwards":                  {login("d1", "ssh", t0+1, event.Success, event.ByConnection), 0},
		"on another decoy":            {login("d2", "ssh", t0-1, event.Success, event.ByConnection), 0},
		"to another service":          {login("d1", "ftp", t0-1, event.Success, event.ByConnection), 0},
		"that is claimed":             {login("d1", "ssh", t0-1, event.Success, event.Claimed), 0},
		"that a shell told of itself": {login("d1", "ssh", t0-1, event.Success, event.ByShell), 0},
		"without a decoy":             {login("", "ssh", t0-1, event.Success, event.ByConnection), 0},
	} {
		var wires [2][]byte
		for order := range wires {
			a, s := new(event.Arena), new(Attacker)
			events := []*event.Event{command}
			if tt.login != nil {
				events = append(events, tt.login)
			}
			if order == 1 {
				slices.Reverse(events)
			}
			for _, ev := range events {
				s.Fold(a, "sensor of "+ev.Type, false, []*event.Event{ev})
			}
			told := len(s.Claimed.Shell.Items())
			if s.ProvesShell() != (tt.want > 0) {
				t.Errorf("%s: ProvesShell is %v", name, s.ProvesShell())
			}
			total, annotated := s.Total(), 0
			if got := s.ProveShell(a, new(ShellMemory), func(*event.Event) { annotated++ }); got != tt.want || annotated != tt.want {
				t.Errorf("%s: %d proven, %d looked at, want %d", name, got, annotated, tt.want)
			}
			if int(s.CommandCount) != tt.want || len(s.Commands.Items()) != tt.want || len(s.Claimed.Shell.Items()) != told-tt.want || s.Total() != total {
				t.Errorf("%s: %d commands, %d told, %d events of %d", name, s.CommandCount, len(s.Claimed.Shell.Items()), s.Total(), total)
			}
			wires[order] = s.Append(nil)
		}
		if !bytes.Equal(wires[0], wires[1]) {
			t.Errorf("%s: the order shows", name)
		}
	}
}

// A state that an earlier version wrote doesn't say what proves what: what it
// took for proven stays so, what nothing proved is claimed, and what decoys did
// is neither.
func TestStatesWithoutProvenance(t *testing.T) {
	old := func(s *Attacker) []byte {
		wire := s.Append(nil)
		// Take the mark of provenance out.
		var out []byte
		n, b, err := msgp.ReadMapHeaderBytes(wire)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			whole := b
			name, rest, err := msgp.ReadStringZC(b)
			if err != nil {
				t.Fatal(err)
			}
			if b, err = msgp.Skip(rest); err != nil {
				t.Fatal(err)
			}
			if string(name) != "pv" {
				out = append(out, whole[:len(whole)-len(b)]...)
			}
		}
		return append(msgp.AppendMapHeader(nil, n-1), out...)
	}
	everything := func(handshake bool) *Attacker {
		s := full(t, 16)
		s.Claimed = Claimed{}
		s.Contacts, s.Handshake = Contacts{}, handshake
		s.SystemGuesses.Reset()
		s.SystemGuesses.Add(law.Entry{Key: "nmap", Count: 1}, LimitSystems)
		return s
	}
	var s Attacker
	was := everything(true)
	if err := s.Decode(old(was)); err != nil {
		t.Fatal(err)
	}
	if s.Events != was.Events || s.Claimed.Events != 0 || s.Credentials.Len() != was.Credentials.Len() || s.SystemGuesses.Get("nmap").Rank != 1 {
		t.Errorf("what was proven: %d events, %d claimed", s.Events, s.Claimed.Events)
	}
	was = everything(false)
	if err := s.Decode(old(was)); err != nil {
		t.Fatal(err)
	}
	if s.Handshake || s.Events != 0 || s.Total() != was.Events || s.Claimed.Attempts != was.Attempts || s.Claimed.Commands != was.CommandCount || s.Attempts+s.CommandCount+s.Successes+s.Large != 0 {
		t.Errorf("what nothing proved: %d events, %d claimed, %d attempts of %d", s.Events, s.Claimed.Events, s.Claimed.Attempts, was.Attempts)
	}
	for name, n := range map[string]int{
		"services": s.Services.Len(), "deckies": s.Deckies.Len(), "hops": len(s.Hops.Items()), "times": len(s.Times.List()), "hours": len(s.Hours.List()),
		"commands": len(s.Commands.Items()), "credentials": s.Credentials.Len(), "artifacts": s.Artifacts.Len(), "leaks": s.Leaks.Len(), "tools": s.Tools.Len(),
		"techniques": s.Techniques.Len(), "alerts": s.Alerts.Len(), "domains": s.Domains.Len(),
	} {
		if n != 0 {
			t.Errorf("what nothing proved: %d %s are proven", n, name)
		}
	}
	if s.Claimed.Evidence.Len() == 0 || s.Claimed.Services.Len() == 0 || s.Claimed.Deckies.Len() == 0 {
		t.Error("what nothing proved is lost")
	}
	if got := len(s.Append(nil)); got > s.Size() || s.Size() > MaxAttacker {
		t.Errorf("%d bytes, said to be %d of at most %d", got, s.Size(), MaxAttacker)
	}
	// Reading is the same each time, and what was read and written again too.
	wire := s.Append(nil)
	if err := s.Decode(old(was)); err != nil || !bytes.Equal(s.Append(nil), wire) {
		t.Errorf("reading it again gives another state: %v", err)
	}
	if err := s.Decode(wire); err != nil || !bytes.Equal(s.Append(nil), wire) {
		t.Errorf("it changes when written: %v", err)
	}
	contacted := new(Attacker)
	contacted.First, contacted.Last, contacted.Events, contacted.Kinds = t0, t0+1, 3, [3]int64{3, 0, 0}
	if err := s.Decode(old(contacted)); err != nil {
		t.Fatal(err)
	}
	if s.Contacts != (Contacts{t0, t0 + 1, 3}) || s.Total() != 3 || s.Events != 0 {
		t.Errorf("contacts: %+v, %d events", s.Contacts, s.Events)
	}
}

// Whoever claims one kind of thing without end pushes out no claim of another.
func TestClaimsOfOneKindPushOutNoOther(t *testing.T) {
	a, s := new(event.Arena), new(Attacker)
	s.By(testRank)
	fold := func(i int, e event.Evidence) {
		s.Fold(a, "one", false, []*event.Event{{Time: t0 + event.Time(i), Service: "tftp", Kind: event.Scan, Evidence: []event.Evidence{e}}})
	}
	flood := map[string]func(n string) event.Evidence{
		ClaimFingerprint: func(n string) event.Evidence {
			return event.Evidence{Kind: event.Fingerprint, A: "http_useragent", B: n}
		},
		ClaimAlert: func(n string) event.Evidence { return event.Evidence{Kind: event.Alert, A: n, B: "x", N: 3} },
		ClaimLogin: func(n string) event.Evidence { return event.Evidence{Kind: event.Login, A: n} },
	}
	for kind, hostile := range flood {
		s.Reset()
		for i := range 5000 {
			fold(i, hostile(fmt.Sprint(i, strings.Repeat("x", 200))))
			if i == 2500 {
				fold(i, event.Evidence{Kind: event.Artifact, A: "digest", B: "url", C: "file"})
			}
		}
		key := (&Claim{Kind: ClaimFile, Service: "tftp", A: "digest", B: "url", C: "file"}).Key(a)
		if s.Claimed.Evidence.Get(key) == nil || !s.Claimed.Evidence.Full() {
			t.Errorf("the claimed file is gone among 5000 claims of kind %s", kind)
		}
	}
}
