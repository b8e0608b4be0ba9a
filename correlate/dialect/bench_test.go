package dialect

import (
	"path/filepath"
	"testing"

	"dossier/correlate/event"
)

// BenchmarkDECNET reads the larger sample log again and again, a chunk of
// 1,000 lines at a time.
func BenchmarkDECNET(b *testing.B) {
	p := newParser(b, Options{})
	var records []*event.Record
	size := 0
	for _, line := range readLines(b, filepath.Join(dataDir, "decnet", "raw_20k.log")) {
		records = append(records, logRecord(line))
		size += len(line)
	}
	var a event.Arena
	var ev event.Event
	b.SetBytes(int64(size / len(records)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%1000 == 0 {
			a.Reset()
		}
		p.Parse(&a, records[i%len(records)], &ev)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
