package correlate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"dossier/correlate"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/state"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/gen"
	"dossier/testbed/memory"
	"dossier/testbed/race"

	"github.com/vmihailenco/msgpack/v5"
)

// chunkBytes is about the size at which Fluent Bit closes a chunk.
const chunkBytes = 2_000_000

// at is the time Fluent Bit gives the records: after every line's own.
var at = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// load is a chunk to measure with.
type load struct {
	data    []byte
	lines   []string
	records int
	// calibration is how long the calibration loop took.
	calibration time.Duration
}

func newLoad(b testing.TB, o gen.Options) load {
	b.Helper()
	s, err := gen.New(o)
	if err != nil {
		b.Fatal(err)
	}
	return nextLoad(s)
}

func nextLoad(s *gen.Source) load {
	var l load
	for size := 0; size < chunkBytes; {
		line := s.Lines(1)[0]
		l.lines = append(l.lines, line)
		size += len(line) + 24
	}
	l.data = chunktest.Lines(at, "log", l.lines...)
	l.records = len(l.lines)
	return l
}

// recordedLoad is a chunk of records that real programs wrote: the lines of the
// files, below testbed/data, that give an event, over and over, each from one of
// 5,000 addresses in the place of its own.
func recordedLoad(b testing.TB, o dialect.Options, files ...string) load {
	b.Helper()
	parser, err := dialect.New(o)
	if err != nil {
		b.Fatal(err)
	}
	engine := correlate.Options{Parser: parser}
	var a event.Arena
	// from returns the address that a line is of, none where it gives no event.
	from := func(line string) (addr netip.Addr) {
		a.Reset()
		d := chunk.NewDecoder(chunktest.Lines(at, "log", line), &a)
		var ev event.Event
		if !d.Next() {
			b.Fatal(d.Err())
		}
		r := d.Record()
		if v, excluded := engine.Read(&a, &r, &ev); v.Class() == dialect.Parsed && !excluded {
			addr = ev.Addr
		}
		return addr
	}
	type sample struct{ before, addr, after string }
	var samples []sample
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("..", "testbed", "data", name))
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			addr := from(line)
			for at := strings.Index(line, addr.String()); addr.IsValid() && at >= 0; {
				// It is the address's place if another one there is the event's.
				s := sample{line[:at], addr.String(), line[at+len(addr.String()):]}
				if other := netip.MustParseAddr("198.51.100.77"); from(s.before+other.String()+s.after) == other {
					samples = append(samples, s)
					break
				}
				next := strings.Index(s.after, s.addr)
				if next < 0 {
					break
				}
				at += len(s.addr) + next
			}
		}
	}
	if len(samples) < 5 {
		b.Fatalf("%v have %d lines whose address can be another", files, len(samples))
	}
	var l load
	for i, size := 0, 0; size < chunkBytes; i++ {
		s, k := &samples[i%len(samples)], i*2_654_435_761%5000
		line := s.before + netip.AddrFrom4([4]byte{203, 0, byte(k >> 8), byte(k)}).String() + s.after
		l.lines = append(l.lines, line)
		size += len(line) + 24
	}
	l.data, l.records = chunktest.Lines(at, "log", l.lines...), len(l.lines)
	return l
}

// fieldMaps are those that are shipped.
func fieldMaps(b testing.TB, names ...string) (maps []dialect.FieldMap) {
	b.Helper()
	for _, name := range names {
		f, err := os.Open(filepath.Join("..", "conf", "field_maps", name+".yaml"))
		if err != nil {
			b.Fatal(err)
		}
		list, err := dialect.ReadFieldMaps(f)
		if err := errors.Join(err, f.Close()); err != nil {
			b.Fatal(err)
		}
		maps = append(maps, list...)
	}
	return maps
}

// recordedLoads are the loads of the dialects whose lines nobody makes up.
func recordedLoads(b testing.TB) map[string]load {
	b.Helper()
	all := dialect.Options{DropApps: []string{"none"}}
	return map[string]load{
		"Suricata": recordedLoad(b, all, "suricata/eve.json"), "OpenCanary": recordedLoad(b, all, "opencanary/opencanary.log"),
		"ECS": recordedLoad(b, all, "ecs/ecs.json"), "syslog": recordedLoad(b, all, "syslog/openssh-9.2-file.log"),
		"syslog, RFC 5424": recordedLoad(b, all, "syslog/openssh-9.2-5424.log"),
		"Dionaea":          recordedLoad(b, dialect.Options{FieldMaps: fieldMaps(b, "dionaea")}, "dionaea/log_json.json"),
		"Heralding":        recordedLoad(b, dialect.Options{FieldMaps: fieldMaps(b, "heralding")}, "heralding/log_session.json"),
		"Beelzebub":        recordedLoad(b, dialect.Options{FieldMaps: fieldMaps(b, "beelzebub")}, "beelzebub/beelzebub.json"),
	}
}

