package chunk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/plugin/chunk/chunktest"
)

type m = chunktest.Map

var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456789, time.UTC)

// fields makes fields of keys and values.
func fields(s ...string) (all []event.Field) {
	for i := 0; i < len(s); i += 2 {
		all = append(all, event.Field{Key: s[i], Value: s[i+1]})
	}
	return all
}

// read decodes a whole chunk and clones its records.
func read(data []byte) (records []event.Record, malformed, cut int, err error) {
	var arena event.Arena
	d := NewDecoder(data, &arena)
	for d.Next() {
		r := d.Record()
		r.Fields = slices.Clone(r.Fields)
		for i := range r.Fields {
			r.Fields[i] = event.Field{Key: strings.Clone(r.Fields[i].Key), Value: strings.Clone(r.Fields[i].Value)}
		}
		records = append(records, r)
	}
	if d.Records() != len(records) {
		return nil, 0, 0, fmt.Errorf("Records() = %d of %d", d.Records(), len(records))
	}
	return records, d.Malformed(), d.Cut(), d.Err()
}

func TestBodies(t *testing.T) {
	deep := func(n int) any {
		v := any("end")
		for range n {
			v = m{"d", v}
		}
		return v
	}
	numbers := make([]any, 600)
	for i := range numbers {
		numbers[i] = i
	}
	tests := []struct {
		name string
		body any
		want []event.Field
		cut  bool
	}{
		{"empty", m{}, nil, false},
		{
			"texts",
			m{"log", "a line", "bin", []byte("\x00\xff"), "", "empty key"},
			fields("log", "a line", "bin", "\x00\xff", "", "empty key"), false,
		},
		{"invalid UTF-8 as it is", m{"k", "\xc3\x28"}, fields("k", "\xc3\x28"), false},
		{"null is left out", m{"a", nil, "b", "x"}, fields("b", "x"), false},
		{"bools", m{"t", true, "f", false}, fields("t", "true", "f", "false"), false},
		{
			"integers",
			m{"a", int8(-5), "b", uint64(math.MaxUint64), "c", int64(math.MinInt64), "d", uint8(200), "e", chunktest.Raw{0xff}, "g", chunktest.Raw{0x7f}, "h", int32(-70000)},
			fields("a", "-5", "b", "18446744073709551615", "c", "-9223372036854775808", "d", "200", "e", "-1", "g", "127", "h", "-70000"), false,
		},
		{
			"floats",
			m{"a", 1.5, "b", float32(0.1), "c", 1e300, "d", 0.0000001, "e", math.Inf(1), "g", math.NaN(), "h", 22.0},
			fields("a", "1.5", "b", "0.1", "c", "1e+300", "d", "1e-07", "e", "+Inf", "g", "NaN", "h", "22"), false,
		},
		{
			"nested",
			m{"source", m{"ip", "1.2.3.4", "port", 22}, "a", []any{"x", m{"b", "y"}, []any{"z"}}},
			fields("source.ip", "1.2.3.4", "source.port", "22", "a.0", "x", "a.1.b", "y", "a.2.0", "z"), false,
		},
		{"dotted keys stay", m{"source.ip", "1.2.3.4"}, fields("source.ip", "1.2.3.4"), false},
		{"key that is a number", m{7, "x", "b", m{uint8(9), "y"}}, fields("7", "x", "b.9", "y"), false},
		{"key that is a map", m{m{"a", "b"}, "x", "k", "v"}, fields("k", "v"), true},
		{"doubled key", m{"k", "1", "k", "2"}, fields("k", "1", "k", "2"), false},
		{"extension", m{"k", chunktest.Raw{0xd4, 5, 1}, "l", "v"}, fields("l", "v"), true},
		{"empty containers", m{"a", m{}, "b", []any{}, "c", "v"}, fields("c", "v"), false},
		{"map32", chunktest.Raw("\xdf\x00\x00\x00\x01\xdb\x00\x00\x00\x01k\xc6\x00\x00\x00\x01v"), fields("k", "v"), false},
		{"depth in bounds", deep(event.MaxDepth), fields(strings.Repeat("d.", event.MaxDepth-1)+"d", "end"), false},
		{"too deep", m{"a", deep(event.MaxDepth), "k", "v"}, fields("k", "v"), true},
		{"key too long", m{strings.Repeat("k", event.MaxKey+1), "v", "k", "v"}, fields("k", "v"), true},
		{"joined key too long", m{strings.Repeat("k", event.MaxKey-2), m{"ab", "v"}, "k", "v"}, fields("k", "v"), true},
		{"too many fields", m{"a", numbers}, func() (all []event.Field) {
			for i := range event.MaxFields {
				all = append(all, event.Field{Key: fmt.Sprintf("a.%d", i), Value: fmt.Sprint(i)})
			}
			return all
		}(), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b chunktest.Builder
			b.Event(noon, test.body)
			b.EventV1(noon, test.body)
			records, malformed, cut, err := read(b.Bytes())
			if err != nil || malformed != 0 || len(records) != 2 {
				t.Fatalf("%d records, %d malformed, %v", len(records), malformed, err)
			}
			for _, r := range records {
				if !slices.Equal(r.Fields, test.want) {
					t.Errorf("got  %q\nwant %q", r.Fields, test.want)
				}
				if r.Time != event.FromTime(noon) {
					t.Errorf("time %v", r.Time.Time())
				}
			}
			if test.cut != (cut == 2) || !test.cut && cut != 0 {
				t.Errorf("cut = %d", cut)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	const s = 1773489600 // noon, cut to seconds
	tests := []struct {
		name string
		time any
		want event.Time
	}{
		{"fixext8", noon, s*1e6 + 123456},
		{"ext8", chunktest.Ext8(noon), s*1e6 + 123456},
		{"ext with a nanosecond too many", chunktest.EventTime(s, 4_000_000_000), s*1e6 + 999999},
		{"last second before the markers", chunktest.EventTime(0xfffffffd, 0), 0xfffffffd * 1e6},
		{"1970", chunktest.EventTime(0, 0), event.Never},
		{"uint32", uint32(s), s * 1e6},
		{"uint64", uint64(s), s * 1e6},
		{"int32", int32(s), s * 1e6},
		{"int64", int64(s), s * 1e6},
		{"fixint", chunktest.Raw{0x05}, 5e6},
		{"float64", float64(s) + 0.25, s*1e6 + 250000},
		{"float64 to the microsecond", 1773489600.123456, s*1e6 + 123456},
		{"float32", float32(1 << 30), (1 << 30) * 1e6},
		{"milliseconds are no seconds", uint64(s * 1000), event.Never},
		{"NaN", math.NaN(), event.Never},
		{"infinite", math.Inf(1), event.Never},
		{"negative float", -1.5, event.Never},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b chunktest.Builder
			b.Event(test.time, m{"k", "v"})
			b.EventV1(test.time, m{"k", "v"})
			records, malformed, _, err := read(b.Bytes())
			if err != nil || malformed != 0 || len(records) != 2 {
				t.Fatalf("%d records, %d malformed, %v", len(records), malformed, err)
			}
			for _, r := range records {
				if r.Time != test.want {
					t.Errorf("got %v (%d), want %v", r.Time.Time(), r.Time, test.want.Time())
				}
			}
		})
	}
}

func TestGroupMarkersAreNoRecords(t *testing.T) {
	var b chunktest.Builder
	b.StartGroup(m{"schema", "otlp"}, m{"resource", m{"service", "x"}})
	b.Event(noon, m{"k", "1"})
	b.EndGroup()
	for _, time := range []any{-1, -2, int8(-1), int64(-7), uint32(0xffffffff), uint64(0xfffffffe), chunktest.EventTime(0xffffffff, 5)} {
		b.Event(time, m{"k", "no"})
		b.EventV1(time, m{"k", "no"})
	}
	b.EventWithMetadata(noon, m{"otlp", m{"severity", 9}}, m{"k", "2"})
	records, malformed, _, err := read(b.Bytes())
	if err != nil || malformed != 0 || len(records) != 2 {
		t.Fatalf("%d records, %d malformed, %v", len(records), malformed, err)
	}
	for i, r := range records {
		if v, _ := r.Get("k"); v != fmt.Sprint(i+1) {
			t.Errorf("record %d: %q", i, r.Fields)
		}
	}
}

func TestMalformedAreSteppedOver(t *testing.T) {
	malformed := map[string]any{
		notAnArray:           m{"k", "v"},
		notAnArray + " str":  "text",
		notAnArray + " ext":  chunktest.Raw{0xd4, 0, 0},
		wrongLength:          []any{noon, m{}, m{}},
		wrongLength + " 0":   []any{},
		wrongHeader:          []any{[]any{noon}, m{}},
		wrongHeader + " 3":   []any{[]any{noon, m{}, m{}}, m{}},
		wrongTime:            []any{"now", m{}},
		wrongTime + " ext 1": []any{chunktest.Raw{0xd7, 1, 0, 0, 0, 0, 0, 0, 0, 0}, m{}},
		wrongTime + " ext 4": []any{chunktest.Raw{0xd6, 0, 0, 0, 0, 0}, m{}},
		wrongTime + " nil":   []any{nil, m{}},
		wrongTime + " v2":    []any{[]any{m{}, m{}}, m{}},
		wrongBody:            []any{noon, "text"},
		wrongBody + " nil":   []any{[]any{noon, m{}}, nil},
		wrongBody + " array": []any{[]any{noon, m{}}, []any{"a"}},
	}
	for name, value := range malformed {
		t.Run(name, func(t *testing.T) {
			var want, b chunktest.Builder
			want.Value(value)
			b.Event(noon, m{"k", "1"})
			b.Value(value)
			b.Event(noon, m{"k", "2"})
			var arena event.Arena
			d := NewDecoder(b.Bytes(), &arena)
			var raw []byte
			var reason string
			d.OnMalformed = func(r []byte, why string) { raw, reason = r, why }
			n := 0
			for d.Next() {
				n++
			}
			if d.Err() != nil || n != 2 || d.Malformed() != 1 {
				t.Fatalf("%d records, %d malformed, %v", n, d.Malformed(), d.Err())
			}
			if !bytes.Equal(raw, want.Bytes()) || !strings.HasPrefix(name, reason) {
				t.Errorf("reported %x as %q", raw, reason)
			}
		})
	}
}

func TestBrokenChunks(t *testing.T) {
	var good chunktest.Builder
	good.Event(noon, m{"k", "1", "a", []any{1, 2.5, true, nil, []byte{1}, m{"x", "y"}}})
	first := good.Len()
	good.EventWithMetadata(noon, m{"a", "b"}, m{"k", "2"})
	second := good.Len()
	good.EventV1(chunktest.Ext8(noon), m{"k", "3"})

	t.Run("cut at any byte", func(t *testing.T) {
		for n := range good.Len() + 1 {
			records, _, _, err := read(good.Bytes()[:n])
			whole, offset := 0, 0
			switch {
			case n == good.Len():
				whole, offset = 3, n
			case n >= second:
				whole, offset = 2, second
			case n >= first:
				whole, offset = 1, first
			}
			if len(records) != whole {
				t.Fatalf("cut at %d: %d records, want %d", n, len(records), whole)
			}
			if n == offset {
				if err != nil {
					t.Fatalf("cut at %d: %v", n, err)
				}
				continue
			}
			var broken *BrokenError
			if !errors.As(err, &broken) || broken.Offset != offset || broken.Records != whole {
				t.Fatalf("cut at %d: %v, want a break at %d after %d", n, err, offset, whole)
			}
		}
	})
	for name, tail := range map[string][]byte{
		"text":               []byte("2026-03-14 no msgpack at all"),
		"0xc1":               {0xc1},
		"0xc1 as the time":   {0x92, 0xc1, 0x80},
		"0xc1 in the body":   {0x92, 0x01, 0x81, 0xa1, 'a', 0xc1},
		"0xc1 as a key":      {0x92, 0x01, 0x81, 0xc1, 0xa1, 'a'},
		"0xc1 in malformed":  {0x93, 0x01, 0xc1, 0x80},
		"0xc1 in metadata":   {0x92, 0x92, 0x01, 0xc1, 0x80},
		"zeros after a hole": make([]byte, 64),
	} {
		t.Run(name, func(t *testing.T) {
			records, malformed, _, err := read(append(bytes.Clone(good.Bytes()), tail...))
			var broken *BrokenError
			if len(records) != 3 || malformed != 0 || !errors.As(err, &broken) || broken.Offset != good.Len() || broken.Records != 3 {
				t.Errorf("%d records, %d malformed, %v", len(records), malformed, err)
			}
		})
	}
}

// TestBombs holds what a chunk that claims too much costs in memory.
func TestBombs(t *testing.T) {
	for name, data := range chunktest.Bombs() {
		t.Run(name, func(t *testing.T) {
			var arena event.Arena
			d := NewDecoder(nil, &arena)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d.Reset(data, &arena)
			for d.Next() {
				t.Error("a record")
			}
			runtime.ReadMemStats(&after)
			if d.Err() == nil {
				t.Error("no error")
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 256<<10 {
				t.Errorf("%d bytes of chunk cost %d bytes of memory", len(data), got)
			}
		})
	}
}

// TestKeysDoNotMultiply builds the record whose joined keys are as long as
// can be.
func TestKeysDoNotMultiply(t *testing.T) {
	leaves := make([]any, 500)
	for i := range leaves {
		leaves[i] = 1
	}
	var b chunktest.Builder
	for range 100 {
		b.Event(noon, m{strings.Repeat("k", event.MaxKey-10), leaves})
	}
	var arena event.Arena
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := NewDecoder(b.Bytes(), &arena)
	for d.Next() {
	}
	runtime.ReadMemStats(&after)
	if d.Err() != nil || d.Records() != 100 || d.Cut() != 100 {
		t.Fatalf("%d records, %d cut, %v", d.Records(), d.Cut(), d.Err())
	}
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(8*b.Len()); got > limit {
		t.Errorf("%d bytes of chunk cost %d, more than %d", b.Len(), got, limit)
	}
}

func TestNoAllocations(t *testing.T) {
	data := sample(t, 1000)
	var arena event.Arena
	d := NewDecoder(data, &arena)
	run := func() {
		arena.Reset()
		d.Reset(data, &arena)
		for d.Next() {
		}
		if d.Err() != nil || d.Records() != 1000 {
			t.Fatal(d.Records(), d.Err())
		}
	}
	run()
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("%v allocations for 1000 records, want 0", n)
	}
}

// TestRealChunk reads a chunk that Fluent Bit 5.1.1 wrote.
func TestRealChunk(t *testing.T) {
	text, err := os.ReadFile("testdata/fluent-bit-5.1.1.hex")
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	records, malformed, cut, err := read(data)
	if err != nil || malformed != 0 || cut != 0 {
		t.Fatalf("%d malformed, %d cut, %v", malformed, cut, err)
	}
	json := fields("src_host", "203.0.113.9", "logdata.USERNAME", "root", "logdata.n.0", "1", "logdata.n.1", "2.5",
		"logdata.n.2", "-3", "logdata.n.4", "true", "big", "18446744073709551615")
	dummy := fields("message", "hi \x00 \U0001f600", "nested.a.b.0.c", "1.5")
	want := [][]event.Field{nil, nil, nil, json, dummy, dummy}
	if len(records) != len(want) {
		t.Fatalf("%d records, want %d", len(records), len(want))
	}
	for i, r := range records {
		if y := r.Time.Time().Year(); y != 2026 {
			t.Errorf("record %d is of %d", i, y)
		}
		if i < 3 {
			if line, _ := r.Get("log"); len(r.Fields) != 1 || !strings.HasPrefix(line, "<134>1 2026-") {
				t.Errorf("record %d: %q", i, r.Fields)
			}
		} else if !slices.Equal(r.Fields, want[i]) {
			t.Errorf("record %d:\ngot  %q\nwant %q", i, r.Fields, want[i])
		}
	}
}

// FuzzDecoder holds that no input panics, that every record is inside the
// chunk's own memory and bounds, and that whole events before a break stay
// what they are when the rest is cut off.
func FuzzDecoder(f *testing.F) {
	var b chunktest.Builder
	b.StartGroup(m{}, m{"a", "b"})
	b.Event(noon, m{"log", "line", "a", []any{1, -1.5, m{"b", nil}}, "c", []byte{0}})
	b.EventV1(uint32(5), m{"k", "v"})
	b.EndGroup()
	b.Value(m{"no", "event"})
	f.Add(b.Bytes())
	for _, bomb := range chunktest.Bombs() {
		if len(bomb) < 100 {
			f.Add(bomb)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var arena event.Arena
		before := bytes.Clone(data)
		d := NewDecoder(data, &arena)
		size := 0
		d.OnMalformed = func(raw []byte, reason string) {
			if len(raw) == 0 || reason == "" {
				t.Errorf("malformed %x: %q", raw, reason)
			}
			size += len(raw)
		}
		var records []event.Record
		for d.Next() {
			r := d.Record()
			if len(r.Fields) > event.MaxFields {
				t.Fatalf("%d fields", len(r.Fields))
			}
			for _, f := range r.Fields {
				if len(f.Key) > event.MaxKey {
					t.Fatalf("key of %d bytes", len(f.Key))
				}
			}
			// They are valid until the next record.
			r.Fields = slices.Clone(r.Fields)
			records = append(records, r)
		}
		if !bytes.Equal(before, data) {
			t.Fatal("the chunk was written to")
		}
		if size > len(data) {
			t.Fatalf("malformed of %d bytes in %d", size, len(data))
		}
		err := d.Err()
		if err == nil {
			return
		}
		broken := err.(*BrokenError)
		if broken.Offset < 0 || broken.Offset >= len(data) || broken.Records != len(records) || broken.Reason == "" {
			t.Fatalf("%+v of %d bytes, %d records", broken, len(data), len(records))
		}
		again, _, _, err := read(data[:broken.Offset])
		if err != nil || len(again) != len(records) {
			t.Fatalf("up to the break: %d records, then %d, %v", len(records), len(again), err)
		}
		for i := range again {
			if again[i].Time != records[i].Time || !slices.Equal(again[i].Fields, records[i].Fields) {
				t.Fatalf("record %d differs", i)
			}
		}
	})
}

// sample returns a chunk of n records such as a sensor's: its line, the file
// it came from.
func sample(t testing.TB, n int) []byte {
	t.Helper()
	var b chunktest.Builder
	for i := range n {
		b.Event(noon.Add(time.Duration(i)*time.Millisecond), m{
			"log", fmt.Sprintf(`<134>1 2026-03-14T12:00:00.%06dZ decky-07 ssh - login_attempt [relay@55555 src_ip="203.0.113.%d" username="root" password="hunter2" event="login_attempt"]`, i, i%250),
			"file", "/var/log/decnet/decnet.log",
		})
	}
	return b.Bytes()
}

func BenchmarkDecoder(b *testing.B) {
	nested := func() []byte {
		var c chunktest.Builder
		for i := range 5000 {
			c.Event(noon, m{
				"@timestamp", "2026-03-14T12:00:00.000Z",
				"source",
				m{"ip", "203.0.113.7", "port", 40000 + i},
				"destination",
				m{"ip", "10.0.0.5", "port", 22},
				"event",
				m{"action", "login", "category", []any{"authentication", "network"}, "severity", 2.5},
				"user",
				m{"name", "root"},
			})
		}
		return c.Bytes()
	}()
	for name, data := range map[string][]byte{"line": sample(b, 5000), "nested": nested} {
		b.Run(name, func(b *testing.B) {
			var arena event.Arena
			d := NewDecoder(data, &arena)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				arena.Reset()
				d.Reset(data, &arena)
				for d.Next() {
				}
				if d.Err() != nil || d.Records() != 5000 {
					b.Fatal(d.Records(), d.Err())
				}
			}
			b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "records/s")
		})
	}
}
