package commit

import "slices"

import "sync"

// bulk is one write: as many of a task's documents as go into a request. They
// are rendered when there is a request to send them with, so that memory is
// bounded by what is on its way, and Elasticsearch works on the first while the
// next are folded.
type bulk struct {
	attempts []*attempt
	ops      []bulkOp
	size     int // of the bodies, in bytes
	// blocks hold the bodies one after the other, the last one is being
	// filled. A body that doesn't fit there has its own memory.
	blocks []*block
}

// bulkOp is what an Op is for: a document, an effect of one, or, without an
// attempt, a marker.
type bulkOp struct {
	key     Key
	attempt *attempt
	effect  bool
	marker  marker
}

// block is memory for bodies, used again once their bulk is answered.
type block struct {
	used int
	b    [128 << 10]byte
}

var blocks = sync.Pool{New: func() any { return new(block) }}

// buffer returns where the next body may be appended.
func (b *bulk) buffer() []byte {
	if len(b.blocks) == 0 {
		b.blocks = append(b.blocks, blocks.Get().(*block))
	}
	l := b.blocks[len(b.blocks)-1]
	return l.b[l.used:l.used]
}

// retain keeps a body that was appended to buffer, and returns it.
func (b *bulk) retain(body []byte) []byte {
	l := b.blocks[len(b.blocks)-1]
	if l.used+len(body) <= len(l.b) {
		l.used += len(body)
	} else {
		b.blocks = append(b.blocks, blocks.Get().(*block))
	}
	return slices.Clip(body)
}

// recycle gives the bodies' memory back: the request has been answered, and
// nobody reads them any more.
func (b *bulk) recycle() {
	for _, l := range b.blocks {
		l.used = 0
		blocks.Put(l)
	}
	b.blocks = nil
}
