package analyst_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"dossier/analyst"
	"dossier/analyst/export"
	"dossier/analyst/report"
	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

var update = flag.Bool("update", false, "write the golden files of what is shown of the demo's attackers")

// now is when the demo's attackers are looked at: five days after.
var now = time.Date(2026, 1, 8, 12, 0, 0, 0, time.UTC)

const address = "185.33.108.234" // who moved over four decoys

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == got {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("%s, line %d:\nwant %.400s\n got %.400s", path, i+1, x, y)
			return
		}
	}
}

// plain returns what a terminal without colours shows.
func plain(write func(w *colorprofile.Writer) error) (string, error) {
	var b bytes.Buffer
	err := write(&colorprofile.Writer{Forward: &b, Profile: colorprofile.NoTTY})
	return b.String(), err
}

func open(t *testing.T, node *esnode.Node, prefix string) *analyst.Reader {
	t.Helper()
	o, err := options.Parse(func(key string) string {
		return map[string]string{"es_hosts": node.URL, "index_prefix": prefix}[key]
	}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyst.Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	r.At(now)
	return r
}

// found returns the addresses that a query finds, in its order.
func found(t *testing.T, r *analyst.Reader, q analyst.Query) (ids []string, profiles []*analyst.Profile) {
	t.Helper()
	err := r.Each(t.Context(), q, func(id analyst.Text, err error) { t.Errorf("%s: %v", id, err) }, func(p *analyst.Profile) error {
		ids, profiles = append(ids, p.ID), append(profiles, p)
		return nil
	})
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return ids, profiles
}

// TestGoldenDemo shows, finds and exports the demo's attackers as the plugin
// wrote them to a real node.
func TestGoldenDemo(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	h := e2e.StartHost(t, host.Options{Workers: 2, Properties: e2e.Properties(t, node.URL, prefix, map[string]string{"exclude_nets": "198.51.100.0/24"})})
	e2e.Deliver(t, h, e2e.Cut(e2e.Lines(t, e2e.Data("decnet", "raw_20k.log")), 4), 4)
	node.Must(t, "POST", "/"+prefix+"-*/_refresh", nil)
	r := open(t, node, prefix)

	t.Run("show", func(t *testing.T) {
		s, err := r.Sheet(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		text, err := plain(func(w *colorprofile.Writer) error { return s.Write(w, false) })
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "show.txt", text)
		if strings.Contains(text, "\x1b") {
			t.Error("there are colours where there is no terminal")
		}
	})
	t.Run("unknown", func(t *testing.T) {
		if _, err := r.Profile(t.Context(), "203.0.113.77"); err == nil || !strings.Contains(err.Error(), "no profile of 203.0.113.77") {
			t.Error(err)
		}
	})
	t.Run("search", func(t *testing.T) { search(t, r) })
	t.Run("export", func(t *testing.T) { exports(t, r, prefix) })
	t.Run("report", func(t *testing.T) {
		o, err := r.Overview(t.Context(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if o.Attackers != 207 || o.Events != 19514 || len(o.Highest) == 0 || len(o.Days) == 0 || len(o.Credentials) == 0 {
			t.Errorf("%d attackers, %d events, %d hours, credentials %v", o.Attackers, o.Events, len(o.Days), o.Credentials)
		}
		if !slices.IsSortedFunc(o.Highest, func(a, b *analyst.Profile) int { return cmp.Compare(b.Risk.Score, a.Risk.Score) }) {
			t.Error("who has the highest risk doesn't stand first")
		}
		var b bytes.Buffer
		if err := report.Overview(&b, o, prefix, "test"); err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("DOSSIER_KEEP_REPORT"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "overview.html"), b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("paging", func(t *testing.T) {
		// Whole documents come in pages of 64: each of the 207 once, in order.
		ids, _ := found(t, r, analyst.Query{Sort: analyst.ByAddress})
		if sorted := slices.SortedFunc(slices.Values(ids), func(a, b string) int { return netip.MustParseAddr(a).Compare(netip.MustParseAddr(b)) }); !slices.Equal(ids, sorted) {
			t.Error("not in the order of addresses")
		}
		if ids = slices.Compact(ids); len(ids) != 207 {
			t.Errorf("%d attackers, want 207", len(ids))
		}
		if open := node.Must(t, "GET", "/_nodes/stats/indices/search?filter_path=nodes.*.indices.search.open_contexts", nil); strings.Contains(fmt.Sprint(open), "open_contexts:-") {
			t.Error(open)
		}
	})
}

func search(t *testing.T, r *analyst.Reader) {
	_, all := found(t, r, analyst.Query{})
	// Each search finds whom the documents themselves say.
	for name, c := range map[string]struct {
		q    analyst.Query
		want func(p *analyst.Profile) bool
	}{
		"command": {analyst.Query{Command: "CRONTAB -l"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Commands, func(c analyst.Command) bool { return strings.Contains(string(c.Command), "crontab -l") })
		}},
		"wildcard": {analyst.Query{Command: "sudo su*"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Commands, func(c analyst.Command) bool { return strings.HasPrefix(string(c.Command), "sudo su") })
		}},
		"credential": {analyst.Query{Credential: "postgres:password"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Credentials, func(c analyst.Credential) bool { return c.Principal == "postgres" && c.Shown() == "password" })
		}},
		"secret alone": {analyst.Query{Credential: ":password"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Credentials, func(c analyst.Credential) bool { return c.Shown() == "password" })
		}},
		"fingerprint": {analyst.Query{Fingerprint: "Wget/1.21.3"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Fingerprints, func(f analyst.Fingerprint) bool { return f.Value == "Wget/1.21.3" })
		}},
		"technique": {analyst.Query{Technique: "t1070"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Threat.Technique.ID, func(id analyst.Text) bool { return strings.HasPrefix(string(id), "T1070") })
		}},
		"port": {analyst.Query{Port: "22"}, func(p *analyst.Profile) bool {
			return slices.ContainsFunc(p.Ports, func(p analyst.Port) bool { return p.Port == 22 })
		}},
		"service and risk": {analyst.Query{Service: "redis", MinRisk: 70}, func(p *analyst.Profile) bool {
			return slices.Contains(p.Services, "redis") && p.Risk.Score >= 70
		}},
		"network": {analyst.Query{Network: "185.33.0.0/16"}, func(p *analyst.Profile) bool { return strings.HasPrefix(p.ID, "185.33.") }},
		"tool":    {analyst.Query{Tool: "gophish"}, func(p *analyst.Profile) bool { return slices.Contains(p.Behavior.Tools, "gophish") }},
		"since": {analyst.Query{Since: time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC)}, func(p *analyst.Profile) bool {
			return !p.LastSeen.Before(time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC))
		}},
		"classification": {analyst.Query{Classes: []string{"suspicious", "benign"}}, func(p *analyst.Profile) bool { return p.Classification != "malicious" }},
	} {
		var want []string
		for _, p := range all {
			if c.want(p) {
				want = append(want, p.ID)
			}
		}
		got, _ := found(t, r, c.q)
		slices.Sort(want)
		slices.Sort(got)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %d found, want %d", name, len(got), len(want))
		}
	}
	for _, q := range []analyst.Query{{Technique: "x"}, {Port: "70000"}, {Port: "tcp"}, {Country: "Germany"}, {Network: "10.0.0.0/40"}, {Credential: "root"}, {Classes: []string{"evil"}}} {
		if err := q.Validate(); err == nil || !strings.Contains(err.Error(), ": got \"") {
			t.Errorf("%+v: %v", q, err)
		}
	}
	_, ten := found(t, r, analyst.Query{Limit: 10})
	columns, widths := analyst.Fit(analyst.Columns(), 120, ten)
	text := analyst.Titles(columns, widths) + "\n"
	for _, p := range ten {
		text += p.Row(columns, widths) + "\n"
	}
	golden(t, "search.txt", text)
}

