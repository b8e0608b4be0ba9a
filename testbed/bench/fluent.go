package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dossier/testbed/flb"
	"dossier/testbed/process"
)

// fluent measures what a Fluent Bit delivers from a file, through Dossier and
// through outputs of its own, from its start until it holds nothing any more.
func (b *bench) fluent(ctx context.Context) error {
	program, err := flb.Find()
	if err != nil {
		return err
	}
	if program == "" {
		fmt.Println("    SKIP: no fluent-bit on PATH and FLUENT_BIT not set; tail → null, es and Dossier were not compared")
		return nil
	}
	u, err := url.Parse(b.node.URL)
	if err != nil {
		return err
	}
	for _, load := range loads {
		if load.name != "uniform" && load.name != "zipf" {
			continue // the part shipped has them all
		}
		path, size, err := b.writeLog(load.name+".log", load.o, b.lines)
		if err != nil {
			return err
		}
		if load.name == "uniform" {
			b.report.add(figure{What: "the raw log", Value: float64(size), Unit: "bytes"})
		}
		prefix := "bench-" + load.name
		outputs := []*plain{
			{name: "null", keys: "name: null"},
			{name: "Dossier", pattern: prefix + "-*,-" + prefix + "-es", keys: fmt.Sprintf("name: dossier\n      workers: %d\n      es_hosts: %s\n      index_prefix: %s\n      sensor_id: bench\n      commit_timeout: 30s\n      dead_letter_path: %s",
				b.workers, b.node.URL, prefix, filepath.Join(b.dir, "letters"))},
			// The answer to 2 MB of lines is larger than the buffer that es
			// has by default.
			{name: "es", pattern: prefix + "-es", keys: fmt.Sprintf("name: es\n      workers: 2\n      host: %s\n      port: %s\n      index: %s-es\n      suppress_type_name: on\n      buffer_size: false",
				u.Hostname(), u.Port(), prefix)},
		}
		// A node that has just started is several times slower than one that
		// has worked for a minute: no output is measured on such a one. Then
		// the outputs take turns, so that what else the machine does meets
		// all of them.
		for round := range warmUps + b.rounds {
			for _, out := range outputs {
				if out.pattern != "" {
					if err := b.drop(ctx, out.pattern); err != nil {
						return err
					}
				}
				r, err := b.tail(ctx, path, size, out.config, strings.Contains(out.keys, "dossier"))
				if err != nil {
					return fmt.Errorf("%s: %w", out.name, err)
				}
				if round >= warmUps {
					out.runs = append(out.runs, r)
				}
			}
		}
		for _, out := range outputs {
			b.report.add(out.figure(load.name, b.lines))
		}
		if err := b.sizes(ctx, load.name, prefix); err != nil {
			return err
		}
		if err := b.drop(ctx, prefix+"-*"); err != nil {
			return err
		}
	}
	return nil
}

// warmUps is how many rounds of a load are not measured.
const warmUps = 4

// plain is an output with all at its default but for what it is measured for.
type plain struct {
	name    string
	pattern string // of the indices it writes
	keys    string // of the configuration
	runs    []run
}

// config is the configuration of a Fluent Bit that reads file into the output.
func (o *plain) config(file, dir string) string {
	return fmt.Sprintf(`service:
  flush: 1
  grace: 45
  log_level: warn
  storage.path: %s
  storage.sync: normal
  storage.max_chunks_up: 256
  scheduler.base: 1
  scheduler.cap: 2
pipeline:
  inputs:
    - name: tail
      path: %s
      tag: bench
      read_from_head: on
      db: %s
      storage.type: filesystem
  outputs:
    - %s
      match: "*"
      retry_limit: no_limits
`, filepath.Join(dir, "storage"), file, filepath.Join(dir, "tail.db"), o.keys)
}

// run is one delivery of the whole file.
type run struct {
	took time.Duration
	// fluent and node are the processor time of Fluent Bit and of the node.
	fluent, node time.Duration
	peak         int64 // resident bytes of Fluent Bit at most
	wrote        wrote // by the part shipped alone
}

// figure is the median run.
func (o *plain) figure(load string, lines int) figure {
	slices.SortFunc(o.runs, func(a, b run) int { return cmp.Compare(a.took, b.took) })
	median, best, worst := o.runs[len(o.runs)/2], o.runs[0], o.runs[len(o.runs)-1]
	return figure{
		What: "Fluent Bit → " + o.name + ", " + load, Value: float64(lines) / median.took.Seconds(), Unit: "records/s",
		Note: fmt.Sprintf("%.2f s, median of %d (%.2f to %.2f); processor time: %.1f s Fluent Bit, %.1f s the node; %.0f MB resident at most",
			median.took.Seconds(), len(o.runs), best.took.Seconds(), worst.took.Seconds(), median.fluent.Seconds(), median.node.Seconds(), float64(median.peak)/1e6),
	}
}

