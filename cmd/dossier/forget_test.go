package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

// fetched makes an attacker who fetched a file, with the indicator of its URL.
func (u use) fetched() (attacker string) {
	u.Helper()
	dir, attacker, _ := u.w.letters(u.T, u.w.prefix)
	var id [16]byte
	rand.Read(id[:])
	url := "http://a.example/" + attacker
	b, err := json.Marshal(map[string]any{
		"time": time.Now(), "reason": "x", "chunk": hex.EncodeToString(id[:]), "minute": time.Now().Unix() / 60,
		"index": u.w.prefix + "-indicators", "id": state.IndicatorID("url", url), "class": 3,
		"events": map[string]any{"sensor": "s", "source": attacker + "/32", "kind": "url", "value": url, "events": []any{map[string]any{
			"time": event.FromTime(time.Now()), "address": attacker, "type": "command", "kind": event.Interaction, "proof": "session", "source": attacker + "/32", "use": "fetched",
		}}},
	})
	if err != nil {
		u.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.jsonl"), append(b, '\n'), 0o600); err != nil {
		u.Fatal(err)
	}
	if out, errs, status := dossier(u.T, nil, append([]string{"replay"}, u.w.real(dir)...)...); status != 0 || !strings.Contains(out, "3 letters written") {
		u.Fatal(out, errs)
	}
	return attacker
}

// forgets runs forget with the flag on such an attacker.
func (u use) forgets(value string, more ...string) (attacker, out, errs string, status int) {
	u.Helper()
	attacker = u.fetched()
	out, errs, status = u.run(value, u.w.real(append(more, attacker)...)...)
	return attacker, out, errs, status
}

var forgetRows = map[string]row{
	"forget --tlp": option("tlp", "PURPLE", func(u use) {
		_, _, errs, status := u.forgets("RED", "--yes")
		if contains(u.T, errs, "by these options they would be TLP:RED: give --tlp"); status != 1 {
			u.Errorf("status %d", status)
		}
	}),
	"forget --dead-letter-path": option("dead_letter_path", "relative", func(u use) {
		dir, attacker, _ := u.w.letters(u.T, "dossier")
		out, errs, status := u.run(dir, "--yes", "--only-dead-letters", attacker)
		if contains(u.T, out, "dead letters "+dir+": 2 erased and 0 changed, in 1 files"); status != 0 {
			u.Errorf("status %d, %s", status, errs)
		}
	}),
	"forget --only-dead-letters": {"maybe", `"maybe" for "--only-dead-letters"`, func(u use) {
		u.w.http.take()
		dir, attacker, _ := u.w.letters(u.T, "dossier")
		out, _, _ := u.run("true", "--yes", "--es-hosts", u.w.http.URL, "--dead-letter-path", dir, attacker)
		contains(u.T, out, ": 2 erased")
		if seen := u.w.http.take(); len(seen) > 0 {
			u.Errorf("the cluster was asked:\n%s", lines(seen))
		}
	}},
	"forget --yes": {"maybe", `"maybe" for "-y, --yes"`, func(u use) {
		attacker, out, errs, status := u.forgets("false")
		contains(u.T, out, attacker+", at "+u.w.node.URL, ": 1 profiles, 0 mail domains, 1 hours, ", " and the entries in 1 indicators")
		if contains(u.T, errs, "Erase "+attacker+"?", "nobody answered, and nothing was done; give --yes"); status != 1 {
			u.Errorf("status %d", status)
		}
		if _, _, status := dossier(u.T, nil, u.w.real("show", attacker)...); status != 0 {
			u.Errorf("it was erased without a yes: status %d", status)
		}
		out, errs, status = u.run("true", u.w.real(attacker)...)
		if contains(u.T, out, "profile "+u.w.prefix+"-attackers: 1 deleted", "indicators "+u.w.prefix+"-indicators: 1 written without it"); status != 0 {
			u.Errorf("status %d, %s", status, errs)
		}
		if _, _, status := dossier(u.T, nil, u.w.real("show", attacker)...); status != unknown {
			u.Errorf("it is still there: status %d", status)
		}
	}},
}

// TestSure: only a yes is one.
func TestSure(t *testing.T) {
	for answer, want := range map[string]string{"yes\n": "", " YES \n": "", "yes": "", "y\n": "the answer was not yes", "\n": "the answer was not yes", "": "nobody answered", "no, yes\n": "the answer was not yes"} {
		c := newForget()
		c.SetIn(strings.NewReader(answer))
		var said strings.Builder
		c.SetErr(&said)
		err := sure(c, false, "Erase it?")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || !strings.HasPrefix(said.String(), "Erase it? It can't be taken back.") {
			t.Errorf("%q: %v, %q", answer, err, said.String())
		}
	}
	if err := sure(newForget(), true, fmt.Sprint()); err != nil {
		t.Error(err)
	}
}
