package commit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// elastic is a model of Elasticsearch as the protocol sees it: documents under
// compare-and-set in indices of one shard each. A write is first on the
// primary, where every read sees it, and durable once it is replicated; a
// failover takes back what is not, and may give its sequence numbers out
// again in the next primary term.
type elastic struct {
	shards map[string]*shard
	// reject says whether a document is refused for good.
	reject func(op *Op) bool
	// excused holds the documents that were refused as existing while they
	// were not durable.
	excused map[Key]bool
}

type shard struct {
	seq, term int64
	docs      map[string]*stored
}

type stored struct {
	current, durable *revision
	pending          []*revision // on the primary only
}

type revision struct {
	body    []byte
	version Version
	undone  bool
}

func newElastic() *elastic {
	return &elastic{shards: map[string]*shard{}, reject: func(*Op) bool { return false }, excused: map[Key]bool{}}
}

func (e *elastic) shard(index string) *shard {
	s := e.shards[index]
	if s == nil {
		s = &shard{term: 1, docs: map[string]*stored{}}
		e.shards[index] = s
	}
	return s
}

// read returns what the primary has, durable or not.
func (e *elastic) read(k Key) Stored {
	d := e.shard(k.Index).docs[k.ID]
	if d == nil || d.current == nil {
		return Stored{}
	}
	return Stored{Exists: true, State: stateOf(d.current.body), Version: d.current.version}
}

// durable returns the body that survives a failover, nil where there is none.
func (e *elastic) durable(k Key) []byte {
	if d := e.shard(k.Index).docs[k.ID]; d != nil && d.durable != nil {
		return d.durable.body
	}
	return nil
}

// apply carries out op on the primary. With Done the revision is to be
// replicated.
func (e *elastic) apply(op *Op) (*revision, Written) {
	if e.reject(op) {
		return nil, Written{Status: Rejected, Reason: "document_parsing_exception"}
	}
	s := e.shard(op.Key.Index)
	d := s.docs[op.Key.ID]
	if d == nil {
		d = &stored{}
		s.docs[op.Key.ID] = d
	}
	switch {
	case op.Kind == Create && d.current != nil:
		if d.current != d.durable {
			e.excused[op.Key] = true
		}
		return nil, Written{Status: Conflict, Reason: "version_conflict_engine_exception"}
	case op.Kind == Replace && (d.current == nil || d.current.version != op.Version):
		return nil, Written{Status: Conflict, Reason: "version_conflict_engine_exception"}
	}
	s.seq++
	r := &revision{body: bytes.Clone(op.Body), version: Version{SeqNo: s.seq, PrimaryTerm: s.term}}
	d.current = r
	d.pending = append(d.pending, r)
	return r, Written{Status: Done, Version: r.version}
}

// replicate makes r durable. It returns false where a failover came first.
func (e *elastic) replicate(k Key, r *revision) bool {
	if r.undone {
		return false
	}
	d := e.shard(k.Index).docs[k.ID]
	for len(d.pending) > 0 && d.pending[0].version.SeqNo <= r.version.SeqNo {
		d.durable = d.pending[0]
		d.pending = d.pending[1:]
	}
	return true
}

// failover takes back what is not durable, but for what keeps says survived.
func (e *elastic) failover(index string, keeps func(id string) bool) {
	s := e.shard(index)
	s.term++
	s.seq = 0
	for _, id := range slices.Sorted(maps.Keys(s.docs)) {
		d := s.docs[id]
		if len(d.pending) > 0 && keeps(id) {
			d.durable = d.current
			d.pending = nil
		}
		for _, r := range d.pending {
			r.undone = true
		}
		d.current, d.pending = d.durable, nil
		if d.durable != nil {
			s.seq = max(s.seq, d.durable.version.SeqNo)
		}
	}
}

// write carries out op and replicates it at once.
func (e *elastic) write(op *Op) Written {
	r, w := e.apply(op)
	if r != nil {
		e.replicate(op.Key, r)
	}
	return w
}

// serve answers a request as a healthy cluster does. Letters go nowhere.
func (e *elastic) serve(r *Request) (a Answer) {
	for _, k := range r.Keys {
		a.Stored = append(a.Stored, e.read(k))
	}
	for i := range r.Ops {
		a.Written = append(a.Written, e.write(&r.Ops[i]))
	}
	return a
}

// stateOf returns the state in a body: of tally's documents all but the first
// byte, of markers what is under that name.
func stateOf(body []byte) []byte {
	if body[0] != '{' {
		return body[1:]
	}
	var doc struct{ State string }
	if err := json.Unmarshal(body, &doc); err != nil {
		panic(fmt.Sprintf("%s: %v", body, err))
	}
	state, err := base64.StdEncoding.DecodeString(doc.State)
	if err != nil {
		panic(err)
	}
	return state
}

// sent returns the operations as they are on the wire: the memory of their
// bodies is used again once the request is answered.
func sent(ops []Op) []Op {
	out := slices.Clone(ops)
	for i := range out {
		out[i].Body = bytes.Clone(out[i].Body)
	}
	return out
}

// unreplicated says whether something in the index is on the primary only.
func (e *elastic) unreplicated(index string) bool {
	for _, d := range e.shard(index).docs {
		if len(d.pending) > 0 {
			return true
		}
	}
	return false
}

// settle replicates all that is on the primary.
func (e *elastic) settle(index string) {
	for id, d := range e.shard(index).docs {
		if len(d.pending) > 0 {
			e.replicate(Key{index, id}, d.pending[len(d.pending)-1])
		}
	}
}

// move brings the documents into another index under the same name. A split
// keeps their tokens; a reindex counts anew, in the order of their ids.
func (e *elastic) move(index string, how movement) {
	e.settle(index)
	if how != reindexed {
		return
	}
	s := e.shard(index)
	s.seq, s.term = 0, 1
	for _, id := range slices.Sorted(maps.Keys(s.docs)) {
		d := s.docs[id]
		if d.current == nil {
			continue
		}
		s.seq++
		d.current = &revision{body: d.current.body, version: Version{SeqNo: s.seq, PrimaryTerm: s.term}}
		d.durable = d.current
	}
}
