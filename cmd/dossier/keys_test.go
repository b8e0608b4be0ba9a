package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/plugin/output"
	"dossier/target"
	"dossier/testbed/esnode"
)

// secured is a node with passwords and what leads the command there.
func secured(t *testing.T) (node *esnode.Node, link []string) {
	node = esnode.Require(t, esnode.Options{Password: "correct-horse"})
	// A node that has just started answers before it can search for keys.
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		status, answer, err := node.Do(t.Context(), "POST", "_security/_query/api_key", `{}`)
		if err == nil && status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal(status, answer, err)
		}
	}
	return node, []string{"DOSSIER_ES_HOSTS=" + node.URL, "DOSSIER_ES_USER=" + node.User, "DOSSIER_ES_PASSWORD=" + node.Password}
}

// works says whether a key does.
func works(t *testing.T, node *esnode.Node, key string) bool {
	t.Helper()
	out, errs, status := dossier(t, []string{"DOSSIER_ES_HOSTS=" + node.URL, "DOSSIER_ES_API_KEY=" + key}, "check", "--role", "writer")
	if strings.Contains(out, "FAIL connection: elasticsearch: connect: HTTP 401") {
		return false
	}
	if status > 1 || !strings.Contains(out, "has what the role writer has") {
		t.Errorf("neither works nor is refused: %s%s", out, errs)
	}
	return true
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

var idForm = regexp.MustCompile(`id ([A-Za-z0-9_-]+)`)

// TestKeys: keys are made, listed, rotated under a sensor that runs, and
// revoked, as an operator does it.
func TestKeys(t *testing.T) {
	node, link := secured(t)
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.key"), filepath.Join(dir, "two.key")
	run := func(want int, args ...string) string {
		t.Helper()
		if args[0] == "setup" {
			args = append(args, "--months=1")
		}
		out, errs, status := dossier(t, link, args...)
		if status != want {
			t.Errorf("%q: status %d, want %d\n%s%s", args, status, want, out, errs)
		}
		for _, secret := range []string{"horse", read(t, one)} {
			if secret != "" && strings.Contains(out+errs, secret) {
				t.Errorf("%q: a secret:\n%s%s", args, out, errs)
			}
		}
		if strings.Count(errs, "\n") > 1 {
			t.Errorf("%q: more than one line: %s", args, errs)
		}
		return out + errs
	}
	if err := os.WriteFile(one, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// The index of security comes up a moment after the node.
	node.Must(t, "GET", "_cluster/health/.security-7?wait_for_status=yellow&timeout=60s", nil)
	contains(t, run(0, "keys", "list"), "there are no keys")
	os.Remove(one)
	first := func() {
		out, errs, status := dossier(t, link, "setup", "--key", "writer:one="+one, "--key", "writer="+two, "--key-expires", "20d", "--key-mode", "0640", "--months=1")
		if status != 0 {
			t.Fatalf("%s%s", out, errs)
		}
		contains(t, out, "API key "+one+": created, dossier-writer-one, role writer, id ", "it expires on "+time.Now().UTC().AddDate(0, 0, 20).Format(time.DateOnly))
		if !regexp.MustCompile(`API key ` + regexp.QuoteMeta(two) + `: created, dossier-writer-[A-Za-z0-9._-]+-two, role writer`).MatchString(out) {
			t.Errorf("no name of its own:\n%s", out)
		}
	}
	first()
	mode := func(file, want string) {
		t.Helper()
		info, err := os.Stat(file)
		if err != nil || fmt.Sprintf("%04o", info.Mode().Perm()) != want {
			t.Errorf("%s: mode %v, %v, want %s", file, info.Mode(), err, want)
		}
	}
	mode(one, "0640")

	list := run(1, "keys", "list")
	contains(t, list, "WARN key dossier-writer-one: role writer, id ", "made "+time.Now().UTC().Format(time.DateOnly)+" by elastic, expires in 19 days", "keys rotate FILE", "may: read documents by their id and write them")
	if strings.Count(list, "key dossier-") != 2 {
		t.Errorf("not two keys:\n%s", list)
	}
	// A key that is there gets the expiry it is given, and its mode.
	contains(t, run(0, "setup", "--key", "writer="+one, "--key-expires", "400d", "--key-mode", "600"),
		"API key "+one+": key kept, id ", "it now expires on "+time.Now().UTC().AddDate(0, 0, 400).Format(time.DateOnly), "mode 0600")
	mode(one, "0600")
	contains(t, run(1, "keys", "list", "--privileges"), "ok   key dossier-writer-one:", "expires on "+time.Now().UTC().AddDate(0, 0, 400).Format(time.DateOnly),
		"dossier-activity-????.??, dossier-activity-other")
	contains(t, run(1, "setup", "--key", "writer="+one, "--key-expires", "forever"), "can't be made to live for ever", "keys rotate")
	contains(t, run(0, "setup", "--key", "writer="+one), ": kept, id ")
	contains(t, run(1, "setup", "--key", "reader="+one), "holds a key with the role writer of the prefix dossier: give another file")

	// Rotated under a sensor that goes on writing.
	if os.Getuid() == 0 {
		if err := os.Chown(one, 12345, 23456); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(one, 0o640); err != nil {
		t.Fatal(err)
	}
	o := map[string]string{"es_hosts": node.URL, "es_api_key_file": one, "manage_templates": "off", "dead_letter_path": t.TempDir(), "sensor_id": "s"}
	parsed, err := options.Parse(func(key string) string { return o[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	sensor, err := output.New(parsed, output.Host{Version: "test", Logger: slog.New(slog.DiscardHandler), Targets: new(target.Pool)})
	if err != nil {
		t.Fatal(err)
	}
	defer sensor.Close()
	n := 0
	flush := func() output.Code {
		n++
		line := fmt.Sprintf(`{"eventid":"cowrie.login.failed","username":"root","password":"x%d","message":"m","sensor":"d1","src_ip":"203.0.113.9","session":"a","protocol":"ssh","timestamp":%q}`,
			n, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"))
		return sensor.Flush("cowrie", chunktest.Lines(time.Now(), "log", line), true)
	}
	eventually := func(what string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); flush() != output.OK; {
			if time.Now().After(end) {
				t.Fatalf("the sensor does not write: %s", what)
			}
		}
	}
	eventually("before")
	old, second := read(t, one), read(t, two)
	rotated := run(0, "keys", "rotate", one)
	contains(t, rotated, "API key dossier-writer-one: created, role writer, id ", "expires on "+time.Now().UTC().AddDate(0, 0, 400).Format(time.DateOnly),
		"file "+one+": holds the new key, which works; mode 0640", ": revoked")
	mode(one, "0640")
	if info, _ := os.Stat(one); os.Getuid() == 0 {
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 23456 {
			t.Errorf("the file is of %d:%d now", st.Uid, st.Gid)
		}
	}
	if read(t, one) == old || works(t, node, old) || !works(t, node, read(t, one)) {
		t.Error("the new key must be in the file and work, the old one not")
	}
	if !works(t, node, second) || read(t, two) != second {
		t.Error("rotating one key touched another")
	}
	eventually("after the rotation")
	contains(t, run(1, "keys", "list"), "note key dossier-writer-one:", ", revoked on "+time.Now().UTC().Format(time.DateOnly))

	// The old one works on for a while; a link stays a link.
	name := filepath.Join(dir, "link.key")
	if err := os.Symlink(one, name); err != nil {
		t.Fatal(err)
	}
	old = read(t, one)
	kept := run(0, "keys", "rotate", name, "--keep-old", "1h", "--key-expires", "forever")
	if contains(t, kept, ": works until "); !works(t, node, old) || !works(t, node, read(t, one)) {
		t.Error("both keys must work for the time being")
	}
	if target, err := os.Readlink(name); err != nil || target != one {
		t.Errorf("the link: %s, %v", target, err)
	}
	contains(t, run(1, "keys", "list"), "ok   key dossier-writer-one: ", ", never expires", "note key dossier-writer-one: ", "replaced by id ")
	contains(t, run(1, "keys", "revoke", "dossier-writer-one"), "2 keys have the name dossier-writer-one: give the id of one, or --all")

	// Revoked by id and by name, and renewed from a file whose key is gone.
	ids := idForm.FindStringSubmatch(kept)
	if ids == nil {
		t.FailNow()
	}
	contains(t, run(0, "keys", "revoke", ids[1]), "dossier-writer-one, id "+ids[1]+": revoked")
	if works(t, node, read(t, one)) {
		t.Error("a revoked key works")
	}
	if code := flush(); code != output.Retry {
		t.Errorf("with a revoked key a chunk is not given back: %v", code)
	}
	contains(t, run(1, "setup", "--key", "writer="+one), "no key that works here: dossier keys rotate "+one)
	contains(t, run(0, "keys", "rotate", one), ": did not work any more")
	eventually("after its key was revoked and renewed")
	contains(t, run(0, "keys", "revoke", "--all", "dossier-writer-one"), ": revoked")
	contains(t, run(0, "keys", "revoke", "dossier-writer-one"), "was revoked before")

	// What is in the way.
	contains(t, run(1, "keys", "revoke", "elastic"), `no key with the name or id "elastic"`)
	contains(t, run(1, "keys", "rotate", filepath.Join(dir, "none")), "no such file", "setup --key ROLE=FILE")
	for content, want := range map[string]string{"": "holds no API key", "YTpi": "has no key of the id a", "a b": "holds no API key", strings.Repeat("x", 10<<10): "no file of a key"} {
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		contains(t, run(1, "keys", "rotate", bad), want)
	}
	foreign := node.Must(t, "POST", "_security/api_key?refresh=true", map[string]any{"name": "else"})
	if err := os.WriteFile(two, []byte(foreign["encoded"].(string)), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, run(1, "keys", "rotate", two), "was not made by dossier setup --key")
	if err := os.WriteFile(two, []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, run(1, "keys", "rotate", two, "--index-prefix", "elsewhere"), "its key is of the index_prefix dossier, this is elsewhere")
	contains(t, run(1, "keys", "rotate", two, "--keep-old", "-1s"), "keep-old: got")
	contains(t, run(1, "keys", "rotate", two, "--key-owner", "nobody-of-that-name"), "key-owner: got", "there is no user")
	contains(t, run(1, "keys", "rotate", two, "--key-mode", "0644"), "key-mode: got")
	if !works(t, node, second) || read(t, two) != second {
		t.Error("a rotation that failed changed something")
	}
	// A key can't make a key, and nothing is left behind.
	out, errs, status := dossier(t, []string{"DOSSIER_ES_HOSTS=" + node.URL, "DOSSIER_ES_API_KEY_FILE=" + two}, "keys", "rotate", two)
	if status != 1 || strings.Count(errs, "\n") != 1 {
		t.Errorf("rotated by itself: %s%s", out, errs)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".dossier-key-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	for text := range strings.SplitSeq(strings.TrimSpace(run(1, "keys", "list", "--json")), "\n") {
		var k struct {
			Level string
			Key   struct{ Name, ID, Role string }
		}
		if err := json.Unmarshal([]byte(text), &k); err != nil || k.Level == "" || k.Key.ID == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestKeysWithoutSecurity: one line that says why there are none.
func TestKeysWithoutSecurity(t *testing.T) {
	node := esnode.Shared(t)
	for _, args := range [][]string{{"keys", "list"}, {"keys", "revoke", "x"}, {"keys", "rotate", "/x"}} {
		out, errs, status := dossier(t, nil, append(args, "--es-hosts", node.URL)...)
		if status != 1 || out != "" || !strings.Contains(errs, "no security, so no API keys") {
			t.Errorf("%q: status %d, %s%s", args, status, out, errs)
		}
	}
}
