package operate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dossier/conf/roles"
	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/operate/stored"
	"dossier/panics"
	"dossier/target"
)

// Importing says what Import does.
type Importing struct {
	// Files are the logs, in the order in which they are read.
	Files []string
	// Terms are the year of times without one, and the bounds of what is taken.
	Terms stored.Terms
	// Final says that the logs get no more: their last chunks are complete.
	Final bool
	// Journal is the folder that keeps how far logs were imported.
	Journal string
	// Anew says that the index prefix is for what is imported alone: no sensor
	// may write to it.
	Anew bool
}

// ImportStatus is how far Import is.
type ImportStatus struct {
	// File is the one that is read, the N-th.
	File string
	N    int
	// Read of Size bytes of all files were read, as they are on the disk.
	Read, Size int64
	// Records are those that are durable.
	Records int64
}

// Imported is what became of a log.
type Imported struct {
	File string
	// Records are those that are durable now, Before were already, as the journal
	// has it. Rest are those of the open chunk at the end, which wait.
	Records, Before, Rest int64
	// Panicked counts the chunks that made the code panic, and were
	// dead-lettered.
	Panicked int64
}

// String tells it in a line.
func (i Imported) String() string {
	s := fmt.Sprintf("%s: %d records imported", line(i.File), i.Records)
	if i.Before > 0 {
		s += fmt.Sprintf(", %d were before", i.Before)
	}
	if i.Rest > 0 {
		s += fmt.Sprintf(", the last %d wait until there are %d, or for --final", i.Rest, stored.ChunkRecords)
	}
	if i.Panicked > 0 {
		s += fmt.Sprintf(", %d chunks dead-lettered", i.Panicked)
	}
	return s
}

// ImportSum is what became of the records of all logs.
type ImportSum struct{ correlate.Stats }

// String tells it in a line.
func (s ImportSum) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d records read, %d events", s.Records, s.Events)
	for _, n := range []struct {
		what string
		n    int64
	}{{"out of bounds", s.OutOfBounds}, {"excluded", s.Excluded}, {"clock_skew", s.ClockSkew}, {"cut", s.Cut}} {
		if n.n > 0 {
			fmt.Fprintf(&b, ", %s %d", n.what, n.n)
		}
	}
	for _, reason := range dialect.Reasons() {
		if n := s.Refused[reason]; n > 0 {
			fmt.Fprintf(&b, ", %s %d", reason, n)
		}
	}
	return b.String()
}

const (
	// importAtOnce is how many chunks are under way at a time: those go into one
	// write of each attacker.
	importAtOnce = 16
	// importClosing bounds how long an end waits for markers that are on their
	// way: without them a log that is imported again long after counts twice.
	importClosing = 30 * time.Second
	// journalEvery is how often the journal is written.
	journalEvery = time.Second
	// importPanics is how often a chunk may make the code panic before it is
	// dead-lettered, as in the plugin.
	importPanics = 3
	// importPause and importMaxPause bound the pause before a chunk that was
	// given back is tried again.
	importPause, importMaxPause = 250 * time.Millisecond, 5 * time.Second
	// stuckEvery is how often is told why nothing is taken.
	stuckEvery = 30 * time.Second
)

// ImportTag is the tag that dead letters of stored logs have.
const ImportTag = "import"

// Import brings stored logs into the documents, by the same engine as chunks of
// Fluent Bit and each chunk of them once (package stored). It is told by status how
// far it is, by done what became of each log, and by warn what the operator
// should know. Chunks that Elasticsearch doesn't take now are tried until ctx
// ends; an import that was stopped, in whatever way, goes on when it is called
// again.
func (t *Target) Import(ctx context.Context, o Importing, log *slog.Logger, status func(ImportStatus), done func(Imported), warn func(string)) (s ImportSum, err error) {
	im := importing{Target: t, o: o, begun: t.now(), status: status, warn: warn, engines: map[readBy]*correlate.Engine{}}
	defer im.closeFiles()
	if err := im.open(); err != nil {
		return s, err
	}
	if o.Anew {
		err = im.others(ctx)
	} else {
		err = t.mustHold(ctx, roles.Writer)
	}
	if err != nil {
		return s, err
	}
	to := t.o
	to.ManageTemplates = o.Anew // else it is what setup is for
	if im.to, err = im.pool.Open(to, target.Host{Version: t.version, Logger: log}); err != nil {
		return s, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), importClosing)
		defer cancel()
		im.to.Close(closing)
	}()
	if err := im.to.Wait(ctx); err != nil {
		return s, err
	}
	if !o.Anew {
		if err := im.others(ctx); err != nil {
			return s, err
		}
	}
	if im.journal, err = im.openJournal(ctx); err != nil {
		return s, err
	}
	for i := range im.files {
		one, failed := im.one(ctx, i)
		if failed != nil {
			err = fmt.Errorf("%s: %w", line(o.Files[i]), failed)
		}
		if one.Records > 0 || failed == nil {
			done(one)
		}
		if err != nil {
			break
		}
	}
	return im.stats(), err
}

