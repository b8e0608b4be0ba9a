package stored

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"dossier/correlate/commit"
)

// journalVersion is that of a journal's files.
const journalVersion = 1

// maxEntries bounds the logs in one file of a journal: those that begin with
// the same line. The ones that were touched longest ago go first.
const maxEntries = 64

// maxJournal bounds a file of a journal, in bytes.
const maxJournal = 8 << 20

// Terms are what must be the same each time that a log is imported.
type Terms struct {
	// Year is that of times without one, 0 for the latest possible.
	Year int `json:"year,omitempty"`
	// Since and Until bound the events that are taken, zero for no bound.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Same says whether both are the same terms.
func (t Terms) Same(as Terms) bool {
	return t.Year == as.Year && t.Since.Equal(as.Since) && t.Until.Equal(as.Until)
}

// Entry is how far a log was imported.
type Entry struct {
	// First is the id of the log's first chunk when it was first read.
	First commit.ChunkID
	// At is how far the log is durable.
	At Position
	Terms
	// Read are the times at which the log was, in the order of Until.
	Read []Read
	// Touched is when the entry was written.
	Touched time.Time
}

// Read says by which times chunks are read.
type Read struct {
	// Until is how long the stream was when they were read first, in bytes; 0 is
	// not known.
	Until int64 `json:"until"`
	// Time is that of the file then, by which lines are read that have no year, or
	// no time.
	Time time.Time `json:"time"`
	// At is when that was: no line is of a later time.
	At time.Time `json:"at"`
}

// Journal keeps how far logs were imported into one index prefix. It is a
// folder with a file for all logs that begin with the same line, and may be
// lost: the ledger knows what was imported, for as long as that is kept.
type Journal struct{ dir string }

// OpenJournal opens the journal in a folder, which is made for this user only.
func OpenJournal(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Journal{dir}, nil
}

// Page is the part of a journal for one log and those that begin as it does. It
// is locked until it is closed.
type Page struct {
	path    string
	lock    *os.File
	entries []Entry
	at      int
}

// ErrBusy says that somebody else is importing a log that begins the same.
var ErrBusy = errors.New("it is being imported already, with the same journal; wait until that has ended")

// Open opens the page of a log.
func (j *Journal) Open(h Head) (_ *Page, err error) {
	name := filepath.Join(j.dir, hex.EncodeToString(h.Line[:]))
	p := &Page{path: name + ".json", at: -1}
	if p.lock, err = os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.lock.Close()
		}
	}()
	switch err := syscall.Flock(int(p.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, ErrBusy
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", p.lock.Name(), err)
	}
	return p, p.load()
}

// page is how a page stands in its file.
type page struct {
	Version int         `json:"version"`
	Logs    []pageEntry `json:"logs"`
}

type pageEntry struct {
	First   string    `json:"first_chunk"`
	Offset  int64     `json:"offset"`
	Records int64     `json:"records"`
	Prefix  string    `json:"prefix"`
	Terms             //nolint:embeddedstructfieldcheck // in the order of the file
	Read    []Read    `json:"read"`
	Touched time.Time `json:"touched"`
}

func (p *Page) load() error {
	f, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxJournal))
	if err != nil {
		return err
	}
	var read page
	if err := json.Unmarshal(text, &read); err != nil {
		return p.fault(fmt.Sprintf("it is no JSON (%v)", err))
	}
	if read.Version != journalVersion {
		return p.fault(fmt.Sprintf("it has version %d, and this is %d", read.Version, journalVersion))
	}
	for _, l := range read.Logs {
		e := Entry{At: Position{Offset: l.Offset, Records: l.Records}, Terms: l.Terms, Read: l.Read, Touched: l.Touched}
		first, err1 := hex.DecodeString(l.First)
		prefix, err2 := hex.DecodeString(l.Prefix)
		if err1 != nil || err2 != nil || copy(e.First[:], first) != len(e.First) || copy(e.At.Prefix[:], prefix) != len(e.At.Prefix) {
			return p.fault("a hash in it is none")
		}
		p.entries = append(p.entries, e)
	}
	return nil
}

