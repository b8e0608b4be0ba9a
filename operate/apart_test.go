package operate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/profile"
	"dossier/testbed/esnode"
)

// every returns the names of one index of each kind of the target, the ones
// for stray times included.
func every(target *Target) []string {
	p := target.o.IndexPrefix
	return append([]string{
		target.indices.Attackers(), target.indices.Targets(), target.indices.Sensors(),
		p + "-activity-other", p + "-transitions-other", p + "-chunks-other",
	}, target.months(target.now().UTC())...)
}

// TestPrefixesAreApart: on one cluster with two prefixes, of which one begins
// with the other, nobody with a role of the one sees, writes or deletes
// anything of the other's.
func TestPrefixesAreApart(t *testing.T) {
	s := secured(t)
	first := newPrefix()
	prefixes := []string{first, first + "-b"}
	targets := make(map[string]*Target)
	for _, p := range prefixes {
		admin := s.admin(t, p)
		targets[p] = admin
		if err := admin.Setup(t.Context(), Setup{Roles: "on"}, func(esindex.Step) {}); err != nil {
			t.Fatal(err)
		}
		for _, index := range every(admin) {
			if _, err := admin.store.EnsureIndex(t.Context(), index); err != nil {
				t.Fatal(err)
			}
			s.bulk(t, true, index, "one", `{"last_seen":"2019-01-02T03:04:05Z","behavior":{"class":"mixed"}}`)
		}
	}
	for i, mine := range prefixes {
		other := prefixes[1-i]
		theirs := append(every(targets[other]), profile.Alias(other), esindex.NumberedIndex(targets[other].indices.Attackers(), 1))
		for _, name := range roles.Names() {
			user := mine + "-" + name
			s.node.Must(t, "POST", "_security/user/"+user, map[string]any{"password": "correct-horse", "roles": []string{mine + "-" + name}})
			as := s.open(t, map[string]string{"index_prefix": mine, "es_user": user, "es_password": "correct-horse"})
			if name == "reader" || name == "retention" {
				// What they may see they do see, so that the rest is no accident.
				if hits := see(t, as, "/"+targets[mine].indices.Attackers()+"/_search"); !slices.Equal(hits, []string{targets[mine].indices.Attackers()}) {
					t.Errorf("%s sees %q of its own", user, hits)
				}
			}
			for _, path := range []string{"/_search", "/_all/_search", "/" + first + "*/_search", "/logs-ti_*/_search", "/" + other + "-*/_search", "/*activity*/_search"} {
				for _, index := range see(t, as, path+"?size=1000&ignore_unavailable=true&expand_wildcards=all") {
					if !slices.Contains(every(targets[mine]), index) {
						t.Errorf("%s sees %s by %s", user, index, path)
					}
				}
			}
			for _, index := range theirs {
				for _, try := range [][3]string{
					{"POST", "/" + index + "/_search", `{}`},
					{"GET", "/" + index + "/_doc/one", ""},
					{"POST", "/" + index + "/_count", `{}`},
					{"GET", "/" + index + "/_mapping", ""},
					{"PUT", "/" + index + "/_doc/one", `{}`},
					{"PUT", "/" + index + "/_create/two", `{}`},
					{"DELETE", "/" + index + "/_doc/one", ""},
					{"POST", "/" + index + "/_delete_by_query", `{"query":{"match_all":{}}}`},
					{"PUT", "/" + index + "/_mapping", `{"properties":{"evil":{"type":"keyword"}}}`},
					{"PUT", "/" + index + "/_settings", `{"index.blocks.write":true}`},
					{"DELETE", "/" + index, ""},
				} {
					var body []byte
					if try[2] != "" {
						body = []byte(try[2])
					}
					if err := as.client.Call(t.Context(), "try", try[0], try[1], body, nil); !isForbidden(err) {
						t.Errorf("%s: %s %s: %v, want HTTP 403", user, try[0], try[1], err)
					}
				}
				actions := fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q}}]}`, index, profile.Alias(mine))
				if err := as.client.Call(t.Context(), "try", "POST", "/_aliases", []byte(actions), nil); !isForbidden(err) {
					t.Errorf("%s puts its alias on %s: %v", user, index, err)
				}
				var read struct {
					Docs []struct {
						Found bool
						Error json.RawMessage
					}
				}
				body := fmt.Sprintf(`{"docs":[{"_index":%q,"_id":"one"}]}`, index)
				err := as.client.Call(t.Context(), "try", "POST", "/_mget", []byte(body), &read)
				if err == nil && (len(read.Docs) != 1 || read.Docs[0].Found || read.Docs[0].Error == nil) || err != nil && !isForbidden(err) {
					t.Errorf("%s reads %s by _mget: %+v, %v", user, index, read, err)
				}
				var wrote struct {
					Items []map[string]struct{ Status int }
				}
				lines := fmt.Sprintf(`{"index":{"_index":%q,"_id":"one"}}`+"\n{}\n"+`{"create":{"_index":%q,"_id":"two"}}`+"\n{}\n", index, index)
				err = as.client.Call(t.Context(), "try", "POST", "/_bulk", []byte(lines), &wrote)
				for _, item := range wrote.Items {
					for _, r := range item {
						if r.Status != http.StatusForbidden {
							t.Errorf("%s writes %s by _bulk: %d", user, index, r.Status)
						}
					}
				}
				if err == nil && len(wrote.Items) != 2 || err != nil && !isForbidden(err) {
					t.Errorf("%s: _bulk to %s: %+v, %v", user, index, wrote, err)
				}
			}
		}
	}
	// All is where it was, and retention of the one leaves the other alone.
	if err := targets[first].Retain(t.Context(), DefaultAges(), false, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	for _, index := range every(targets[prefixes[1]]) {
		if n := s.node.Must(t, "GET", index+"/_count", nil)["count"]; n != 1.0 {
			t.Errorf("%s has %v documents, want 1", index, n)
		}
	}
	s.node.Must(t, "POST", first+"-attackers/_refresh", nil) // retention makes none
	if n := s.node.Must(t, "GET", first+"-attackers/_count", nil)["count"]; n != 0.0 {
		t.Errorf("%v attackers are left, want none", n)
	}
}

// see returns the indices of the documents that a search finds, by the names
// that they stand behind; none where it may not be done at all.
func see(t *testing.T, as *Target, path string) []string {
	t.Helper()
	var found struct {
		Hits struct {
			Hits []struct {
				Index string `json:"_index"`
			} `json:"hits"`
		} `json:"hits"`
	}
	err := as.client.Call(t.Context(), "see", http.MethodGet, path, nil, &found)
	if err != nil && !isForbidden(err) {
		t.Fatal(err)
	}
	var out []string
	for _, h := range found.Hits.Hits {
		out = append(out, strings.TrimSuffix(h.Index, "-000001"))
	}
	return out
}

// TestSharedAlias: an installation from when all prefixes had one alias in
// common moves to its own.
func TestSharedAlias(t *testing.T) {
	s := secured(t)
	prefix := newPrefix() + "-site"
	admin := s.admin(t, prefix)
	const shared = "logs-ti_dossier.attackers"
	own, name, index, pack := profile.Alias(prefix), prefix+"-attackers", prefix+"-attackers-000001", prefix+"-attackers@package"
	run := func(target *Target) string {
		t.Helper()
		var steps []string
		if err := target.Setup(t.Context(), Setup{}, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "\n")
	}
	check := func(target *Target) (out []string) {
		target.Check(t.Context(), Check{Role: "setup"}, func(f Finding) {
			if f.Subject == "alias" {
				out = append(out, f.String())
			}
		})
		return out
	}
	run(admin)
	// As it was made then.
	component := s.node.Must(t, "GET", "_component_template/"+pack, nil)["component_templates"].([]any)[0].(map[string]any)["component_template"].(map[string]any)
	component["template"].(map[string]any)["aliases"] = map[string]any{shared: map[string]any{}}
	s.node.Must(t, "PUT", "_component_template/"+pack, map[string]any{"template": component["template"], "version": component["version"], "_meta": component["_meta"]})
	s.node.Must(t, "POST", "_aliases", fmt.Sprintf(`{"actions":[{"remove":{"index":%q,"alias":%q}},{"add":{"index":%q,"alias":%q}}]}`, index, own, index, shared))

	// Whoever has only the role for it can't touch an alias of another prefix,
	// and says so.
	setup := s.as(t, prefix, get(t, "setup", prefix))
	said := run(setup)
	for _, want := range []string{"alias " + own + ": created", "alias " + shared + ": left on " + index} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	for _, as := range []*Target{setup, admin} {
		found := check(as)
		if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "WARN alias: "+name+" still is "+shared) }) {
			t.Errorf("the old alias is not said: %q", found)
		}
	}
	if said := run(admin); !strings.Contains(said, "alias "+shared+": taken off "+index) {
		t.Error(said)
	}
	aliases := s.node.Must(t, "GET", index+"/_alias", nil)[index].(map[string]any)["aliases"].(map[string]any)
	if len(aliases) != 2 || aliases[own] == nil || aliases[name] == nil {
		t.Errorf("aliases %v", aliases)
	}
	if found := check(admin); len(found) != 2 || !strings.HasPrefix(found[0], "ok ") || !strings.HasPrefix(found[1], "ok ") {
		t.Errorf("%q", found)
	}
	// An index that is made anew has it right, too.
	s.node.Must(t, "DELETE", index, nil)
	s.node.Must(t, "PUT", index, nil)
	aliases = s.node.Must(t, "GET", index+"/_alias", nil)[index].(map[string]any)["aliases"].(map[string]any)
	if len(aliases) != 1 || aliases[own] == nil {
		t.Errorf("aliases of a new index: %v", aliases)
	}
	s.node.Must(t, "DELETE", index, nil)
	if said := run(admin); strings.Contains(said, shared) {
		t.Errorf("said again:\n%s", said)
	}
}

// TestOverlap: beside an installation whose prefix would be refused today
// nothing is set up that would take its indices for ours.
func TestOverlap(t *testing.T) {
	s := anySite(t)
	prefix := newPrefix()
	esnode.CleanUp(t, prefix)
	for _, kind := range []string{"activity", "chunks", "attackers"} {
		name := prefix + "-" + kind + "-attackers"
		s.node.Must(t, "PUT", "_index_template/"+name, map[string]any{
			"index_patterns": []string{name}, "priority": 400,
			"_meta": map[string]any{"dossier": map[string]any{"schema": 1}},
		})
		err := s.admin(t, prefix).Setup(t.Context(), Setup{}, func(s esindex.Step) { t.Error(s) })
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "index_prefix") {
			t.Errorf("beside %s: %v", name, err)
		}
		s.node.Must(t, "DELETE", "_index_template/"+name, nil)
	}
	// Somebody else's template of such a name is no installation.
	name := prefix + "-activity-report"
	s.node.Must(t, "PUT", "_index_template/"+name, map[string]any{"index_patterns": []string{prefix + "-report"}})
	defer s.node.Must(t, "DELETE", "_index_template/"+name, nil)
	if err := s.admin(t, prefix).Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Error(err)
	}
}
