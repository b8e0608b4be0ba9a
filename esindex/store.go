package esindex

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"dossier/correlate/commit"
	"dossier/panics"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// maxID is the longest _id that Elasticsearch takes, in bytes. A longer one
// would fail the whole request.
const maxID = 512

// Store reads and writes documents. It implements commit.Store and is safe
// for concurrent use.
//
// A key may name the index of a month that doesn't exist. Its document is then
// in the index for others of that kind; the key stays the same, and the Version
// says where it was found.
type Store struct {
	c     *Client
	guard *guard
	homes *homes
	// room is how many bytes a _bulk request may have. It shrinks when
	// Elasticsearch or a proxy says that one was too large.
	room    atomic.Int64
	onPanic func(*panics.Panic)
}

// OnPanic has f told of panics while operations are sent; their outcome is
// unknown then. It is called before the Store is used.
func (s *Store) OnPanic(f func(*panics.Panic)) { s.onPanic = f }

// NewStore returns the store for the indices that the templates are for. A
// write to any other is refused.
func NewStore(c *Client, templates []Template) (*Store, error) {
	g, err := newGuard(c, templates)
	if err != nil {
		return nil, err
	}
	s := &Store{c: c, guard: g}
	s.homes = newHomes(s)
	s.room.Store(int64(c.o.MaxBulkBytes))
	return s, nil
}

// scratch is what one call needs and the next can use again.
type scratch struct {
	body  []byte
	at    []int32
	lexer lexer
	item  item
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// keptBody is the largest body whose memory is kept for the next request.
const keptBody = 2 * DefaultMaxBulkBytes

func (sc *scratch) release() {
	if cap(sc.body) > keptBody {
		sc.body = nil
	}
	sc.lexer.r = nil
	scratches.Put(sc)
}

// Read returns the states of the documents. A document whose index doesn't
// exist does not exist. An error says that nothing could be read.
func (s *Store) Read(ctx context.Context, keys []commit.Key) ([]commit.Stored, error) {
	for last := false; ; last = true {
		asked, also := s.homes.ask(keys)
		out := make([]commit.Stored, len(asked))
		missing, err := s.readAll(ctx, asked, out)
		if err != nil {
			return nil, err
		}
		if s.homes.left(keys, missing) && !last {
			continue
		}
		s.homes.found(keys, asked, out, also)
		out = out[:len(keys)]
		s.guard.doubt(ctx, keys, out)
		return out, nil
	}
}

// readAll reads documents where the keys say, and returns the positions of
// those whose index is missing.
func (s *Store) readAll(ctx context.Context, keys []commit.Key, out []commit.Stored) (missing []int, err error) {
	sc := scratches.Get().(*scratch)
	defer sc.release()
	for from := 0; from < len(keys); {
		to := min(from+s.c.o.MaxBulkDocs, len(keys))
		gone, err := s.read(ctx, sc, keys[from:to], out[from:to])
		if err != nil {
			return nil, err
		}
		for _, i := range gone {
			missing = append(missing, from+int(i))
			s.guard.forget(keys[from+int(i)].Index)
		}
		from = to
	}
	return missing, nil
}

func (s *Store) read(ctx context.Context, sc *scratch, keys []commit.Key, out []commit.Stored) (missing []int32, err error) {
	sc.at = sc.at[:0]
	sc.body = append(sc.body[:0], `{"docs":[`...)
	for i, k := range keys {
		if !isID(k.ID) {
			continue // can't exist
		}
		if len(sc.at) > 0 {
			sc.body = append(sc.body, ',')
		}
		sc.at = append(sc.at, int32(i))
		sc.body = append(sc.body, `{"_index":`...)
		sc.body = appendString(sc.body, k.Index)
		sc.body = append(sc.body, `,"_id":`...)
		sc.body = appendString(sc.body, k.ID)
		sc.body = append(sc.body, '}')
	}
	if len(sc.at) == 0 {
		return nil, nil
	}
	sc.body = append(sc.body, "]}"...)
	const op = "read"
	res, err := s.c.do(ctx, op, esapi.MgetRequest{Body: &payload{sc.body}, SourceIncludes: []string{"state"}, FilterPath: readFilter})
	if err != nil {
		return nil, err
	}
	defer finish(res.Body)
	if res.StatusCode > 299 {
		return nil, s.c.wire.secret.explain(readStatusError(op, res))
	}
	sc.lexer.reset(res.Body, maxState)
	if missing, err = sc.readAnswer(out); err != nil {
		return nil, s.unreadable(ctx, op, res, err)
	}
	return missing, nil
}

// atOnce is how many _bulk requests of one Write are under way at a time.
// Elasticsearch indexes into a shard in one thread; the second request is for
// another shard, or on its way meanwhile.
const atOnce = 2

// Write carries out the operations. It cuts them into requests of bounded
// size. When one fails as a whole, its operations and those not yet sent are
// Unknown; where none was answered that is an error.
func (s *Store) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	out := make([]commit.Written, len(ops))
	sc := scratches.Get().(*scratch)
	defer sc.release()
	keyed := ops
	ops, err := s.admit(ctx, sc, ops, out)
	if err != nil {
		return nil, err
	}
	b := batches{s: s, ctx: ctx, ops: ops, out: out, pending: sc.at, answered: len(sc.at) < len(ops)}
	var group sync.WaitGroup
	for range min(atOnce, b.least()) - 1 {
		group.Go(func() {
			sc := scratches.Get().(*scratch)
			defer sc.release()
			b.send(sc)
		})
	}
	b.send(sc)
	group.Wait()
	if b.failed != nil {
		if !b.answered {
			return nil, b.failed
		}
		b.unknown(b.pending)
	}
	s.guard.watch(ops, out)
	for i := range out {
		if at := ops[i].Key.Index; at != keyed[i].Key.Index && out[i].Status == commit.Done {
			out[i].Version.Index = at
		}
	}
	return out, nil
}

