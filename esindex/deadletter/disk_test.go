package deadletter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dossier/correlate/commit"
)

// testDisk is the real file system with faults. It knows what a crash of the
// machine would leave: of each file as much as was synced, and only files
// whose name was synced.
type testDisk struct {
	osDisk
	// really says that syncing reaches the real disk too, which takes its
	// time.
	really      bool
	room        int   // bytes that may still be written; negative for any number
	syncErr     error // of the next Sync
	dirErr      error // of the next syncDir
	truncateErr error // of each Truncate
	removeErr   error // of each remove

	synced map[string]int64 // sizes
	named  map[string]bool  // names that are durable
	dirs   int              // calls of syncDir
}

func newTestDisk() *testDisk {
	return &testDisk{room: -1, synced: map[string]int64{}, named: map[string]bool{}}
}

type testFile struct {
	file
	d    *testDisk
	path string
}

func (d *testDisk) create(path string) (file, error) {
	f, err := d.osDisk.create(path)
	return &testFile{f, d, path}, err
}

func (d *testDisk) append(path string) (file, error) {
	f, err := d.osDisk.append(path)
	return &testFile{f, d, path}, err
}

func (d *testDisk) remove(path string) error {
	if d.removeErr != nil {
		return d.removeErr
	}
	return d.osDisk.remove(path)
}

func (d *testDisk) syncDir(path string) error {
	d.dirs++
	if err := d.dirErr; err != nil {
		d.dirErr = nil
		return err
	}
	names, err := d.names(path)
	for _, n := range names {
		d.named[filepath.Join(path, n)] = true
	}
	if d.really {
		err = errors.Join(err, d.osDisk.syncDir(path))
	}
	return err
}

func (f *testFile) Write(p []byte) (int, error) {
	if f.d.room < 0 || len(p) <= f.d.room {
		if f.d.room >= 0 {
			f.d.room -= len(p)
		}
		return f.file.Write(p)
	}
	n, _ := f.file.Write(p[:f.d.room])
	f.d.room = 0
	return n, &os.PathError{Op: "write", Path: f.path, Err: syscall.ENOSPC}
}