type importing struct {
	*Target
	o       Importing
	pool    target.Pool
	to      *target.Target
	journal *stored.Journal
	files   []*stored.File
	size    int64
	status  func(ImportStatus)
	warn    func(string)

	engines map[readBy]*correlate.Engine

	mu      sync.Mutex // a leaf: nothing is called while it is held
	read    int64      // of the files before
	records int64
	told    time.Time // why it is stuck
	begun   time.Time
}

// open opens all files: what is wrong with one is said before anything is
// written.
func (im *importing) open() error {
	if err := os.MkdirAll(im.o.Journal, 0o700); err != nil {
		return fmt.Errorf("--journal: got %q, want a folder that can be written to (%w)", im.o.Journal, err)
	}
	for _, path := range im.o.Files {
		f, err := stored.Open(path)
		if err != nil {
			return err
		}
		im.files = append(im.files, f)
		im.size += f.Size
	}
	return nil
}

func (im *importing) closeFiles() {
	for _, f := range im.files {
		f.Close()
	}
}

// openJournal opens the part of the journal that is about the indices as they
// are: their list key is another one where they were deleted and made again, and
// then nothing is in them.
func (im *importing) openJournal(ctx context.Context) (*stored.Journal, error) {
	key, err := im.client.ListKey(ctx, im.templates)
	if err != nil {
		return nil, err
	}
	of := sha256.Sum256(append([]byte("dossier import journal\x00"), key[:]...))
	return stored.OpenJournal(filepath.Join(im.o.Journal, im.Target.o.IndexPrefix+"-"+hex.EncodeToString(of[:8])))
}

// others tells of sensors that write to the same indices. What Fluent Bit has
// delivered of a log is other chunks, and counts again.
func (im *importing) others(ctx context.Context) error {
	var found struct {
		Hits struct {
			Hits []struct {
				ID string `json:"_id"`
			} `json:"hits"`
		} `json:"hits"`
	}
	const most = 10
	err := im.client.Call(ctx, "look for sensors", http.MethodPost, "/"+im.indices.Sensors()+"/_search?ignore_unavailable=true",
		fmt.Appendf(nil, `{"size":%d,"sort":["_doc"],"_source":false}`, most), &found)
	if err != nil && im.o.Anew {
		return err
	}
	who := "what Fluent Bit delivers of these logs to " + im.Target.o.IndexPrefix + "-*"
	if err == nil {
		if len(found.Hits.Hits) == 0 {
			return nil
		}
		var names []string
		for _, h := range found.Hits.Hits {
			names = append(names, line(h.ID))
		}
		if im.o.Anew {
			return fmt.Errorf("sensors write to %s-* (%s); import into a prefix of its own", im.Target.o.IndexPrefix, strings.Join(names, ", "))
		}
		who = "sensors write to " + im.Target.o.IndexPrefix + "-* (" + strings.Join(names, ", ") + "): what Fluent Bit has delivered of these logs"
	}
	if im.o.Terms.Until.IsZero() {
		im.warn(who + " is other chunks, and would count twice; leave it out with --until TIME, the time of the first line that Fluent Bit read, or import into new indices with --into PREFIX")
	}
	return nil
}

// readBy is the year of times without one, and when a log was read first, in
// seconds since 1970.
type readBy struct {
	year int
	at   int64
}

// engine returns what commits what is read so.
func (im *importing) engine(by readBy) (*correlate.Engine, error) {
	if e := im.engines[by]; e != nil {
		return e, nil
	}
	var within correlate.Stored
	if t := im.o.Terms.Since; !t.IsZero() {
		within.Since = event.FromTime(t)
	}
	if t := im.o.Terms.Until; !t.IsZero() {
		within.Until = event.FromTime(t)
	}
	e, err := im.to.NewStoredEngine(im.Target.o, within, by.year, time.Unix(by.at, 0))
	if err == nil {
		im.engines[by] = e
	}
	return e, err
}

