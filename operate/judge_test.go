package operate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/plugin/options"
	"dossier/testbed/esnode"
)

// plain opens a target of its own on the node without security, set up or
// not. It leaves nothing behind.
func plain(t *testing.T, setUp bool, more map[string]string) (*Target, *esnode.Node) {
	t.Helper()
	node, prefix := esnode.Shared(t), newPrefix()
	esnode.CleanUp(t, prefix)
	p := map[string]string{"es_hosts": node.URL, "index_prefix": prefix, "sensor_id": "s1", "dead_letter_path": filepath.Join(t.TempDir(), "letters")}
	maps.Copy(p, more)
	o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	target, err := Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	if setUp {
		if err := target.Setup(t.Context(), Setup{Roles: "off", Months: monthsAhead}, func(esindex.Step) {}); err != nil {
			t.Fatal(err)
		}
	}
	return target, node
}

// findings returns what Check says, a line each, of one subject or of all.
func findings(t *testing.T, target *Target, role, subject string) string {
	t.Helper()
	var lines []string
	target.Check(t.Context(), Check{Role: role}, func(f Finding) {
		if subject == "" || f.Subject == subject {
			lines = append(lines, f.String())
		}
	})
	return strings.Join(lines, "\n")
}

// TestHealthIsJudged on real indices: a red one is never called well.
func TestHealthIsJudged(t *testing.T) {
	target, node := plain(t, false, nil)
	node.Must(t, "PUT", target.indices.Attackers(), `{"settings":{"index.auto_expand_replicas":"0-1"}}`)
	if got := findings(t, target, "setup", "health"); got != "ok   health: green" {
		t.Errorf("green: %s", got)
	}
	month := target.months(time.Now().UTC())[1]
	node.Must(t, "PUT", month, nil)
	node.Must(t, "PUT", month+"/_settings", `{"index.auto_expand_replicas":false,"index.number_of_replicas":1}`)
	if got := findings(t, target, "setup", "health"); !strings.HasPrefix(got, "WARN health: "+month+" yellow: 1 copies are missing") {
		t.Errorf("yellow: %s", got)
	}
	node.Must(t, "DELETE", month, nil)
	node.Must(t, "PUT", month+"?wait_for_active_shards=0&timeout=1s", `{"settings":{"index.routing.allocation.require._name":"nobody"}}`)
	var worst Level
	all := ""
	for end := time.Now().Add(30 * time.Second); ; { // the allocation is tried a moment after
		worst, all = OK, ""
		target.Check(t.Context(), Check{Role: "setup"}, func(f Finding) {
			if f.Subject == "health" {
				worst, all = max(worst, f.Level), all+f.String()
			}
		})
		if worst == Failure || time.Now().After(end) {
			break
		}
	}
	if worst != Failure || !strings.HasPrefix(all, "FAIL health: "+month+" red: what is red can't be written") {
		t.Errorf("red: %s", all)
	}
}

// TestClocksAreCompared in both directions.
func TestClocksAreCompared(t *testing.T) {
	target, _ := plain(t, false, nil)
	for _, test := range []struct {
		ahead time.Duration // of this host
		want  string
	}{
		{0, "ok   clock: 1 nodes within 5s of this host's"},
		{3 * time.Second, "ok   clock: "},
		{-3 * time.Second, "ok   clock: "},
		{time.Minute, "WARN clock: node "},
		{-time.Minute, "WARN clock: node "},
	} {
		target.now = func() time.Time { return time.Now().Add(test.ahead) }
		got := findings(t, target, "setup", "clock")
		if !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %s", test.ahead, got)
		}
		if test.ahead > skew && !strings.Contains(got, " behind of this host's clock; set up NTP on both") || test.ahead < -skew && !strings.Contains(got, " ahead of this host's clock") {
			t.Errorf("%s: %s", test.ahead, got)
		}
	}
}