func (f *testFile) Sync() error {
	if err := f.d.syncErr; err != nil {
		f.d.syncErr = nil
		return err
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	f.d.synced[f.path] = info.Size()
	if !f.d.really {
		return nil
	}
	return f.file.Sync()
}

func (f *testFile) Truncate(size int64) error {
	if f.d.truncateErr != nil {
		return f.d.truncateErr
	}
	return f.file.Truncate(size)
}

// crash leaves what is durable.
func (d *testDisk) crash(t *testing.T, dir string) {
	t.Helper()
	names, err := d.names(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		path := filepath.Join(dir, n)
		if !d.named[path] {
			os.Remove(path)
		} else if info, err := os.Stat(path); err == nil && info.Size() > d.synced[path] {
			os.Truncate(path, d.synced[path])
		}
	}
}

func openOn(t *testing.T, d disk, change func(*Options)) *Box {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "dead"), Encode: func(delta any) (json.RawMessage, error) { return json.Marshal(delta) }}
	if change != nil {
		change(&o)
	}
	b, err := open(o, d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func numbered(n, size int) commit.Letter {
	return commit.Letter{Chunk: commit.ChunkID{1}, Reason: "r", Part: commit.Part{
		Key: commit.Key{Index: "i", ID: fmt.Sprint(n)}, Delta: strings.Repeat("x", size),
	}}
}

func raw(n, size int, unparsed bool) Broken {
	return Broken{Chunk: commit.ChunkID{1}, Tag: fmt.Sprint(n), Data: make([]byte, size), Reason: "r", Unparsed: unparsed}
}

// found returns the numbers of the letters, in order.
func found(t *testing.T, b *Box) (numbers []string, r Result) {
	t.Helper()
	r, err := Read(b.o.Path, func(l Letter) error { numbers = append(numbers, l.ID+l.Tag); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return numbers, r
}

// TestBuriedLettersOutliveACrash: what a call reported buried is there after
// the power failed just then, in files that are there.
func TestBuriedLettersOutliveACrash(t *testing.T) {
	for name, most := range map[string]int64{"one file": 0, "many files": 500} {
		t.Run(name, func(t *testing.T) {
			d := newTestDisk()
			d.really = true
			b := openOn(t, d, func(o *Options) { o.MaxFileBytes = most })
			var want []string
			for n := range 30 {
				var err error
				if n%3 == 0 {
					err = b.BuryBroken(t.Context(), raw(n, 10*n, n%2 == 0))
				} else {
					err = b.Bury(t.Context(), []commit.Letter{numbered(n, 10*n)})
				}
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, fmt.Sprint(n))
				d.crash(t, b.o.Path)
				got, r := found(t, b)
				slices.Sort(got)
				sorted := slices.Sorted(slices.Values(want))
				if !slices.Equal(got, sorted) || r.Torn+r.Damaged != 0 {
					t.Fatalf("after letter %d: %q, %+v", n, got, r)
				}
			}
		})
	}
}

// TestOpenSyncs: the folder's own name, and a try, are synced at the start.
func TestOpenSyncs(t *testing.T) {
	d := newTestDisk()
	openOn(t, d, nil)
	if d.dirs != 1 || len(d.synced) != 1 {
		t.Errorf("%d folders and %d files synced", d.dirs, len(d.synced))
	}
	for name, change := range map[string]func(*testDisk){
		"write": func(d *testDisk) { d.room = 1 },
		"sync":  func(d *testDisk) { d.syncErr = syscall.EIO },
		"names": func(d *testDisk) { d.dirErr = syscall.EIO },
	} {
		d := newTestDisk()
		change(d)
		path := filepath.Join(t.TempDir(), "dead")
		if _, err := open(Options{Path: path, Encode: func(any) (json.RawMessage, error) { return nil, nil }}, d); err == nil {
			t.Errorf("%s: no error", name)
		}
		if names, _ := d.names(path); len(names) != 0 {
			t.Errorf("%s: %q stays", name, names)
		}
	}
}

// TestHalfALineIsNeverBeforeOthers: whatever a write or a sync leaves behind
// when it fails, letters buried before and after come back whole and in
// order.
func TestHalfALineIsNeverBeforeOthers(t *testing.T) {
	size := func() int { // of one letter's line
		b := openOn(t, newTestDisk(), nil)
		if err := b.Bury(t.Context(), []commit.Letter{numbered(2, 20)}); err != nil {
			t.Fatal(err)
		}
		e, _ := b.disk.list(b.o.Path)
		return int(e[0].size)
	}()
	faults := map[string]func(*testDisk){
		"sync fails":              func(d *testDisk) { d.syncErr = syscall.EIO },
		"sync and truncate fail":  func(d *testDisk) { d.syncErr, d.truncateErr, d.removeErr = syscall.EIO, syscall.EIO, syscall.EIO },
		"the folder's sync fails": func(d *testDisk) { d.dirErr = syscall.EIO },
	}
	for room := 0; room < size-12; room += 1 + room/4 { // its time takes more or less
		faults[fmt.Sprintf("full after %d", room)] = func(d *testDisk) { d.room = room }
		faults[fmt.Sprintf("full after %d, can't be cut", room)] = func(d *testDisk) {
			d.room, d.truncateErr, d.removeErr = room, syscall.EIO, syscall.EIO
		}
	}
	for name, fault := range faults {
		for _, before := range []int{0, 1} {
			d := newTestDisk()
			b := openOn(t, d, nil)
			var want []string
			if before == 1 {
				if err := b.Bury(t.Context(), []commit.Letter{numbered(1, 20)}); err != nil {
					t.Fatal(err)
				}
				want = append(want, "1")
			}
			fault(d)
			err := b.Bury(t.Context(), []commit.Letter{numbered(2, 20)})
			if d.dirErr != nil {
				d.dirErr = nil // no file was begun
			} else if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s: %v", name, err)
			}
			if strings.Contains(name, "fail") && err != nil && !strings.Contains(name, "truncate") || strings.HasPrefix(name, "full") && !strings.Contains(name, "cut") {
				if got, r := found(t, b); !slices.Equal(got, want) || r.Torn != 0 {
					t.Errorf("%s, %d before: %q are left, %+v", name, before, got, r)
				}
			}
			d.room, d.truncateErr, d.removeErr, d.syncErr = -1, nil, nil, nil
			for n := 3; n < 5; n++ {
				if err := b.Bury(t.Context(), []commit.Letter{numbered(n, 20)}); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, "3", "4")
			d.crash(t, b.o.Path)
			got, r := found(t, b)
			got = slices.DeleteFunc(got, func(s string) bool { return s == "2" }) // it comes again: that is not twice
			if !slices.Equal(got, want) || r.Damaged != 0 {
				t.Errorf("%s, %d before: %q, want %q, %+v", name, before, got, want, r)
			}
		}
	}
}

// TestNothingIsAppendedToAFileThatIsNotAsItWasLeft: it was replayed, replaced
// or cut within a line meanwhile.
func TestNothingIsAppendedToAFileThatIsNotAsItWasLeft(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"replayed": func(p string) error { return os.Rename(p, p+replayedMark) },
		"removed":  os.Remove,
		"cut":      func(p string) error { return os.Truncate(p, 10) },
		"link":     func(p string) error { return errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p)) },
		"pipe":     func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)) },
	} {
		b := openOn(t, newTestDisk(), nil)
		if err := b.Bury(t.Context(), []commit.Letter{numbered(1, 20)}); err != nil {
			t.Fatal(err)
		}
		old := b.letters.file
		if err := change(old); err != nil {
			t.Fatal(err)
		}
		if err := b.Bury(t.Context(), []commit.Letter{numbered(2, 20)}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.letters.file == old {
			t.Errorf("%s: appended to", name)
		}
	}
}

