package target

import (
	"encoding/json"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/profile"
)

// numbered sets every number of a struct, those in arrays included, to one of
// its own, counted from n.
func numbered(v any, n int64) {
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for _, field := range v.Fields() {
				fill(field)
			}
		case reflect.Array:
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case reflect.Int64:
			v.SetInt(n)
			n++
		}
	}
	fill(reflect.ValueOf(v).Elem())
}

// TestEveryFigureOfAHeartbeat: each figure is what it is called, those that
// outputs have in common stand once, and all outputs of a sensor are summed.
func TestEveryFigureOfAHeartbeat(t *testing.T) {
	var pool Pool
	tg, _ := bare()
	tg.pool = &pool
	newOne := func(sensor string, base int64) *member {
		m := join(tg, sensor, tg.log)
		numbered(&m.stats, base)
		m.stats.Dropped = map[string]int64{"sshd": base + 900}
		m.stats.Gateway = &correlate.Gateway{Addr: netip.MustParseAddr("10.0.0.1"), Events: base * 19, Of: base * 20}
		m.stats.Ownerless = map[string]int64{"decky-07": base + 901}
		m.panics.Store(base + 901)
		return m
	}
	a, b, c := newOne("north", 1e3), newOne("south", 1e6), newOne("north", 1e9)
	tg.panics.Store(5e13)
	pool.panics.Store(7e14)
	var shared commit.Stats
	numbered(&shared, 1e12)
	shared.Panics = 3e15
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	beats := heartbeats([]*Member{a.Member, b.Member, c.Member}, tg, shared, started)
	if len(beats) != 2 {
		t.Fatalf("%d heartbeats", len(beats))
	}
	x, y, z := a.stats, b.stats, c.stats
	refused := func(class dialect.Class, of ...correlate.Stats) (n int64) {
		for _, s := range of {
			for r, count := range s.Refused {
				if dialect.Reason(r).Class() == class {
					n += count
				}
			}
		}
		return n
	}
	both := func(of func(*correlate.Stats) int64) int64 { return of(&x) + of(&z) }
	own := func(of func(*correlate.Stats) int64) int64 { return of(&y) }
	figures := func(sum func(func(*correlate.Stats) int64) int64) map[string]int64 {
		return map[string]int64{
			"records_in":      sum(func(s *correlate.Stats) int64 { return s.Records }),
			"records_out":     sum(func(s *correlate.Stats) int64 { return s.Events }),
			"chunks_in":       sum(func(s *correlate.Stats) int64 { return s.ChunksOK + s.ChunksRetry + s.ChunksError }),
			"chunks_out":      sum(func(s *correlate.Stats) int64 { return s.ChunksOK }),
			"bytes_in":        sum(func(s *correlate.Stats) int64 { return s.Bytes }),
			"malformed":       sum(func(s *correlate.Stats) int64 { return s.Malformed }),
			"retries":         sum(func(s *correlate.Stats) int64 { return s.ChunksRetry }),
			"clock_skew":      sum(func(s *correlate.Stats) int64 { return s.ClockSkew }),
			"service_guessed": sum(func(s *correlate.Stats) int64 { return s.ServiceGuessed }),
			"dead_letters": sum(func(s *correlate.Stats) int64 {
				return s.ChunksError + s.Broken
			}),
			"unattributed": sum(func(s *correlate.Stats) int64 { return refused(dialect.Unattributed, *s) }),
			"unparsed":     sum(func(s *correlate.Stats) int64 { return refused(dialect.Unparsed, *s) }),
			"dropped":      sum(func(s *correlate.Stats) int64 { return refused(dialect.Dropped, *s) }),
		}
	}
	north, south := figures(both), figures(own)
	north["gateway_events"], south["gateway_events"] = z.Gateway.Events, y.Gateway.Events // the worst one's
	north["lag_s"], south["lag_s"] = int64(z.Lag/time.Second), 0                          // the longest one's, in whole seconds
	north["state_version"], south["state_version"] = commit.Major, commit.Major
	north["records_per_second"], south["records_per_second"] = 0, 0
	north["panics"], south["panics"] = (1e3+901)+(1e9+901)+5e13+7e14+3e15, 1e6+901
	north["dead_letters"] += shared.Buried
	for name, n := range map[string]int64{
		"chunks_skipped": shared.Skipped, "documents_written": shared.DocumentsWritten, "conflicts": shared.Conflicts,
		"exactness_at_risk": shared.AtRisk, "cache_documents": shared.CacheEntries, "cache_bytes": shared.CacheBytes,
	} {
		north[name], south[name] = n, 0
	}
	now := started.Add(time.Hour)
	for i, test := range []struct {
		sensor  string
		figures map[string]int64
		program int64
		of      []correlate.Stats
	}{{"north", north, 1e3 + 900 + 1e9 + 900, []correlate.Stats{x, z}}, {"south", south, 1e6 + 900, []correlate.Stats{y}}} {
		var doc map[string]any
		d := json.NewDecoder(strings.NewReader(string(profile.AppendSensor(nil, now, beats[i]))))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if doc["sensor"] != test.sensor || doc["version"] != "1.2" || !strings.HasPrefix(doc["started_at"].(string), "2026-01-02T03:04:05") || !strings.HasPrefix(doc["@timestamp"].(string), "2026-01-02T04:04:05") {
			t.Errorf("got %v, %v, %v, %v", doc["sensor"], doc["version"], doc["started_at"], doc["@timestamp"])
		}
		got := make(map[string]int64)
		for name, v := range doc {
			if n, ok := v.(json.Number); ok && name != "schema_version" {
				got[name], _ = n.Int64()
			}
		}
		if !maps.Equal(got, test.figures) {
			for name := range test.figures {
				if got[name] != test.figures[name] {
					t.Errorf("%s: %s is %d, want %d", test.sensor, name, got[name], test.figures[name])
				}
			}
			for name := range got {
				if _, ok := test.figures[name]; !ok {
					t.Errorf("%s: what is %s?", test.sensor, name)
				}
			}
		}
		reasons := make(map[string]int64)
		for _, r := range beats[i].Reasons {
			reasons[r.Verdict+" "+r.Reason] += r.Count
		}
		for _, r := range dialect.Reasons() {
			var want int64
			for _, s := range test.of {
				want += s.Refused[r]
			}
			if r.Class() == dialect.Parsed {
				want = 0
			}
			if got := reasons[r.Class().String()+" "+r.String()]; got != want {
				t.Errorf("%s: reason %v is %d, want %d", test.sensor, r, got, want)
			}
		}
		if o := beats[i].Ownerless; len(o) != 1 || o[0] != (profile.DecoyCount{Decky: "decky-07", Count: test.program + int64(len(test.of))}) {
			t.Errorf("%s: commands of nobody known %v", test.sensor, o)
		}
		if p := beats[i].DroppedPrograms; len(p) != 1 || p[0] != (profile.ProgramCount{Program: "sshd", Count: test.program}) {
			t.Errorf("%s: programs %v", test.sensor, p)
		}
	}
}

