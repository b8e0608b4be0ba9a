package deadletter_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dossier/esindex/deadletter"
)

// TestEraseBesideASensor: a box goes on after its file was rewritten, and loses nothing of
// the others; a file that somebody writes to is left alone and named; after an error no
// file is changed.
func TestEraseBesideASensor(t *testing.T) {
	b, dir := open(t, nil)
	bury(t, b, letter(1, "gone"), letter(2, "stays"), letter(3, "gone"))
	erase := func() (deadletter.Erasure, error) {
		return deadletter.Erase(dir, func(_ string, l *deadletter.Letter) (deadletter.Fate, error) {
			if strings.Contains(string(l.Events), "gone") {
				return deadletter.Erased, nil
			}
			return deadletter.Stays, nil
		}, nil)
	}
	file := filepath.Join(dir, names(t, dir)[0])
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if r, err := erase(); err != nil || r.Letters != 0 || len(r.Busy) != 1 || r.Busy[0] != file {
		t.Errorf("of a file that is written to: %+v, %v", r, err)
	}
	f.Close()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no")
	if _, err := deadletter.Erase(dir, func(_ string, l *deadletter.Letter) (deadletter.Fate, error) {
		if l.ID == "id-3" {
			return 0, refused
		}
		return deadletter.Erased, nil
	}, nil); !errors.Is(err, refused) || !strings.Contains(err.Error(), ", line 3: ") {
		t.Errorf("%v", err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(before) || len(names(t, dir)) != 1 {
		t.Errorf("after an error: %q, %v", now, err)
	}
	if r, err := erase(); err != nil || r.Letters != 2 || r.Files != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	bury(t, b, letter(4, "stays too"), letter(5, "gone"))
	all, r := readAll(t, dir)
	if len(all) != 3 || all[0].ID != "id-2" || all[1].ID != "id-4" || all[2].ID != "id-5" || r.Damaged+r.Torn != 0 {
		t.Errorf("%+v, %+v", all, r)
	}
	// What a crash cut off stays cut off, and is no letter.
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(whole, `{"time":"20`...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := erase(); err != nil || r.Letters != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if all, r := readAll(t, dir); len(all) != 2 || r.Torn != 1 {
		t.Errorf("%+v, %+v", all, r)
	}

	// Who else may write there may have written what is in it.
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := erase(); err == nil {
		t.Error("a folder that everybody may write to")
	}
	if _, err := deadletter.Erase(filepath.Join(t.TempDir(), "nowhere"), nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
