package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/operate"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/testbed/esnode"
)

// fleet is a secured node with an installation set up, and keys of sensors.
type fleet struct {
	node   *esnode.Node
	prefix string
	keys   map[string]string // by role
	admin  *operate.Target
}

// secured is the node of all fleets, which takes long to start.
var secured struct {
	sync.Once
	node *esnode.Node
	err  error
}

var fleets atomic.Int32

func TestMain(m *testing.M) {
	code := m.Run()
	if secured.node != nil {
		secured.node.Close()
	}
	os.Exit(code)
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	secured.Do(func() {
		secured.node, secured.err = esnode.Start(context.Background(), esnode.Options{Password: "correct-horse"})
	})
	if secured.err != nil {
		t.Fatal(secured.err)
	}
	node := secured.node
	f := &fleet{node: node, prefix: fmt.Sprint("hostile", fleets.Add(1)), keys: map[string]string{}}
	p := map[string]string{"es_hosts": node.URL, "es_user": node.User, "es_password": node.Password, "index_prefix": f.prefix, "dead_letter_path": t.TempDir()}
	o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if f.admin, err = operate.Open(o, "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.admin.Close() })
	dir := t.TempDir()
	set := operate.Setup{Months: 3}
	for _, role := range []string{roles.Writer, roles.CreatingWriter, "reader"} {
		set.Keys = append(set.Keys, operate.Key{Role: role, File: filepath.Join(dir, role)})
	}
	if err := f.admin.Setup(t.Context(), set, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		b, err := os.ReadFile(k.File)
		if err != nil {
			t.Fatal(err)
		}
		f.keys[k.Role] = strings.TrimSpace(string(b))
	}
	return f
}

// as sends a request with a sensor's key.
func (f *fleet) as(t *testing.T, role, method, path, body string) error {
	t.Helper()
	return f.ask(t, role, method, path, body, nil)
}

// ask is as, and reads the answer into out.
func (f *fleet) ask(t *testing.T, role, method, path, body string, out any) error {
	t.Helper()
	c, err := esindex.New(esindex.Options{Hosts: []string{f.node.URL}, APIKey: f.keys[role]})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Call(t.Context(), "attack", method, path, []byte(body), out)
}

// findings are what dossier check says of a subject, as an operator.
func (f *fleet) findings(t *testing.T) string {
	t.Helper()
	var all []string
	f.admin.Check(t.Context(), operate.Check{Role: "setup"}, func(x operate.Finding) { all = append(all, x.String()) })
	return strings.Join(all, "\n")
}

func status(err error) int {
	if err == nil {
		return 200
	}
	if e, ok := errors.AsType[*esindex.Error](err); ok {
		return e.Status
	}
	return 0
}

func action(doc map[string]any, name string) { doc["event"].(map[string]any)["action"] = name }

// The attacker holds a sensor's key and makes indices before set-up or another
// sensor does: with mappings and settings of his own.
func TestAStolenKeyMakesIndicesAheadOfTheTrueOnes(t *testing.T) {
	f := newFleet(t)
	now := time.Now().UTC()
	year := time.Date(now.Year()+1, now.Month(), 1, 0, 0, 0, 0, time.UTC).Format("2006.01")
	for what, try := range map[string]struct{ index, body, check string }{
		"shards that close the cluster": {
			"chunks-x0x0.xx", `{"settings":{"number_of_shards":60}}`,
			"WARN foreign indices: 1 have names that Dossier gives to none, and take",
		},
		"next year's ledger with a final pipeline": {
			"chunks-" + year, `{"mappings":{"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}},"settings":{"final_pipeline":"drop"}}`,
			"FAIL index " + f.prefix + "-chunks-" + year + ": it sends documents through the pipeline drop (index.final_pipeline)",
		},
		"next year's ledger with a write block": {
			"activity-" + year, `{"mappings":{"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}},"settings":{"blocks.write":true}}`,
			"FAIL index " + f.prefix + "-activity-" + year + ": it is blocked (index.blocks.write)",
		},
		"transitions without _source": {
			"transitions-" + year, `{"mappings":{"_source":{"enabled":false},"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}}}`,
			`FAIL index ` + f.prefix + `-transitions-` + year + `: its mapping has _source {"enabled":false}, its template `,
		},
		"a field that has every document refused": {
			"transitions-2031.01", `{"mappings":{"properties":{"state":{"type":"long"}},"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}}}`,
			"WARN index " + f.prefix + "-transitions-2031.01: its mapping has fields that its template doesn't: state",
		},
		"a month in three hundred years": {"activity-2399.01", `{}`, "WARN foreign indices: "},
	} {
		path := "/" + f.prefix + "-" + try.index
		if got := status(f.as(t, roles.Writer, "PUT", path, try.body)); got != 403 {
			t.Errorf("%s with the role writer: HTTP %d, want 403", what, got)
		}
		if got := status(f.as(t, roles.Writer, "POST", path+"/_doc/1", `{}`)); got != 403 {
			t.Errorf("%s by a first document: HTTP %d, want 403", what, got)
		}
		if err := f.as(t, roles.CreatingWriter, "PUT", path, try.body); err != nil {
			t.Errorf("%s with the role creating-writer: %v", what, err)
			continue
		}
		if all := f.findings(t); !strings.Contains(all, try.check) {
			t.Errorf("%s: dossier check doesn't say %q:\n%s", what, try.check, all)
		}
		f.node.Must(t, "DELETE", path[1:], nil)
	}
	for _, role := range []string{roles.Writer, roles.CreatingWriter} {
		for _, path := range []string{"/" + f.prefix + "-chunks-x", "/" + f.prefix + "-x", "/x"} {
			if got := status(f.as(t, role, "PUT", path, `{"settings":{"number_of_shards":60}}`)); got != 403 {
				t.Errorf("%s makes %s: HTTP %d, want 403", role, path, got)
			}
		}
	}
	// What is there already is not his to change.
	month := f.prefix + "-transitions-" + now.Format("2006.01")
	for _, try := range [][2]string{
		{"/_mapping", `{"properties":{"x":{"type":"long"}}}`},
		{"/_settings", `{"index.blocks.write":true}`},
		{"/_settings", `{"index.final_pipeline":"drop"}`},
		{"/_alias/x", ``},
	} {
		if got := status(f.as(t, roles.CreatingWriter, "PUT", "/"+month+try[0], try[1])); got != 403 {
			t.Errorf("PUT %s%s: HTTP %d, want 403", month, try[0], got)
		}
	}
}

// The attacker holds a sensor's key and creates a transition ahead of the true
// one, which then meets a conflict and is never told.
func TestAStolenKeyTellsATransitionAheadOfTheTrueOne(t *testing.T) {
	f := newFleet(t)
	now := time.Now().UTC().Truncate(time.Second)
	month := f.prefix + "-transitions-" + now.Format("2006.01")
	if all := f.findings(t); strings.Contains(all, "FAIL transitions") || strings.Contains(all, "WARN transitions") {
		t.Errorf("before:\n%s", all)
	}
	body := func(change func(map[string]any)) string {
		doc := map[string]any{
			"@timestamp": now, "event": map[string]any{"kind": "event", "action": "login_success", "module": "dossier", "dataset": "dossier.transitions", "ingested": now.Add(-2 * time.Hour)},
			"source": map[string]any{"ip": "203.0.113.9"}, "message": "203.0.113.9: logged in", "uuid": profile.UUID("203.0.113.9"),
			"first_seen": now, "last_seen": now, "schema_version": 1,
		}
		if change != nil {
			change(doc)
		}
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for what, try := range map[string]struct {
		id, body, check string
	}{
		"empty":               {"203.0.113.1%7Clogin_success%7C", `{}`, "it is of another form"},
		"what can't be read":  {"203.0.113.2%7Clogin_success%7C", `{"event":{"action":["login_success"],"module":"dossier"}}`, "it can't be read"},
		"somebody else's":     {"203.0.113.3%7Clogin_success%7C", body(nil), "its _id is not that of what it says"},
		"before it happened":  {"203.0.113.9%7Clogin_success%7C", body(nil), "there is no such attacker"},
		"of another month":    {"203.0.113.9%7Ctraversal%7C", body(func(d map[string]any) { d["@timestamp"] = now.AddDate(0, -2, 0); action(d, "traversal") }), "it is in another month's index"},
		"a time out of order": {"203.0.113.9%7Chands_on%7C", body(func(d map[string]any) { d["last_seen"] = now.Add(-time.Hour); action(d, "hands_on") }), "its time is not between its attacker's first and last event"},
	} {
		if err := f.as(t, roles.Writer, "PUT", "/"+month+"/_create/"+try.id, try.body); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		f.node.Must(t, "POST", month+"/_refresh", nil)
		if all := f.findings(t); !strings.Contains(all, "("+try.check+")") {
			t.Errorf("%s: dossier check doesn't say %q:\n%s", what, try.check, all)
		}
		if got := status(f.as(t, roles.Writer, "DELETE", "/"+month+"/_doc/"+try.id, "")); got != 403 {
			t.Errorf("%s is deleted with a sensor's key: HTTP %d", what, got)
		}
		f.node.Must(t, "DELETE", month+"/_doc/"+try.id+"?refresh=true", nil)
	}
}

// The attacker holds a sensor's key: he reads the list key, as a sensor must,
// and can't change it, nor can whoever sets up again; an analyst can't read it,
// and nothing that dossier says shows it.
func TestAStolenKeyCantChangeTheListKey(t *testing.T) {
	f := newFleet(t)
	mapping := "/" + f.prefix + "-attackers/_mapping"
	key := func() string {
		var found map[string]struct {
			Mappings struct {
				Properties map[string]struct {
					Key string `json:"null_value"`
				} `json:"properties"`
			} `json:"mappings"`
		}
		c, err := esindex.New(esindex.Options{Hosts: []string{f.node.URL}, APIKey: f.keys[roles.Writer]})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Call(t.Context(), "read", "GET", mapping, nil, &found); err != nil {
			t.Fatal(err)
		}
		return found[f.prefix+"-attackers-000001"].Mappings.Properties["list_key"].Key
	}
	was := key()
	if len(was) != 2*esindex.ListKeySize {
		t.Fatalf("the list key has %d characters", len(was))
	}
	change := `{"properties":{"list_key":{"type":"keyword","index":false,"doc_values":false,"null_value":"00000000000000000000000000000000"}}}`
	for _, role := range []string{roles.Writer, roles.CreatingWriter, "reader"} {
		if err := f.as(t, role, "PUT", mapping, change); status(err) != 403 {
			t.Errorf("%s changes the list key: %v", role, err)
		}
	}
	if err := f.as(t, "reader", "GET", mapping, ""); status(err) != 403 {
		t.Errorf("a reader reads mappings: %v", err)
	}
	if err := f.as(t, "reader", "GET", "/"+f.prefix+"-attackers/_search", `{"query":{"match_all":{}}}`); err != nil {
		t.Errorf("a reader can't read: %v", err)
	}
	var said []string
	if err := f.admin.Setup(t.Context(), operate.Setup{Months: 3}, func(s esindex.Step) { said = append(said, s.String()) }); err != nil {
		t.Fatal(err)
	}
	if now := key(); now != was {
		t.Error("set-up made another list key")
	}
	if text := strings.Join(said, "\n") + f.findings(t); strings.Contains(text, was) || strings.Contains(text, "list_key") {
		t.Errorf("set-up and check speak of the list key:\n%s", text)
	}
}