func (p *Page) fault(why string) error {
	return fmt.Errorf("the journal's file %s can't be read: %s; move it away, and what the ledger knows is still not counted again", p.path, why)
}

// Positions returns how far the logs of the page were imported, in the order of
// their entries.
func (p *Page) Positions() []Position {
	out := make([]Position, len(p.entries))
	for i := range p.entries {
		out[i] = p.entries[i].At
	}
	return out
}

// Take takes the entry of the log with the head, which goes through the
// positions of those entries: the one that is furthest. Without one it is a new
// entry with the terms.
func (p *Page) Take(h Head, through []int, terms Terms) (e *Entry, known bool) {
	for i := range p.entries {
		if p.entries[i].At.Offset == 0 && p.entries[i].First == h.First {
			through = append(through, i)
		}
	}
	for _, i := range through {
		if p.at < 0 || p.entries[i].At.Offset > p.entries[p.at].At.Offset {
			p.at = i
		}
	}
	known = p.at >= 0
	if !known {
		p.at = len(p.entries)
		p.entries = append(p.entries, Entry{First: h.First, Terms: terms})
	}
	return &p.entries[p.at], known
}

// Save writes the page. With sync it is durable when Save returns: what says by
// which time chunks are read must be before they are. How far a log is may be
// lost, since its chunks are known by their ids.
func (p *Page) Save(now time.Time, sync bool) error {
	e := &p.entries[p.at]
	e.Touched = now.UTC().Truncate(time.Second)
	e.Read = slices.DeleteFunc(e.Read, func(r Read) bool { return r.Until != 0 && r.Until <= e.At.Offset })
	if len(p.entries) > maxEntries {
		kept := *e
		p.entries = slices.Delete(p.entries, p.at, p.at+1)
		slices.SortFunc(p.entries, func(a, b Entry) int { return b.Touched.Compare(a.Touched) })
		p.entries = append(p.entries[:maxEntries-1], kept)
		p.at = maxEntries - 1
	}
	out := page{Version: journalVersion}
	for i := range p.entries {
		e := &p.entries[i]
		out.Logs = append(out.Logs, pageEntry{
			First: e.First.String(), Offset: e.At.Offset, Records: e.At.Records, Prefix: hex.EncodeToString(e.At.Prefix[:]),
			Terms: e.Terms, Read: e.Read, Touched: e.Touched,
		})
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return p.replace(append(text, '\n'), sync)
}

// Entry returns the entry that Take took. It moves when the page is saved.
func (p *Page) Entry() *Entry { return &p.entries[p.at] }

// replace puts a file with that text in place of the page's.
func (p *Page) replace(text []byte, sync bool) error {
	next := p.path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	// Without it a loss of power may leave an empty page in place of a whole one.
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, p.path); err != nil || !sync {
		return err
	}
	dir, err := os.Open(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Close gives the page back.
func (p *Page) Close() error { return p.lock.Close() }

// Begin has the entry know that the log is being read up to the length, 0 for an
// unknown one, by the time of its file. It returns false where nothing changed.
func (e *Entry) Begin(length int64, file, now time.Time) bool {
	file = file.UTC()
	if n := len(e.Read); n > 0 {
		last := &e.Read[n-1]
		switch {
		case last.Until == 0 || length != 0 && length <= last.Until:
			return false
		case last.Time.Equal(file):
			last.Until = length
			return true
		}
	}
	e.Read = append(e.Read, Read{length, file, now.UTC().Truncate(time.Second)})
	return true
}

// ReadOf returns the times by which a chunk is read.
func (e *Entry) ReadOf(c *Chunk) Read {
	for _, r := range e.Read {
		if r.Until == 0 || c.To <= r.Until {
			return r
		}
	}
	return e.Read[len(e.Read)-1]
}

// Ended has the entry know up to where a log of unknown length was read, which is
// the end of the last chunk that was given to the engine: what comes behind it is
// read by the times of its own reading.
func (e *Entry) Ended(length int64) {
	n := len(e.Read)
	if n == 0 || e.Read[n-1].Until != 0 {
		return
	}
	if n > 1 && length <= e.Read[n-2].Until {
		e.Read = e.Read[:n-1]
		return
	}
	e.Read[n-1].Until = length
}
