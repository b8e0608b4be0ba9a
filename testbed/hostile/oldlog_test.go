package hostile

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/operate"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/plugin/output"
	"dossier/target"
)

// sensor starts a sensor's process with the key of a role.
func (f *fleet) sensor(t *testing.T, role string) *output.Output {
	t.Helper()
	p := map[string]string{"es_hosts": f.node.URL, "es_api_key": f.keys[role], "index_prefix": f.prefix, "manage_templates": "off", "dead_letter_path": t.TempDir(), "sensor_id": t.Name()}
	o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	i, err := output.New(o, output.Host{Version: "test", Logger: slog.New(slog.DiscardHandler), Targets: new(target.Pool)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

// login is a line of a login at that time.
func login(address string, at time.Time) string {
	return fmt.Sprintf(`{"eventid":"cowrie.login.success","username":"root","password":"x","message":"m","sensor":"d1","src_ip":%q,"session":"a","protocol":"ssh","timestamp":%q}`,
		address, at.UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// goesThrough delivers a chunk until it is acknowledged: a node that just
// started may be slow.
func goesThrough(t *testing.T, i *output.Output, data []byte) {
	t.Helper()
	for range 4 {
		if i.Flush("cowrie", data, true) == output.OK {
			return
		}
	}
	t.Errorf("a chunk waits")
}

// hours returns the events of an attacker's hours in all activity indices, and
// in how many documents they are.
func (f *fleet) hours(t *testing.T, address string) (events float64, documents int, indices []string) {
	t.Helper()
	f.node.Must(t, "POST", f.prefix+"-activity-*/_refresh", nil)
	found := f.node.Must(t, "POST", f.prefix+"-activity-*/_search", map[string]any{"size": 1000, "query": map[string]any{"term": map[string]any{"source.ip": address}}})
	for _, h := range found["hits"].(map[string]any)["hits"].([]any) {
		hit := h.(map[string]any)
		events += hit["_source"].(map[string]any)["activity"].(map[string]any)["events"].(float64)
		documents++
		if index := hit["_index"].(string); !slices.Contains(indices, index) {
			indices = append(indices, index)
		}
	}
	return events, documents, indices
}

func (f *fleet) events(t *testing.T, address string) float64 {
	t.Helper()
	doc := f.node.Must(t, "GET", f.prefix+"-attackers/_doc/"+address, nil)
	n, _ := doc["_source"].(map[string]any)["event_count"].(float64)
	return n
}

// A log of years ago, or one whose times somebody chose, is read with a sensor's
// key that makes no index: nobody runs a command for it and nothing waits, and it
// counts exactly, redelivered to whichever sensor, before and after its month is
// made, and after retain.
func TestTimesThatSomebodyChoseKeepNothingWaiting(t *testing.T) {
	f := newFleet(t)
	a, b := f.sensor(t, roles.Writer), f.sensor(t, roles.Writer)
	old := time.Date(2019, 5, 3, 12, 0, 0, 0, time.UTC)
	addresses := []string{"203.0.113.1", "203.0.113.2", "203.0.113.3"}
	var chunks [][]byte
	for n := range 6 {
		at := old.Add(time.Duration(n) * 20 * time.Minute)
		var lines []string
		for k, address := range addresses {
			lines = append(lines, login(address, at.Add(time.Duration(k)*time.Second)))
		}
		chunks = append(chunks, chunktest.Lines(at, "log", lines...))
	}
	exact := func(when string, want float64) {
		t.Helper()
		for _, address := range addresses {
			if got := f.events(t, address); got != want {
				t.Errorf("%s: %s has %v events, want %v", when, address, got, want)
			}
			events, documents, indices := f.hours(t, address)
			if events != want || documents != int(want+2)/3 || len(indices) != 1 {
				t.Errorf("%s: %s has %v events in %d hours in %v, want %v", when, address, events, documents, indices, want)
			}
		}
	}
	for _, data := range chunks[:3] {
		goesThrough(t, a, data)
	}
	exact("once", 3)
	for _, data := range chunks[:3] {
		goesThrough(t, b, data)
		goesThrough(t, a, data)
	}
	exact("redelivered", 3)
	f.node.Must(t, "POST", f.prefix+"-chunks-other/_refresh", nil)
	var said []string
	setup := operate.Setup{Roles: "off", Months: 3, Also: []time.Time{old}}
	if err := f.admin.Setup(t.Context(), setup, func(s esindex.Step) { said = append(said, s.String()) }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(said, "\n"); strings.Count(got, "left out: what came since ") != 3 {
		t.Errorf("setup --also-month says\n%s", got)
	}
	exact("after setup --also-month", 3)
	// Made by hand, or by an older version's key.
	for _, kind := range []string{"activity", "transitions", "chunks"} {
		if err := f.as(t, roles.CreatingWriter, "PUT", "/"+f.prefix+"-"+kind+"-2019.05", `{}`); err != nil {
			t.Fatal(err)
		}
	}
	c := f.sensor(t, roles.Writer)
	for n, data := range chunks {
		goesThrough(t, []*output.Output{a, c, b}[n%3], data)
	}
	exact("after the month was made", 6)
	var deleted []string
	if err := f.admin.Retain(t.Context(), operate.DefaultAges(), false, func(s esindex.Step) { deleted = append(deleted, s.String()) }); err != nil {
		t.Error(err)
	}
	// The attackers of 2019 are gone with it, their hours are younger than they say.
	for _, data := range chunks {
		goesThrough(t, f.sensor(t, roles.Writer), data)
	}
	for _, address := range addresses {
		if events, _, _ := f.hours(t, address); events != 6 {
			t.Errorf("after retain: %v events in the hours of %s, want 6\n%s", events, address, strings.Join(deleted, "\n"))
		}
	}

	now := time.Now().UTC()
	for n, at := range []time.Time{
		time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2016, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2105, 1, 1, 0, 0, 0, 0, time.UTC), now.AddDate(0, -2, 0), now.AddDate(0, 5, 0), now.AddDate(1, 3, 0), now.AddDate(-1, -1, 0),
	} {
		address := fmt.Sprint("198.51.100.", n+1)
		data := slices.Concat(chunktest.Lines(at, "log", login(address, at)), chunktest.Lines(now, "log", login("192.0.2.99", now.Add(time.Duration(n)*time.Second))))
		begin := time.Now()
		goesThrough(t, a, data)
		goesThrough(t, b, data)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("a record of %s keeps its chunk waiting for %s", at, took)
		}
		if got := f.events(t, address); got != 1 {
			t.Errorf("a record of %s counts %v times", at, got)
		}
	}
	if got := f.events(t, "192.0.2.99"); got != 9 {
		t.Errorf("who was beside them has %v events, want 9", got)
	}
	f.node.Must(t, "POST", f.prefix+"-*/_refresh", nil)
	all := f.findings(t)
	if !strings.Contains(all, "note other months: documents in the indices for times of no month: "+f.prefix+"-activity-other ") || !strings.Contains(all, "2019.05") {
		t.Errorf("check says\n%s", all)
	}
	if strings.Contains(all, "FAIL transitions") || strings.Contains(all, "WARN transitions") || strings.Contains(all, "WARN other months") {
		t.Errorf("check takes them for forged:\n%s", all)
	}
	for name := range f.node.Must(t, "GET", f.prefix+"-*/_settings", nil) {
		if strings.Contains(name, "2031") || strings.Contains(name, "2016") {
			t.Errorf("%s was made", name)
		}
	}
}
