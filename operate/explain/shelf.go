package explain

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"dossier/correlate/commit"
)

// shelf keeps documents in memory, by Elasticsearch's rules for sequence
// numbers: a commit.Store for as long as a command runs.
type shelf struct {
	mu   sync.Mutex
	seq  int64
	docs map[commit.Key]document
	err  error
}

type document struct {
	body, state []byte
	seq         int64
}

// Read implements commit.Store.
func (s *shelf) Read(_ context.Context, keys []commit.Key) ([]commit.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]commit.Stored, len(keys))
	for i, k := range keys {
		if d, ok := s.docs[k]; ok {
			out[i] = commit.Stored{Exists: true, State: d.state, Version: commit.Version{SeqNo: d.seq, PrimaryTerm: 1}}
		}
	}
	return out, nil
}

// Write implements commit.Store.
func (s *shelf) Write(_ context.Context, ops []commit.Op) ([]commit.Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]commit.Written, len(ops))
	for i := range ops {
		op := &ops[i]
		d, exists := s.docs[op.Key]
		if op.Kind == commit.Create && exists || op.Kind == commit.Replace && (!exists || op.Version.SeqNo != d.seq) {
			out[i].Status = commit.Conflict
			continue
		}
		var doc struct {
			State string `json:"state"`
		}
		if err := json.Unmarshal(op.Body, &doc); err != nil {
			return nil, fmt.Errorf("the document %s/%s is no JSON: %w", op.Key.Index, op.Key.ID, err)
		}
		state, err := base64.StdEncoding.DecodeString(doc.State)
		if err != nil {
			return nil, fmt.Errorf("the state of %s/%s: %w", op.Key.Index, op.Key.ID, err)
		}
		s.seq++
		s.docs[op.Key] = document{bytes.Clone(op.Body), state, s.seq}
		out[i] = commit.Written{Status: commit.Done, Version: commit.Version{SeqNo: s.seq, PrimaryTerm: 1}}
	}
	return out, nil
}

// Bury implements commit.DeadLetters.
func (s *shelf) Bury(_ context.Context, letters []commit.Letter) error {
	for _, l := range letters {
		s.fail(fmt.Errorf("a part of %s/%s can't be written: %s", l.Part.Key.Index, l.Part.Key.ID, l.Reason))
	}
	return nil
}

func (s *shelf) report(in commit.Incident) {
	if in.Err != nil {
		s.fail(fmt.Errorf("%s: %w", in.Kind, in.Err))
	} else {
		s.fail(fmt.Errorf("%s: %s", in.Kind, in.Reason))
	}
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// failed returns the first thing that went wrong.
func (s *shelf) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// of returns the documents of an index by id.
func (s *shelf) of(index string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]byte{}
	for k, d := range s.docs {
		if k.Index == index {
			out[k.ID] = d.body
		}
	}
	return out
}