// batches is the requests of one Write.
type batches struct {
	s   *Store
	ctx context.Context
	ops []commit.Op
	out []commit.Written

	mu       sync.Mutex
	pending  []int32 // not yet sent
	answered bool    // something is
	failed   error   // the first failure
}

// least is how many requests it will be, at least.
func (b *batches) least() int {
	if n := len(b.s.cut(b.ops, b.pending)); n < len(b.pending) {
		return len(b.pending)/n + 1
	}
	return 1
}

// send sends requests until all are sent or one has failed.
func (b *batches) send(sc *scratch) {
	defer panics.Catch("write", b.panicked)
	for batch := b.next(); len(batch) > 0; batch = b.next() {
		b.ended(batch, b.sendOne(sc, batch))
	}
}

// ended keeps how a request ended.
func (b *batches) ended(batch []int32, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.answered = true
		return
	}
	b.failed = cmp.Or(b.failed, err)
	b.unknown(batch)
}

// panicked ends the write where what is around its requests panics. What that
// was sending is unknown then, as are those not sent.
func (b *batches) panicked(p *panics.Panic) {
	b.ended(nil, fmt.Errorf("esindex: %w", p))
	b.s.panicked(p)
}

func (s *Store) panicked(p *panics.Panic) {
	if s.onPanic != nil {
		s.onPanic(p)
	}
}

func (b *batches) next() []int32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return nil
	}
	batch := b.s.cut(b.ops, b.pending)
	b.pending = b.pending[len(batch):]
	return batch
}

// sendOne makes an error of a panic, which would else end the process: nobody
// else looks after this goroutine.
func (b *batches) sendOne(sc *scratch, batch []int32) (err error) {
	defer panics.Catch("write", func(p *panics.Panic) {
		err = fmt.Errorf("esindex: %w", p)
		for _, i := range batch { // the answer was not read to its end
			b.out[i] = commit.Written{}
		}
		b.s.panicked(p)
	})
	return b.s.bulk(b.ctx, sc, b.ops, batch, b.out)
}

// unknown says why operations have no answer.
func (b *batches) unknown(at []int32) {
	reason := b.failed.Error()
	for _, i := range at {
		if b.out[i].Status == commit.Unknown && b.out[i].Reason == "" {
			b.out[i].Reason = reason
		}
	}
}

// admit leaves in sc.at what may be sent, and answers the rest. It returns the
// operations as they are sent: where a document is elsewhere than its key says,
// with that place. An error says that an index could not be looked at, and
// nothing else was refused.
func (s *Store) admit(ctx context.Context, sc *scratch, ops []commit.Op, out []commit.Written) ([]commit.Op, error) {
	sc.at = sc.at[:0]
	var failed error
	keyed := ops
	w := way{s: s, ctx: ctx, to: make(map[wish]goal, 8)}
	for i := range ops {
		op := &ops[i]
		if reason := malformed(op); reason != "" {
			out[i] = commit.Written{Status: commit.Rejected, Reason: reason}
			continue
		}
		if op.Kind == commit.Replace && (op.Version.SeqNo < 0 || op.Version.PrimaryTerm < 1) {
			out[i] = commit.Written{Status: commit.Conflict, Reason: "no version to compare with"}
			continue
		}
		to := w.of(op)
		switch {
		case to.conflict != "":
			out[i] = commit.Written{Status: commit.Conflict, Reason: to.conflict}
			continue
		case to.err != nil:
			failed, out[i].Reason = to.err, to.reason
			continue
		}
		if to.index != op.Key.Index {
			if &ops[0] == &keyed[0] {
				ops = slices.Clone(ops)
			}
			ops[i].Key = commit.Key{Index: to.index, ID: op.Key.ID + to.suffix}
		}
		sc.at = append(sc.at, int32(i))
	}
	if failed != nil && len(sc.at) == 0 && !slices.ContainsFunc(out, func(w commit.Written) bool { return w.Status != commit.Unknown }) {
		return nil, failed
	}
	return ops, nil
}

