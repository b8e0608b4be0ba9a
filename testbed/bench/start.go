package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dossier/testbed/host"
)

// start measures how long the plugin takes to be there.
func (b *bench) start(ctx context.Context) error {
	info, err := os.Stat(b.plugin)
	if err != nil {
		return err
	}
	b.report.add(figure{What: "size of the .so", Value: float64(info.Size()), Unit: "bytes"})
	plugin, err := filepath.Abs(b.plugin)
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		what, goal, hosts string
		dry               bool
	}{
		{"loaded and registered, nothing initialised", "", b.node.URL, true},
		// Nobody listens on the discard port: it is refused at once.
		{"loaded and initialised, without a node", "< 100", "http://127.0.0.1:9", false},
		{"loaded and initialised, Elasticsearch asked", "", b.node.URL, false},
	} {
		var took []time.Duration
		for range 7 {
			o := host.Options{Plugin: plugin, Properties: map[string]string{
				"es_hosts": kind.hosts, "index_prefix": "bench-start", "sensor_id": "bench",
				"dead_letter_path": filepath.Join(b.dir, "letters"),
			}}
			start := time.Now()
			if kind.dry {
				_, err = host.DryRun(ctx, o)
			} else {
				var h *host.Host
				if h, err = host.Start(ctx, o); err == nil {
					defer h.Kill()
				}
			}
			if err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.report.add(figure{What: kind.what, Value: float64(took[len(took)/2].Microseconds()) / 1000, Unit: "ms", Goal: kind.goal, Note: "median of 7, the host process included"})
	}
	return b.drop(ctx, "bench-start-*")
}