// TestOldestFirst: files are read in the order they were begun, however many
// begin in one millisecond, whichever process began them, and though the
// clock was set back between.
func TestOldestFirst(t *testing.T) {
	b := openOn(t, newTestDisk(), func(o *Options) { o.MaxFileBytes = 1 })
	other, err := open(b.o, newTestDisk())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	bury := func(b *Box, n int) {
		t.Helper()
		if err := b.Bury(t.Context(), []commit.Letter{numbered(n, 1)}); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint(n))
	}
	for n := range 200 {
		bury([]*Box{b, other}[n%2], n)
	}
	future := "99" + filepath.Base(b.letters.file)[2:]
	if err := os.Rename(b.letters.file, filepath.Join(b.o.Path, future)); err != nil {
		t.Fatal(err)
	}
	last := want[198]
	want = slices.Delete(want, 198, 199)
	want = append(want, last)
	for n := range 20 {
		bury(other, 200+n)
	}
	got, r := found(t, b)
	if !slices.Equal(got, want) || r.Files != 220 {
		t.Errorf("%q, %+v", got, r)
	}
}

func TestNamesGrow(t *testing.T) {
	b := openOn(t, newTestDisk(), nil)
	for _, c := range []struct{ there, want string }{
		{"29990101T000000.000Z-999999-aaaaaaaa.jsonl", "29990101T000000.001Z-000000-"},
		{"29990101T000000.001Z-000007-aaaaaaaa.unparsed.jsonl.replayed", "29990101T000000.001Z-000008-"},
		{"29990101T000000.001Z-zzzzzzzz.jsonl", "29990101T000000.001Z-000008-"}, // as older versions named them
		{"29990102T000000.000Z-aaaaaaaa.jsonl", "29990102T000000.000Z-000001-"},
		{"99990101T000000.000Z-000000-aaaaaaaa.jsonl", "29990102T000000.000Z-000001-"}, // no later one could be
		{"30000101T000000.000Z-000000-aaaaaaaa.txt", "29990102T000000.000Z-000001-"},
		{"x.jsonl", "29990102T000000.000Z-000001-"},
	} {
		if err := os.WriteFile(filepath.Join(b.o.Path, c.there), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{suffix, unparsedSuffix} {
			got, err := b.nextName(end)
			if err != nil || !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, end) || len(got) != len(c.want)+8+len(end) {
				t.Errorf("beside %s: %s, %v", c.there, got, err)
			}
		}
	}
}

