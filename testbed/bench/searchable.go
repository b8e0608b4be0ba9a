package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dossier/testbed/flb"
	"dossier/testbed/gen"
)

// searchable measures, as shipped, how long it takes from the line in the log until
// a search finds its attacker, at three rates.
func (b *bench) searchable(ctx context.Context) error {
	program, err := flb.Find()
	if err != nil {
		return err
	}
	if program == "" {
		fmt.Println("    SKIP: no fluent-bit on PATH and FLUENT_BIT not set; how long a line takes until it is found was not measured")
		return nil
	}
	path, _, _ := strings.Cut(b.conf, ",")
	text, err := b.readConf(path)
	if err != nil {
		return err
	}
	for _, rate := range []int{100, 1000, 10_000} {
		took, err := b.untilFound(ctx, text, rate)
		if err != nil {
			return err
		}
		slices.Sort(took)
		for _, p := range []int{50, 99} {
			f := figure{
				What: fmt.Sprintf("line → found by a search, as shipped, %s lines/s, p%d", number(float64(rate)), p), Value: took[len(took)*p/100].Seconds(), Unit: "s",
				Note: fmt.Sprintf("%d new attackers among 5,000; %s, refresh_interval 5s", len(took), flushOf(text)),
			}
			if p == 99 {
				f.Goal = "≤ 10"
			}
			b.report.add(f)
		}
	}
	return nil
}

// flushOf returns the line of a configuration that says how often it flushes.
func flushOf(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "flush:") {
			return line
		}
	}
	return "flush by default"
}

const (
	// live is how long lines come, and settling how much later the first of those
	// counts that are waited for.
	live, settling = 40 * time.Second, 8 * time.Second
	// writeEvery is how often lines are written: a new attacker each time.
	writeEvery = 50 * time.Millisecond
)

// untilFound writes lines at a rate, with a new attacker twenty times a second, and
// returns how long each took to be found.
func (b *bench) untilFound(ctx context.Context, conf string, rate int) (took []time.Duration, err error) {
	const prefix = "bench-live"
	if err := b.drop(ctx, prefix+"-*"); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "fluent-bit")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "storage"), 0o755)); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "live.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	config := filepath.Join(dir, "fluent-bit.yaml")
	if err := os.WriteFile(config, []byte(placed(conf, log.Name(), dir, prefix)), 0o600); err != nil {
		return nil, err
	}
	f, err := flb.Start(ctx, flb.Options{Config: config, Plugin: b.plugin, Log: b.log})
	if err != nil {
		return nil, err
	}
	defer f.Kill()
	source, err := gen.New(gen.Options{Attackers: uniform.Attackers, Start: time.Now(), Step: time.Second / time.Duration(rate)})
	if err != nil {
		return nil, err
	}
	type probe struct {
		id string
		at time.Time
	}
	var waiting []probe
	var line []byte
	start := time.Now()
	written, asked := 0, start
	for n := 0; ; n++ {
		now := time.Now()
		since := now.Sub(start)
		switch {
		case since < live:
			for ; written < int(since.Seconds()*float64(rate)); written++ {
				line = append(source.Append(line[:0]), '\n')
				if _, err := log.Write(line); err != nil {
					return nil, err
				}
			}
			id := fmt.Sprintf("198.18.%d.%d", n>>8&255, n&255)
			at := time.Now()
			if _, err := fmt.Fprintf(log, "<134>1 %s decky-01 ssh - connect [relay@55555 src=\"%s\"]\n", at.UTC().Format("2006-01-02T15:04:05.000000+00:00"), id); err != nil {
				return nil, err
			}
			if since > settling {
				waiting = append(waiting, probe{id, at})
			}
		case len(waiting) == 0:
			return took, b.drop(ctx, prefix+"-*")
		case since > live+time.Minute:
			return nil, fmt.Errorf("%d attackers were not found within a minute, the first %s", len(waiting), waiting[0].id)
		}
		if now.Sub(asked) > 5*writeEvery && len(waiting) > 0 {
			asked = now
			found, err := b.found(ctx, prefix+"-attackers", waiting[0].id, waiting[len(waiting)-1].id)
			if err != nil {
				return nil, err
			}
			at := time.Now()
			waiting = slices.DeleteFunc(waiting, func(p probe) bool {
				if found[p.id] {
					took = append(took, at.Sub(p.at))
				}
				return found[p.id]
			})
		}
		if err := sleep(ctx, time.Until(now.Add(writeEvery))); err != nil {
			return nil, err
		}
	}
}

// found returns which of the addresses between two a search finds.
func (b *bench) found(ctx context.Context, index, first, last string) (map[string]bool, error) {
	answer, err := b.ask(ctx, "POST", "/"+index+"/_search?ignore_unavailable=true", map[string]any{
		"size": 2000, "_source": false, "query": map[string]any{"range": map[string]any{"ip": map[string]any{"gte": first, "lte": last}}},
	})
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	hits, _ := dig(answer, "hits", "hits").([]any)
	for _, h := range hits {
		if id, ok := dig(h, "_id").(string); ok {
			found[id] = true
		}
	}
	return found, nil
}
