// Package commit brings the effect of chunks into documents exactly once,
// although chunks are delivered at least once, in any order, to several
// writers at a time that crash.
//
// Each document carries an opaque state and the ids of the chunks applied to
// it; it is written by compare-and-set only. When all documents of a chunk
// are acknowledged a marker goes to the ledger, and the id may leave the
// documents. Machine is the protocol itself: pure, without I/O, clock or
// goroutines. Committer drives it against a Store.
//
// # Where to read
//
// A chunk (chunk.go) is committing, burying, marking or ended; its parts wait in
// their documents (document.go). A task (task.go) takes the documents that are
// ready in a lane (lanes.go) through one round: read.go, lookup.go, fold.go and
// write.go are its phases. What it knows of a document is an attempt, which exists
// only as long as the task owns it; what the chunk ids in a document decide is in
// ids.go, the fold itself in folding.go, what a fold goes into in bulk.go. A chunk
// that is durable goes through bury.go and markers.go into the ledger (ledger.go,
// exceptions.go). gates.go keeps the machine quiet while Elasticsearch is away,
// leaders.go makes what is led wait for what leads it, replay.go is what a dead
// letter has of its own, request.go what the machine asks
// for.
//
// # The rules
//
// Each is followed by the schedule that breaks a weaker one. Tests cite them by
// their names; what the protocol itself can get wrong has a mutation (see
// TestMutations) that weakens it, and a test that notices.
//
// Rule 1 (state). A document carries its own state, and Elasticsearch is the only
// durable store. Weaker, with a list of chunks on the sensor's disk: the process
// writes the document, dies before it notes the chunk, and folds it again.
//
// Rule 2 (fold). Folding is pure and free of order. Weaker, "the newest N keys
// with a counter each": two sensors fold the same chunks in another order and
// differ for ever.
//
// Rule 3 (compare-and-set). A document is created, or replaced with the sequence
// number it was read with. On a conflict it is read, folded and written again at
// once, it alone, until the deadline; any delay goes before the read. Weaker,
// write over what is there: two sensors read the same state, and the later write
// takes back the chunk of the earlier one. Weaker, a number of rounds: a busy
// document never comes to its turn.
//
// Rule 4 (identity). A chunk's id is its content's; it is tested against all ids
// in a document, whoever wrote them. Weaker, a ring of the newest ids: a chunk
// whose acknowledgement was lost comes again after more others than the ring
// holds, and counts twice (F1, F3). Weaker, ids by sensor: storage is cloned, or
// the sensor's name changes (F5, F6, F7).
//
// Rule 5 (ledger). After every document of a chunk is acknowledged its marker is
// written; an id leaves a document only after this process had the marker
// acknowledged. Weaker, the marker after the first document: the process dies,
// the chunk comes again, is taken for done, and the second document lacks it.
// Weaker, a marker that a read shows: a failover takes it back after the id has
// left, and the chunk counts twice.
//
// Rule 6 (look-up). A chunk's marker is read after every state used for it, again
// in each round. Weaker, before the states: a clone finishes the chunk in
// between, its id leaves the document, and the state that is read lacks both.
//
// Rule 7 (bounds). A document holds at most MaxApplied ids. Where there is no
// space nothing of the chunk is written anywhere, and it is given back. An eighth
// is kept for chunks that some document holds already, and the last place for a
// write with which ids may leave; from a quarter on a chunk is OK only after its
// marker. Weaker, write the others: their documents fill up with ids that can't
// get their marker. Weaker, nothing kept: two documents are full of ids of chunks
// that wait for space in the other one. Unmarked ids age out after Retention.
//
// Rule 8 (skip is no proof). Where a read shows a chunk that this process had no
// acknowledgement for, the document is written back unchanged; only that counts.
// Weaker, OK because it is there: it was on the primary only, and a failover
// takes it back (F8).
//
// Rule 9 (unknown outcome). After a timeout or a broken connection the cached
// copy is dropped and the document read again. Weaker, taken as done: the request
// never arrived.
//
// Rule 10 (cache). What is in memory is in Elasticsearch already, and bounded.
// Weaker, writing later from memory: a crash loses what was acknowledged.
//
// Rule 11 (group commit). One committer for a target; the same chunk in flight
// twice is waited for. Weaker, folded twice: both find a document that lacks it.
//
// Rule 12 (result). OK when every document is durable or dead-lettered, else the
// chunk is given back, by its deadline. Weaker, OK when the last write was sent:
// it is refused, and Fluent Bit has deleted the chunk.
//
// Rule 13 (locks). Nothing is called under a lock, see below; there is one fold
// at a time, and a chunk is told of its end only when no fold uses its deltas.
// Weaker, told at the deadline: the next chunk is parsed into memory that is
// being folded.
//
// Rule 14 (tokens). A sequence number is one of an index, and goes with its name.
// Weaker: a reindex gives it to another state, and compare-and-set brings back
// one that is over (TestExploreFindsReindex).
//
// Rule 16 (outages). While Elasticsearch, or an index, takes nothing there is one
// probe at a time with growing pauses, and the first answer wakes everything.
// Weaker, each document on its own: a backlog of them keeps a core busy for as
// long as the outage lasts.
//
// Rule 17 (exploration). Small scopes are explored whole (TestExplore), and
// random schedules simulated (TestSimulation).
//
// Answers. What Elasticsearch, or the Model, rejects for good is folded chunk by
// chunk, and only what is rejected alone goes to the dead letters, for that
// document. A state of a newer major version is never overwritten, and its chunks
// are given back; one that is corrupt costs the contributions to it. Weaker, bury
// all that was written together: one hostile chunk takes others along. Weaker,
// stall on a corrupt state: one hostile write stops every sensor.
//
// Effects. A document that is created once is created again wherever it isn't
// known to be there. Weaker, with the first fold only: the write is acknowledged,
// the creation is not, the process dies, and the chunk is found done.
//
// Leaders. A document that isn't there is opened for a part that is led (Part.Led)
// only when what leads it in its chunk was folded, or is decided without: rejected, or
// left to a newer version. Until then it isn't tried again and again: the fold wakes
// it. What others open, and what is there, goes on. Weaker, by the order within a
// round alone: what leads is delayed by an answer, and an address opens all that it
// names, without its bound. Weaker, wait for what was rejected: nothing of the chunk
// that isn't there yet ever comes to be.
//
// Dead letters. They are synced when all else of their chunk is durable, before
// it is OK, and the chunk's marker excepts their documents. Weaker, a marker that
// vouches for them: the replay finds its chunk done, and is dropped.
//
// # Why a replay is part of the protocol
//
// It would be simpler if a dead letter could wait until its chunk's marker is
// acknowledged: then the two never meet. The simulation shows that it can't (the
// mutations "a replay waits until its chunk's marker is there" and "a replay
// writes its chunk's marker"). The wait may never end: a dead letter is written
// but reported as failed, the chunk comes again and is OK without one, so before
// its marker, and the process dies in between (5 of the first 279 seeds don't
// come to rest). There is no marker either for a chunk that the protocol panics
// on, that Fluent Bit gave up, or that is older than the ledger. And where the
// replay has the marker written itself, a chunk that is still on a sensor's disk
// is skipped when it comes again: what was not written yet is lost (5 of the
// first 852 seeds). So a replay asks for both markers, and goes into its document
// under its chunk's own id while that isn't over.
//
// # How a Machine is driven
//
// Submit hands a chunk over. Next returns the next request to make until there
// is none: Read, Write and Bury are for a Store and the dead letters, Fold is
// computing and is carried out with Request.Fold. Requests may be carried out
// in any order and at the same time; Answer tells the machine what became of
// each, once, after which Next may have more. Wake says when Next or Tick have
// something to do by the clock alone; Tick gives back the chunks whose time is
// over. Incidents returns what operators must know.
//
// A Fold is the only request that works on the memory of chunks, and the only
// one that calls the Model; there is one at a time. Between Next and Answer it
// shares nothing with the machine that either of them changes, so all other
// methods may be called meanwhile. A chunk that ends while its deltas are
// folded is told of only when the fold has been answered.
//
// # Who calls whom under which lock
//
// The Committer's lock covers the machine's steps from one state to the next:
// Submit, Next, Answer, Tick, Wake, Stats. No request, fold, rendering or
// callback runs under it: the results of chunks and the incidents are collected
// by the machine and told once it is released. So Report, Observe, the Store,
// the dead letters and the Model may take locks of their own, and may call the
// Committer's Stats; whoever calls the Committer may hold any lock that none of
// these takes.
//
// A panic within a step ends that Machine, as a crash would: its chunks are
// given back, and the Committer goes on with a new one. When they come again each
// is tried alone; one that is alone with three panics goes to the dead letters.
package commit