// TestHeartbeatsAreDocuments of their sensors, with the last error.
func TestHeartbeatsAreDocuments(t *testing.T) {
	i, _ := start(t, new(Pool), map[string]string{"sensor_id": "north", "index_prefix": "pre"})
	defer i.Close()
	i.target.Erred("an error")
	at := time.Now()
	ops := i.target.heartbeats(at, at)
	if len(ops) != 1 || ops[0].Kind != commit.Put || ops[0].Key != (commit.Key{Index: "pre-sensors", ID: "north"}) {
		t.Fatalf("got %+v", ops)
	}
	if s := string(ops[0].Body); !strings.Contains(s, `"last_error":"an error"`) || !strings.Contains(s, `"last_error_at":"`+at.UTC().Format("2006-01-02T15:04")) {
		t.Errorf("got %s", s)
	}
	if i.target.Leave(i.Member); i.target.heartbeats(at, at) != nil {
		t.Error("a target without outputs says something")
	}
}

// TestRequestsAreCounted by their kind and outcome, at the member that came first.
func TestRequestsAreCounted(t *testing.T) {
	var pool Pool
	first, _ := start(t, &pool, nil)
	defer first.Close()
	second := join(first.target, "s2", first.Logger)
	defer first.target.Leave(second.Member)
	first.target.observe(t.Context(), &commit.Request{Kind: commit.Read, Keys: make([]commit.Key, 3)}, commit.Answer{}, 2*time.Second)
	first.target.observe(t.Context(), &commit.Request{Kind: commit.Write, Ops: make([]commit.Op, 5)}, commit.Answer{Err: ErrNotDurable}, 3*time.Second)
	first.target.observe(t.Context(), &commit.Request{Kind: commit.Bury, Letters: make([]commit.Letter, 7)}, commit.Answer{}, 4*time.Second)
	type values struct {
		count uint64
		sum   float64
	}
	read := func(m *member) map[string]values {
		r := prometheus.NewPedanticRegistry()
		r.MustRegister(m.target.Requests(m.Member))
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := make(map[string]values)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				out[name] = values{m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()}
			}
		}
		return out
	}
	want := map[string]values{
		"dossier_request_seconds read ok": {1, 2}, "dossier_request_seconds read error": {0, 0}, "dossier_request_documents read": {1, 3},
		"dossier_request_seconds write ok": {0, 0}, "dossier_request_seconds write error": {1, 3}, "dossier_request_documents write": {1, 5},
		"dossier_request_seconds bury ok": {1, 4}, "dossier_request_seconds bury error": {0, 0}, "dossier_request_documents bury": {1, 7},
	}
	if got := read(first); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name := range want {
		want[name] = values{}
	}
	if got := read(second); !maps.Equal(got, want) {
		t.Errorf("the second shows %v", got)
	}
}

