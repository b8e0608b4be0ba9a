package deadletter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeptLettersStayInSight: letters that a replay can do nothing with, and
// damaged lines, outlive their file, the room that others need and a replay
// that is interrupted; nothing is kept twice.
func TestKeptLettersStayInSight(t *testing.T) {
	dir := t.TempDir()
	letter := func(chunk string) string { return `{"chunk":"` + chunk + `"}` }
	write := func(name string, lines ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	write("1.jsonl", letter("raw1"), letter("good"), "damaged", letter("raw2"))
	write("2.jsonl", letter("good"))
	stop := errors.New("stop")
	judge := func(end error) func(Letter) error {
		return func(l Letter) error {
			switch {
			case strings.HasPrefix(l.Chunk, "raw1"):
				return ErrKeep
			case l.Chunk == "raw2" && end != nil:
				return end
			case strings.HasPrefix(l.Chunk, "raw"):
				return ErrKeep
			}
			return nil
		}
	}
	if _, err := Replay(dir, judge(stop)); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	keptIn := func() string {
		var files []string
		r, err := EachKept(dir, func(file string, l Letter) error {
			files = append(files, filepath.Base(file)+" "+l.Chunk)
			return nil
		})
		return fmt.Sprint(files, r.Damaged, err)
	}
	if got := keptIn(); got != "[] 0 <nil>" {
		t.Errorf("kept before the file is done with: %s", got)
	}
	write("1.jsonl.kept.new", "half of it") // of a replay that was killed
	r, err := Replay(dir, judge(nil))
	if err != nil || r.Files != 2 || r.Letters != 4 || r.Kept != 2 || r.Damaged != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	want := letter("raw1") + "\ndamaged\n" + letter("raw2") + "\n"
	if got := read("1.jsonl.kept"); got != want {
		t.Errorf("kept %q", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "1.jsonl.kept")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "1.jsonl.kept.new")); !os.IsNotExist(err) {
		t.Error("the half is still there")
	}
	if got := keptIn(); got != "[1.jsonl.kept raw1 1.jsonl.kept raw2] 1 <nil>" {
		t.Error(got)
	}
	// They are no letters that wait, and a file that is named stays.
	if r, err := Replay(dir, judge(nil)); err != nil || r.Files != 0 {
		t.Errorf("again: %+v, %v", r, err)
	}
	if r, err := Replay(filepath.Join(dir, "1.jsonl.kept"), judge(nil)); err != nil || r.Kept != 2 || read("1.jsonl.kept") != want {
		t.Errorf("the kept ones: %+v, %v, %q", r, err, read("1.jsonl.kept"))
	}
	// Only what is asked for.
	write("3.jsonl", letter("good"))
	write("4.jsonl", letter("good"))
	if r, err := ReplayOnly(dir, func(file string) bool { return filepath.Base(file) == "4.jsonl" }, judge(nil)); err != nil || r.Files != 1 || read("3.jsonl") != letter("good")+"\n" {
		t.Errorf("only one: %+v, %v", r, err)
	}
	// A second crash, after the kept ones were written: the same again.
	write("1.jsonl", letter("raw1"), letter("good"), "damaged", letter("raw2"))
	if _, err := Replay(dir, judge(nil)); err != nil || read("1.jsonl.kept") != want {
		t.Errorf("%v, %q", err, read("1.jsonl.kept"))
	}
	b := &Box{o: Options{Path: dir, MaxBytes: 100}, disk: osDisk{}}
	if _, err := b.makeRoom(90); !errors.Is(err, ErrFull) {
		t.Errorf("room was made: %v", err)
	}
	if read("1.jsonl.kept") != want {
		t.Error("kept letters were deleted to make room")
	}
	if _, err := os.Stat(filepath.Join(dir, "1.jsonl.replayed")); !os.IsNotExist(err) {
		t.Error("the test makes no room at all")
	}
}
