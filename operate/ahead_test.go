package operate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dossier/esindex"
	"dossier/plugin/options"
)

// steps returns what a set-up tells, a line each, sorted: indices of months are made
// at the same time.
func steps(t *testing.T, target *Target, s Setup) (out []string) {
	t.Helper()
	if err := target.Setup(t.Context(), s, func(s esindex.Step) { out = append(out, s.String()) }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// TestDryRun: a dry run says what set-up then does, and changes nothing.
func TestDryRun(t *testing.T) {
	target, node := plain(t, false, nil)
	prefix := target.o.IndexPrefix
	state := func() string {
		var all []any
		for _, path := range []string{prefix + "-*", "_component_template/" + prefix + "-*", "_index_template/" + prefix + "-*"} {
			_, found, err := node.Do(t.Context(), "GET", path, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, found)
		}
		return fmt.Sprint(all)
	}
	same := func(when string, s Setup) {
		t.Helper()
		was := state()
		s.DryRun = true
		said := steps(t, target, s)
		if now := state(); now != was {
			t.Errorf("%s: a dry run changed something:\n%s\n%s", when, was, now)
		}
		s.DryRun = false
		var want []string
		if err := target.Setup(t.Context(), s, func(s esindex.Step) { want = append(want, s.Ahead().String()) }); err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if !slices.Equal(said, want) {
			t.Errorf("%s: said\n%s\nand done was\n%s", when, strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
	}
	same("nothing is there", Setup{Roles: "off"})
	same("all is there", Setup{Roles: "off"})
	if got := steps(t, target, Setup{Roles: "off", DryRun: true}); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "would") }) {
		t.Errorf("all is there: %q", got)
	}
	node.Must(t, "PUT", prefix+"-attackers/_settings", `{"index.refresh_interval":"9s","index.translog.durability":"async"}`)
	node.Must(t, "DELETE", prefix+"-notes", nil)
	node.Must(t, "DELETE", prefix+"-chunks-other", nil)
	same("settings differ, indices are missing", Setup{Roles: "off", Months: 2, Chosen: []esindex.Choice{esindex.RefreshInterval}})
	target, _ = plain(t, false, map[string]string{"index_prefix": prefix, "shards": "2"})
	same("shards differ", Setup{Roles: "off", Months: 2, Chosen: []esindex.Choice{esindex.Shards}})
}

// TestExport: the files, applied by the script that is with them, are a set-up with
// which check finds no fault and to which setup adds nothing.
func TestExport(t *testing.T) {
	_, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl isn't here, by which the script sends the files")
	}
	s := secured(t)
	prefix := newPrefix()
	admin := s.admin(t, prefix)
	dir := filepath.Join(t.TempDir(), "files")
	if err := admin.Export(t.Context(), Setup{Months: monthsAhead}, dir, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	if found := s.node.Must(t, "GET", "_index_template?filter_path=index_templates.name", nil); strings.Contains(fmt.Sprint(found), prefix) {
		t.Fatal("an export changed something")
	}
	if info, err := os.Stat(filepath.Join(dir, prefix+"-attackers-000001.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("who may read the list key: %v, %v", info, err)
	}
	apply := func() string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, applyName), s.link["es_hosts"],
			"--user", s.node.User+":"+s.node.Password, "--cacert", s.link["es_ca_file"], "--cert", s.link["es_client_cert"], "--key", s.link["es_client_key"])
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	apply()
	for _, l := range strings.Split(findings(t, admin, "setup", ""), "\n") {
		if strings.HasPrefix(l, Failure.String()) || strings.HasPrefix(l, Warning.String()) && !strings.Contains(l, "sensors:") {
			t.Error(l)
		}
	}
	for _, l := range steps(t, admin, Setup{Months: monthsAhead}) {
		if !strings.Contains(l, ": kept") {
			t.Error(l)
		}
	}
	key, err := admin.client.ListKey(t.Context(), admin.templates)
	if err != nil {
		t.Fatal(err)
	}
	if out := apply(); strings.Count(out, " is there, and left as it is") < 10 || strings.Contains(out, "PUT "+prefix) {
		t.Errorf("once more:\n%s", out)
	}
	if again, err := admin.client.ListKey(t.Context(), admin.templates); err != nil || again != key {
		t.Errorf("another list key: %v", err)
	}
	if err := admin.Export(t.Context(), Setup{}, dir, func(esindex.Step) {}); err == nil || !strings.Contains(err.Error(), "isn't empty") {
		t.Errorf("into a folder with files: %v", err)
	}
}

// TestApplyLeavesWhatWasMoved: the script makes no second index behind a name whose
// index has another number by now, or none.
func TestApplyLeavesWhatWasMoved(t *testing.T) {
	o, err := options.Parse(func(string) string { return "" }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	target, err := Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(applyName, target.apply([]esindex.Body{{Path: "/_index_template/dossier-attackers"}, {Path: "/dossier-attackers-000001"}, {Path: "/dossier-activity-2026.11"}}))
	// Of what is asked for only the name attackers stand behind is there.
	write("curl", `#!/bin/sh
case "$*" in *"--head "*) case "$*" in */dossier-attackers) exit 0;; esac; exit 22;; esac
`)
	c := exec.CommandContext(t.Context(), "/bin/sh", filepath.Join(dir, applyName), "http://127.0.0.1:9200")
	c.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := c.CombinedOutput()
	if want := "PUT _index_template/dossier-attackers\ndossier-attackers is there, and left as it is\nPUT dossier-activity-2026.11\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}
