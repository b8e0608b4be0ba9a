package stored

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"dossier/correlate/event"
	"dossier/plugin/chunk"
)

func logOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func chunksOf(t *testing.T, in io.Reader, dialect string) (out []Chunk) {
	t.Helper()
	r := NewReader(in, dialect)
	for {
		var c Chunk
		err := r.Next(&c)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
}

func ids(chunks []Chunk) (out []string) {
	for _, c := range chunks {
		out = append(out, c.ID.String())
	}
	return out
}

// TestLaw: the ids of a log are for ever. Were they others, every log that was
// ever imported would count again.
func TestLaw(t *testing.T) {
	got := chunksOf(t, strings.NewReader(logOf(2*ChunkRecords+1)), "auto")
	want := []string{"f344ccc12d8d3010e63baaba117ed50f", "3466100da93a5bc1d23f616dfa22ec88", "c7f2f3cf82fa818dff412daad88e49de"}
	if !slices.Equal(ids(got), want) {
		t.Errorf("got %q, want %q", ids(got), want)
	}
	if got[0].Open || got[1].Open || !got[2].Open || got[2].Torn || got[2].Records != 1 || got[2].Before != 2*ChunkRecords {
		t.Errorf("%+v", got)
	}
	if other := chunksOf(t, strings.NewReader(logOf(2*ChunkRecords+1)), "cowrie"); other[0].ID == got[0].ID {
		t.Error("another dialect reads other events")
	}
	// Without its last line feed it is the same log, and may still get more.
	torn := chunksOf(t, strings.NewReader(strings.TrimSuffix(logOf(2*ChunkRecords+1), "\n")), "auto")
	if !slices.Equal(ids(torn), want) || !torn[2].Torn || !torn[2].Open {
		t.Errorf("%q, %+v", ids(torn), torn[2])
	}
	full := chunksOf(t, strings.NewReader(strings.TrimSuffix(logOf(2*ChunkRecords), "\n")), "auto")
	if !slices.Equal(ids(full), want[:2]) || !full[1].Open {
		t.Errorf("a full chunk whose last line may get more: %q, %v", ids(full), full[1].Open)
	}
	if none := chunksOf(t, strings.NewReader(""), "auto"); none != nil {
		t.Errorf("%+v", none)
	}
}

// TestGrowth: wherever a log ends while it grows, what was full stays the same
// chunk, and its positions are found again in what came of it.
func TestGrowth(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	text := logOf(5*ChunkRecords + 17)
	whole := chunksOf(t, strings.NewReader(text), "auto")
	for range 20 {
		part := text[:r.IntN(len(text))]
		var full []Chunk
		for _, c := range chunksOf(t, strings.NewReader(part), "auto") {
			if !c.Open {
				full = append(full, c)
			}
		}
		if !slices.Equal(ids(full), ids(whole)[:len(full)]) {
			t.Fatalf("%d bytes: %q", len(part), ids(full))
		}
		if len(full) == 0 {
			continue
		}
		end := full[len(full)-1].End()
		wrong := end
		wrong.Prefix[0]++
		found, err := Through(strings.NewReader(text), "auto", []Position{wrong, end, whole[len(whole)-1].End()})
		if err != nil || !slices.Equal(found, []int{1, 2}) {
			t.Fatalf("%v, %v", found, err)
		}
		rest := NewReader(strings.NewReader(text), "auto")
		if err := rest.Skip(end); err != nil {
			t.Fatal(err)
		}
		var c Chunk
		if err := rest.Next(&c); err != nil || c.ID != whole[len(full)].ID || c.End() != whole[len(full)].End() {
			t.Fatalf("%v, %s, want %s", err, c.ID, whole[len(full)].ID)
		}
	}
}

// TestFinalInTheMiddle: behind a chunk that was final too early chunks end where
// they always do.
func TestFinalInTheMiddle(t *testing.T) {
	short := chunksOf(t, strings.NewReader(logOf(ChunkRecords+5)), "auto")
	r := NewReader(strings.NewReader(logOf(3*ChunkRecords)), "auto")
	if err := r.Skip(Position{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Skip(short[1].End()); err != nil {
		t.Fatal(err)
	}
	whole := chunksOf(t, strings.NewReader(logOf(3*ChunkRecords)), "auto")
	for i, want := range []int64{ChunkRecords - 5, ChunkRecords} {
		var c Chunk
		if err := r.Next(&c); err != nil || c.Records != want || i == 1 && c.ID != whole[2].ID {
			t.Errorf("%v: %d records of %s, want %d", err, c.Records, c.ID, want)
		}
	}
}

// TestRecords: what the engine reads is what Fluent Bit's tail would deliver.
func TestRecords(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	long := strings.Repeat("x", maxLine+99)
	c := chunksOf(t, strings.NewReader("a\n\nb \xff\r\n"+long+"\n"), "auto")[0]
	var arena event.Arena
	d := chunk.NewDecoder(c.Append(nil, at), &arena)
	var got []string
	for d.Next() {
		r := d.Record()
		if r.Time != event.FromTime(at) || len(r.Fields) != 1 || r.Fields[0].Key != "log" {
			t.Errorf("%+v", r)
		}
		got = append(got, r.Fields[0].Value)
	}
	if want := []string{"a", "", "b \xff\r", long[:maxLine]}; d.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %.100q", d.Err(), got)
	}
	// What is left out of a line is in its id.
	if other := chunksOf(t, strings.NewReader("a\n\nb \xff\r\n"+long[:len(long)-1]+"y\n"), "auto")[0]; other.ID == c.ID {
		t.Error("two lines that differ behind what is kept are one")
	}
}

// endless is a stream of one byte.
type endless struct {
	b    byte
	left int64
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), e.left)
	e.left -= n
	for i := range b[:n] {
		b[i] = e.b
	}
	return int(n), nil
}