// sizes reports what the profiles take and checks that all is there.
func (b *bench) sizes(ctx context.Context, load, prefix string) error {
	if err := sleep(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	bytes, documents, err := b.onDisk(ctx, prefix+"-*,-"+prefix+"-es")
	if err != nil {
		return err
	}
	answer, err := b.ask(ctx, "POST", "/"+prefix+"-attackers/_search", map[string]any{
		"size": 0, "aggs": map[string]any{"events": map[string]any{"sum": map[string]any{"field": "event_count"}}},
	})
	if err != nil {
		return err
	}
	events, _ := dig(answer, "aggregations", "events", "value").(float64)
	b.report.add(figure{What: "events counted ÷ lines, " + load, Value: events / float64(b.lines), Unit: "times", Goal: "1"})
	if load == "uniform" {
		b.report.add(figure{What: "Dossier's indices on disk", Value: bytes, Unit: "bytes", Note: fmt.Sprintf("%.0f documents", documents)})
	}
	return nil
}

// tail has a Fluent Bit of that configuration, with the plugin or without, read
// the file and returns how long it took until all was delivered.
func (b *bench) tail(ctx context.Context, file string, size int64, config func(file, dir string) string, dossier bool) (r run, err error) {
	dir := filepath.Join(b.dir, "fluent-bit")
	if err := os.RemoveAll(dir); err != nil {
		return r, err
	}
	storage := filepath.Join(dir, "storage")
	if err := os.MkdirAll(storage, 0o755); err != nil {
		return r, err
	}
	path := filepath.Join(dir, "fluent-bit.yaml")
	if err := os.WriteFile(path, []byte(config(file, dir)), 0o600); err != nil {
		return r, err
	}
	plugin := ""
	if dossier {
		plugin = b.plugin
	}
	node, err := b.nodeTime(ctx)
	if err != nil {
		return r, err
	}
	start := time.Now()
	f, err := flb.Start(ctx, flb.Options{Config: path, Plugin: plugin, Log: b.log})
	if err != nil {
		return r, err
	}
	defer f.Kill()
	if err := drained(ctx, f, file, size, storage); err != nil {
		return r, err
	}
	r.took = time.Since(start)
	if r.fluent, err = f.PID().Time(); err != nil {
		return r, err
	}
	if r.peak, err = f.PID().PeakRSS(); err != nil {
		return r, err
	}
	stop, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if err := f.Stop(stop); err != nil {
		return r, err
	}
	r.node, err = b.since(ctx, node)
	return r, err
}

// drained waits until Fluent Bit has read the file to its end and holds none of
// it any more. It looks as rarely, and at as little, as a figure of two digits
// allows: it shares the processors with what it measures.
func drained(ctx context.Context, f *flb.Fluent, file string, size int64, storage string) error {
	wait := func() error {
		select {
		case <-time.After(10 * time.Millisecond):
			return nil
		case <-f.Done():
			return errors.New("Fluent Bit is gone")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	info := ""
	for read := int64(0); read < size; {
		if err := wait(); err != nil {
			return err
		}
		var err error
		if info == "" {
			info, err = descriptor(f.PID(), file)
		} else {
			read, err = position(info)
		}
		if err != nil {
			return err
		}
	}
	for {
		held, err := filepath.Glob(filepath.Join(storage, "tail.*", "*.flb"))
		if err != nil || len(held) == 0 {
			return err
		}
		if err := wait(); err != nil {
			return err
		}
	}
}

// descriptor returns where the kernel tells of the descriptor by which the
// process reads the file, "" as long as it hasn't opened it.
func descriptor(pid process.PID, file string) (string, error) {
	proc := filepath.Join("/proc", strconv.Itoa(int(pid)))
	list, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return "", err
	}
	for _, fd := range list {
		if target, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil && target == file {
			return filepath.Join(proc, "fdinfo", fd.Name()), nil
		}
	}
	return "", nil
}

// position returns how far a file has been read: the position of its
// descriptor.
func position(info string) (int64, error) {
	text, err := os.ReadFile(info)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if pos, ok := strings.CutPrefix(line, "pos:"); ok {
			return strconv.ParseInt(strings.TrimSpace(pos), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s doesn't say how far the file is read", info)
}