// malformed says why an operation can't stand in a request. Elasticsearch
// would answer such a one by failing the whole request.
func malformed(op *commit.Op) string {
	switch {
	case !isID(op.Key.ID):
		return "the document's id is empty, longer than 512 bytes or no UTF-8"
	case len(op.Body) == 0:
		return "the document is empty"
	case containsBreak(op.Body):
		return "the document is not one line"
	}
	return ""
}

func isID(id string) bool { return id != "" && len(id) <= maxID && utf8.ValidString(id) }

// cut returns the first of the pending operations that fit into one request.
func (s *Store) cut(ops []commit.Op, pending []int32) []int32 {
	room := int(s.room.Load())
	size := 0
	for n, i := range pending {
		size += maxSize(&ops[i])
		if n > 0 && (size > room || n == s.c.o.MaxBulkDocs) {
			return pending[:n]
		}
	}
	return pending
}

// bulk sends the operations at the positions in one request, or in halves of
// it where that is too large.
func (s *Store) bulk(ctx context.Context, sc *scratch, ops []commit.Op, at []int32, out []commit.Written) error {
	size := 0
	for _, i := range at {
		size += maxSize(&ops[i])
	}
	sc.body = slices.Grow(sc.body[:0], size)
	last, alias := "", false
	for _, i := range at {
		if index := ops[i].Key.Index; index != last {
			last, alias = index, s.guard.requiresAlias(index)
		}
		sc.body = appendOp(sc.body, &ops[i], alias)
	}
	const op = "bulk"
	quotes := s.c.quotes.Load() || s.c.wire.server.get() == OpenSearch
	request := esapi.BulkRequest{Body: &payload{sc.body}, FilterPath: bulkFilter}
	if !quotes {
		request.IncludeSourceOnError = new(bool)
	}
	res, err := s.c.do(ctx, op, request)
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusBadRequest && !quotes {
		defer finish(res.Body)
		text, err := io.ReadAll(io.LimitReader(res.Body, maxReasonText))
		if err != nil {
			return newTransportError(op, err)
		}
		if !bytes.Contains(text, []byte("include_source_on_error")) {
			return newStatusError(op, res.StatusCode, text, true)
		}
		s.c.quotes.Store(true) // nothing was written
		return s.bulk(ctx, sc, ops, at, out)
	}
	if res.StatusCode == http.StatusRequestEntityTooLarge {
		finish(res.Body)
		return s.halve(ctx, sc, ops, at, out)
	}
	defer finish(res.Body)
	if res.StatusCode > 299 {
		return s.c.wire.secret.explain(readStatusError(op, res))
	}
	sc.lexer.reset(res.Body, maxReasonText)
	if err := sc.bulkAnswer(ops, at, out); err != nil {
		for _, i := range at {
			out[i] = commit.Written{}
		}
		return s.unreadable(ctx, op, res, err)
	}
	s.grow(int64(len(sc.body)))
	return nil
}

// grow gives requests more room again after one that had filled most of it:
// what refused a large one may have changed.
func (s *Store) grow(size int64) {
	most := int64(s.c.o.MaxBulkBytes)
	if room := s.room.Load(); room < most && size > room/2 {
		s.room.CompareAndSwap(room, min(most, room+room/4))
	}
}

// leastRoom is the smallest size of requests that is learnt from a refusal:
// below it the next bulk tries again what one document is refused for.
const leastRoom = 64 << 10

func (s *Store) halve(ctx context.Context, sc *scratch, ops []commit.Op, at []int32, out []commit.Written) error {
	if len(at) == 1 {
		out[at[0]] = commit.Written{
			Status: commit.Rejected,
			Reason: "HTTP 413: the document alone is larger than Elasticsearch or a proxy takes; raise http.max_content_length",
		}
		return nil
	}
	if half := int64(len(sc.body) / 2); half >= leastRoom {
		for old := s.room.Load(); half < old && !s.room.CompareAndSwap(old, half); old = s.room.Load() {
		}
	}
	middle := len(at) / 2
	err := s.bulk(ctx, sc, ops, at[:middle], out)
	if err2 := s.bulk(ctx, sc, ops, at[middle:], out); err == nil && err2 != nil {
		// The first half was answered; say of the second what is known.
		for _, i := range at[middle:] {
			out[i].Reason = err2.Error()
		}
	} else if err != nil && err2 == nil {
		for _, i := range at[:middle] {
			out[i].Reason = err.Error()
		}
		err = nil
	}
	return err
}

// unreadable describes an answer that broke off or is garbage.
func (s *Store) unreadable(ctx context.Context, op string, res *esapi.Response, err error) error {
	if ctx.Err() != nil {
		return newTransportError(op, ctx.Err())
	}
	return newUnreadable(op, res.StatusCode, err)
}

var errCount = errors.New("not as many answers as operations")