// TestFoldersThatOthersCanWriteTo are refused, to write and to read.
func TestFoldersThatOthersCanWriteTo(t *testing.T) {
	top := t.TempDir()
	made := func(name string, mode os.FileMode) string {
		path := filepath.Join(top, name)
		if err := errors.Join(os.MkdirAll(path, 0o700), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(name, to string) string {
		path := filepath.Join(top, name)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := made("good", 0o700)
	cases := map[string]string{
		"group":             made("group", 0o770),
		"group writes only": made("group2", 0o720),
		"others":            made("others", 0o707),
		"a link":            link("link", good),
		"below a link":      filepath.Join(link("link2", top), "good"),
		"a dangling link":   link("dangling", filepath.Join(top, "nothing")),
		"below others'":     filepath.Join(made("free", 0o777), "dead"),
	}
	if os.Geteuid() == 0 {
		theirs := made("theirs", 0o755)
		above := made("above", 0o755)
		if err := errors.Join(os.Chown(theirs, 65534, 65534), os.Chown(above, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		cases["another's"], cases["below another's"] = theirs, filepath.Join(above, "dead")
	} else {
		t.Log("SKIP: folders of another user, which only root can make")
	}
	encode := func(any) (json.RawMessage, error) { return nil, nil }
	for name, path := range cases {
		_, err := Open(Options{Path: path, Encode: encode})
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), top) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "another's" && !strings.Contains(fmt.Sprint(err), "run this as that user") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(name, "link") != strings.Contains(fmt.Sprint(err), "is a symbolic link; give the path without links") {
			t.Errorf("%s: %v", name, err)
		}
		os.Mkdir(path, 0o700) // where it was not there
		if name == "another's" {
			continue // root may read it
		}
		if _, err := Read(path, func(Letter) error { return nil }); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
	if _, err := Open(Options{Path: filepath.Join(top, "link2", "new"), Encode: encode}); err == nil {
		t.Error("a new folder below a link")
	}
	if _, err := os.Stat(filepath.Join(top, "new")); err == nil {
		t.Error("a folder was made below a link")
	}
	if _, err := os.Stat(filepath.Join(top, "nothing")); err == nil {
		t.Error("a folder was made where a link points to")
	}
	sticky := filepath.Join(made("sticky", 0o777|os.ModeSticky), "dead")
	for _, path := range []string{good, sticky, filepath.Join(made("readable", 0o755), "a", "b")} {
		if _, err := Open(Options{Path: path, Encode: encode}); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Join(top, "readable", "a")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestLettersOfOthersAreRefused: what somebody else may have put into the
// folder decides nothing.
func TestLettersOfOthersAreRefused(t *testing.T) {
	line := `{"chunk":"01","index":"i","id":"1"}` + "\n"
	cases := map[string]func(path string) error{
		"writable for the group": func(p string) error { return errors.Join(os.WriteFile(p, []byte(line), 0o600), os.Chmod(p, 0o620)) },
		"writable for all":       func(p string) error { return errors.Join(os.WriteFile(p, []byte(line), 0o600), os.Chmod(p, 0o602)) },
		"a link": func(p string) error {
			return errors.Join(os.WriteFile(p+"x", []byte(line), 0o600), os.Symlink(p+"x", p))
		},
		"a pipe":   func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a folder": func(p string) error { return os.Mkdir(p, 0o700) },
	}
	if os.Geteuid() == 0 {
		cases["another's"] = func(p string) error { return errors.Join(os.WriteFile(p, []byte(line), 0o600), os.Chown(p, 65534, -1)) }
	} else {
		t.Log("SKIP: a file of another user, which only root can make")
	}
	for name, put := range cases {
		dir := t.TempDir()
		if err := put(filepath.Join(dir, "a.jsonl")); err != nil {
			t.Fatal(err)
		}
		_, err := Replay(dir, func(Letter) error { t.Errorf("%s: a letter was read", name); return nil })
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// total is the size of everything in the folder.
func total(t *testing.T, b *Box) (sum int64) {
	t.Helper()
	entries, err := b.disk.list(b.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		sum += e.size
	}
	return sum
}

// TestUnparsedRecordsMakeRoom: a folder that is full holds up no chunk for
// them: they go, oldest first, and are counted; letters that bring something
// back stay, and files that are not letters too.
func TestUnparsedRecordsMakeRoom(t *testing.T) {
	const limit = 40_000
	var told Dropped
	b := openOn(t, newTestDisk(), func(o *Options) {
		o.MaxBytes = limit
		o.Dropped = func(d Dropped) { told.add(d) }
	})
	foreign := filepath.Join(b.o.Path, "0-readme")
	if err := os.WriteFile(foreign, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.BuryBroken(t.Context(), raw(-1, 100, false)); err != nil {
		t.Fatal(err)
	}
	buried := 0
	for n := range 300 {
		if err := b.BuryBroken(t.Context(), raw(n, 500, true)); err != nil {
			t.Fatalf("letter %d: %v", n, err)
		}
		buried++
		if total(t, b) > limit {
			t.Fatalf("letter %d: %d bytes", n, total(t, b))
		}
	}
	got, _ := found(t, b)
	d := b.Dropped()
	if d.Letters != int64(buried+1-len(got)) || d.Bytes == 0 || told != d {
		t.Errorf("%d are left; dropped %+v, told %+v", len(got), d, told)
	}
	for i, n := range got[1:] {
		if n != fmt.Sprint(buried-len(got)+1+i) {
			t.Fatalf("the oldest are not those that went: %q", got)
		}
	}
	if len(got) < 30 || got[0] != "-1" {
		t.Errorf("too much went: %q", got)
	}
	// Letters take the room of records that are merely unparsed.
	var err error
	kept := 0
	for ; err == nil; kept++ {
		err = b.Bury(t.Context(), []commit.Letter{numbered(1000+kept, 500)})
		if total(t, b) > limit {
			t.Fatalf("%d bytes", total(t, b))
		}
	}
	if !errors.Is(err, ErrFull) || kept < 40 {
		t.Errorf("after %d: %v", kept, err)
	}
	got, _ = found(t, b)
	if len(got) != kept || got[0] != "-1" { // kept-1 letters, and the broken chunk
		t.Errorf("%d letters of %d: %q", len(got), kept, got)
	}
	// Now there is room for nothing: the record goes, the chunk doesn't wait.
	before := b.Dropped()
	for _, size := range []int{500, limit + 1, 10 * limit} {
		if err := b.BuryBroken(t.Context(), raw(5000, size, true)); err != nil {
			t.Error(err)
		}
	}
	if d := b.Dropped(); d.Letters < before.Letters+3 || d.Bytes < before.Bytes+11*limit || told != d {
		t.Errorf("dropped %+v, before %+v, told %+v", d, before, told)
	}
	if err := b.BuryBroken(t.Context(), raw(5000, 500, false)); !errors.Is(err, ErrFull) {
		t.Errorf("a broken chunk: %v", err)
	}
	if again, _ := found(t, b); !slices.Equal(again, got) {
		t.Errorf("%q", again)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

// TestUnparsedRecordsOnAFullDisk: the disk may be full before the folder is.
func TestUnparsedRecordsOnAFullDisk(t *testing.T) {
	d := newTestDisk()
	b := openOn(t, d, nil)
	if err := b.BuryBroken(t.Context(), raw(1, 100, true)); err != nil {
		t.Fatal(err)
	}
	d.room = 50
	if err := b.BuryBroken(t.Context(), raw(2, 100, true)); err != nil {
		t.Error(err)
	}
	if got := b.Dropped(); got.Letters != 2 {
		t.Errorf("dropped %+v", got)
	}
	if err := b.BuryBroken(t.Context(), raw(3, 100, false)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a broken chunk: %v", err)
	}
	d.room = -1
	if err := b.BuryBroken(t.Context(), raw(4, 100, true)); err != nil {
		t.Fatal(err)
	}
	// A letter takes a record's place.
	d.room = 50
	b.disk = &freeing{testDisk: d}
	if err := b.Bury(t.Context(), []commit.Letter{numbered(5, 10)}); err != nil {
		t.Error(err)
	}
	if got, _ := found(t, b); !slices.Equal(got, []string{"5"}) {
		t.Errorf("%q", got)
	}
	// Any other failure holds the chunk.
	d.syncErr = syscall.EIO
	if err := b.BuryBroken(t.Context(), raw(6, 100, true)); !errors.Is(err, syscall.EIO) {
		t.Errorf("%v", err)
	}
}

// freeing is a disk on which removing a file makes room.
type freeing struct{ *testDisk }

func (d *freeing) remove(path string) error {
	if strings.Contains(path, unparsedSuffix) {
		d.room = -1
	}
	return d.testDisk.remove(path)
}

// TestBusyFilesAreNotDropped: a file that is being replayed stays.
func TestBusyFilesAreNotDropped(t *testing.T) {
	b := openOn(t, newTestDisk(), func(o *Options) { o.MaxBytes = 3000 })
	if err := b.BuryBroken(t.Context(), raw(1, 300, true)); err != nil {
		t.Fatal(err)
	}
	_, err := Replay(b.o.Path, func(Letter) error {
		for n := range 20 {
			if err := b.BuryBroken(t.Context(), raw(2+n, 300, true)); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err) // the file was renamed, so it was there
	}
}

// TestReplayedFilesGoFirst: before any record that waits, and only as many as
// must.
func TestReplayedFilesGoFirst(t *testing.T) {
	b := openOn(t, newTestDisk(), func(o *Options) { o.MaxBytes = 10_000 })
	for n := range 4 {
		name := fmt.Sprintf("2000010%dT000000.000Z-000000-aaaaaaaa.jsonl.replayed", n+1)
		if err := os.WriteFile(filepath.Join(b.o.Path, name), make([]byte, 2000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.BuryBroken(t.Context(), raw(1, 100, true)); err != nil {
		t.Fatal(err)
	}
	if err := b.Bury(t.Context(), []commit.Letter{numbered(1, 3000)}); err != nil {
		t.Fatal(err)
	}
	names, _ := b.disk.names(b.o.Path)
	if len(names) != 5 || !strings.HasPrefix(names[0], "20000102") && !strings.HasPrefix(names[0], "20000103") || b.Dropped() != (Dropped{}) {
		t.Errorf("%q, dropped %+v", names, b.Dropped())
	}
}

// TestSizeStaysBounded: by random letters of all kinds, replays in between.
func TestSizeStaysBounded(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	const limit = 30_000
	b := openOn(t, newTestDisk(), func(o *Options) { o.MaxBytes, o.MaxFileBytes = limit, 4000 })
	acknowledged := map[string]bool{}
	for n := range 400 {
		var err error
		switch r.IntN(12) {
		case 0:
			_, err = Replay(b.o.Path, func(l Letter) error { delete(acknowledged, l.ID+l.Tag); return nil })
		case 1, 2, 3, 4:
			err = b.BuryBroken(t.Context(), raw(n, r.IntN(3000), true))
		case 5:
			if err = b.BuryBroken(t.Context(), raw(n, r.IntN(3000), false)); err == nil {
				acknowledged[fmt.Sprint(n)] = true
			}
		default:
			if err = b.Bury(t.Context(), []commit.Letter{numbered(n, r.IntN(1000))}); err == nil {
				acknowledged[fmt.Sprint(n)] = true
			}
		}
		if err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if sum := total(t, b); sum > limit {
			t.Fatalf("step %d: %d bytes", n, sum)
		}
		got, _ := found(t, b)
		for id := range acknowledged {
			if !slices.Contains(got, id) {
				t.Fatalf("step %d: letter %s is gone", n, id)
			}
		}
	}
}

func TestLongLinesArePassedOver(t *testing.T) {
	const most = 5000
	long := strings.Repeat("x", most)
	in := bufio.NewReaderSize(io.MultiReader(strings.NewReader("a\n"+long+"\n"+long[1:]+"\nb\n"+long+long)), 64)
	for i, want := range []struct {
		size  int
		whole bool
		err   error
	}{{2, true, nil}, {0, false, nil}, {most, true, nil}, {2, true, nil}, {0, false, io.EOF}} {
		line, whole, err := readLine(in, most)
		if len(line) != want.size || whole != want.whole || err != want.err {
			t.Errorf("line %d: %d bytes, %v, %v", i, len(line), whole, err)
		}
	}
	if err := appendLine(new(bytes.Buffer), &Letter{Reason: strings.Repeat("x", maxLine)}); err == nil {
		t.Error("a letter is buried that can't be read back")
	}
}

// moving is a disk on which somebody moves a file away just when it has been
// opened.
type moving struct{ osDisk }

func (moving) append(path string) (file, error) {
	f, err := osDisk{}.append(path)
	return f, errors.Join(err, os.Rename(path, path+replayedMark))
}

func TestAFileThatIsMovedAwayMeanwhileIsLeft(t *testing.T) {
	b := openOn(t, newTestDisk(), nil)
	if err := b.Bury(t.Context(), []commit.Letter{numbered(1, 20)}); err != nil {
		t.Fatal(err)
	}
	b.disk = moving{}
	if err := b.Bury(t.Context(), []commit.Letter{numbered(2, 20)}); err != nil {
		t.Fatal(err)
	}
	if got, _ := found(t, b); !slices.Equal(got, []string{"2"}) {
		t.Errorf("%q waits; the second letter went into a replayed file", got)
	}
}

// TestTwoReplaysAtOnce: each letter comes to one of them, and neither fails.
func TestTwoReplaysAtOnce(t *testing.T) {
	b := openOn(t, newTestDisk(), func(o *Options) { o.MaxFileBytes = 1 })
	for n := range 3 {
		if err := b.Bury(t.Context(), []commit.Letter{numbered(n, 20)}); err != nil {
			t.Fatal(err)
		}
	}
	var first, second []string
	var inner Result
	outer, err := Replay(b.o.Path, func(l Letter) (err error) {
		first = append(first, l.ID)
		inner, err = Replay(b.o.Path, func(l Letter) error { second = append(second, l.ID); return nil })
		return err
	})
	if err != nil || !slices.Equal(first, []string{"0"}) || !slices.Equal(second, []string{"1", "2"}) || outer.Busy != 2 || inner.Busy != 1 {
		t.Errorf("%q %+v, %q %+v, %v", first, outer, second, inner, err)
	}
	if _, err := Replay(filepath.Join(b.o.Path, "none.jsonl"), func(Letter) error { return nil }); err == nil {
		t.Error("a file that is not there")
	}
}

// TestALargeChunkIsNotEncodedFirst where there is no room for it anyway.
func TestALargeChunkIsNotEncodedFirst(t *testing.T) {
	b := openOn(t, newTestDisk(), func(o *Options) { o.MaxBytes = 1000 })
	for _, unparsed := range []bool{false, true} {
		in := raw(1, 32<<20, unparsed)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := b.BuryBroken(t.Context(), in)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; (err == nil) != unparsed || grown > 4<<20 {
			t.Errorf("unparsed %v: %v, %d bytes allocated", unparsed, err, grown)
		}
	}
}
