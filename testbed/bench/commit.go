package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"dossier/correlate"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/gen"
	"dossier/testbed/memory"
)

// deadline bounds the end of a rig.
const deadline = 30 * time.Second

func (b *bench) withRig(ctx context.Context, o rigOptions, do func(r *rig) error) error {
	if err := b.drop(ctx, o.prefix+"-*"); err != nil {
		return err
	}
	r, err := newRig(o, b.node.URL)
	if err != nil {
		return err
	}
	if err := do(r); err != nil {
		return err
	}
	end, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	return r.end(end)
}

// commit measures the engine and the node alone: rates over the run, and what
// is written.
func (b *bench) commit(ctx context.Context) error {
	// On a node that has just started everything takes several times longer,
	// and less from one minute to the next.
	for range warmUps {
		s, err := newSource(uniform, b.lines)
		if err != nil {
			return err
		}
		if err := b.withRig(ctx, rigOptions{prefix: "bench-warm", sensor: "bench", activity: true}, func(r *rig) error {
			_, err := r.deliver(ctx, s.all(), b.workers)
			return err
		}); err != nil {
			return err
		}
	}
	if err := b.drop(ctx, "bench-warm-*"); err != nil {
		return err
	}
	for _, load := range b.chosenLoads() {
		s, err := newSource(load.o, b.lines)
		if err != nil {
			return err
		}
		list := s.all()
		o := rigOptions{prefix: "bench-" + load.name, sensor: "bench", activity: true, trace: b.trace}
		if err := b.withRig(ctx, o, func(r *rig) error {
			node, err := b.nodeTime(ctx)
			if err != nil {
				return err
			}
			own := ownTime()
			acks, err := r.deliver(ctx, list, b.workers)
			if err != nil {
				return err
			}
			own = ownTime() - own
			if node, err = b.since(ctx, node); err != nil {
				return err
			}
			b.report.add(figure{What: "engine → node, " + load.name, Value: rate(acks), Unit: "records/s"})
			b.report.add(figure{What: "processor time of the engine, " + load.name, Value: float64(own.Nanoseconds()) / float64(b.lines), Unit: "ns/record"})
			b.report.add(figure{
				What: "processor time of the node, " + load.name, Value: float64(node.Nanoseconds()) / float64(b.lines), Unit: "ns/record",
				Note: fmt.Sprintf("%.2f ms a document", node.Seconds()*1000/float64(r.observed.documents)),
			})
			s := r.committer.Stats()
			written := float64(s.WrittenByClass[correlate.ClassAttacker])
			b.report.add(figure{What: "records per attacker document written, " + load.name, Value: float64(b.lines) / written, Unit: "records"})
			b.report.add(figure{
				What: "documents per write, " + load.name, Value: float64(r.observed.documents) / float64(r.observed.writes), Unit: "documents",
				Note: fmt.Sprintf("%d writes: %.1f s writing, %.1f s reading; %d attacker, %d activity, %d target documents",
					r.observed.writes, r.observed.writing.Seconds(), r.observed.reading.Seconds(),
					s.WrittenByClass[correlate.ClassAttacker], s.WrittenByClass[correlate.ClassActivity], s.WrittenByClass[correlate.ClassTarget]),
			})
			b.report.add(figure{What: "documents twice in one write, " + load.name, Value: float64(r.observed.duplicateInWrites), Unit: "documents", Goal: "0"})
			return nil
		}); err != nil {
			return err
		}
	}
	if err := b.history(ctx); err != nil {
		return err
	}
	return b.perCommit(ctx)
}

// history delivers a log in ten parts, one after the other, and compares how
// long the parts took: whether it costs more to go on than to begin.
func (b *bench) history(ctx context.Context) error {
	s, err := newSource(uniform, b.lines)
	if err != nil {
		return err
	}
	list := s.all()
	if len(list) < 10 {
		fmt.Printf("    SKIP: %d lines are %d chunks; the last tenth was not compared with the first, which takes 10\n", b.lines, len(list))
		return nil
	}
	return b.withRig(ctx, rigOptions{prefix: "bench-history", sensor: "bench", activity: true}, func(r *rig) error {
		var rates []float64
		var all string
		for i := range 10 {
			acks, err := r.deliver(ctx, list[i*len(list)/10:(i+1)*len(list)/10], b.workers)
			if err != nil {
				return err
			}
			rates = append(rates, rate(acks))
			all += fmt.Sprintf(" %.0f", rates[i])
		}
		b.report.add(figure{
			What: "last tenth ÷ first tenth", Value: rates[9] / rates[0], Unit: "times", Goal: "≥ 0.9",
			Note: "records/s of the tenths:" + all,
		})
		return b.drop(ctx, "bench-history-*")
	})
}

