package target

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dossier/correlate/commit"
)

// TestNotDurableSaysWhy: what held a chunk back is told, in one line that
// anybody may read and by a word, and not what did so before.
func TestNotDurableSaysWhy(t *testing.T) {
	key := commit.Key{Index: "dossier-attackers", ID: "203.0.113.9"}
	refused := errors.New("elasticsearch: bulk: HTTP 403: security_exception: no\x1b[31m\nprivilege; give the role")
	for _, test := range []struct {
		name        string
		before, now []commit.Incident
		want, class string
	}{
		{
			"a request that failed", nil,
			[]commit.Incident{{Kind: commit.Unreachable, Err: refused, Reason: "x"}},
			"the last chunk is not durable yet: bulk: HTTP 403: security_exception: no [31m privilege; give the role", "failed",
		},
		{
			"a document that was refused", nil,
			[]commit.Incident{{Kind: commit.Unreachable, Key: key, Reason: "es_rejected_execution_exception: queue"}},
			"the last chunk is not durable yet: dossier-attackers: es_rejected_execution_exception: queue", "es_rejected_execution_exception",
		},
		{
			"a newer state", nil,
			[]commit.Incident{{Kind: commit.Newer, Key: key, Err: errors.New("version 9")}},
			"the last chunk is not durable yet: dossier-attackers: a newer version of Dossier wrote this document; it is left alone and its chunks wait in Fluent Bit: version 9", "newer",
		},
		{
			"a panic in the fold", nil,
			[]commit.Incident{{Kind: commit.Panicked, Key: key, Reason: "boom"}},
			"the last chunk is not durable yet: dossier-attackers: panic: this is a defect of Dossier, please report it: boom", "panic",
		},
		{
			"no dead letter", nil,
			[]commit.Incident{{Kind: commit.NotBuried, Key: key, Err: errors.New("disk full")}},
			"the last chunk is not durable yet: dossier-attackers: the dead letters can't be written; the chunk waits in Fluent Bit: disk full", "failed",
		},
		{
			"the last one counts", nil,
			[]commit.Incident{{Kind: commit.Unreachable, Reason: "first"}, {Kind: commit.Full, Key: key, Reason: "512 ids"}},
			"the last chunk is not durable yet: dossier-attackers: a document holds as many unsettled chunks as it may; further ones wait in Fluent Bit: 512 ids", "full",
		},
		{
			"what holds nothing back", nil,
			[]commit.Incident{{Kind: commit.Buried, Reason: "x"}, {Kind: commit.AtRisk}, {Kind: commit.Unreadable, Reason: "corrupt"}, {Kind: commit.EffectLost, Reason: "y"}},
			"the last chunk is not durable yet: Elasticsearch had not answered all of its writes after ", "slow",
		},
		{
			"what was before",
			[]commit.Incident{{Kind: commit.Unreachable, Err: refused}},
			nil,
			"the last chunk is not durable yet: Elasticsearch had not answered all of its writes after ", "slow",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, _ := start(t, new(Pool), nil)
			defer m.Close()
			for _, in := range test.before {
				m.target.report(in)
			}
			for now := time.Now(); !time.Now().After(now); { // the clock goes on
			}
			begun := time.Now()
			for _, in := range test.now {
				m.target.report(in)
			}
			err := m.target.NotDurable(begun)
			if !strings.HasPrefix(err.Error(), test.want) || !errors.Is(err, ErrNotDurable) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), key.ID) {
				t.Errorf("everybody may read it: %v", err)
			}
			if class := Class(err); class != test.class {
				t.Errorf("its class is %q", class)
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
	m, _ := start(t, new(Pool), nil)
	defer m.Close()
	m.target.report(commit.Incident{Kind: commit.Unreachable, Err: errors.New("elasticsearch: bulk: HTTP 403: security_exception"), Reason: "x"})
	for now := time.Now(); !time.Now().After(now); { // the clock goes on
	}
	const want = "the last chunk is not durable yet: bulk: HTTP 403: security_exception"
	if err := m.target.Away(time.Now()); err.Error() != want || !errors.Is(err, ErrNotDurable) {
		t.Errorf("got %v", err)
	}
}