// exports writes every form, and looks at who is in it.
func exports(t *testing.T, r *analyst.Reader, prefix string) {
	for _, form := range export.Forms() {
		o := export.Options{Form: form, Now: now, Expires: 30 * 24 * time.Hour, Prefix: "demo", Excluded: []netip.Prefix{netip.MustParsePrefix("185.3.0.0/16")}}
		var b bytes.Buffer
		w, err := export.NewWriter(&b, o)
		if err != nil {
			t.Fatal(err)
		}
		q := analyst.Query{MinRisk: 90, Sort: analyst.ByAddress, Fields: form.Fields()}
		if err := r.Each(context.Background(), q, func(id analyst.Text, err error) { t.Errorf("%s: %v", id, err) }, w.Add); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		entries, err := export.Entries(form, bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != w.Written || w.Written < 10 || !entries[address] {
			t.Errorf("%s: %d entries, %d written: %s", form, len(entries), w.Written, w.Summary())
		}
		for e := range entries {
			if a := netip.MustParseAddr(e); a.IsPrivate() || o.Excluded[0].Contains(a) {
				t.Errorf("%s: %s got out", form, e)
			}
		}
		if w.LeftOut[export.Private] == 0 || w.LeftOut[export.Excluded] == 0 {
			t.Errorf("%s: %s", form, w.Summary())
		}
		text := b.String()
		if form == export.NDJSON {
			// When it was written and what stands in no golden file.
			text = regexp.MustCompile(`"updated_at":"[^"]*"`).ReplaceAllString(text, `"updated_at":""`)
			text = text[:strings.IndexByte(text, '\n')+1]
			if strings.Contains(text, `"state"`) {
				t.Error("the state got out")
			}
		}
		golden(t, "export."+string(form), text)
	}
}

// A reader of another prefix sees nothing, and no index is an error that says
// what to do.
func TestNoIndex(t *testing.T) {
	r := open(t, esnode.Shared(t), e2e.Prefix(t))
	for name, do := range map[string]func() error{
		"show":   func() error { _, err := r.Sheet(t.Context(), "192.0.2.1"); return err },
		"each":   func() error { return r.Each(t.Context(), analyst.Query{}, nil, nil) },
		"list":   func() error { _, _, err := r.List(t.Context(), analyst.Query{}); return err },
		"report": func() error { _, err := r.Overview(t.Context(), now); return err },
	} {
		if err := do(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(name, err)
		}
	}
}

// Whatever a document holds, nothing of it changes how a terminal shows the
// text around it.
func TestHostileDocument(t *testing.T) {
	evil := "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \u202eesrever\u202c \u2066x\u2069 a\tb\nc \u0000 <script>alert(1)</script>"
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	var fill func(v any) any
	fill = func(v any) any { // every string of a real document
		switch v := v.(type) {
		case string:
			if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return v
			}
			return evil
		case []any:
			for i := range v {
				v[i] = fill(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = fill(v[k])
			}
		}
		return v
	}
	b, err := os.ReadFile(filepath.Join("testdata", "export.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	fill(doc)
	doc[evil] = "x"
	if b, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	p, err := analyst.Decode("192.0.2.1", b)
	if err != nil {
		t.Fatal(err)
	}
	p.Verdict = &analyst.Verdict{Verdict: analyst.Repair(evil), Author: analyst.Repair(evil)}
	var note analyst.Note
	if err := json.Unmarshal([]byte(`{"author":`+string(quoted)+`,"note":`+string(quoted)+`}`), &note); err != nil {
		t.Fatal(err)
	}
	s := &analyst.Sheet{Profile: p, Now: now, Notes: []analyst.Note{note}}
	text, err := plain(func(w *colorprofile.Writer) error { return s.Write(w, true) })
	if err != nil {
		t.Fatal(err)
	}
	columns, widths := analyst.Fit(analyst.Columns(), 0, []*analyst.Profile{p})
	js, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := report.Attacker(&page, s, "dossier", "test"); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"show": text, "row": p.Row(columns, widths), "json": string(js), "report": page.String()} {
		if !strings.Contains(out, `[31mred`) {
			t.Errorf("%s: the text isn't there:\n%.600s", name, out)
		}
		for _, bad := range []string{"\x1b", "\x07", "\u202e", "\u2066", "\x00", "\\u202e\""} {
			if strings.Contains(out, bad) {
				t.Errorf("%s: %q in it", name, bad)
			}
		}
	}
	if strings.Contains(text, "a\tb") || strings.Count(text, "http://evil.example") == 0 {
		t.Errorf("show:\n%.600s", text)
	}
	for _, bad := range []string{"<script", "<a ", "href", "src=", "url("} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("report: %q in it", bad)
		}
	}
}

// What is no document of Dossier's is told, and shown as far as it goes.
func TestDamagedDocument(t *testing.T) {
	for _, source := range []string{``, `null1`, `[]`, `{"a"`} {
		if p, err := analyst.Decode("192.0.2.1", []byte(source)); err == nil && source != "[]" {
			t.Errorf("%q: %+v", source, p)
		}
	}
	p, err := analyst.Decode("192.0.2.1", []byte(`{"risk":{"score":"high"},"services":"ssh","commands":[3,{"command":["x"]}],"last_seen":7,"event_count":5}`))
	if err != nil || p.EventCount != 5 || len(p.Services) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := analyst.Decode("nobody\n", []byte(`{}`)); err == nil {
		t.Error("an id that is no address")
	}
}