// TestSensorsAreJudged at the bounds of each judgement.
func TestSensorsAreJudged(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		h    heartbeat
		want string // one finding, "" for none
	}{
		{"well", heartbeat{}, ""},
		{"as old as it may be", heartbeat{At: now.Add(-90 * time.Second)}, ""},
		{"silent", heartbeat{At: now.Add(-91 * time.Second)}, "WARN sensor s: silent for 1m31s; look at Fluent Bit's log"},
		{"as far ahead as it may be", heartbeat{At: now.Add(5 * time.Second)}, ""},
		{"ahead", heartbeat{At: now.Add(5001 * time.Millisecond)}, "WARN sensor s: its clock is 5.001s ahead of this host's"},
		{"no time", heartbeat{At: time.Time{}.Add(1)}, "WARN sensor s: silent for "},
		{"a letter", heartbeat{DeadLetters: 1}, "WARN sensor s: 1 dead letters since it started (counted, and said here, until it starts again); fix the cause"},
		{"at risk", heartbeat{AtRisk: 1}, "WARN sensor s: 1 chunk ids aged out without a marker: a redelivery counts twice (counted, and said here, until it starts again)"},
		{"a gateway", heartbeat{RecordsIn: 10, Gateway: "172.17.0.1", Behind: 2000}, "WARN sensor s: the private address 172.17.0.1 is behind more than nine tenths of everything (2000 events): a NAT or a container's bridge hides the attackers"},
		{"few records", heartbeat{RecordsIn: 1000, Unparsed: 1000}, ""},
		{"a twentieth", heartbeat{RecordsIn: 2000, Unparsed: 100}, ""},
		{"more than that", heartbeat{RecordsIn: 2000, Unparsed: 101}, "WARN sensor s: 101 of 2000 records are in no known form"},
		{"an old error", heartbeat{LastError: "x", LastErrorAt: now.Add(-10 * time.Minute)}, ""},
		{
			"an error",
			heartbeat{LastError: "x\x1b", LastErrorAt: now.Add(-9*time.Minute - 59*time.Second)},
			"WARN sensor s: last error 9m59s before its heartbeat: x?; it stays here until 2026-11-24T12:00:01Z if none follows",
		},
		{"an error after it", heartbeat{LastError: "x", LastErrorAt: now.Add(time.Second)}, "WARN sensor s: last error 0s before its heartbeat: x; it stays here until 2026-11-24T12:10:01Z"},
		{"an error without a time", heartbeat{LastError: "x"}, ""},
		{"ten minutes behind", heartbeat{LagS: 600}, ""},
		{"further behind", heartbeat{LagS: 601}, "note sensor s: the chunk that it finished last was 10m1s old; unless it reads old logs, look whether it keeps up: docs/performance.md"},
		{"further behind, and silent", heartbeat{LagS: 601, At: now.Add(-91 * time.Second)}, "WARN sensor s: silent for 1m31s"},
		{"not to be read", heartbeat{unreadable: true}, "WARN sensor s: its heartbeat can't be read"},
		{"another version", heartbeat{Version: "0.9"}, "note sensor s: runs version 0.9, this command is test"},
		{"the same version", heartbeat{Version: "test"}, ""},
	} {
		var got []string
		k := checker{Target: &Target{version: "test"}, out: func(f Finding) { got = append(got, f.String()) }}
		test.h.Sensor = "s"
		if test.h.At.IsZero() {
			test.h.At = now
		}
		well := k.sensor(test.h, now)
		if len(got) > 1 || test.want == "" && len(got) > 0 || !strings.HasPrefix(strings.Join(got, "\n"), test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if well != !strings.HasPrefix(test.want, "WARN") {
			t.Errorf("%s: well is %v", test.name, well)
		}
	}
	var got []string
	k := checker{Target: &Target{}, out: func(f Finding) { got = append(got, f.String()) }}
	if k.sensor(heartbeat{Sensor: "s"}, now) || !slices.Equal(got, []string{"WARN sensor s: its heartbeat has no time"}) {
		t.Errorf("a heartbeat without a time: %q", got)
	}
}

