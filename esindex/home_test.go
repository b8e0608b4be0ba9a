package esindex_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/esindex/esindextest"
)

// desk is a node in memory with the indices for others, and a clock.
type desk struct {
	*esindextest.Node
	now time.Time
}

func newDesk(t *testing.T, months ...string) *desk {
	d := &desk{Node: esindextest.New(t), now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	for _, index := range append(months, "hours-other", "told-other", "chunks-other") {
		d.make(t, index)
	}
	d.Plan(func(r *esindextest.Request) esindextest.Fault {
		if r.Method == "PUT" && r.Header.Get("Authorization") == "ApiKey writer" {
			return esindextest.Fault{Status: 403, Body: `{"error":{"type":"security_exception","reason":"unauthorized"},"status":403}`}
		}
		return esindextest.Fault{}
	})
	return d
}

func (d *desk) make(t *testing.T, index string) {
	t.Helper()
	if code, answer, err := d.Do(t.Context(), "PUT", "p-"+index, `{"mappings":{"_meta":{"dossier":{"schema":1}}}}`); err != nil || code != 200 {
		t.Fatal(code, answer, err)
	}
}

// sensor returns a store of a new process with a key of that name.
func (d *desk) sensor(t *testing.T, key string) *esindex.Store {
	t.Helper()
	s, err := esindex.NewStore(newClient(t, esindex.Options{Hosts: []string{d.URL}, APIKey: key}), monthly())
	if err != nil {
		t.Fatal(err)
	}
	esindex.SetClock(s, func() time.Time { return d.now })
	return s
}

// where returns the places of the documents of kind hours that have the id, with
// or without a month behind it.
func (d *desk) where(months ...string) (out string) {
	for _, month := range append(months, "other") {
		for id := range d.Documents("p-hours-" + month) {
			out += " " + month + "/" + id
		}
	}
	return strings.TrimSpace(out)
}

func hour(month, id string) commit.Key { return commit.Key{Index: "p-hours-" + month, ID: id} }

// create writes a document that isn't there, and reads it back.
func create(t *testing.T, s *esindex.Store, k commit.Key) commit.Version {
	t.Helper()
	w := write(t, s, commit.Op{Key: k, Body: doc("1", "")})
	if w[0].Status != commit.Done {
		t.Fatalf("%v: %+v", k, w[0])
	}
	r := read(t, s, k)
	if !r[0].Exists || r[0].Version != w[0].Version {
		t.Fatalf("%v: read %+v, written %+v", k, r[0], w[0])
	}
	return w[0].Version
}

// A month long past keeps nothing waiting, also when it is made later; the
// same id of no month is another document.
func TestAMonthWithoutAnIndex(t *testing.T) {
	d := newDesk(t)
	a := d.sensor(t, "writer")
	v := create(t, a, hour("2019.05", "x"))
	create(t, a, hour("other", "x"))
	create(t, a, hour("1999.01", "x"))
	if got := d.where("2019.05"); len(strings.Fields(got)) != 3 || v.Index != "p-hours-other" {
		t.Errorf("in %s, token of %q", got, v.Index)
	}
	d.make(t, "hours-2019.05")
	for _, s := range []*esindex.Store{a, d.sensor(t, "writer"), d.sensor(t, "admin")} {
		if r := read(t, s, hour("2019.05", "x")); r[0].Version != v {
			t.Errorf("after the month was made: %+v, want %+v", r[0], v)
		}
		if w := write(t, s, commit.Op{Key: hour("2019.05", "x"), Body: doc("2", "")}); w[0].Status != commit.Conflict {
			t.Errorf("it was made a second time: %+v", w[0])
		}
		if w := write(t, s, commit.Op{Kind: commit.Replace, Key: hour("2019.05", "x"), Version: v, Body: doc("2", "")}); w[0].Status != commit.Done || w[0].Version.Index != "p-hours-other" {
			t.Errorf("it can't be replaced: %+v", w[0])
		} else {
			v = w[0].Version
		}
	}
	create(t, d.sensor(t, "writer"), hour("2019.05", "y"))
	if got := d.where("2019.05"); strings.Contains(got, "2019.05/") {
		t.Errorf("in %s", got)
	}
}

// Whoever may make indices makes those of past months, but not without end.
func TestAKeyThatMakesMonths(t *testing.T) {
	d := newDesk(t)
	a := d.sensor(t, "admin")
	for n := range 60 {
		at := time.Date(2017, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC)
		create(t, a, hour(at.Format("2006.01"), "x"))
	}
	if got := strings.Count(d.where("2017.01", "2020.11"), "@"); got < 10 || got > 15 {
		t.Errorf("%d of 60 months are in the index for others: %s", got, d.where())
	}
	create(t, a, hour("2031.01", "x"))
	if got := d.where("2031.01"); strings.Contains(got, "2031.01/") {
		t.Errorf("it made a month to come: %s", got)
	}
	create(t, a, hour("2026.12", "x"))
	if got := d.where("2026.12"); !strings.Contains(got, "2026.12/x") {
		t.Errorf("next month: %s", got)
	}
}

// This month and the next one are waited for, and the reason says what to do.
func TestThisMonthIsWaitedFor(t *testing.T) {
	d := newDesk(t)
	s := d.sensor(t, "writer")
	for _, month := range []string{"2026.11", "2026.12"} {
		w, err := s.Write(t.Context(), []commit.Op{{Key: hour(month, "x"), Body: doc("1", "")}})
		if err == nil || !strings.Contains(err.Error(), "run dossier setup") {
			t.Errorf("%s: %v, %v", month, w, err)
		}
		// Others in the same write go on.
		both := write(t, s, commit.Op{Key: hour(month, "x"), Body: doc("1", "")}, commit.Op{Key: hour("2019.05", month), Body: doc("1", "")})
		if both[0].Status != commit.Unknown || both[1].Status != commit.Done {
			t.Errorf("%s: %+v", month, both)
		}
		d.make(t, "hours-"+month)
		if v := create(t, s, hour(month, "x")); v.Index != "" {
			t.Errorf("%s: token of %q", month, v.Index)
		}
	}
}

// Whoever claims a month to come doesn't choose for everybody then: from when it
// is near new documents go to its own index, and each stays where it is.
func TestAMonthThatComesNear(t *testing.T) {
	d := newDesk(t)
	s := d.sensor(t, "writer")
	early := create(t, s, hour("2027.03", "x"))
	d.make(t, "hours-2027.03")
	create(t, s, hour("2027.03", "y"))
	d.now = time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	for n, s := range []*esindex.Store{s, d.sensor(t, "writer")} {
		create(t, s, hour("2027.03", fmt.Sprint("z", n)))
		if r := read(t, s, hour("2027.03", "x")); r[0].Version != early {
			t.Errorf("what was early: %+v, want %+v", r[0], early)
		}
	}
	got := d.where("2027.03")
	for _, want := range []string{"other/x@2027.03", "other/y@2027.03", "2027.03/z0", "2027.03/z1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

// A month that retain deleted keeps nothing waiting either, also of a process
// that wrote to it before, and all find what another wrote since.
func TestAMonthThatIsDeleted(t *testing.T) {
	d := newDesk(t, "hours-2019.05")
	a, b := d.sensor(t, "writer"), d.sensor(t, "writer")
	old := create(t, a, hour("2019.05", "x"))
	create(t, b, hour("2019.05", "y"))
	d.Do(t.Context(), "DELETE", "p-hours-2019.05", nil)
	if r := read(t, a, hour("2019.05", "x")); r[0].Exists || r[0].Err != nil {
		t.Errorf("read %+v", r[0])
	}
	// Not at once: a node may not know yet of an index that was just made.
	if _, err := a.Write(t.Context(), []commit.Op{{Key: hour("2019.05", "x"), Body: doc("1", "")}}); err == nil {
		t.Error("it was given up at once")
	}
	d.now = d.now.Add(3 * time.Minute)
	if w := write(t, a, commit.Op{Kind: commit.Replace, Key: hour("2019.05", "x"), Version: old, Body: doc("1", "")}); w[0].Status != commit.Conflict {
		t.Errorf("a token of an index that is gone: %+v", w[0])
	}
	v := create(t, a, hour("2019.05", "x"))
	if r := read(t, b, hour("2019.05", "x")); r[0].Version != v {
		t.Errorf("another process reads %+v, want %+v", r[0], v)
	}
}

// A token is that of one index: against another it is a conflict, whatever its
// numbers are, and nothing is sent.
func TestATokenIsOfOneIndex(t *testing.T) {
	d := newDesk(t, "hours-2026.11")
	s := d.sensor(t, "writer")
	v := create(t, s, hour("2026.11", "x"))
	before := len(d.Requests("/_bulk"))
	for _, index := range []string{"p-hours-2026.10", "p-chunks-other", "p-things"} {
		v.Index = index
		if w := write(t, s, commit.Op{Kind: commit.Replace, Key: hour("2026.11", "x"), Version: v, Body: doc("2", "")}); w[0].Status != commit.Conflict {
			t.Errorf("of %s: %+v", index, w[0])
		}
	}
	v.Index = "p-hours-other" // there it may be, but isn't
	if w := write(t, s, commit.Op{Kind: commit.Replace, Key: hour("2026.11", "x"), Version: v, Body: doc("2", "")}); w[0].Status != commit.Conflict {
		t.Errorf("of the index for others: %+v", w[0])
	}
	if got := len(d.Requests("/_bulk")); got != before+1 {
		t.Errorf("%d requests", got-before)
	}
}

// Whoever can write to the ledger spoils a choice, or makes another of it:
// nothing waits for it, and what is there is found.
func TestAChoiceThatSomebodySpoilt(t *testing.T) {
	for _, body := range []string{`{}`, `{"state":5}`, `{"state":"!"}`, `{"state":"bnVsbA=="}`, `{"state":"eyJ0byI6Im1vb24ifQ=="}`, // {"to":"moon"}
		`{"state":"eyJ0byI6Im90aGVyIn0="}`, `{"state":"eyJ0byI6Im1vbnRoIn0="}`, `{"state":"eyJ0byI6ImVhcmx5In0="}`} {
		d := newDesk(t, "hours-2026.11")
		s := d.sensor(t, "writer")
		now, past := create(t, s, hour("2026.11", "x")), create(t, s, hour("2019.05", "x"))
		for _, month := range []string{"2026.11", "2019.05"} {
			if code, answer, err := d.Do(t.Context(), "PUT", "p-chunks-other/_doc/@p-hours-"+month, body); err != nil || code != 200 {
				t.Fatal(code, answer, err)
			}
		}
		other := d.sensor(t, "writer")
		r := read(t, other, hour("2026.11", "x"), hour("2019.05", "x"))
		if r[0].Version != now || r[1].Version != past {
			t.Errorf("%s: read %+v", body, r)
		}
		create(t, other, hour("2026.11", "y"))
		r = read(t, other, hour("2026.11", "x"))
		if r[0].Version != now {
			t.Errorf("%s: after a write, read %+v", body, r)
		}
		if w, err := other.Write(t.Context(), []commit.Op{{Key: hour("2019.05", "z"), Body: doc("1", "")}}); err != nil || w[0].Status != commit.Done {
			if !strings.Contains(body, "1vbnRo") { // "month", of one that isn't there
				t.Errorf("%s: %+v, %v", body, w, err)
			}
			d.now = d.now.Add(3 * time.Minute)
		}
		create(t, other, hour("2019.05", "y"))
		if r = read(t, other, hour("2019.05", "x")); r[0].Version != past {
			t.Errorf("%s: after a write, read %+v", body, r)
		}
	}
}

// Whoever holds a sensor's key writes a state that claims a newer major version,
// for which chunks would wait: it is believed only where the mapping, which he
// can't change, knows of it.
func TestANewerVersionIsBelievedOnlyOfTheMapping(t *testing.T) {
	d := newDesk(t, "hours-2026.11")
	s := d.sensor(t, "writer")
	claim := "\x92\x02\x00" // a msgpack array that begins with major version 2
	forged := commit.Op{Key: hour("2026.11", "x"), Body: doc(claim, "")}
	marker := commit.Op{Key: commit.Key{Index: "p-chunks-2026.10", ID: "y"}, Body: doc(claim+"12345", "")}
	d.make(t, "chunks-2026.10")
	write(t, s, forged, marker)
	r := read(t, s, forged.Key, marker.Key)
	if !errors.Is(r[0].Err, commit.ErrCorrupt) || errors.Is(r[0].Err, commit.ErrNewer) {
		t.Errorf("what he claims is believed: %+v", r[0])
	}
	if !r[1].Exists || r[1].Err != nil {
		t.Errorf("a marker: %+v", r[1])
	}
	if code, answer, err := d.Do(t.Context(), "PUT", "p-hours-2026.11/_mapping", `{"_meta":{"dossier":{"schema":9,"major":2}}}`); err != nil || code != 200 {
		t.Fatal(code, answer, err)
	}
	if r := read(t, d.sensor(t, "writer"), forged.Key); !r[0].Exists || string(r[0].State) != claim {
		t.Errorf("of a newer set-up: %+v", r[0])
	}
}
