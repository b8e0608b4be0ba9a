package instance

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/plugin/chunk/chunktest"
)

// TestGivenBackSaysWhy: health, and so /readyz, and the line about a chunk
// that is given back say what held it back, and not what did so before.
func TestGivenBackSaysWhy(t *testing.T) {
	key := commit.Key{Index: "dossier-attackers", ID: "203.0.113.9"}
	refused := errors.New("elasticsearch: bulk: HTTP 403: security_exception: no\x1b[31m\nprivilege; give the role")
	for _, test := range []struct {
		name         string
		before, now  []commit.Incident
		want, reason string
	}{
		{"a request that failed", nil, []commit.Incident{{Kind: commit.Unreachable, Err: refused, Reason: "x"}},
			"the last chunk is not durable yet: bulk: HTTP 403: security_exception: no [31m privilege; give the role", "reason=failed"},
		{"a document that was refused", nil, []commit.Incident{{Kind: commit.Unreachable, Key: key, Reason: "es_rejected_execution_exception: queue"}},
			"the last chunk is not durable yet: dossier-attackers: es_rejected_execution_exception: queue", "reason=es_rejected_execution_exception"},
		{"a newer state", nil, []commit.Incident{{Kind: commit.Newer, Key: key, Err: errors.New("version 9")}},
			"the last chunk is not durable yet: dossier-attackers: a newer version of Dossier wrote this document; it is left alone and its chunks wait in Fluent Bit: version 9", "reason=newer"},
		{"a panic in the fold", nil, []commit.Incident{{Kind: commit.Panicked, Key: key, Reason: "boom"}},
			"the last chunk is not durable yet: dossier-attackers: panic: this is a defect of Dossier, please report it: boom", "reason="},
		{"no dead letter", nil, []commit.Incident{{Kind: commit.NotBuried, Key: key, Err: errors.New("disk full")}},
			"the last chunk is not durable yet: dossier-attackers: the dead letters can't be written; the chunk waits in Fluent Bit: disk full", "reason=failed"},
		{"the last one counts", nil, []commit.Incident{{Kind: commit.Unreachable, Reason: "first"}, {Kind: commit.Full, Key: key, Reason: "512 ids"}},
			"the last chunk is not durable yet: dossier-attackers: a document holds as many unsettled chunks as it may; further ones wait in Fluent Bit: 512 ids", "reason=full"},
		{"what holds nothing back", nil, []commit.Incident{{Kind: commit.Buried, Reason: "x"}, {Kind: commit.AtRisk}, {Kind: commit.Unreadable, Reason: "corrupt"}, {Kind: commit.EffectLost, Reason: "y"}},
			"the last chunk is not durable yet: Elasticsearch had not answered all of its writes after ", "reason=slow"},
		{"what was before", []commit.Incident{{Kind: commit.Unreachable, Err: refused}}, nil,
			"the last chunk is not durable yet: Elasticsearch had not answered all of its writes after ", "reason=slow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, log := start(t, new(Targets), nil)
			defer i.Close()
			ready(i)
			for _, in := range test.before {
				i.target.report(in)
			}
			for now := time.Now(); !time.Now().After(now); { // the clock goes on
			}
			i.engine = &fakeEngine{flush: func() (correlate.Result, error) {
				for _, in := range test.now {
					i.target.report(in)
				}
				return correlate.Retry, nil
			}}
			if code := i.Flush("a", nil, true); code != Retry {
				t.Fatal(code)
			}
			err := i.Health()
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || !errors.Is(err, errNotDurable) {
				t.Errorf("health: %v", err)
			}
			if strings.Contains(err.Error(), key.ID) {
				t.Errorf("everybody may read it: %v", err)
			}
			given := ""
			for _, l := range strings.Split(log.String(), "\n") {
				if strings.Contains(l, "a chunk is given back to Fluent Bit for a retry") {
					given = l
				}
			}
			if !strings.Contains(given, test.reason) || !strings.Contains(given, "not durable yet: ") {
				t.Errorf("the log: %q", given)
			}
			i.engine = &fakeEngine{flush: func() (correlate.Result, error) { return correlate.OK, nil }}
			if i.Flush("a", nil, true); i.Health() != nil {
				t.Errorf("health after one that is done: %v", i.Health())
			}
		})
	}
	if text := causeText(commit.Incident{Kind: commit.Unreachable, Reason: strings.Repeat("ä", maxCause)}); len(text) > maxCause+len("…") {
		t.Errorf("%d bytes", len(text))
	}
}

// TestAwaySaysWhy: while nothing is tried, what was met last is the cause, however
// long ago.
func TestAwaySaysWhy(t *testing.T) {
	i, log := start(t, new(Targets), nil)
	defer i.Close()
	ready(i)
	i.target.report(commit.Incident{Kind: commit.Unreachable, Err: errors.New("elasticsearch: bulk: HTTP 403: security_exception"), Reason: "x"})
	for now := time.Now(); !time.Now().After(now); { // the clock goes on
	}
	i.engine = &fakeEngine{flush: func() (correlate.Result, error) { return correlate.Retry, commit.ErrAway }}
	if code := i.Flush("a", nil, true); code != Retry {
		t.Fatal(code)
	}
	const want = "the last chunk is not durable yet: bulk: HTTP 403: security_exception"
	if err := i.Health(); err == nil || err.Error() != want {
		t.Errorf("health: %v", err)
	}
	if !strings.Contains(log.String(), want) {
		t.Errorf("the log: %s", log)
	}
}

// TestGivenBackSaysWhyOfARealEngine: what the engine itself says of such a chunk
// is no cause.
func TestGivenBackSaysWhyOfARealEngine(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.Header().Set("Content-Type", "application/json")
		if path.Base(r.URL.Path) == "_mget" {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"error":{"type":"security_exception","reason":"no privilege"},"status":403}`)
			return
		}
		io.WriteString(w, `{}`)
	}))
	defer srv.Close()
	i, log := start(t, new(Targets), map[string]string{"es_hosts": srv.URL, "commit_timeout": "1s", "manage_templates": "off"})
	defer i.Close()
	ready(i)
	line := `<134>1 2026-01-02T03:04:05.000001+00:00 web-1 http - request [relay@55555 src_ip="203.0.113.9" path="/"]`
	if code := i.Flush("a", chunktest.Lines(time.Now(), "log", line), true); code != Retry {
		t.Fatal(code)
	}
	if err := i.Health(); !errors.Is(err, errNotDurable) || !strings.Contains(err.Error(), "no privilege") {
		t.Errorf("health: %v", err)
	}
	if text := log.String(); !strings.Contains(text, `msg="a chunk is given back to Fluent Bit for a retry" reason="read 403 security_exception"`) {
		t.Errorf("the log says %s", text)
	}
}