// stats are those of all engines together.
func (im *importing) stats() (sum ImportSum) {
	for _, e := range im.engines {
		s := e.Stats()
		sum.Records += s.Records
		sum.Events += s.Events
		sum.Excluded += s.Excluded
		sum.OutOfBounds += s.OutOfBounds
		sum.ClockSkew += s.ClockSkew
		sum.Cut += s.Cut
		for i, n := range s.Refused {
			sum.Refused[i] += n
		}
	}
	return sum
}

// one imports one log.
func (im *importing) one(ctx context.Context, n int) (done Imported, err error) {
	defer panics.Into(&err, "import")
	f := im.files[n]
	defer f.Close()
	done.File = im.o.Files[n]
	l := importedLog{importing: im, file: f, n: n, done: &done, terms: im.o.Terms}
	defer func() {
		im.mu.Lock()
		im.read += f.Size
		im.mu.Unlock()
		im.tell(n, 0)
	}()
	in, err := f.Stream()
	if err != nil {
		return done, err
	}
	head, err := stored.ReadHead(in, im.dialect())
	switch {
	case errors.Is(err, io.EOF):
		return done, nil // there is nothing in it
	case err != nil:
		return done, err
	}
	if l.page, err = im.journal.Open(head); err != nil {
		return done, err
	}
	defer l.page.Close()
	from, err := l.begin(head)
	if err != nil {
		return done, err
	}
	done.Before = from.Records
	err = l.run(ctx, from)
	return done, err
}

// dialect is what logs are read as, in the ids of chunks.
func (im *importing) dialect() string {
	if im.Target.o.Dialect == "" {
		return "auto"
	}
	return im.Target.o.Dialect
}

// tell says how far it is; of is what was read of the n-th file.
func (im *importing) tell(n int, of int64) {
	im.mu.Lock()
	s := ImportStatus{File: im.o.Files[n], N: n + 1, Read: im.read + of, Size: im.size, Records: im.records}
	im.mu.Unlock()
	im.status(s)
}

// stuck tells why chunks are not taken now, from time to time.
func (im *importing) stuck(err error) {
	im.mu.Lock()
	due := im.now().Sub(im.told) >= stuckEvery
	if due {
		im.told = im.now()
	}
	im.mu.Unlock()
	if due {
		im.warn(fmt.Sprintf("it is tried again until it is taken: %s", line(err.Error())))
	}
}

// importedLog is one log at work.
type importedLog struct {
	*importing
	file  *stored.File
	n     int
	page  *stored.Page // of the goroutine that reads
	terms stored.Terms
	done  *Imported
	// fresh says that nothing of it was ever given to the engine.
	fresh bool

	panicked atomic.Int64
	saved    time.Time

	mu       sync.Mutex // a leaf: nothing is called while it is held
	underWay []*underWay
	durable  stored.Position
}

// begin finds out how far the log was imported, and notes durably by which time
// it is read before any chunk of it is.
func (l *importedLog) begin(head stored.Head) (from stored.Position, err error) {
	in, err := l.file.Stream()
	if err != nil {
		return from, err
	}
	through, err := stored.Through(in, l.dialect(), l.page.Positions())
	if err != nil {
		return from, err
	}
	e, known := l.page.Take(head, through, l.terms)
	if l.fresh = len(e.Read) == 0 && e.At.Offset == 0; l.fresh && known {
		e.Terms, known = l.terms, false
	}
	if known {
		if l.terms.Year == 0 {
			l.terms.Year = e.Year
		}
		if !e.Same(l.terms) {
			return from, fmt.Errorf("it was imported %s before, and now %s would leave out, or double, some of what is beside the bounds; give the same ones, or another --journal: then only the chunks that were cut stay as they are",
				asFlags(e.Terms), asFlags(l.terms))
		}
	}
	length := int64(0) // not known before it is decompressed
	if l.file.Plain {
		length = l.file.Size
	}
	modified := l.file.Modified
	if modified.After(l.begun) || modified.Before(firstClock) { // by another clock, or by none
		modified = l.begun
	}
	if e.Begin(length, modified, l.begun) || !known {
		err = l.page.Save(l.now(), true)
	}
	return l.page.Entry().At, err
}

// firstClock is before any log that is imported: archives that give their files no
// time have them from 1970 on.
var firstClock = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// asFlags shows the terms as flags.
func asFlags(t stored.Terms) string {
	var out []string
	if t.Year != 0 {
		out = append(out, fmt.Sprint("--year ", t.Year))
	}
	for _, b := range []struct {
		flag string
		at   time.Time
	}{{"--since", t.Since}, {"--until", t.Until}} {
		if !b.at.IsZero() {
			out = append(out, b.flag+" "+b.at.Format(time.RFC3339))
		}
	}
	if len(out) == 0 {
		return "without bounds or a year"
	}
	return "with " + strings.Join(out, " ")
}