// TestSumOfSensors: the sum is as bad as its parts.
func TestSumOfSensors(t *testing.T) {
	target, node := plain(t, false, nil)
	node.Must(t, "PUT", target.indices.Sensors(), `{"mappings":{"properties":{"@timestamp":{"type":"date"},"sensor":{"type":"keyword"}}}}`)
	if got := findings(t, target, "setup", "sensors"); got != "note sensors: none has written a heartbeat yet" {
		t.Error(got)
	}
	beat := func(name string, ago time.Duration) {
		node.Must(t, "PUT", target.indices.Sensors()+"/_doc/"+name+"?refresh=true",
			fmt.Sprintf(`{"@timestamp":%q,"sensor":%q,"version":"test"}`, time.Now().UTC().Add(-ago).Format(time.RFC3339Nano), name))
	}
	beat("a", time.Hour)
	if got := findings(t, target, "setup", "sensors"); got != "WARN sensors: 0 of 1 well" {
		t.Error(got)
	}
	beat("b", 0)
	if got := findings(t, target, "setup", "sensors"); got != "WARN sensors: 1 of 2 well" {
		t.Error(got)
	}
	beat("a", 0)
	if got := findings(t, target, "setup", "sensors"); got != "ok   sensors: 2 of 2 well" {
		t.Error(got)
	}
}