// TestMemory: a line without an end, and many long ones, take no more than a
// chunk.
func TestMemory(t *testing.T) {
	r := NewReader(&endless{'x', 1 << 29}, "auto")
	var c Chunk
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := r.Next(&c)
	runtime.ReadMemStats(&after)
	if err != nil || c.To != 1<<29+1 || len(c.lines) != maxLine {
		t.Errorf("%v: %d bytes, %d kept", err, c.To, len(c.lines))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MiB for one line", grown>>20)
	}
	line := strings.Repeat("y", 3<<20) + "\n"
	for _, c := range chunksOf(t, strings.NewReader(strings.Repeat(line, 7)), "auto") {
		if len(c.lines) > ChunkBytes+maxLine || c.Records > 2 {
			t.Errorf("%d records of %d bytes", c.Records, len(c.lines))
		}
	}
}

func compressed(t *testing.T, text []byte) map[string]string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{}
	put := func(name string, b []byte) {
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("plain.gz", text) // by what is in it, not by its name
	half := bytes.IndexByte(text[len(text)/2:], '\n') + len(text)/2 + 1
	var gz, zst bytes.Buffer
	for _, part := range [][]byte{text[:half], text[half:]} {
		w := gzip.NewWriter(&gz)
		w.Write(part)
		w.Close()
		z, err := zstd.NewWriter(&zst)
		if err != nil {
			t.Fatal(err)
		}
		z.Write(part)
		z.Close()
	}
	put("gzip", gz.Bytes())
	put("zstd", zst.Bytes())
	for _, program := range []string{"xz", "gzip", "zstd"} {
		var out bytes.Buffer
		for _, part := range [][]byte{text[:half], text[half:]} {
			c := exec.CommandContext(t.Context(), program, "-c")
			c.Stdin, c.Stdout = bytes.NewReader(part), &out
			if err := c.Run(); err != nil {
				if program != "xz" {
					continue // Go's own writers stand in
				}
				t.Skip("needs xz: ", err)
			}
		}
		if out.Len() > 0 {
			put("by "+program, out.Bytes())
		}
	}
	return files
}