func newCore(b testing.TB) (*correlate.Core, *profile.Renderer) {
	b.Helper()
	parser, err := dialect.New(dialect.Options{DropApps: []string{"none"}, FieldMaps: fieldMaps(b, "dionaea", "heralding", "beelzebub")})
	if err != nil {
		b.Fatal(err)
	}
	renderer, err := newRenderer()
	if err != nil {
		b.Fatal(err)
	}
	var d chunk.Decoder
	return correlate.NewCore(correlate.Options{
		Parser: parser,
		Sensor: "sensor-1",
		Decode: func(a *event.Arena, data []byte) correlate.Records { d.Reset(data, a); return &d },
	}), renderer
}

// meter measures what each record costs in processor time. On a machine that others
// use too the mean says little about the code; the best run says what it costs where
// nobody disturbs it.
type meter struct {
	b       *testing.B
	load    *load
	start   time.Duration
	best    time.Duration
	mallocs uint64
	bytes   uint64
}

func newMeter(b *testing.B, l *load) *meter {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &meter{b, l, processorTime(b), math.MaxInt64, m.Mallocs, m.TotalAlloc}
}

// run does one run.
func (m *meter) run(do func()) {
	start := processorTime(m.b)
	do()
	m.best = min(m.best, processorTime(m.b)-start)
}

func (m *meter) report(each int, of string) {
	n := float64(m.b.N) * float64(each)
	spent := processorTime(m.b) - m.start
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	m.b.ReportMetric(float64(spent.Nanoseconds())/n, "cpu-ns/"+of)
	m.b.ReportMetric(float64(m.best.Nanoseconds())/float64(each), "best-ns/"+of)
	m.b.ReportMetric(float64(now.Mallocs-m.mallocs)/n, "allocs/"+of)
	m.b.ReportMetric(float64(now.TotalAlloc-m.bytes)/n, "B/"+of)
	m.b.ReportMetric(0, "ns/op")
	if of != "record" {
		return
	}
	ratio := float64(m.best) / float64(m.load.calibration)
	m.b.ReportMetric(ratio, "calibrations")
	name := strings.TrimPrefix(m.b.Name(), "BenchmarkCore/")
	measured[name] = costs{float64(m.best.Nanoseconds()) / float64(each), ratio}
}

// The committed ratios are the last release's, of an undisturbed run, rounded. They
// show a regression on any machine: a difference well above none, also in a second
// run. Nothing fails by them.
var (
	ratiosFile   = filepath.Join("testdata", "core-ratios.json")
	updateRatios = flag.Bool("update-ratios", false, "with -bench Core: write "+ratiosFile+" anew, of what was measured")
	measured     = map[string]costs{}
)

// costs are what a record costs.
type costs struct {
	ns    float64
	ratio float64 // to the calibration loop
}

// compareRatios prints how what was measured differs from the committed ratios, or
// commits it.
func compareRatios(b *testing.B) {
	b.Helper()
	ratios := map[string]float64{}
	text, err := os.ReadFile(ratiosFile)
	if err == nil {
		err = json.Unmarshal(text, &ratios)
	}
	if err != nil {
		b.Error(err)
		return
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nns/record\tcalibrations\tlast release's\tdifference\t ")
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		m, last, difference := measured[name], "-", "-"
		if r := ratios[name]; r > 0 {
			last, difference = fmt.Sprint(r), fmt.Sprintf("%+.0f %%", 100*(m.ratio/r-1))
		}
		fmt.Fprintf(table, "%.0f\t%.2f\t%s\t%s\t  %s\n", m.ns, m.ratio, last, difference, name)
		ratios[name] = math.Round(m.ratio*100) / 100
	}
	if err := table.Flush(); err != nil {
		b.Error(err)
	}
	if !*updateRatios {
		return
	}
	if text, err = json.MarshalIndent(ratios, "", "\t"); err == nil {
		err = os.WriteFile(ratiosFile, append(text, '\n'), 0o644)
	}
	if err != nil {
		b.Error(err)
	}
}

