package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/gen"
)

// chunkBytes is about the size at which Fluent Bit closes a chunk.
const chunkBytes = 2_000_000

// recordTime is the time Fluent Bit gives the records: after every line's own.
var recordTime = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// The four loads: everybody alike; a heavy tail; everybody, and a tenth of the
// lines to one of 300 mail domains, so ten times as many documents; and attackers
// that come, act for five minutes and go, as most do at real decoys, 150 at a
// time. The lines of a run span about three hours.
var (
	uniform = gen.Options{Sensor: gen.DECNET, Attackers: 5000, Deckies: 20}
	zipf    = gen.Options{Sensor: gen.DECNET, Attackers: 50_000, Zipf: 1.1, Deckies: 20}
	wide    = gen.Options{Sensor: gen.DECNET, Attackers: 5000, Deckies: 20, Mailing: 10, Domains: 300, Step: 25 * time.Millisecond}
	bursts  = gen.Options{Sensor: gen.DECNET, Attackers: 150, Deckies: 20, Stay: 5 * time.Minute}

	loads = []load{{"uniform", uniform}, {"zipf", zipf}, {"wide", wide}, {"bursts", bursts}}
)

// load is one of the loads.
type load struct {
	name string
	o    gen.Options
}

// chosenLoads are those that -loads names.
func (b *bench) chosenLoads() []load {
	if b.loads == "" {
		return loads
	}
	chosen := strings.Split(b.loads, ",")
	return slices.DeleteFunc(slices.Clone(loads), func(l load) bool { return !slices.Contains(chosen, l.name) })
}

// chunk is what Fluent Bit delivers at a time.
type chunk struct {
	data    []byte
	records int
}

// source cuts the lines of a generator into chunks.
type source struct {
	gen *gen.Source
	// left is how many lines are to come; negative for no end.
	left int
	size int
}

func newSource(o gen.Options, lines int) (*source, error) {
	s, err := gen.New(o)
	if err != nil {
		return nil, err
	}
	return &source{gen: s, left: lines, size: chunkBytes}, nil
}

// next returns the next chunk, without records at the end.
func (s *source) next() chunk {
	var lines []string
	for size := 0; size < s.size && s.left != 0; s.left-- {
		line := s.gen.Lines(1)[0]
		lines = append(lines, line)
		size += len(line) + 24
	}
	return chunk{chunktest.Lines(recordTime, "log", lines...), len(lines)}
}

// all returns the chunks that are left.
func (s *source) all() []chunk {
	var list []chunk
	for c := s.next(); c.records > 0; c = s.next() {
		list = append(list, c)
	}
	return list
}

// writeLog writes lines of a generator to a file and returns its size.
func (b *bench) writeLog(name string, o gen.Options, lines int) (path string, size int64, err error) {
	s, err := gen.New(o)
	if err != nil {
		return "", 0, err
	}
	path = filepath.Join(b.dir, name)
	f, err := os.Create(path)
	if err != nil {
		return "", 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for range lines {
		line = append(s.Append(line[:0]), '\n')
		size += int64(len(line))
		// The error stays until Flush.
		_, _ = w.Write(line)
	}
	return path, size, errors.Join(w.Flush(), f.Close())
}

// sleep waits, but not beyond ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