// TestFieldsAreCompared: an index that says it is ours, with a field of
// another type.
func TestFieldsAreCompared(t *testing.T) {
	target, node := plain(t, true, nil)
	if got := findings(t, target, "setup", "indices"); !strings.HasPrefix(got, fmt.Sprintf("ok   indices: %d, ours, with our fields, durable, open for writes", 4+3*(1+monthsAhead)+3)) {
		t.Error(got)
	}
	month := target.months(time.Now().UTC())[1]
	mapping := node.Must(t, "GET", month+"/_mapping", nil)[month].(map[string]any)["mappings"].(map[string]any)
	properties := mapping["properties"].(map[string]any)
	properties["message"] = map[string]any{"type": "ip"}
	delete(properties, "@timestamp")
	node.Must(t, "DELETE", month, nil)
	node.Must(t, "DELETE", "_index_template/"+target.o.IndexPrefix+"-transitions", nil)
	node.Must(t, "PUT", month, map[string]any{"mappings": mapping})
	got := findings(t, target, "setup", "index "+month)
	for _, want := range []string{"WARN index " + month + ": not as its template: field message is ip, not keyword", "fields are missing, so that searches don't find them: @timestamp; run dossier setup"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if all := findings(t, target, "setup", "indices"); strings.Contains(all, "ok ") {
		t.Error(all)
	}
	// setup adds what it can and names the rest.
	var steps []string
	if err := target.Setup(t.Context(), Setup{Roles: "off"}, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(steps, "\n")
	for _, want := range []string{"index " + month + ": field @timestamp: added", "index " + month + ": field message is ip, not keyword: can't change on an existing index; reindex it"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	// An older mapping lacks fields; that is said as what it is.
	mapping["_meta"] = map[string]any{"dossier": map[string]any{"schema": 1, "ipv6_prefix": "128"}}
	var f []string
	k := checker{Target: target, out: func(x Finding) { f = append(f, x.String()) }}
	if bad := k.fieldsFit(&esindex.Index{Name: "x", Schema: 0, Fields: []esindex.Difference{{Field: "a", Want: "long"}}}); bad != 1 || !strings.HasPrefix(strings.Join(f, "\n"), "WARN index x: its mapping has version 0, this is ") {
		t.Errorf("%d, %q", bad, f)
	}
	f = nil
	if bad := k.fieldsFit(&esindex.Index{Name: "x", Schema: 99, Fields: []esindex.Difference{{Field: "a", Want: "long"}}}); bad != 0 || f != nil {
		t.Errorf("a newer one: %d, %q", bad, f)
	}
}

// TestMissingIndices: what sensors make themselves is no failure, what they
// can't make is one.
func TestMissingIndices(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	months := admin.months(time.Now().UTC())
	t.Cleanup(func() {
		if err := admin.Setup(context.Background(), Setup{Months: monthsAhead}, func(esindex.Step) {}); err != nil {
			t.Error(err)
		}
	})
	for _, m := range months {
		s.node.Must(t, "DELETE", m+"?ignore_unavailable=true", nil)
	}
	said := func(target *Target, role string) (text string, worst Level) {
		target.Check(t.Context(), Check{Role: role}, func(f Finding) {
			if f.Subject == "indices" {
				worst, text = max(worst, f.Level), text+f.String()+"\n"
			}
		})
		return text, worst
	}
	writer := get(t, roles.Writer, prefix)
	if text, worst := said(s.as(t, prefix, get(t, roles.CreatingWriter, prefix)), roles.CreatingWriter); worst != Note || strings.Count(text, "is not there yet: the sensor makes it when it needs it") != 3 {
		t.Errorf("a sensor's key that makes months:\n%s", text)
	}
	if text, worst := said(admin, "setup"); worst != Failure || strings.Count(text, "is missing: sensors with the role "+prefix+"-writer may not make it") != 3 {
		t.Errorf("an operator:\n%s", text)
	}
	if text, worst := said(s.as(t, prefix, writer), "writer"); worst != Failure || strings.Count(text, "is missing, and these credentials may not make it: chunks that need it are given back; run dossier setup, from cron") != 3 {
		t.Errorf("a sensor's key:\n%s", text)
	}
	if err := admin.Setup(t.Context(), Setup{Roles: "off", Months: monthsAhead}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	if text, worst := said(s.as(t, prefix, writer), "writer"); worst != OK {
		t.Errorf("a quarter ahead:\n%s", text)
	}
	last := admin.months(admin.ahead(monthsAhead))[2]
	s.node.Must(t, "DELETE", last, nil)
	if text, worst := said(s.as(t, prefix, writer), "writer"); worst != Warning || !strings.Contains(text, "WARN indices: the months ahead run out: "+last+" is not there; from then on sensors") {
		t.Errorf("less than a quarter ahead:\n%s", text)
	}
	s.node.Must(t, "DELETE", prefix+"-transitions-other", nil)
	if text, worst := said(s.as(t, prefix, writer), "writer"); worst != Failure || !strings.Contains(text, prefix+"-transitions-other is missing") {
		t.Errorf("no index for stray times:\n%s", text)
	}
	s.node.Must(t, "DELETE", prefix+"-smtp-targets-000001", nil)
	if text, worst := said(s.as(t, prefix, writer), "writer"); worst != Failure || !strings.Contains(text, "FAIL indices: "+prefix+"-smtp-targets is missing; run dossier setup") {
		t.Errorf("an index that only setup makes:\n%s", text)
	}
}

// TestEachKeyChecksItself: no role's own check fails for what it may not see.
func TestEachKeyChecksItself(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	s.empty(t, prefix)
	for _, role := range roles.Names() {
		target := s.as(t, prefix, get(t, role, prefix))
		var lines []string
		target.Check(t.Context(), Check{Role: role}, func(f Finding) {
			lines = append(lines, f.String())
			if f.Level > Note {
				t.Errorf("%s: %s", role, f)
			}
		})
		all := strings.Join(lines, "\n")
		if !strings.Contains(all, "has what the role "+role+" has") {
			t.Errorf("%s:\n%s", role, all)
		}
		if strings.Contains(all, "not looked at") != (role != "setup") {
			t.Errorf("%s:\n%s", role, all)
		}
	}
	if got := findings(t, s.as(t, prefix, get(t, "retention", prefix)), "retention", "indices"); !strings.Contains(got, "not looked at, these credentials may not: "+admin.indices.Attackers()) {
		t.Errorf("the retention key: %s", got)
	}
}

func TestDefaultAges(t *testing.T) {
	want := Ages{
		Attackers: 365 * 24 * time.Hour, Targets: 365 * 24 * time.Hour, Indicators: 365 * 24 * time.Hour, Activity: 180 * 24 * time.Hour,
		Transitions: 365 * 24 * time.Hour, Sensors: 30 * 24 * time.Hour, Ledger: 60 * 24 * time.Hour,
	}
	if got := DefaultAges(); got != want {
		t.Errorf("%+v", got)
	}
	for _, change := range []func(*Ages){
		func(a *Ages) { a.Attackers = day - 1 }, func(a *Ages) { a.Targets = 0 }, func(a *Ages) { a.Indicators = 0 }, func(a *Ages) { a.Activity = -2 },
		func(a *Ages) { a.Transitions = 0 }, func(a *Ages) { a.Sensors = 0 }, func(a *Ages) { a.Ledger = 30*day - 1 },
	} {
		ages := DefaultAges()
		if change(&ages); ages.validate() == nil {
			t.Errorf("%+v is taken", ages)
		}
	}
	for _, least := range []Ages{{day, day, day, day, day, day, 30 * day}, {Forever, Forever, Forever, Forever, Forever, Forever, Forever}} {
		if err := least.validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestMoreThanOneBatch: everything that has expired goes, however much.
func TestMoreThanOneBatch(t *testing.T) {
	target, node := plain(t, false, nil)
	index := target.indices.Attackers()
	const n = batch + 7
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"index":{"_id":"%d"}}`+"\n"+`{"last_seen":"2019-01-02T03:04:05Z"}`+"\n", i)
	}
	fmt.Fprintf(&lines, `{"index":{"_id":"young"}}`+"\n"+`{"last_seen":%q}`+"\n", time.Now().UTC().Format(time.RFC3339))
	if answer := node.Must(t, "POST", index+"/_bulk?refresh=true", lines.String()); answer["errors"] != false {
		t.Fatal("the documents could not be written")
	}
	var said []string
	if err := target.Retain(t.Context(), DefaultAges(), false, func(s esindex.Step) { said = append(said, s.String()) }); err != nil {
		t.Fatal(err)
	}
	node.Must(t, "POST", index+"/_refresh", nil)
	if left := node.Must(t, "GET", index+"/_count", nil)["count"]; left != 1.0 || !strings.Contains(strings.Join(said, "\n"), fmt.Sprintf("%d deleted", n)) {
		t.Errorf("%v are left: %q", left, said)
	}
}

// TestDeadLettersAreCounted in check: waiting, raw, damaged, kept.
func TestDeadLettersAreCounted(t *testing.T) {
	dir := t.TempDir()
	said := func() string {
		var lines []string
		k := checker{Target: &Target{o: options.Options{DeadLetterPath: dir}}, out: func(f Finding) { lines = append(lines, f.String()) }}
		k.letters()
		return strings.Join(lines, "\n")
	}
	if got := said(); got != "ok   dead letters: none wait in "+dir {
		t.Error(got)
	}
	write := func(name string, lines ...string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw := `{"time":"2026-01-08T00:00:00Z","chunk":"00","data":"eA=="}`
	write("a.jsonl.kept", raw, "damaged", raw)
	if got := said(); got != "ok   dead letters: none wait in "+dir+"\nnote dead letters: 2 raw ones and 1 damaged lines are kept in 1 files "+dir+"/*.jsonl.kept; look at them with dossier replay --show-raw, then remove the files" {
		t.Error(got)
	}
	write("b.jsonl", raw, raw, `{"time":"2026-01-07T00:00:00Z","chunk":"00","index":"x"}`, "damaged")
	if got := said(); !strings.HasPrefix(got, "WARN dead letters: 3 wait in "+dir+", the oldest since 2026-01-07T00:00:00Z; 2 of them are raw, and 1 lines are damaged") {
		t.Error(got)
	}
}