// calibrate returns the best time of a loop over the chunk's bytes that
// depends on nothing but the machine.
func (l *load) calibrate(b *testing.B) {
	b.Helper()
	l.calibration = math.MaxInt64
	for range 50 {
		start := processorTime(b)
		h := uint64(14695981039346656037)
		for _, c := range l.data {
			h = (h ^ uint64(c)) * 1099511628211
		}
		l.calibration = min(l.calibration, processorTime(b)-start)
		runtime.KeepAlive(h)
	}
}

func processorTime(b testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkCore takes chunks from their bytes to the states of their
// attackers, as far as no store is needed, beside programs that do less.
func BenchmarkCore(b *testing.B) {
	defer compareRatios(b)
	type of struct {
		name string
		load load
		json bool
	}
	var loads []of
	for _, made := range []struct {
		name string
		o    gen.Options
	}{
		{"DECNET/attackers=100", gen.Options{Sensor: gen.DECNET, Attackers: 100}},
		{"DECNET/attackers=5000", gen.Options{Sensor: gen.DECNET, Attackers: 5000}},
		{"DECNET/attackers=50000,zipf=1.1", gen.Options{Sensor: gen.DECNET, Attackers: 50000, Zipf: 1.1}},
		{"Cowrie/attackers=100", gen.Options{Sensor: gen.Cowrie, Attackers: 100}},
		{"Cowrie/attackers=5000", gen.Options{Sensor: gen.Cowrie, Attackers: 5000}},
	} {
		loads = append(loads, of{made.name, newLoad(b, made.o), made.o.Sensor == gen.Cowrie})
	}
	recorded := recordedLoads(b)
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		loads = append(loads, of{name + "/attackers=5000", recorded[name], strings.HasPrefix(recorded[name].lines[0], "{")})
	}
	for _, load := range loads {
		l := load.load
		l.calibrate(b)
		b.Run(load.name, func(b *testing.B) {
			b.Run("what=msgpack", func(b *testing.B) {
				m := newMeter(b, &l)
				for b.Loop() {
					m.run(func() {
						if n := skimMsgpack(b, l.data); n != l.records {
							b.Fatalf("%d records of %d", n, l.records)
						}
					})
				}
				m.report(l.records, "record")
			})
			if load.json {
				b.Run("what=json", func(b *testing.B) {
					m := newMeter(b, &l)
					for b.Loop() {
						m.run(func() {
							for _, line := range l.lines {
								var document map[string]any
								if err := json.Unmarshal([]byte(line), &document); err != nil {
									b.Fatal(err)
								}
							}
						})
					}
					m.report(l.records, "record")
				})
			}
			core, renderer := newCore(b)
			b.Run("what=decode", func(b *testing.B) {
				var a event.Arena
				var d chunk.Decoder
				m := newMeter(b, &l)
				for b.Loop() {
					m.run(func() {
						a.Reset()
						d.Reset(l.data, &a)
						for d.Next() {
						}
					})
				}
				m.report(l.records, "record")
			})
			b.Run("what=parse", func(b *testing.B) {
				m := newMeter(b, &l)
				for b.Loop() {
					m.run(func() {
						if _, err := core.Read(l.data); err != nil {
							b.Fatal(err)
						}
					})
				}
				m.report(l.records, "record")
			})
			b.Run("what=fold", func(b *testing.B) {
				m := newMeter(b, &l)
				for b.Loop() {
					m.run(func() {
						if _, err := core.Fold(l.data, nil, nil); err != nil {
							b.Fatal(err)
						}
					})
				}
				m.report(l.records, "record")
			})
			b.Run("what=commit", func(b *testing.B) {
				stored := map[string][]byte{}
				n, err := core.Fold(l.data, nil, func(h correlate.Head, s *state.Attacker) { stored[h.ID] = s.Append(nil) })
				if err != nil {
					b.Fatal(err)
				}
				var st, doc []byte
				m := newMeter(b, &l)
				for b.Loop() {
					m.run(func() {
						if _, err := core.Fold(l.data, stored, func(h correlate.Head, s *state.Attacker) {
							st = s.Append(st[:0])
							h.State = st
							doc = renderer.AppendAttacker(doc[:0], h, s)
						}); err != nil {
							b.Fatal(err)
						}
					})
				}
				m.report(n.Attackers, "document")
			})
		})
	}
}

func skipUnderRace(t *testing.T) {
	t.Helper()
	if race.Detector {
		t.Skip("SKIP: the race detector makes sync.Pool forget; allocations say nothing under it")
	}
}

// allocated returns how often memory was allocated while do ran, and how many
// bytes.
func allocated(do func()) (allocs, bytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
}

