package profile

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

func login(user, secret string, outcome event.Outcome) *event.Event {
	return &event.Event{
		Proof: event.ByConnection, Time: morning, Service: "ssh", Kind: event.Interaction,
		Evidence: []event.Evidence{{Kind: event.Login, A: user, B: "plaintext", C: secret, Digest: sha256.Sum256([]byte(secret)), Outcome: outcome}},
	}
}

// TestTried: what an hour says of credentials, by value: attempts and
// successes of each, those tried most often first, secrets as they may be
// shown.
func TestTried(t *testing.T) {
	hour := new(state.Activity)
	hour.Fold(new(event.Arena), "sensor-1", []*event.Event{
		login("root", "admin", event.Failure), login("root", "admin", event.Success), login("root", "admin", event.Success),
		login("pi", "raspberry", event.Failure), login("pi", "raspberry", event.Failure), login("pi", "raspberry", event.Failure), login("pi", "raspberry", event.Failure),
		login("", "alone", event.Success),
		{Time: morning, Service: "ssh", Evidence: []event.Evidence{{Kind: event.Login, A: "nobody", Outcome: event.Failure}}}, // showed no secret
		{Time: morning, Service: "ssh", Role: event.Prober, Evidence: login("probe", "probe", event.Success).Evidence},
	})
	digest := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	for _, test := range []struct {
		secrets Secrets
		want    []any
	}{
		{Plain, []any{
			map[string]any{"service": "ssh", "user": "pi", "secret_kind": "plaintext", "secret": "raspberry", "secret_sha256": digest("raspberry"), "attempts": 4.0, "successes": 0.0},
			map[string]any{"service": "ssh", "user": "root", "secret_kind": "plaintext", "secret": "admin", "secret_sha256": digest("admin"), "attempts": 3.0, "successes": 2.0},
			map[string]any{"service": "ssh", "secret_kind": "plaintext", "secret": "alone", "secret_sha256": digest("alone"), "attempts": 1.0, "successes": 1.0},
		}},
		{Digest, []any{
			map[string]any{"service": "ssh", "user": "pi", "secret_kind": "plaintext", "secret_sha256": digest("raspberry"), "attempts": 4.0, "successes": 0.0},
			map[string]any{"service": "ssh", "user": "root", "secret_kind": "plaintext", "secret_sha256": digest("admin"), "attempts": 3.0, "successes": 2.0},
			map[string]any{"service": "ssh", "secret_kind": "plaintext", "secret_sha256": digest("alone"), "attempts": 1.0, "successes": 1.0},
		}},
		{Hidden, []any{
			map[string]any{"service": "ssh", "user": "pi", "secret_kind": "plaintext", "attempts": 4.0, "successes": 0.0},
			map[string]any{"service": "ssh", "user": "root", "secret_kind": "plaintext", "attempts": 3.0, "successes": 2.0},
			map[string]any{"service": "ssh", "secret_kind": "plaintext", "attempts": 1.0, "successes": 1.0},
		}},
	} {
		doc := decode(t, renderer(t, Options{Secrets: test.secrets}).AppendActivity(nil, headOf(someone), morning.Hour(), hour))
		if got := at(doc, "credentials.tried"); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("secrets %v:\nwant %v\n got %v", test.secrets, test.want, got)
		}
	}
	empty := decode(t, renderer(t, Options{}).AppendActivity(nil, headOf(someone), morning.Hour(), new(state.Activity)))
	if got, there := empty["credentials"]; there {
		t.Errorf("an hour without logins has credentials: %v", got)
	}
}

// TestTriedIsBounded: however many credentials are tried in an hour, and
// however long they are, the hour's document stays small, says that it was
// cut, and a credential that is kept has all its attempts and successes.
func TestTriedIsBounded(t *testing.T) {
	for _, test := range []struct {
		name   string
		secret func(i int) string
		keys   int
	}{
		{"short", func(i int) string { return fmt.Sprint("secret-", i) }, state.LimitTried.Keys},
		{"long", func(i int) string { return fmt.Sprint(i, strings.Repeat("\x01é", event.MaxValue/3-8)) }, 38},
	} {
		t.Run(test.name, func(t *testing.T) {
			hour, a := new(state.Activity), new(event.Arena)
			for range 3 {
				for i := range 2000 {
					outcome := event.Failure
					if i%2 == 0 {
						outcome = event.Success
					}
					hour.Fold(a, "s", []*event.Event{login("root", test.secret(i), outcome)})
				}
			}
			doc := renderer(t, Options{}).AppendActivity(nil, headOf(someone), morning.Hour(), hour)
			tried, _ := at(decode(t, doc), "credentials.tried").([]any)
			// Half of them were let in, and are kept apart.
			if len(tried) > 2*test.keys+state.LimitTried.Firsts || len(tried) < test.keys/2 {
				t.Errorf("%d credentials are kept, want about %d", len(tried), test.keys)
			}
			for _, c := range tried {
				m := c.(map[string]any)
				var n int
				fmt.Sscanf(strings.TrimPrefix(m["secret"].(string), "secret-"), "%d", &n)
				if want := float64(3 * (1 - n%2)); m["attempts"] != 3.0 || m["successes"] != want {
					t.Errorf("%.40q: attempts %v and successes %v, want 3 and %v", m["secret"], m["attempts"], m["successes"], want)
				}
			}
			if got := fmt.Sprint(decode(t, doc)["truncated"]); !strings.Contains(got, "credentials.tried") {
				t.Errorf("truncated is %s", got)
			}
			st := hour.Append(nil)
			if len(doc) > 120<<10 || len(st) > 2*state.LimitTried.Bytes+4096 {
				t.Errorf("a document of %d bytes, a state of %d", len(doc), len(st))
			}
			t.Logf("%d credentials: %d bytes of document beside %d of state", len(tried), len(doc), len(st))
		})
	}
}