// perCommit commits chunk by chunk and compares what was written with who was
// in it.
func (b *bench) perCommit(ctx context.Context) error {
	s, err := newSource(uniform, min(b.lines, 60_000))
	if err != nil {
		return err
	}
	attackers, written := 0, int64(0)
	for _, c := range s.all() {
		// A rig of its own tells who is in the chunk.
		alone, err := without(ctx, rigOptions{prefix: "bench-alone", store: memory.Nothing{}}, []chunk{c}, 1)
		if err != nil {
			return err
		}
		attackers += int(alone.WrittenByClass[correlate.ClassAttacker])
	}
	if s, err = newSource(uniform, min(b.lines, 60_000)); err != nil {
		return err
	}
	return b.withRig(ctx, rigOptions{prefix: "bench-each", sensor: "bench", activity: true}, func(r *rig) error {
		if _, err := r.deliver(ctx, s.all(), 1); err != nil {
			return err
		}
		written = r.committer.Stats().WrittenByClass[correlate.ClassAttacker]
		b.report.add(figure{What: "attacker documents written per commit ÷ attackers in it", Value: float64(written) / float64(attackers), Unit: "times", Goal: "1"})
		return b.drop(ctx, "bench-each-*")
	})
}

// latency measures how long the acknowledgement of a chunk takes when chunks
// come at half the rate that was reached.
func (b *bench) latency(ctx context.Context) error {
	full := b.report.value("engine → node, uniform")
	if full == 0 {
		full = 60_000
	}
	s, err := newSource(uniform, -1)
	if err != nil {
		return err
	}
	return b.withRig(ctx, rigOptions{prefix: "bench-latency", sensor: "bench", activity: true}, func(r *rig) error {
		const warm, measured = 8, 40
		var list []chunk
		for range warm + measured {
			list = append(list, s.next())
		}
		if _, err := r.deliver(ctx, list[:warm], b.workers); err != nil {
			return err
		}
		list = list[warm:]
		pause := time.Duration(float64(list[0].records) / (full / 2) * float64(time.Second))
		var (
			group sync.WaitGroup
			mu    sync.Mutex
			took  []time.Duration
			fail  error
		)
		random := rand.New(rand.NewPCG(1, 1))
		for _, c := range list {
			group.Go(func() {
				start := time.Now()
				result, err := r.engine.Flush(ctx, "bench", c.data)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && result != correlate.OK {
					err = fmt.Errorf("result %d", result)
				}
				fail = cmp.Or(fail, err)
				took = append(took, time.Since(start))
			})
			// As many independent sensors would send them.
			if err := sleep(ctx, time.Duration(random.ExpFloat64()*float64(pause))); err != nil {
				return err
			}
		}
		group.Wait()
		if fail != nil {
			return fail
		}
		slices.Sort(took)
		note := fmt.Sprintf("%d chunks of 2 MB, %.0f records/s", measured, full/2)
		b.report.add(figure{What: "acknowledgement of a chunk at half load, p50", Value: float64(took[len(took)/2].Milliseconds()), Unit: "ms", Note: note})
		b.report.add(figure{What: "acknowledgement of a chunk at half load, p99", Value: float64(took[len(took)*99/100].Milliseconds()), Unit: "ms", Note: note})
		return b.drop(ctx, "bench-latency-*")
	})
}

