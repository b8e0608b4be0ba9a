package operate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/analyst"
	"dossier/conf/roles"
	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/plugin/output"
	"dossier/target"
	"dossier/testbed/esnode"
	"dossier/testbed/process"
)

// site is the node that all tests here share: with passwords and TLS, and it
// asks for a client certificate.
type site struct {
	node *esnode.Node
	dir  string
	link map[string]string

	prefix string
	steps  string // what making its indices said
	other  string // the second prefix
}

var theSite struct {
	once sync.Once
	site *site
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if s := theSite.site; s != nil {
		s.node.Close()
		os.RemoveAll(s.dir)
	}
	os.Exit(code)
}

func secured(t *testing.T) *site {
	t.Helper()
	theSite.once.Do(func() {
		theSite.site, theSite.err = newSite()
	})
	if theSite.err != nil {
		esnode.FailOrSkip(t, theSite.err)
	}
	return theSite.site
}

// anySite returns the site of secured, or, where the server has no security
// here, one on the node that all packages share.
func anySite(t *testing.T) *site {
	t.Helper()
	node := esnode.Shared(t)
	if !node.IsOpenSearch() {
		return secured(t)
	}
	s := &site{node: node, dir: t.TempDir(), prefix: newPrefix(), other: ""}
	s.link = map[string]string{
		"es_hosts": node.URL, "refresh_interval": "10m", "dead_letter_path": filepath.Join(s.dir, "letters"), "sensor_id": "s1",
	}
	return s
}

func newSite() (*site, error) {
	node, err := esnode.Start(context.Background(), esnode.Options{Password: "correct-horse", TLS: true, ClientCertificates: true})
	if err != nil {
		return nil, err
	}
	s := &site{node: node, prefix: newPrefix()}
	if s.dir, err = os.MkdirTemp("", "operate"); err != nil {
		return nil, err
	}
	crt, key, err := node.Authority().Client("operator")
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"ca.crt": node.Authority().CA(), "client.crt": crt, "client.key": key} {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	s.link = map[string]string{
		"es_hosts": node.URL, "es_ca_file": filepath.Join(s.dir, "ca.crt"),
		"es_client_cert": filepath.Join(s.dir, "client.crt"), "es_client_key": filepath.Join(s.dir, "client.key"),
		"refresh_interval": "10m", // what is seen in time was refreshed on purpose
		"dead_letter_path": filepath.Join(s.dir, "letters"), "sensor_id": "s1",
	}
	return s, nil
}

func newPrefix() string { return "t" + strings.ToLower(rand.Text()[:8]) }