// TestCompressed: however a log is compressed, in several parts too, it has the
// same chunks.
func TestCompressed(t *testing.T) {
	text := logOf(3*ChunkRecords + 4)
	want := ids(chunksOf(t, strings.NewReader(text), "auto"))
	for name, path := range compressed(t, []byte(text)) {
		t.Run(name, func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for range 3 {
				in, err := f.Stream()
				if err != nil {
					t.Fatal(err)
				}
				if got := ids(chunksOf(t, in, "auto")); !slices.Equal(got, want) {
					t.Errorf("%q", got)
				}
				if f.Read() != f.Size {
					t.Errorf("%d of %d bytes read", f.Read(), f.Size)
				}
				if len(f.streams) > 1 {
					t.Errorf("%d decoders are kept, each with its window", len(f.streams))
				}
			}
		})
	}
}

// TestDamaged: of what breaks off the whole chunks are there, and the error says
// what to do.
func TestDamaged(t *testing.T) {
	var noise strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3 * ChunkRecords {
		fmt.Fprintf(&noise, "%d %x\n", i, r.Uint64())
	}
	want := ids(chunksOf(t, strings.NewReader(noise.String()), "auto"))
	for name, path := range compressed(t, []byte(noise.String())) {
		if name == "plain.gz" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, int64(len(b)*19/20)); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			in, err := f.Stream()
			if err != nil {
				t.Fatal(err)
			}
			reader := NewReader(in, "auto")
			var got []string
			for {
				var c Chunk
				if err = reader.Next(&c); err != nil {
					break
				}
				got = append(got, c.ID.String())
			}
			if !strings.HasPrefix(err.Error(), "it breaks off: what is whole of it was read; import it again") || len(got) == 0 || !slices.Equal(got, want[:len(got)]) {
				t.Errorf("%d chunks, then %v", len(got), err)
			}
		})
	}
}

// TestBombs: what can be no log ends with an error, and before it takes the
// memory.
func TestBombs(t *testing.T) {
	dir := t.TempDir()
	bomb := filepath.Join(dir, "bomb")
	f, err := os.Create(bomb)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	line := append(bytes.Repeat([]byte{'x'}, 999), '\n')
	for range 4 * freeBytes / len(line) {
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	f.Close()
	read := func(path string) (n int, err error) {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in, err := f.Stream()
		if err != nil {
			return 0, err
		}
		r := NewReader(in, "auto")
		for {
			var c Chunk
			if err := r.Next(&c); err != nil {
				return n, err
			}
			n++
		}
	}
	if n, err := read(bomb); !errors.Is(err, ErrBomb) || n > freeBytes/ChunkRecords+1 {
		t.Errorf("%d chunks, %v", n, err)
	}
	for program, want := range map[string]func([]byte) []byte{"xz": hugeDictionary, "zstd --long=28 -1": nil} {
		args := strings.Fields(program)
		c := exec.CommandContext(t.Context(), args[0], append(args[1:], "-c")...)
		var out bytes.Buffer
		c.Stdin, c.Stdout = strings.NewReader(logOf(10)), &out
		if err := c.Run(); err != nil {
			t.Skipf("needs %s: %v", args[0], err)
		}
		file := out.Bytes()
		if want != nil {
			file = want(file)
		}
		path := filepath.Join(dir, args[0])
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(path); err == nil || !strings.Contains(err.Error(), "it takes more than 128 MiB of memory to decompress") {
			t.Errorf("%s: %v", program, err)
		}
	}
}

// hugeDictionary has the first block of an xz file ask for 4 GiB (.xz file
// format 1.2, 3.1 and 5.3.1).
func hugeDictionary(file []byte) []byte {
	const block, dictionary = 12, 12 + 4
	end := block + 4*(int(file[block])+1) - 4
	file[dictionary] = 40
	binary.LittleEndian.PutUint32(file[end:], crc32.ChecksumIEEE(file[block:end]))
	return file
}

// TestOpenRefuses: only what can be read from its beginning again is imported.
func TestOpenRefuses(t *testing.T) {
	for _, path := range []string{t.TempDir(), "/dev/null"} {
		if f, err := Open(path); err == nil || !strings.Contains(err.Error(), "it is no regular file") {
			t.Errorf("%v, %v", f, err)
		}
	}
}
