// Package memory is a compare-and-set store in memory with Elasticsearch's
// rules for sequence numbers. The tests of what doesn't depend on a server
// use it: that order and cutting don't show, and how fast the core is. What
// talks to Elasticsearch is tested against Elasticsearch.
package memory

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"dossier/correlate/commit"
)

// Store implements commit.Store and commit.DeadLetters.
type Store struct {
	mu      sync.Mutex
	seq     int64
	docs    map[commit.Key]stored
	letters []commit.Letter
	bytes   int64
}

type stored struct {
	body  []byte
	state []byte
	seq   int64
}

// New returns an empty Store.
func New() *Store { return &Store{docs: map[commit.Key]stored{}} }

// Read implements commit.Store.
func (s *Store) Read(_ context.Context, keys []commit.Key) ([]commit.Stored, error) {
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
func (s *Store) Write(_ context.Context, ops []commit.Op) ([]commit.Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]commit.Written, len(ops))
	for i := range ops {
		w, err := s.write(&ops[i])
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

func (s *Store) write(op *commit.Op) (commit.Written, error) {
	d, exists := s.docs[op.Key]
	switch {
	case op.Kind == commit.Create && exists,
		op.Kind == commit.Replace && (!exists || op.Version.SeqNo != d.seq):
		return commit.Written{Status: commit.Conflict, Reason: "version_conflict_engine_exception"}, nil
	}
	var doc struct {
		State string `json:"state"`
	}
	if err := json.Unmarshal(op.Body, &doc); err != nil {
		return commit.Written{}, fmt.Errorf("%s/%s is no JSON: %w: %.200s", op.Key.Index, op.Key.ID, err, op.Body)
	}
	state, err := base64.StdEncoding.DecodeString(doc.State)
	if err != nil {
		return commit.Written{}, fmt.Errorf("%s/%s: state: %w", op.Key.Index, op.Key.ID, err)
	}
	s.seq++
	s.bytes += int64(len(op.Body))
	s.docs[op.Key] = stored{bytes.Clone(op.Body), state, s.seq}
	return commit.Written{Status: commit.Done, Version: commit.Version{SeqNo: s.seq, PrimaryTerm: 1}}, nil
}

// Bury implements commit.DeadLetters.
func (s *Store) Bury(_ context.Context, letters []commit.Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, letters...)
	return nil
}

// Documents returns the documents of an index by id, as JSON.
func (s *Store) Documents(index string) map[string][]byte {
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

// Indices returns the number of documents by index.
func (s *Store) Indices() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	for k := range s.docs {
		out[k.Index]++
	}
	return out
}

// Letters returns what was buried.
func (s *Store) Letters() []commit.Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]commit.Letter(nil), s.letters...)
}

// Bytes returns how many bytes of documents were written.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}