// options returns the link's options with more of them.
func (s *site) options(t *testing.T, more map[string]string) options.Options {
	t.Helper()
	p := maps.Clone(s.link)
	maps.Copy(p, more)
	o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// open opens a target by the options.
func (s *site) open(t *testing.T, more map[string]string) *Target {
	t.Helper()
	target, err := Open(s.options(t, more), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	return target
}

// admin opens a target as the cluster's first user.
func (s *site) admin(t *testing.T, prefix string) *Target {
	return s.open(t, map[string]string{"index_prefix": prefix, "es_user": s.node.User, "es_password": s.node.Password})
}

// as opens a target with an API key that has the role.
func (s *site) as(t *testing.T, prefix string, role roles.Role) *Target {
	return s.open(t, map[string]string{"index_prefix": prefix, "es_api_key": s.key(t, role)})
}

func (s *site) key(t *testing.T, role roles.Role) string {
	t.Helper()
	made := s.node.Must(t, "POST", "_security/api_key?refresh=true", map[string]any{"name": "test", "role_descriptors": map[string]any{"r": role}})
	return made["encoded"].(string)
}

// oldMonth is that of the lines which the tests' sensors send.
var oldMonth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// setUp returns a prefix whose indices are there: one for all tests that
// leave it whole, as it takes long to make.
func (s *site) setUp(t *testing.T) (prefix string, admin *Target) {
	t.Helper()
	admin = s.admin(t, s.prefix)
	if s.steps == "" {
		var steps []string
		err := admin.Setup(t.Context(), Setup{Months: monthsAhead, Also: []time.Time{oldMonth}, Keys: []Key{{Role: "writer", File: s.writerKey()}}}, func(s esindex.Step) { steps = append(steps, s.String()) })
		if err != nil {
			t.Fatal(err)
		}
		s.steps = strings.Join(steps, "\n")
	}
	s.sweep(t, s.prefix)
	return s.prefix, admin
}

// sweep takes away what tests of privileges leave, and check would name: months
// that nobody asked for, and transitions of another form.
func (s *site) sweep(t *testing.T, prefix string) {
	t.Helper()
	for name := range s.node.Must(t, "GET", prefix+"-*-203*/_settings", nil) {
		s.node.Must(t, "DELETE", name, nil)
	}
	s.node.Must(t, "POST", prefix+"-transitions-*/_delete_by_query?refresh=true&conflicts=proceed", `{"query":{"bool":{"must_not":{"exists":{"field":"event.action"}}}}}`)
}

// empty deletes what other tests left, which are no documents of sensors.
func (s *site) empty(t *testing.T, prefix string) {
	t.Helper()
	for _, kind := range []string{"attackers", "smtp-targets", "indicators", "activity-*", "sensors"} {
		s.node.Must(t, "POST", prefix+"-"+kind+"/_refresh", nil)
		s.node.Must(t, "POST", prefix+"-"+kind+"/_delete_by_query?refresh=true", `{"query":{"match_all":{}}}`)
	}
}

func (s *site) writerKey() string { return filepath.Join(s.dir, "writer.key") }

func get(t *testing.T, name, prefix string) roles.Role {
	t.Helper()
	r, err := roles.Get(name, prefix)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// without returns the role once without each of its privileges.
func without(r roles.Role) map[string]roles.Role {
	out := map[string]roles.Role{}
	for i, p := range r.Cluster {
		less := r
		less.Cluster = slices.Delete(slices.Clone(r.Cluster), i, i+1)
		out[p] = less
	}
	for i, on := range r.Indices {
		for j, p := range on.Privileges {
			less := r
			less.Indices = slices.Clone(r.Indices)
			less.Indices[i].Privileges = slices.Delete(slices.Clone(on.Privileges), j, j+1)
			if len(less.Indices[i].Privileges) == 0 {
				less.Indices = slices.Delete(less.Indices, i, i+1)
			}
			out[p+" on "+strings.Join(on.Names, ",")] = less
		}
	}
	return out
}

// needed wants the job to be done with the role, and not to be done without
// any one of its privileges.
func needed(t *testing.T, name string, role roles.Role, job func(r roles.Role) error) {
	t.Helper()
	if err := job(role); err != nil {
		t.Fatalf("the role %s doesn't suffice: %v", name, err)
	}
	less := without(role)
	for _, p := range slices.Sorted(maps.Keys(less)) {
		if err := job(less[p]); err == nil {
			t.Errorf("the role %s does without %s", name, p)
		}
	}
}

func TestWriterRole(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	for _, name := range []string{roles.Writer, roles.CreatingWriter} {
		needsAll(t, s, prefix, name, admin)
	}
	if err := admin.Setup(t.Context(), Setup{Roles: "off", Months: monthsAhead}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
}

func needsAll(t *testing.T, s *site, prefix, name string, admin *Target) {
	n := 0
	needed(t, name, get(t, name, prefix), func(r roles.Role) error {
		n++
		target := s.as(t, prefix, r)
		at := admin.now() // a month that setup made
		if name == roles.CreatingWriter {
			at = admin.ahead(1) // one that isn't there, and that a sensor makes
			for _, index := range admin.months(at) {
				s.node.Must(t, "DELETE", index+"?ignore_unavailable=true", nil)
			}
		}
		id := fmt.Sprint(name, n)
		writes := func(ops ...commit.Op) ([]commit.Written, error) {
			w, err := target.store.Write(t.Context(), ops)
			if err != nil {
				return nil, err
			}
			for i := range w {
				if w[i].Status != commit.Done {
					return nil, fmt.Errorf("%s: %s", ops[i].Key.Index, w[i].Reason)
				}
			}
			return w, nil
		}
		body := []byte(`{"state":"c3RhdGU="}`)
		months := target.months(at)
		for _, index := range []string{target.indices.Attackers(), target.indices.Targets(), months[0], months[2]} {
			k := commit.Key{Index: index, ID: id}
			w, err := writes(commit.Op{Key: k, Body: body})
			if err != nil {
				return err
			}
			if _, err := writes(commit.Op{Kind: commit.Replace, Key: k, Version: w[0].Version, Body: body}); err != nil {
				return err
			}
			read, err := target.store.Read(t.Context(), []commit.Key{k})
			if err != nil {
				return err
			}
			if read[0].Err != nil || string(read[0].State) != "state" {
				return fmt.Errorf("read %v: %w", read[0], read[0].Err)
			}
		}
		_, err := writes(commit.Op{Key: commit.Key{Index: months[1], ID: id}, Body: body},
			commit.Op{Kind: commit.Put, Key: commit.Key{Index: target.indices.Sensors(), ID: id}, Body: body})
		return err
	})
}

// TestSensorsKey commits a chunk through a whole instance with nothing but a
// sensor's key, and tries with it what only others may.
func TestSensorsKey(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUp(t)
	file := s.writerKey()
	o := s.options(t, map[string]string{
		"index_prefix": prefix, "es_api_key_file": file, "manage_templates": "off", "dead_letter_path": t.TempDir(),
	})
	i, err := output.New(o, output.Host{Version: "test", Logger: slog.New(slog.DiscardHandler), Targets: new(target.Pool)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	line := `{"eventid":"cowrie.login.success","username":"root","password":"x","message":"m","sensor":"d1","src_ip":"203.0.113.9","session":"a","protocol":"ssh","timestamp":"` +
		now.Format("2006-01-02T15:04:05.000000Z") + `"}`
	code := output.Retry
	for range 5 { // the node may be slow
		if code = i.Flush("cowrie", chunktest.Lines(now, "log", line), true); code == output.OK {
			break
		}
	}
	if code != output.OK {
		t.Error("a chunk can't be committed with a sensor's key")
	}
	i.Close()
	doc := s.node.Must(t, "GET", prefix+"-attackers/_doc/203.0.113.9", nil)
	if n := doc["_source"].(map[string]any)["event_count"]; n != 1.0 {
		t.Errorf("event_count %v", n)
	}
	s.node.Must(t, "POST", prefix+"-*/_refresh", nil)
	all := s.node.Must(t, "GET", prefix+"-transitions-*/_search", nil)
	hits := all["hits"].(map[string]any)["hits"].([]any)
	if len(hits) == 0 {
		t.Fatal("no transition was written")
	}
	transition := hits[0].(map[string]any)

	sensor := s.open(t, map[string]string{"index_prefix": prefix, "es_api_key_file": file})
	for _, try := range []struct{ method, path, body string }{
		{"DELETE", "/" + prefix + "-attackers/_doc/203.0.113.9", ""},
		{"DELETE", "/" + prefix + "-attackers", ""},
		{"POST", "/" + prefix + "-attackers/_delete_by_query", `{"query":{"match_all":{}}}`},
		{"POST", "/" + prefix + "-attackers/_search", `{}`},
		{"GET", "/" + prefix + "-attackers/_doc/203.0.113.9", ""},
		{"PUT", "/" + prefix + "-attackers/_mapping", `{"properties":{"evil":{"type":"keyword"}}}`},
		{"PUT", "/" + prefix + "-attackers/_settings", `{"index.translog.durability":"async"}`},
		{"POST", "/" + prefix + "-attackers/_close", ""},
		{"PUT", "/" + prefix + "-attackers/_block/write", ""},
		{"PUT", "/_index_template/" + prefix + "-attackers", `{"index_patterns":["` + prefix + `-attackers"]}`},
		{"DELETE", "/_index_template/" + prefix + "-attackers", ""},
		{"PUT", "/_component_template/" + prefix + "-attackers@custom", `{"template":{}}`},
		{"POST", "/_aliases", `{"actions":[{"add":{"index":"` + prefix + `-attackers","alias":"x"}}]}`},
		{"PUT", "/" + prefix + "-new", ""},
		{"PUT", "/other/_doc/1", `{}`},
		{"PUT", fmt.Sprintf("/%s/_doc/%s", transition["_index"], transition["_id"]), `{}`},
		{"POST", fmt.Sprintf("/%s/_update/%s", transition["_index"], transition["_id"]), `{"doc":{}}`},
		{"POST", "/_security/api_key", `{"name":"more"}`},
		{"PUT", "/_security/role/x", `{}`},
		{"GET", "/_cluster/settings", ""},
	} {
		var body []byte
		if try.body != "" {
			body = []byte(try.body)
		}
		err := sensor.client.Call(t.Context(), "try", try.method, try.path, body, nil)
		if !isForbidden(err) {
			t.Errorf("%s %s with a sensor's key: %v, want HTTP 403", try.method, try.path, err)
		}
	}
}

func TestReaderRole(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	for _, other := range []string{"-activity-other", "-transitions-other"} {
		if _, err := admin.store.EnsureIndex(t.Context(), prefix+other); err != nil {
			t.Fatal(err)
		}
	}
	job := func(r roles.Role) error {
		target := s.as(t, prefix, r)
		names := append([]string{
			admin.indices.Attackers(), admin.indices.Targets(), admin.indices.Sensors(), admin.indices.Indicators(), "logs-ti_" + prefix + ".attackers", "logs-ti_" + prefix + ".indicators",
			prefix + "-activity-other", prefix + "-transitions-other", analyst.NotesIndex(prefix),
		}, admin.months(time.Now().UTC())[:2]...)
		for _, name := range names {
			// What a data view and a search need.
			for _, path := range []string{"/" + name + "/_search", "/" + name + "/_field_caps?fields=*"} {
				if err := target.client.Call(t.Context(), "read", "GET", path, nil, nil); err != nil {
					return err
				}
			}
			var found map[string][]any
			if err := target.client.Call(t.Context(), "read", "GET", "/_resolve/index/"+name[:len(name)-1]+"*", nil, &found); err != nil {
				return err
			}
			if len(found["indices"])+len(found["aliases"]) == 0 {
				return fmt.Errorf("%s can't be found", name)
			}
		}
		// dossier search, export and repair read from a point in time, which asks for the
		// indices behind the aliases.
		for _, name := range []string{admin.indices.Attackers(), admin.indices.Targets(), admin.indices.Indicators()} {
			var point struct{ ID string }
			if err := target.client.Call(t.Context(), "open", "POST", "/"+name+"/_pit?keep_alive=1m", nil, &point); err != nil {
				return err
			}
			if err := target.client.Call(t.Context(), "read", "POST", "/_search", fmt.Appendf(nil, `{"pit":{"id":%q}}`, point.ID), nil); err != nil {
				return err
			}
		}
		return nil
	}
	role := get(t, "reader", prefix)
	needed(t, "reader", role, job)
	for i, name := range role.Indices[0].Names {
		less := role
		less.Indices = slices.Clone(role.Indices)
		less.Indices[0].Names = slices.Delete(slices.Clone(less.Indices[0].Names), i, i+1)
		if job(less) == nil {
			t.Errorf("the reader does without %s", name)
		}
	}
	reader := s.as(t, prefix, role)
	for _, try := range [][2]string{
		{"GET", "/" + admin.months(time.Now().UTC())[2] + "/_search"},
		{"DELETE", "/" + prefix + "-attackers"},
		{"PUT", "/" + prefix + "-attackers/_doc/1"},
	} {
		var body []byte
		if try[0] == "PUT" {
			body = []byte("{}")
		}
		if err := reader.client.Call(t.Context(), "try", try[0], try[1], body, nil); !isForbidden(err) {
			t.Errorf("%s %s as a reader: %v", try[0], try[1], err)
		}
	}
}

func TestSetupRole(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	version := admin.templates[0].Version
	now := time.Now().UTC()
	next := admin.months(time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC))[0]
	t.Cleanup(func() {
		if err := admin.Setup(context.Background(), Setup{}, func(esindex.Step) {}); err != nil {
			t.Error(err)
		}
	})
	s.empty(t, prefix)
	needed(t, "setup", get(t, "setup", prefix), func(r roles.Role) error {
		// All there is to do: an upgrade, an index and the alias.
		version++
		s.node.Must(t, "DELETE", next+"?ignore_unavailable=true", nil)
		if _, _, err := s.node.Do(t.Context(), "DELETE", admin.indices.Attackers()+"-000001/_alias/logs-ti_"+prefix+".attackers", nil); err != nil {
			t.Fatal(err)
		}
		s.node.Must(t, "PUT", admin.indices.Targets()+"/_settings", `{"index.translog.durability":"async"}`)
		target := s.as(t, prefix, r)
		for i := range target.templates {
			target.templates[i].Version = version
		}
		store, err := esindex.NewStore(target.client, target.templates)
		if err != nil {
			t.Fatal(err)
		}
		target.store = store
		var steps []string
		if err := target.Setup(t.Context(), Setup{}, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			return err
		}
		all := strings.Join(steps, "\n")
		for _, want := range []string{
			"index " + admin.indices.Targets() + "-000001: translog.durability async → request: updated", "alias logs-ti_" + prefix + ".attackers: created", "index " + next + ": created",
			fmt.Sprintf("mapping %s-attackers-000001: upgraded from version", prefix), "roles " + prefix + "-*: left out: this user lacks",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("no %q in\n%s", want, all)
			}
		}
		err = nil
		target.Check(t.Context(), Check{Role: "setup"}, func(f Finding) {
			if f.Level == Failure || strings.Contains(f.Text, "not looked at") {
				err = fmt.Errorf("%v", f)
			}
		})
		return err
	})
	setup := s.as(t, prefix, get(t, "setup", prefix))
	for _, try := range [][2]string{{"DELETE", "/" + prefix + "-attackers"}, {"PUT", "/" + prefix + "-attackers/_doc/1"}} {
		var body []byte
		if try[0] == "PUT" {
			body = []byte("{}")
		}
		if err := setup.client.Call(t.Context(), "try", try[0], try[1], body, nil); !isForbidden(err) {
			t.Errorf("%s %s with the setup role: %v", try[0], try[1], err)
		}
	}
}

// TestSetup: everything is made once, and said; keys work, live on and are
// brought up to date.
func TestSetup(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	file, first := s.writerKey(), s.steps
	run := func(setup Setup) (string, error) {
		var steps []string
		err := admin.Setup(t.Context(), setup, func(s esindex.Step) { steps = append(steps, s.String()) })
		return strings.Join(steps, "\n"), err
	}
	if n := strings.Count(first, ": created"); n != 7+4+2+1+3*(1+monthsAhead+1)+3+1+len(roles.Names())+1 {
		t.Errorf("%d things created:\n%s", n, first)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	again, err := run(Setup{Keys: []Key{{Role: "writer", File: file}}})
	if err != nil || strings.Contains(again, "created") || strings.Contains(again, "up to date") {
		t.Errorf("the second time: %v\n%s", err, again)
	}
	alias := s.node.Must(t, "GET", prefix+"-attackers/_alias", nil)
	if _, ok := alias[prefix+"-attackers-000001"].(map[string]any)["aliases"].(map[string]any)["logs-ti_"+prefix+".attackers"]; !ok {
		t.Errorf("no alias: %v", alias)
	}

	// A role that somebody changed, and a key that had less.
	s.node.Must(t, "PUT", "_security/role/"+prefix+"-reader", map[string]any{"metadata": map[string]any{"dossier": "x"}})
	made := s.node.Must(t, "POST", "_security/api_key?refresh=true", map[string]any{"name": "old", "role_descriptors": map[string]any{"r": map[string]any{"cluster": []string{"monitor"}}}})
	old := filepath.Join(t.TempDir(), "old.key")
	if err := os.WriteFile(old, []byte(made["encoded"].(string)), 0o600); err != nil {
		t.Fatal(err)
	}
	third, err := run(Setup{Keys: []Key{{Role: "writer", File: old}}})
	if err != nil || !strings.Contains(third, "role "+prefix+"-reader: brought up to date") || !strings.Contains(third, "API key "+old+": brought up to date") {
		t.Errorf("the third time: %v\n%s", err, third)
	}
	// What is in the way.
	s.node.Must(t, "PUT", "_security/role/"+prefix+"-reader", map[string]any{})
	if _, err := run(Setup{}); err == nil || !strings.Contains(err.Error(), "did not make it") {
		t.Errorf("a role of somebody else's: %v", err)
	}
	if err := os.WriteFile(old, []byte("YTpi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(Setup{Roles: "off", Keys: []Key{{Role: "writer", File: old}}}); err == nil || !strings.Contains(err.Error(), "rotate") {
		t.Errorf("a key that doesn't work: %v", err)
	}
	if said, err := run(Setup{Roles: "off", Keys: []Key{{Role: "writer", File: filepath.Join(t.TempDir(), "no", "key")}}}); err == nil || said != "" || !strings.HasSuffix(err.Error(), "no: make it first") {
		t.Errorf("a key for a folder that isn't there: %v, done before it was seen: %s", err, said)
	}
	// Keys don't make keys.
	keyed := s.open(t, map[string]string{"index_prefix": prefix, "es_api_key": s.key(t, roles.Role{
		Cluster: []string{"all"}, Indices: []roles.Indices{{Names: []string{"*"}, Privileges: []string{"all"}}},
	})})
	err = keyed.Setup(t.Context(), Setup{Roles: "off", Keys: []Key{{Role: "writer", File: filepath.Join(t.TempDir(), "k")}}}, func(esindex.Step) {})
	if err == nil || !strings.Contains(err.Error(), "es_user") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a key made by a key: %v", err)
	}
}

// setUpOther makes the indices that the tests of retention delete from: with
// settings of their own, which get to each.
func (s *site) setUpOther(t *testing.T) (prefix string, target *Target) {
	t.Helper()
	other := s.other
	if s.other == "" {
		s.other = newPrefix()
		if s.node.User == "" {
			esnode.CleanUp(t, s.other)
		}
	}
	target = s.open(t, map[string]string{
		"index_prefix": s.other, "es_user": s.node.User, "es_password": s.node.Password,
		"shards": "2", "replicas": "0", "refresh_interval": "9m",
	})
	if other != "" {
		return s.other, target
	}
	if err := target.Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	all := s.node.Must(t, "GET", s.other+"-*/_settings?flat_settings=true", nil)
	if len(all) != 4+3*(1+1)+3+1 {
		t.Errorf("%d indices", len(all))
	}
	// What analysts say is no sensor's: one shard, whatever is set.
	delete(all, analyst.NotesIndex(s.other))
	for name, v := range all {
		settings := v.(map[string]any)["settings"].(map[string]any)
		for key, want := range map[string]any{
			"index.number_of_shards": "2", "index.number_of_replicas": "0", "index.refresh_interval": "540s",
			"index.translog.durability": "request", "index.auto_expand_replicas": nil,
		} {
			if settings[key] != want {
				t.Errorf("%s: %s is %v, want %v", name, key, settings[key], want)
			}
		}
	}
	return s.other, target
}

// bulk writes documents as the first user and refreshes, or not.
func (s *site) bulk(t *testing.T, refresh bool, documents ...string) {
	t.Helper()
	var lines strings.Builder
	for i := 0; i < len(documents); i += 3 {
		fmt.Fprintf(&lines, `{"index":{"_index":%q,"_id":%q}}`+"\n%s\n", documents[i], documents[i+1], documents[i+2])
	}
	answer := s.node.Must(t, "POST", fmt.Sprintf("_bulk?refresh=%v", refresh), lines.String())
	if answer["errors"] != false {
		t.Fatal(answer)
	}
}

func TestRetentionRole(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUpOther(t)
	now := time.Now().UTC()
	old, young := `"2019-01-02T03:04:05Z"`, `"`+now.Format(time.RFC3339)+`"`
	// What a key lacks is found before anything is done.
	less := s.as(t, prefix, without(get(t, "retention", prefix))["view_index_metadata on "+prefix+"-chunks-????.??,"+prefix+"-chunks-other"])
	if err := less.Retain(t.Context(), DefaultAges(), false, func(esindex.Step) {}); err == nil || !strings.Contains(err.Error(), "lacks what the role "+prefix+"-retention has") ||
		!strings.HasSuffix(err.Error(), ": view_index_metadata on "+prefix+"-chunks-????.??, view_index_metadata on "+prefix+"-chunks-other") {
		t.Errorf("a key that lacks something: %v", err)
	}
	needed(t, "retention", get(t, "retention", prefix), func(r roles.Role) error {
		for _, month := range []string{"-activity-2019.01", "-transitions-2019.01", "-chunks-2019.01", "-chunks-2019.02"} {
			s.node.Must(t, "DELETE", prefix+month+"?ignore_unavailable=true", nil)
		}
		s.bulk(t, true,
			prefix+"-attackers", "192.0.2.1", `{"last_seen":`+old+`}`,
			prefix+"-smtp-targets", "a", `{"last_seen":`+old+`}`,
			prefix+"-indicators", "a", `{"last_seen":`+old+`}`,
			prefix+"-sensors", "s9", `{"@timestamp":`+old+`}`,
			prefix+"-activity-2019.01", "a", `{"updated_at":`+old+`}`,
			prefix+"-activity-other", "a", `{"updated_at":`+old+`}`,
			prefix+"-transitions-2019.01", "a", `{"event":{"ingested":`+old+`}}`,
			prefix+"-transitions-other", "a", `{"event":{"ingested":`+old+`}}`,
			prefix+"-chunks-2019.01", "a", `{"@timestamp":`+old+`}`,
			prefix+"-chunks-2019.02", "a", `{"@timestamp":`+old+`}`,
			prefix+"-chunks-other", "a", `{"@timestamp":`+old+`}`)
		// Not yet seen by searches: old logs that a sensor just reads.
		s.bulk(t, false, prefix+"-chunks-2019.02", "b", `{"@timestamp":`+young+`}`)
		target := s.as(t, prefix, r)
		err := target.retain(t.Context(), DefaultAges(), false, func(esindex.Step) {})
		if err != nil {
			// Whoever is to fix it must not find the ledger blocked.
			if _, answer, _ := s.node.Do(t.Context(), "PUT", prefix+"-chunks-2019.02/_settings", `{"index.blocks.write":null}`); answer["acknowledged"] != true {
				t.Fatal(answer)
			}
			return err
		}
		s.node.Must(t, "POST", prefix+"-*/_refresh", nil)
		left := s.node.Must(t, "GET", prefix+"-*/_search?size=100&_source=false", nil)
		var names []string
		for _, h := range left["hits"].(map[string]any)["hits"].([]any) {
			names = append(names, h.(map[string]any)["_index"].(string)+"/"+h.(map[string]any)["_id"].(string))
		}
		slices.Sort(names)
		if want := []string{prefix + "-chunks-2019.02/a", prefix + "-chunks-2019.02/b"}; !slices.Equal(names, want) {
			return fmt.Errorf("left: %q, want %q", names, want)
		}
		s.bulk(t, false, prefix+"-chunks-2019.02", "c", `{"@timestamp":`+young+`}`) // not blocked
		s.node.Must(t, "DELETE", prefix+"-chunks-2019.02", nil)
		return nil
	})
	retention := s.as(t, prefix, get(t, "retention", prefix))
	for _, try := range [][2]string{{"DELETE", "/" + prefix + "-attackers"}, {"PUT", "/" + prefix + "-attackers/_doc/1"}, {"PUT", "/" + prefix + "-chunks-2030.01/_doc/1"}} {
		var body []byte
		if try[0] == "PUT" {
			body = []byte("{}")
		}
		if err := retention.client.Call(t.Context(), "try", try[0], try[1], body, nil); !isForbidden(err) {
			t.Errorf("%s %s with the retention role: %v", try[0], try[1], err)
		}
	}
}

// TestRetain: what is a day too young stays, and a dry run deletes nothing.
func TestRetain(t *testing.T) {
	s := anySite(t)
	prefix, admin := s.setUpOther(t)
	s.node.Must(t, "POST", prefix+"-*/_delete_by_query?refresh=true&conflicts=proceed", `{"query":{"match_all":{}}}`)
	for _, month := range []string{"-activity-2019.01", "-transitions-2019.01", "-chunks-2019.01", "-chunks-2019.02"} {
		s.node.Must(t, "DELETE", prefix+month+"?ignore_unavailable=true", nil)
	}
	admin.now = func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }
	ages := Ages{Attackers: 100 * day, Targets: Forever, Indicators: 50 * day, Activity: 60 * day, Transitions: Forever, Sensors: 7 * day, Ledger: 30 * day}
	quote := func(daysAgo int) string {
		return `"` + admin.now().AddDate(0, 0, -daysAgo).Add(-time.Hour).Format(time.RFC3339) + `"`
	}
	s.bulk(t, true,
		prefix+"-attackers", "old", `{"last_seen":`+quote(100)+`}`,
		prefix+"-attackers", "young", `{"last_seen":`+quote(99)+`}`,
		prefix+"-smtp-targets", "old", `{"last_seen":`+quote(3000)+`}`,
		prefix+"-indicators", "old", `{"last_seen":`+quote(50)+`}`,
		prefix+"-indicators", "young", `{"last_seen":`+quote(49)+`}`,
		prefix+"-sensors", "old", `{"@timestamp":`+quote(7)+`}`,
		prefix+"-sensors", "young", `{"@timestamp":`+quote(6)+`}`,
		prefix+"-activity-2026.08", "old", `{}`, // ended 85 days ago
		prefix+"-activity-2026.09", "young", `{}`, // ended 54 days ago
		prefix+"-activity-other", "old", `{"updated_at":`+quote(60)+`}`,
		prefix+"-activity-other", "young", `{"updated_at":`+quote(59)+`}`,
		prefix+"-transitions-2020.01", "old", `{}`,
		prefix+"-chunks-2020.01", "old", `{"@timestamp":`+quote(30)+`}`,
		prefix+"-chunks-2020.02", "young", `{"@timestamp":`+quote(29)+`}`,
		prefix+"-chunks-other", "old", `{"@timestamp":`+quote(30)+`}`)
	s.node.Must(t, "PUT", prefix+"-activity-2020.foreign/_doc/1?refresh=true", `{}`)
	if err := s.admin(t, newPrefix()).Retain(t.Context(), ages, true, func(esindex.Step) {}); err == nil || !strings.Contains(err.Error(), "-attackers: correct index_prefix") {
		t.Errorf("of a prefix that nobody writes to: %v", err)
	}
	// By somebody else, under a name like ours.
	s.node.Must(t, "DELETE", "_index_template/"+prefix+"-activity", nil)
	s.node.Must(t, "PUT", prefix+"-activity-2020.05/_doc/1?refresh=true", `{}`)

	said := func(dryRun bool) string {
		var steps []string
		if err := admin.Retain(t.Context(), ages, dryRun, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "\n")
	}
	count := func() int {
		s.node.Must(t, "POST", prefix+"-*/_refresh", nil)
		return int(s.node.Must(t, "GET", prefix+"-*/_count", nil)["count"].(float64))
	}
	if dry := said(true); count() != 17 || strings.Contains(dry, " deleted") || strings.Count(dry, "to delete") != 7 {
		t.Errorf("a dry run leaves %d documents:\n%s", count(), dry)
	}
	if wet := said(false); count() != 10 || !strings.Contains(wet, "documents "+prefix+"-attackers: 1 deleted, last_seen before 2026-08-16") ||
		!strings.Contains(wet, "index "+prefix+"-activity-2026.08: deleted, its month ended 2026-09-01") {
		t.Errorf("%d documents are left, want 10:\n%s", count(), wet)
	}
	if again := said(false); count() != 10 || strings.Contains(again, "index ") {
		t.Errorf("the second time:\n%s", again)
	}
	ages.Ledger = 29 * day
	if err := admin.Retain(t.Context(), ages, true, func(esindex.Step) {}); err == nil || !strings.Contains(err.Error(), "at least 30") {
		t.Errorf("a ledger of 29 days: %v", err)
	}
}

func TestCheck(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	findings := func(target *Target, role string) (all string, worst Level) {
		var lines []string
		target.Check(t.Context(), Check{Role: role}, func(f Finding) {
			worst = max(worst, f.Level)
			if text := f.String(); strings.ContainsAny(text, "\n\x1b") || strings.Contains(text, "horse") {
				t.Errorf("not fit for a terminal: %q", text)
			}
			lines = append(lines, f.String())
		})
		return strings.Join(lines, "\n"), worst
	}
	wants := func(all string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(all, p) {
				t.Errorf("no %q in\n%s", p, all)
			}
		}
	}
	beat := func(name string, ago time.Duration, more map[string]any) {
		h := map[string]any{"@timestamp": time.Now().UTC().Add(-ago), "sensor": name, "version": "test", "records_in": 2000}
		maps.Copy(h, more)
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		s.bulk(t, true, prefix+"-sensors", name, string(b))
	}
	s.empty(t, prefix)
	beat("good", 0, nil)
	if all, worst := findings(admin, "setup"); worst > Note {
		t.Errorf("not well where it should be:\n%s", all)
	}

	// What a sensor's key shows, and one that lacks something.
	writer := get(t, "writer", prefix)
	all, worst := findings(s.as(t, prefix, writer), "writer")
	if worst > Note {
		t.Error(all)
	}
	wants(all, "has what the role writer has", "ok   indices: ")
	writer.Indices[0].Privileges = []string{"view_index_metadata", "index"}
	all, worst = findings(s.as(t, prefix, writer), "writer")
	wants(all, "FAIL credentials: API key test lacks what the role writer has: indices:data/read/mget* on "+prefix+"-attackers", "the role "+prefix+"-writer")
	if worst != Failure {
		t.Error(worst)
	}
	short := s.node.Must(t, "POST", "_security/api_key?refresh=true", map[string]any{"name": "short", "expiration": "10d", "role_descriptors": map[string]any{"r": get(t, "writer", prefix)}})
	all, worst = findings(s.open(t, map[string]string{"index_prefix": prefix, "es_api_key": short["encoded"].(string)}), "writer")
	if wants(all, "WARN credentials: the API key expires in 9 days"); worst != Warning {
		t.Error(worst)
	}

	// Everything that can be wrong at once.
	beat("silent", time.Hour, nil)
	beat("ahead", -time.Minute, nil)
	beat("ill", 0, map[string]any{"dropped_programs": []any{map[string]any{"program": "sshd", "count": 7}}, "ownerless_commands": []any{map[string]any{"decky": "decky-07\n", "count": 4}}, "dead_letters": 3, "exactness_at_risk": 1, "unparsed": 500, "last_error": "a\n\x1b[31mb", "last_error_at": time.Now().UTC(), "version": "0"})
	s.node.Must(t, "PUT", prefix+"-attackers/_settings", `{"index.translog.durability":"async"}`)
	s.node.Must(t, "PUT", prefix+"-smtp-targets/_settings", `{"index.blocks.write":true}`)
	s.node.Must(t, "DELETE", "_index_template/"+prefix+"-activity", nil)
	s.node.Must(t, "DELETE", admin.months(time.Now().UTC())[0], nil)
	s.node.Must(t, "PUT", admin.months(time.Now().UTC())[0], `{}`) // by a program that guesses
	s.node.Must(t, "DELETE", admin.months(time.Now().UTC())[1], nil)
	s.node.Must(t, "DELETE", prefix+"-attackers-000001/_alias/logs-ti_"+prefix+".attackers", nil)
	letters := s.options(t, nil).DeadLetterPath
	if err := os.MkdirAll(letters, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(letters, "a.jsonl"), []byte(`{"time":"2026-01-08T00:00:00Z","chunk":"00"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, worst = findings(admin, "setup")
	if worst != Failure {
		t.Error(worst)
	}
	wants(all,
		"FAIL index "+prefix+"-attackers-000001: durability is async", `PUT /`+prefix+`-attackers-000001/_settings {"index.translog.durability":"request"}`,
		"FAIL index "+prefix+"-smtp-targets-000001: it is blocked (index.blocks.write)",
		"FAIL templates: "+prefix+"-activity is missing; run dossier setup",
		"dossier did not make it",
		"FAIL indices: "+admin.months(time.Now().UTC())[1]+" is missing: sensors with the role",
		"WARN alias: logs-ti_"+prefix+".attackers is missing",
		"WARN sensor silent: silent for 1h0m",
		"WARN sensor ahead: its clock is ",
		"WARN sensor ill: 3 dead letters",
		"note sensor ill: lines left out by drop_apps: sshd 7",
		"note sensor ill: commands that nobody is known to have given: decky-07? 4",
		"WARN sensor ill: 1 chunk ids aged out",
		"WARN sensor ill: 500 of 2000 records",
		"WARN sensor ill: last error", "a??[31mb",
		"note sensor ill: runs version 0",
		"WARN sensors: 1 of 4 well",
		"WARN dead letters: 1 wait", "2026-01-08", "1 of them are raw")
	if err := os.RemoveAll(letters); err != nil {
		t.Fatal(err)
	}
	// A node that refuses.
	all, worst = findings(s.open(t, map[string]string{"index_prefix": prefix, "es_user": "elastic", "es_password": "wrong-horse"}), "writer")
	if wants(all, "FAIL connection: elasticsearch: connect: HTTP 401"); worst != Failure || strings.Contains(all, "\n") {
		t.Errorf("%v: %s", worst, all)
	}
}

func TestAges(t *testing.T) {
	for s, want := range map[string]time.Duration{"90d": 90 * day, "1d": day, "forever": Forever} {
		if got, err := ParseAge(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0d", "-1d", "90", "3h", "d", "99999999d"} {
		if got, err := ParseAge(s); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
	if err := DefaultAges().validate(); err != nil {
		t.Error(err)
	}
	if _, err := ParseKey("root=/x"); err == nil {
		t.Error("a key of no role")
	}
}

// TestKeyOfAnotherRole: a key that was made for something else is called that
// by whoever is given it, once and whole.
func TestKeyOfAnotherRole(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	file := filepath.Join(t.TempDir(), "reader.key")
	if _, err := admin.setUpKey(t.Context(), Key{Role: "reader", File: file, Name: "one"}, 0, KeyFile{}); err != nil {
		t.Fatal(err)
	}
	what := "API key " + prefix + "-reader-one is that of the role reader of the prefix " + prefix
	with := func(prefix string) *Target {
		return s.open(t, map[string]string{"index_prefix": prefix, "es_api_key_file": file})
	}
	for _, test := range []struct{ prefix, role, want string }{
		{prefix, "reader", "ok   credentials: API key " + prefix + "-reader-one has what the role reader has"},
		{prefix, "writer", "FAIL credentials: " + what + ", not of the role writer of the prefix " + prefix + "; check it with --role reader, or give the key of that role (dossier setup --key writer=FILE --index-prefix " + prefix + " makes one)"},
		{"elsewhere", "reader", "FAIL credentials: " + what + ", not of the role reader of the prefix elsewhere; check it with --index-prefix " + prefix + " --role reader, or"},
	} {
		if got := findings(t, with(test.prefix), test.role, "credentials"); !strings.HasPrefix(got, test.want) || strings.Contains(got, "lacks") {
			t.Errorf("%s of %s: %s, want %s", test.role, test.prefix, got, test.want)
		}
	}
	if err := with(prefix).Retain(t.Context(), DefaultAges(), true, func(esindex.Step) {}); err == nil || err.Error() != what+": give the key of the role retention of the prefix "+prefix+" (dossier setup --key retention=FILE --index-prefix "+prefix+" makes one)" {
		t.Errorf("retain: %v", err)
	}
	log := new(process.Log)
	o := s.options(t, map[string]string{"index_prefix": prefix, "es_api_key_file": file, "manage_templates": "off", "dead_letter_path": t.TempDir()})
	i, err := output.New(o, output.Host{Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Targets: new(target.Pool)})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if code := i.Flush("x", chunktest.Lines(time.Now(), "log", "x"), true); code != output.Retry {
		t.Errorf("a chunk with a reader's key: %v", code)
	}
	if want := "es_api_key_file " + file + ": " + what + "; give a key of the role writer of the prefix " + prefix; !strings.Contains(log.String(), want) {
		t.Errorf("no %q in\n%s", want, log.String())
	}
}