// run imports what comes behind from.
func (l *importedLog) run(ctx context.Context, from stored.Position) error {
	in, err := l.file.Stream()
	if err != nil {
		return err
	}
	r := stored.NewReader(in, l.dialect())
	if err := r.Skip(from); err != nil {
		return err
	}
	l.durable = from
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	free := make(chan struct{}, importAtOnce)
	submitted := from.Offset
	var c stored.Chunk
	for err == nil && ctx.Err() == nil {
		if err = r.Next(&c); err != nil {
			break
		}
		if c.Open && !l.o.Final {
			l.done.Rest = c.Records
			continue // nothing comes behind it
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		if err = l.save(false); err != nil {
			cancel(err)
			break
		}
		read := l.page.Entry().ReadOf(&c)
		var engine *correlate.Engine
		if engine, err = l.engine(readBy{l.terms.Year, read.At.Unix()}); err != nil {
			cancel(err)
			break
		}
		id, data, place := c.ID, c.Append(nil, read.Time), l.submit(&c)
		submitted = c.To
		group.Go(func() {
			defer func() { <-free }()
			var err error
			defer func() {
				if err != nil {
					cancel(err)
				}
			}()
			defer panics.Into(&err, "import")
			if err = l.commit(ctx, engine, id, data); err == nil {
				l.ended(place)
			}
		})
	}
	group.Wait()
	l.done.Panicked = l.panicked.Load()
	ended := errors.Is(err, io.EOF)
	if ended {
		err = nil
	}
	switch e := l.page.Entry(); {
	case l.fresh && submitted == 0:
		e.Read = nil // as if it had not been looked at
	case ended, submitted > from.Offset:
		e.Ended(submitted)
	}
	if stopped := context.Cause(ctx); stopped != nil {
		err = stopped
	}
	return errors.Join(err, l.save(true))
}

// save writes the journal: at the end, and from time to time before.
func (l *importedLog) save(end bool) error {
	now := l.now()
	if !end && now.Sub(l.saved) < journalEvery {
		return nil
	}
	l.saved = now
	l.mu.Lock()
	l.page.Entry().At = l.durable
	l.mu.Unlock()
	return l.page.Save(now, end)
}

// underWay is a chunk that was given to the engine, in the order of the log.
type underWay struct {
	end     stored.Position
	records int64
	done    bool
}

// submit notes a chunk that is given to the engine.
func (l *importedLog) submit(c *stored.Chunk) *underWay {
	u := &underWay{end: c.End(), records: c.Records}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay = append(l.underWay, u)
	return u
}

// ended notes a chunk that is durable. The log is durable as far as all chunks
// before are as well.
func (l *importedLog) ended(u *underWay) {
	l.importing.mu.Lock()
	l.records += u.records
	l.importing.mu.Unlock()
	l.mu.Lock()
	u.done = true
	l.done.Records += u.records
	for len(l.underWay) > 0 && l.underWay[0].done {
		l.durable, l.underWay = l.underWay[0].end, l.underWay[1:]
	}
	l.mu.Unlock()
	l.tell(l.n, l.file.Read())
}

// commit commits a chunk, however often it takes. One that makes the code panic
// each time is dead-lettered whole.
func (l *importedLog) commit(ctx context.Context, e *correlate.Engine, id commit.ChunkID, data []byte) error {
	l.pool.Begin()
	defer l.pool.End()
	for pause, panicked := importPause, 0; ; pause = min(2*pause, importMaxPause) {
		begun := time.Now()
		result, err := flush(ctx, e, id, data)
		if _, ok := errors.AsType[*panics.Panic](err); ok {
			if panicked++; panicked >= importPanics {
				l.panicked.Add(1)
				return l.to.BuryChunk(ctx, id, ImportTag, data)
			}
		}
		if result == correlate.OK {
			return nil
		}
		if result == correlate.Error {
			return fmt.Errorf("chunk %s was dead-lettered: %w", id, err) // never: its records are ours
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case errors.Is(err, commit.ErrAway):
			err = l.to.Away(begun)
		case errors.Is(err, correlate.ErrNotDurable):
			err = l.to.NotDurable(begun)
		}
		l.stuck(err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// flush gives a chunk to the engine. A panic is an error.
func flush(ctx context.Context, e *correlate.Engine, id commit.ChunkID, data []byte) (r correlate.Result, err error) {
	r = correlate.Retry
	defer panics.Into(&err, "import")
	return e.FlushAs(ctx, id, ImportTag, data)
}
