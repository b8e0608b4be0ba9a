package deadletter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dossier/correlate/commit"
	"dossier/esindex/deadletter"
)

var _ commit.DeadLetters = (*deadletter.Box)(nil)

func encode(delta any) (json.RawMessage, error) { return json.Marshal(delta) }

func open(t *testing.T, change func(*deadletter.Options)) (*deadletter.Box, string) {
	t.Helper()
	o := deadletter.Options{Path: filepath.Join(t.TempDir(), "a", "dead"), Encode: encode}
	if change != nil {
		change(&o)
	}
	b, err := deadletter.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b, o.Path
}

func letter(n int, delta any) commit.Letter {
	return commit.Letter{
		Chunk: commit.ChunkID{byte(n), 0xab}, Minute: uint32(1000 + n), Reason: "because\nof it",
		Part: commit.Part{Key: commit.Key{Index: "i", ID: fmt.Sprintf("id-%d", n)}, Class: 2, Delta: delta},
	}
}

func bury(t *testing.T, b *deadletter.Box, letters ...commit.Letter) {
	t.Helper()
	if err := b.Bury(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, path string) ([]deadletter.Letter, deadletter.Result) {
	t.Helper()
	var all []deadletter.Letter
	r, err := deadletter.Read(path, func(l deadletter.Letter) error { all = append(all, l); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all, r
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		out = append(out, e.Name())
	}
	return out
}

func TestLettersComeBack(t *testing.T) {
	b, dir := open(t, nil)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	if n := names(t, dir); len(n) != 0 {
		t.Errorf("opening left %q", n)
	}
	hostile := "a\n{\"chunk\":\"00\"}\n\x00\xff\u202e"
	bury(t, b, letter(1, hostile), letter(2, map[string]int{"x": 1}))
	bury(t, b, letter(3, nil))
	bury(t, b)
	got, r := readAll(t, dir)
	if r != (deadletter.Result{Files: 1, Letters: 3}) {
		t.Errorf("%+v", r)
	}
	for i, l := range got {
		id, err := l.ChunkID()
		if want := letter(i+1, nil); err != nil || id != want.Chunk || l.Minute != want.Minute || l.Index != want.Part.Key.Index ||
			l.ID != want.Part.Key.ID || l.Class != want.Part.Class || l.Reason != want.Reason || l.Time.IsZero() || l.Data != nil {
			t.Errorf("letter %d: %+v, %v", i, l, err)
		}
	}
	if string(got[1].Events) != `{"x":1}` {
		t.Errorf("events: %s", got[1].Events)
	}
}

func TestBrokenChunkIsKeptInPieces(t *testing.T) {
	b, dir := open(t, nil)
	data := bytes.Repeat([]byte{0xff, '\n', 0, '"'}, 200_000)
	for _, d := range [][]byte{data, nil, data[:1]} {
		if err := b.BuryBroken(t.Context(), deadletter.Broken{Chunk: commit.ChunkID{1}, Tag: "../\n\x00", Offset: 7, Data: d, Reason: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := readAll(t, dir)
	if len(got) != 6 {
		t.Fatalf("%d letters", len(got))
	}
	var back []byte
	for i, l := range got[:4] {
		if l.Piece != i+1 || l.Pieces != 4 || l.Offset != 7 || l.Tag != "../\n\x00" || l.Index != "" {
			t.Errorf("piece %d: %+v", i, l)
		}
		back = append(back, l.Data...)
	}
	if !bytes.Equal(back, data) {
		t.Error("other bytes came back")
	}
}

func TestTornAndDamagedLinesArePassedOver(t *testing.T) {
	b, dir := open(t, nil)
	bury(t, b, letter(1, 1), letter(2, 2))
	file := filepath.Join(dir, names(t, dir)[0])
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		if err := os.WriteFile(file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		got, r := readAll(t, dir)
		if want := bytes.Count(whole[:cut], []byte("\n")); len(got) != want || r.Damaged != 0 ||
			(r.Torn == 1) != (cut > 0 && whole[cut-1] != '\n') {
			t.Fatalf("cut at %d: %d letters, %+v", cut, len(got), r)
		}
	}
	if err := os.WriteFile(file, append([]byte("{}\nnot json\n[]\n\n"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, r := readAll(t, dir); len(got) != 2 || r.Damaged != 4 {
		t.Errorf("%d letters, %+v", len(got), r)
	}
	// The next process starts its own file, so nothing follows a torn line.
	next, err := deadletter.Open(deadletter.Options{Path: dir, Encode: encode})
	if err != nil {
		t.Fatal(err)
	}
	bury(t, next, letter(3, 3))
	if n := names(t, dir); len(n) != 2 {
		t.Errorf("files: %q", n)
	}
}

func TestReplayMarksWhatIsDone(t *testing.T) {
	b, dir := open(t, func(o *deadletter.Options) { o.MaxFileBytes = 1 })
	for i := range 3 {
		bury(t, b, letter(i, i))
	}
	if n := names(t, dir); len(n) != 3 {
		t.Fatalf("files: %q", n)
	}
	stop := errors.New("down")
	seen := 0
	r, err := deadletter.Replay(dir, func(deadletter.Letter) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || r.Files != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if got, _ := readAll(t, dir); len(got) != 2 {
		t.Errorf("%d letters left", len(got))
	}
	// A box goes on in a new file where its own was replayed meanwhile.
	if _, err := deadletter.Replay(dir, func(deadletter.Letter) error { return nil }); err != nil {
		t.Fatal(err)
	}
	bury(t, b, letter(9, 9))
	if got, r := readAll(t, dir); len(got) != 1 || got[0].ID != "id-9" || r.Files != 1 {
		t.Errorf("%+v, %+v", got, r)
	}
}

func TestBuryingDuringReplay(t *testing.T) {
	b, dir := open(t, nil)
	bury(t, b, letter(1, 1))
	_, err := deadletter.Replay(dir, func(deadletter.Letter) error {
		bury(t, b, letter(2, 2))
		r, err := deadletter.Read(filepath.Join(dir, names(t, dir)[0]), func(deadletter.Letter) error { return nil })
		if err != nil || r.Busy != 1 {
			t.Errorf("a second replay: %+v, %v", r, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := readAll(t, dir); len(got) != 1 || got[0].ID != "id-2" {
		t.Errorf("left: %+v", got)
	}
}

func TestTotalSizeIsBounded(t *testing.T) {
	const limit = 20_000
	b, dir := open(t, func(o *deadletter.Options) { o.MaxBytes, o.MaxFileBytes = limit, 3000 })
	var err error
	n := 0
	for ; n < 1000 && err == nil; n++ {
		err = b.Bury(t.Context(), []commit.Letter{letter(n, strings.Repeat("x", 500))})
	}
	if !errors.Is(err, deadletter.ErrFull) || n < 10 || n == 1000 {
		t.Fatalf("after %d letters: %v", n, err)
	}
	if strings.ContainsRune(err.Error(), '\n') || !strings.Contains(err.Error(), "replay") {
		t.Errorf("no help: %v", err)
	}
	if err := b.BuryBroken(t.Context(), deadletter.Broken{Data: make([]byte, limit+1)}); !errors.Is(err, deadletter.ErrFull) {
		t.Errorf("a large chunk: %v", err)
	}
	got, _ := readAll(t, dir)
	if len(got) != n-1 {
		t.Errorf("%d letters of %d", len(got), n-1)
	}
	// Replayed files make room.
	if _, err := deadletter.Replay(dir, func(deadletter.Letter) error { return nil }); err != nil {
		t.Fatal(err)
	}
	bury(t, b, letter(1, strings.Repeat("x", 500)))
	total := 0
	for _, name := range names(t, dir) {
		info, _ := os.Stat(filepath.Join(dir, name))
		total += int(info.Size())
	}
	if total > limit {
		t.Errorf("%d bytes in all", total)
	}
}

func TestConcurrentBoxesInOneFolder(t *testing.T) {
	b, dir := open(t, nil)
	b2, err := deadletter.Open(deadletter.Options{Path: dir, Encode: encode})
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			for j := range 10 {
				box := b
				if i%2 == 1 {
					box = b2
				}
				if err := box.Bury(context.Background(), []commit.Letter{letter(i, j), letter(i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if got, r := readAll(t, dir); len(got) != 160 || r.Damaged+r.Torn+r.Busy != 0 {
		t.Errorf("%d letters, %+v", len(got), r)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(dir, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o777), os.Chmod(shared, 0o777)); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a file": file, "no path": "", "below a file": file + "/x", "writable for all": shared, "nowhere": "/proc/dead"} {
		if _, err := deadletter.Open(deadletter.Options{Path: path, Encode: encode}); err == nil || strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := deadletter.Open(deadletter.Options{Path: dir}); err == nil {
		t.Error("without Encode")
	}
}

func TestNothingIsWrittenWhereEncodingFails(t *testing.T) {
	b, dir := open(t, nil)
	if err := b.Bury(t.Context(), []commit.Letter{letter(1, 1), letter(2, func() {})}); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Bury(ctx, []commit.Letter{letter(1, 1)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := names(t, dir); len(n) != 0 {
		t.Errorf("files: %q", n)
	}
}

// FuzzRead: whatever stands in a file, reading it ends without a panic, and
// every line is counted once.
func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"time\":\"2026-01-02T03:04:05Z\",\"reason\":\"r\",\"chunk\":\"01ab0000000000000000000000000000\",\"index\":\"i\",\"id\":\"1\",\"events\":{}}\n"))
	f.Add([]byte("{\"chunk\":\"\"}\n{\"chunk\":1}\n\ntorn"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "x.jsonl")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := deadletter.Read(file, func(l deadletter.Letter) error { l.ChunkID(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(data, []byte("\n"))
		if torn := len(data) > 0 && data[len(data)-1] != '\n'; r.Letters+r.Damaged != lines || (r.Torn == 1) != torn {
			t.Errorf("%d lines: %+v", lines, r)
		}
	})
}
