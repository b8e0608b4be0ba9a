package commit

import (
	"slices"

	"dossier/panics"
)

// folding is a Fold request: documents of a task that are folded and rendered
// into one bulk. Until it is answered it belongs to whoever carries it out, and
// shares with the machine only what neither changes.
type folding struct {
	model Model
	// bytes and most say when the bulk is large enough.
	bytes, most int

	items  []folded
	in     []Contribution // of all items, one after the other
	chunks []*chunk       // whose deltas these are
	bulk   *bulk
	ops    []Op
	done   int // items folded; the others wait for the next bulk
	// untold: the fold of something that leads failed.
	untold bool

	state, encoded []byte // as they are encoded
}

// folded is one document of a folding.
type folded struct {
	attempt *attempt
	place   int // in what the task has not folded yet
	// What is folded: the document as it stands in the task, with the ids of
	// what is added.
	key      Key
	class    Class
	exists   bool
	version  Version
	env      envelope
	from, to int  // its contributions
	write    bool // the document is written, not only its effects
	// leads: others depend on what its fold learns. led: it is opened with that.
	leads, led bool
	// What came of it:
	state []byte // none where only effects are made
	sends bool   // it has operations in the bulk
	err   error
}

// Fold carries out a request of that kind. It may run while the machine is
// told of other things; its answer is an empty one.
func (r *Request) Fold() {
	f := r.folding
	for f.done < len(f.items) && f.bulk.size < f.bytes && len(f.ops) < f.most {
		f.fold(&f.items[f.done])
		f.done++
	}
}

// fold folds one document and appends the operations it takes.
func (f *folding) fold(it *folded) {
	if it.led && f.untold && !weakened("a document is opened although the fold of what leads it failed") {
		it.err = errUntold
		return
	}
	body, effects, err := f.render(it)
	if err != nil {
		it.err, it.state = err, nil
		f.untold = f.untold || it.leads
		return
	}
	if it.write {
		op := Op{Kind: Create, Key: it.key, Body: body}
		if it.exists {
			op.Kind, op.Version = Replace, it.version
		}
		if it.exists && weakened("write over whatever is there") || !it.exists && weakened("open a document over one that is there") {
			op.Kind = Put
		}
		f.add(op, bulkOp{key: it.key, attempt: it.attempt})
	}
	for _, e := range effects {
		f.add(Op{Kind: Create, Key: e.Key, Body: e.Body}, bulkOp{key: e.Key, attempt: it.attempt, effect: true})
	}
	it.sends = it.write || len(effects) > 0
}

func (f *folding) add(op Op, o bulkOp) {
	f.ops = append(f.ops, op)
	f.bulk.ops = append(f.bulk.ops, o)
	f.bulk.size += len(op.Body)
}

// render folds a document and, if it shall be written, encodes its state and
// renders it. A panic there is an error like any other.
func (f *folding) render(it *folded) (body []byte, effects []Effect, err error) {
	defer panics.Into(&err, "a fold")
	var payload []byte
	if it.exists {
		if payload, err = it.env.unpack(); err != nil {
			return nil, nil, err
		}
	}
	next, err := f.model.Fold(it.key, it.class, payload, f.in[it.from:it.to])
	if err != nil {
		return nil, nil, err
	}
	if it.write {
		f.state = next.AppendState(f.state[:0])
		it.env.payload, it.env.packing = f.state, packNone
		f.encoded = it.env.append(f.encoded[:0])
		it.state = slices.Clone(f.encoded) // of the size it has: the cache keeps it
		body = f.bulk.retain(next.AppendDocument(f.bulk.buffer(), it.state))
	}
	effects = next.Effects()
	for i := range effects {
		effects[i].Body = f.bulk.retain(append(f.bulk.buffer(), effects[i].Body...))
	}
	return body, effects, nil
}
