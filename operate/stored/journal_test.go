package stored

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func headOf(t *testing.T, text string) Head {
	t.Helper()
	h, err := ReadHead(strings.NewReader(text), "auto")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var day = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// TestJournal: a log is found again when it has grown, another one that begins
// the same is told apart, and what one reads by stays.
func TestJournal(t *testing.T) {
	j, err := OpenJournal(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	text := logOf(2*ChunkRecords + 1)
	chunks := chunksOf(t, strings.NewReader(text), "auto")
	head := headOf(t, text)
	terms := Terms{Year: 2024, Until: day}

	p, err := j.Open(head)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Open(head); !errors.Is(err, ErrBusy) {
		t.Errorf("the same page twice: %v", err)
	}
	e, known := p.Take(head, nil, terms)
	if known || !e.Begin(int64(len(text)), day, day) || e.Begin(int64(len(text)), day.AddDate(0, 1, 0), day) {
		t.Error("a new log is read by the time of its file, once")
	}
	if err := p.Save(day, true); err != nil {
		t.Fatal(err)
	}
	p.Close()

	// It began, and nothing of it is known to be durable.
	if p, err = j.Open(head); err != nil {
		t.Fatal(err)
	}
	e, known = p.Take(head, nil, Terms{})
	if !known || !e.Same(terms) || e.At != (Position{}) {
		t.Errorf("%+v, %v", e, known)
	}
	// It grew meanwhile: what was there then is still read by that time.
	if !e.Begin(int64(len(text))+100, day.AddDate(1, 0, 0), day.AddDate(1, 0, 1)) {
		t.Error("more is to be read")
	}
	if at := e.ReadOf(&chunks[2]); !at.Time.Equal(day) || !at.At.Equal(day) {
		t.Errorf("what was there is read by %+v", at)
	}
	if at := e.ReadOf(&Chunk{To: int64(len(text)) + 1}); !at.Time.Equal(day.AddDate(1, 0, 0)) || !at.At.Equal(day.AddDate(1, 0, 1)) {
		t.Errorf("what came is read by %+v", at)
	}
	e.At = chunks[2].End()
	if err := p.Save(day, false); err != nil {
		t.Fatal(err)
	}
	if len(p.Entry().Read) != 1 {
		t.Errorf("a time by which nothing more is read is kept: %+v", p.Entry().Read)
	}
	p.Close()

	// Another log with the same first line, and the first one again.
	other := "line 0\nanother\n"
	if p, err = j.Open(headOf(t, other)); err != nil {
		t.Fatal(err)
	}
	if through, err := Through(strings.NewReader(other), "auto", p.Positions()); err != nil || through != nil {
		t.Errorf("%v, %v", through, err)
	}
	if _, known := p.Take(headOf(t, other), nil, Terms{}); known {
		t.Error("another log is taken for it")
	}
	p.Save(day.AddDate(0, 0, 1), true)
	p.Close()
	if p, err = j.Open(head); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	grown := text + "more\n"
	through, err := Through(strings.NewReader(grown), "auto", p.Positions())
	if err != nil {
		t.Fatal(err)
	}
	if e, known := p.Take(headOf(t, grown), through, Terms{}); !known || e.At != chunks[2].End() {
		t.Errorf("%+v, %v", e, known)
	}
	info, err := os.Stat(p.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestJournalIsBounded: of very many logs that begin the same the last are
// remembered.
func TestJournalIsBounded(t *testing.T) {
	j, err := OpenJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxEntries + 10 {
		text := "same\n" + strings.Repeat("x", i) + "\n"
		p, err := j.Open(headOf(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if _, known := p.Take(headOf(t, text), nil, Terms{}); known {
			t.Fatalf("%d: known", i)
		}
		if err := p.Save(day.Add(time.Duration(i)*time.Second), false); err != nil {
			t.Fatal(err)
		}
		if len(p.entries) > maxEntries || p.Entry().First != headOf(t, text).First {
			t.Fatalf("%d entries", len(p.entries))
		}
		p.Close()
	}
}

// TestJournalThatIsDamaged says what to do, and is never taken for an empty one:
// logs would be read from their beginning by another time.
func TestJournalThatIsDamaged(t *testing.T) {
	j, err := OpenJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	head := headOf(t, "a\n")
	p, err := j.Open(head)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"logs":[{"first_chunk":"zz"}]}`, `{"version":1,"logs":[{"first_chunk":"00","prefix":"00"}]}`} {
		if err := os.WriteFile(p.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Open(head); err == nil || !strings.Contains(err.Error(), p.path+" can't be read: ") || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestReadingThatBreaksOff: what was given to the engine is read by its time
// again, what comes behind it by the time of its own reading.
func TestReadingThatBreaksOff(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	later := day.AddDate(0, 0, 2)
	e := &Entry{}
	e.Begin(0, day, day) // a compressed log: nobody knows how long it is
	e.Ended(100)
	if !e.Begin(0, later, later) {
		t.Error("what comes behind has a time of its own")
	}
	for to, want := range map[int64]time.Time{50: day, 100: day, 101: later, 1 << 40: later} {
		if r := e.ReadOf(&Chunk{To: to}); !r.At.Equal(want) || !r.Time.Equal(want) {
			t.Errorf("a chunk up to %d is read by %+v, want %v", to, r, want)
		}
	}
	e.Ended(100) // nothing more of it came in
	if len(e.Read) != 1 || e.Read[0].Until != 100 {
		t.Errorf("got %+v", e.Read)
	}
	// By the same time it goes on.
	if !e.Begin(0, day, later) || len(e.Read) != 1 || !e.ReadOf(&Chunk{To: 1 << 40}).At.Equal(day) {
		t.Errorf("got %+v", e.Read)
	}
}