// The bounds of what the core may allocate per record on its way from bytes to
// states: next to nothing once its memory is there, and what real programs wrote,
// whose lines differ more, a part of the one allocation that is the goal.
const (
	maxAllocations         = 0.02
	maxBytes               = 4
	maxRecordedAllocations = 0.5
	maxRecordedBytes       = 32
)

// TestCoreAllocates holds the core to its bounds in memory, which are the same
// on every machine.
func TestCoreAllocates(t *testing.T) {
	skipUnderRace(t)
	loads := recordedLoads(t)
	loads["DECNET"] = newLoad(t, gen.Options{Sensor: gen.DECNET, Attackers: 5000})
	loads["Cowrie"] = newLoad(t, gen.Options{Sensor: gen.Cowrie, Attackers: 5000})
	for name, l := range loads {
		core, _ := newCore(t)
		fold := func() {
			if n, err := core.Fold(l.data, nil, nil); err != nil || n.Events < n.Records*9/10 {
				t.Fatalf("%s: %d events of %d records: %v", name, n.Events, n.Records, err)
			}
		}
		fold() // memory that is kept
		const runs = 10
		allocs, bytes := allocated(func() {
			for range runs {
				fold()
			}
		})
		maxAllocations, maxBytes := maxAllocations, float64(maxBytes)
		if name != "DECNET" && name != "Cowrie" {
			maxAllocations, maxBytes = maxRecordedAllocations, maxRecordedBytes
		}
		n := float64(runs * l.records)
		allocs, bytes = allocs/n, bytes/n
		t.Logf("%s: %.3f allocations, %.1f bytes per record", name, allocs, bytes)
		if allocs > maxAllocations || bytes > maxBytes {
			t.Errorf("%s: %.3f allocations, %.1f bytes per record; want at most %v and %v", name, allocs, bytes, maxAllocations, maxBytes)
		}
	}
}

// The bounds of what a whole flush may allocate: for a record next to nothing
// beyond its event, for a document what it is known by, most of it where a full
// state is unpacked.
const (
	maxRecordAllocations   = 0.02
	maxDocumentAllocations = 32
)

// TestFlushAllocates holds a flush, from bytes to documents written, to its
// bounds: with few attackers the records count, with many the documents.
func TestFlushAllocates(t *testing.T) {
	skipUnderRace(t)
	for _, attackers := range []int{20, 5000} {
		b := newBenchOn(t, memory.Nothing{}, nil)
		s, err := gen.New(gen.Options{Sensor: gen.DECNET, Attackers: attackers})
		if err != nil {
			t.Fatal(err)
		}
		flush := func() (allocs, bound float64) {
			l := nextLoad(s)
			written := -b.committer.Stats().DocumentsWritten
			allocs, _ = allocated(func() { b.flush(t, correlate.OK, l.data) })
			written += b.committer.Stats().DocumentsWritten
			return allocs, maxRecordAllocations*float64(l.records) + maxDocumentAllocations*float64(written)
		}
		for range 3 {
			flush() // memory that is kept
		}
		allocs, bound := flush()
		for range 4 { // what else the process does may add some
			if a, m := flush(); a/m < allocs/bound {
				allocs, bound = a, m
			}
		}
		t.Logf("%d attackers: %.0f allocations a flush; the bound is %.0f", attackers, allocs, bound)
		if allocs > bound {
			t.Errorf("%d attackers: %.0f allocations a flush; want at most %.0f", attackers, allocs, bound)
		}
	}
}

// skimMsgpack reads a chunk with the msgpack package alone, and keeps
// nothing.
func skimMsgpack(b *testing.B, data []byte) (records int) {
	d := msgpack.NewDecoder(bytes.NewReader(data))
	text := make([]byte, 1<<16)
	read := func() {
		n, err := d.DecodeBytesLen()
		if err != nil {
			b.Fatal(err)
		}
		if err := d.ReadFull(text[:n]); err != nil {
			b.Fatal(err)
		}
	}
	for {
		if _, err := d.DecodeArrayLen(); err != nil {
			return records
		}
		if _, err := d.DecodeArrayLen(); err != nil {
			b.Fatal(err)
		}
		_, n, err := d.DecodeExtHeader()
		if err == nil {
			err = d.ReadFull(text[:n])
		}
		if err == nil {
			err = d.Skip()
		}
		if err != nil {
			b.Fatal(err)
		}
		n, err = d.DecodeMapLen()
		if err != nil {
			b.Fatal(err)
		}
		for range n {
			read()
			read()
		}
		records++
	}
}