// writers measures how many processes may write the same attackers.
func (b *bench) writers(ctx context.Context) error {
	const attackers, lasting = 200, 6 * time.Second
	for _, n := range []int{1, 2, 4, 8, 16} {
		if err := b.drop(ctx, "bench-writers-*"); err != nil {
			return err
		}
		rigs := make([]*rig, n)
		for i := range rigs {
			var err error
			if rigs[i], err = newRig(rigOptions{prefix: "bench-writers", sensor: fmt.Sprint("sensor-", i)}, b.node.URL); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, lasting+deadline)
		var group sync.WaitGroup
		var mu sync.Mutex
		records, chunks := 0, 0
		var fail error
		start := time.Now()
		for i, r := range rigs {
			group.Go(func() {
				// Small chunks: many sensors each see little of everybody.
				s, err := newSource(gen.Options{Attackers: attackers, Seed: uint64(i + 1)}, -1)
				for s.size = 50_000; err == nil && time.Since(start) < lasting; {
					c := s.next()
					var result correlate.Result
					if result, err = r.engine.Flush(ctx, fmt.Sprint("sensor-", i), c.data); err == nil && result == correlate.OK {
						mu.Lock()
						records += c.records
						chunks++
						mu.Unlock()
					}
				}
				if err != nil {
					mu.Lock()
					fail = err
					mu.Unlock()
				}
			})
		}
		group.Wait()
		took := time.Since(start)
		var written, conflicts int64
		for _, r := range rigs {
			s := r.committer.Stats()
			written += s.DocumentsWritten
			conflicts += s.Conflicts
			if err := r.end(ctx); err != nil && fail == nil {
				fail = err
			}
		}
		cancel()
		if fail != nil {
			return fail
		}
		b.report.add(figure{
			What: fmt.Sprintf("%d writers on the same %d attackers", n, attackers), Value: float64(records) / took.Seconds(), Unit: "records/s",
			Note: fmt.Sprintf("%.2f conflicts per document written, %.1f chunks/s", float64(conflicts)/float64(max(written, 1)), float64(chunks)/took.Seconds()),
		})
	}
	return b.drop(ctx, "bench-writers-*")
}

// oneURL measures eight writers each of whose chunks names one URL, the same
// for all, beside the same chunks without: the URL's document, and that of its
// host, are the ones that every process writes all the time.
func (b *bench) oneURL(ctx context.Context) error {
	const writers, lasting = 8, 12 * time.Second
	for _, command := range []string{"id", "wget http://198.51.100.7/x"} {
		if err := b.drop(ctx, "bench-url-*"); err != nil {
			return err
		}
		rigs := make([]*rig, writers)
		for i := range rigs {
			var err error
			if rigs[i], err = newRig(rigOptions{prefix: "bench-url", sensor: fmt.Sprint("sensor-", i)}, b.node.URL); err != nil {
				return err
			}
		}
		run, cancel := context.WithTimeout(ctx, lasting+deadline)
		var group sync.WaitGroup
		var mu sync.Mutex
		var acknowledged []time.Duration
		retried := 0
		var fail error
		start := time.Now()
		for i, r := range rigs {
			// As Fluent Bit does, a few flushes at a time.
			for worker := range 4 {
				group.Go(func() {
					for n := 0; time.Since(start) < lasting; n++ {
						at := time.Date(2026, 1, 8, 0, 0, n, 1000*(worker+1), time.UTC)
						var lines []string
						for line := range 40 {
							said := "id"
							if line == 20 {
								said = command
							}
							lines = append(lines, fmt.Sprintf(`<134>1 %s decky-%02d ssh - command [relay@55555 src_ip="203.%d.%d.%d" command="%s"]`,
								at.Format("2006-01-02T15:04:05.000000+00:00"), line, i, worker, line, said))
						}
						data, begun := chunktest.Lines(at, "log", lines...), time.Now()
						for {
							result, err := r.engine.Flush(run, fmt.Sprint("sensor-", i), data)
							if err == nil && result == correlate.OK {
								break
							}
							mu.Lock()
							if retried++; run.Err() != nil {
								fail = err
							}
							mu.Unlock()
							if run.Err() != nil {
								return
							}
						}
						mu.Lock()
						acknowledged = append(acknowledged, time.Since(begun))
						mu.Unlock()
					}
				})
			}
		}
		group.Wait()
		took := time.Since(start)
		var written, conflicts int64
		for _, r := range rigs {
			s := r.committer.Stats()
			written += s.DocumentsWritten
			conflicts += s.Conflicts
			if err := r.end(ctx); err != nil && fail == nil {
				fail = err
			}
		}
		cancel()
		if fail != nil {
			return fail
		}
		slices.Sort(acknowledged)
		n := len(acknowledged)
		b.report.add(figure{
			What: fmt.Sprintf("%d writers, one command of each chunk is %q", writers, command), Value: float64(n) / took.Seconds(), Unit: "chunks/s",
			Note: fmt.Sprintf("of 40 attackers each; acknowledged after %d ms (p50), %d ms (p99), %d given back; %.2f conflicts a chunk, %.1f documents a chunk",
				acknowledged[n/2].Milliseconds(), acknowledged[n*99/100].Milliseconds(), retried, float64(conflicts)/float64(n), float64(written)/float64(n)),
		})
	}
	return b.drop(ctx, "bench-url-*")
}
