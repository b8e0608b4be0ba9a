package operate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/host"
)

// sensor is the plugin in a host, with nothing but what a sensor has: TLS, a
// client certificate, and a key of the role writer.
type sensor struct {
	*host.Host
	t       *testing.T
	letters string
	sent    int
}

func (s *site) sensor(t *testing.T, prefix string, more map[string]string) *sensor {
	t.Helper()
	p := map[string]string{
		"es_hosts": s.link["es_hosts"], "es_ca_file": s.link["es_ca_file"], "es_client_cert": s.link["es_client_cert"], "es_client_key": s.link["es_client_key"],
		"manage_templates": "off", "index_prefix": prefix, "sensor_id": "s1", "dead_letter_path": filepath.Join(t.TempDir(), "letters"),
		"commit_timeout": "4s", "activity": "off",
	}
	maps.Copy(p, more)
	return &sensor{Host: e2e.StartHost(t, host.Options{Workers: 2, Properties: p}), t: t, letters: p["dead_letter_path"]}
}

// chunkOf returns chunk n of the test: of other tests' the ledger may know.
func chunkOf(t *testing.T, n int) (tag string, data []byte) {
	line := fmt.Sprintf(`<134>1 2026-01-02T03:04:05.%06d+00:00 web-1 http - request [relay@55555 src_ip="203.0.113.77" path="/%d"]`, n, n)
	return fmt.Sprint(t.Name(), n), chunktest.Lines(e2e.RecordTime, "log", line)
}

// flush sends chunk n once.
func (s *sensor) flush(n int) host.Code {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	tag, data := chunkOf(s.t, n)
	code, err := s.Flush(ctx, tag, data)
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

// deliver sends it until it is taken, as Fluent Bit does.
func (s *sensor) deliver(n int) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		switch code := s.flush(n); {
		case code == host.OK:
			s.sent++
			return
		case code == host.Error || time.Now().After(end):
			s.t.Fatalf("chunk %d: %v", n, code)
		}
	}
}

// refused wants chunk n to come back for what a line of the log says.
func (s *sensor) refused(n int, line string) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		code := s.flush(n)
		if code == host.Retry {
			break
		}
		// A node caches what a key may for a moment.
		if n++; code == host.Error || time.Now().After(end) {
			s.t.Fatalf("chunk %d: %v", n, code)
		}
		s.sent++
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.WaitLog(ctx, line); err != nil {
		s.t.Errorf("%v: no %q in the log", err, line)
	}
}

// exact wants every chunk to count once and nothing to be dead-lettered.
func (s *sensor) exact(site *site, prefix string) {
	s.t.Helper()
	doc := site.node.Must(s.t, "GET", prefix+"-attackers/_doc/203.0.113.77", nil)
	if n := doc["_source"].(map[string]any)["event_count"]; n != float64(s.sent) {
		s.t.Errorf("event_count %v, want %d", n, s.sent)
	}
	if files, _ := filepath.Glob(filepath.Join(s.letters, "*.jsonl*")); len(files) > 0 {
		s.t.Errorf("dead letters: %q", files)
	}
	for _, l := range s.Log() {
		if strings.Contains(l, "horse") || strings.Contains(l, "secret") {
			s.t.Errorf("the log shows a secret: %s", l)
		}
	}
}

// forget deletes what another test wrote of the sensor's attacker.
func (s *site) forget(t *testing.T, prefix string) {
	t.Helper()
	if code, _, err := s.node.Do(t.Context(), "DELETE", prefix+"-attackers/_doc/203.0.113.77", nil); err != nil || code != 200 && code != 404 {
		t.Fatal(code, err)
	}
}

// TestKeyRevokedInMidRun: a key that is invalidated costs no chunk; the one
// that is put into its place, in the same file and with Fluent Bit running,
// brings all of them back.
func TestKeyRevokedInMidRun(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUp(t)
	s.forget(t, prefix)
	dir := t.TempDir()
	file := filepath.Join(dir, "sensor.key")
	create := func() (id string) {
		made := s.node.Must(t, "POST", "_security/api_key?refresh=true", map[string]any{"name": "revoked", "role_descriptors": map[string]any{"r": get(t, "writer", prefix)}})
		// Renamed into place, as who cares for files does.
		if err := os.WriteFile(file+".new", []byte(made["encoded"].(string)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		return made["id"].(string)
	}
	id := create()
	h := s.sensor(t, prefix, map[string]string{"es_api_key_file": file})
	for n := range 3 {
		h.deliver(n)
	}
	s.node.Must(t, "DELETE", "_security/api_key", map[string]any{"ids": []string{id}})
	h.refused(1000, "HTTP 401")
	create()
	time.Sleep(1100 * time.Millisecond) // the client looks at the file once a second
	for n := range 3 {
		h.deliver(2000 + n)
	}
	h.exact(s, prefix)
}

// TestRoleChangedInMidRun: a privilege that is taken away costs no chunk
// either, and none counts twice when it is back.
func TestRoleChangedInMidRun(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUp(t)
	s.forget(t, prefix)
	role := get(t, "writer", prefix)
	user := prefix + "-sensor"
	s.node.Must(t, "PUT", "_security/role/"+user, role)
	s.node.Must(t, "PUT", "_security/user/"+user, map[string]any{"password": "correct-horse-2", "roles": []string{user}})
	h := s.sensor(t, prefix, map[string]string{"es_user": user, "es_password": "correct-horse-2"})
	for n := range 3 {
		h.deliver(n)
	}
	for i, p := range []string{"indices:data/write/bulk*", "indices:data/read/mget*"} {
		s.node.Must(t, "PUT", "_security/role/"+user, without(role)[p+" on "+strings.Join(role.Indices[0].Names, ",")])
		if strings.Contains(p, "read") {
			// What is in the cache is written without a read.
			other := s.sensor(t, prefix, map[string]string{"es_user": user, "es_password": "correct-horse-2"})
			other.refused(1000*(i+1), "security_exception")
			if err := other.Exit(t.Context()); err != nil {
				t.Error(err)
			}
			h.sent += other.sent
		} else {
			h.refused(1000*(i+1), "security_exception")
		}
		s.node.Must(t, "PUT", "_security/role/"+user, role)
		for n := range 3 {
			h.deliver(10000*(i+1) + n)
		}
		h.exact(s, prefix)
	}
}

// TestVerificationOff: said at each start, and only there is it off.
func TestVerificationOff(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUp(t)
	s.forget(t, prefix)
	for setting, want := range map[string]string{
		"off": "es_tls_verify",
		"on":  "es_ca_file",
	} {
		h := s.sensor(t, prefix, map[string]string{"es_ca_file": "", "es_tls_verify": setting, "es_api_key_file": s.writerKey()})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if line, err := h.WaitLog(ctx, want); err != nil || setting == "off" && !strings.Contains(line, "[ warn]") {
			t.Errorf("es_tls_verify %s: %v, %s", setting, err, line)
		}
		cancel()
		if setting == "off" {
			h.deliver(1)
		} else if code := h.flush(2); code != host.Retry {
			t.Errorf("a certificate that nobody vouches for: %v", code)
		}
		if err := h.Exit(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