// TestTheRateOfAHeartbeat: it is of the time since the sensor's heartbeat
// before, and a count that has fallen gives none.
func TestTheRateOfAHeartbeat(t *testing.T) {
	tg, _ := bare()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, beat := range []struct {
		sensor  string
		after   time.Duration
		records int64
		want    float64
	}{
		{"north", 0, 600, 0},
		{"south", 0, 7, 0},
		{"north", 30 * time.Second, 900, 10},
		{"south", 30 * time.Second, 7, 0},
		{"north", 70 * time.Second, 1000, 2.5},
		{"north", 100 * time.Second, 400, 0},
		{"north", 110 * time.Second, 410, 1},
	} {
		h := &profile.Heartbeat{Sensor: beat.sensor, RecordsIn: beat.records}
		tg.tellRate(h, at.Add(beat.after))
		if h.RecordsPerSecond != beat.want {
			t.Errorf("heartbeat %d of %s: %v records a second, want %v", i, beat.sensor, h.RecordsPerSecond, beat.want)
		}
	}
}

// TestTheWorstGatewayIsTold: of the gateways of a sensor's outputs the one that most
// events come from, whichever output came first.
func TestTheWorstGatewayIsTold(t *testing.T) {
	small := &correlate.Stats{Gateway: &correlate.Gateway{Addr: netip.MustParseAddr("10.0.0.1"), Events: 1900, Of: 2000}}
	large := &correlate.Stats{Gateway: &correlate.Gateway{Addr: netip.MustParseAddr("10.0.0.2"), Events: 3800, Of: 4000}}
	for _, outputs := range [][]*correlate.Stats{{small, large}, {large, small}, {{}, large, small, {}}} {
		var h profile.Heartbeat
		for _, s := range outputs {
			add(&h, new([dialect.ReasonCount]int64), s)
		}
		if h.Gateway != "10.0.0.2" || h.GatewayEvents != 3800 {
			t.Errorf("got %s, %d events", h.Gateway, h.GatewayEvents)
		}
	}
}
