package faults

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/gen"
	"dossier/testbed/host"
)

// TestOutageUnderThreeSensors kills the node while three real Fluent Bits
// deliver, with the timing of conf/ and four workers each. It prints what the
// outage costs the sensors and how long after the node's first answer the
// first document is written; nothing may be lost or doubled.
func TestOutageUnderThreeSensors(t *testing.T) {
	long(t)
	flb.Require(t)
	const (
		sensors = 3
		away    = 60 * time.Second
	)
	perSensor, lines := linesEach(t, sensors, 60_000, "DOSSIER_OUTAGE_LINES")
	want := undisturbed(t, esnode.Shared(t), e2e.Cut(lines, 60))

	node := esnode.Require(t, esnode.Options{Name: "outage"})
	prefix := e2e.Prefix(t)
	var running []*flb.Fluent
	for i := range sensors {
		dir := t.TempDir()
		file := filepath.Join(dir, "decnet.log")
		if err := os.WriteFile(file, []byte(strings.Join(lines[i*perSensor:(i+1)*perSensor], "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		running = append(running, flb.Run(t.Context(), t, flb.Options{
			Plugin: host.BuildPlugin(t), Dir: dir, File: file, Tag: "decnet",
			Service: map[string]string{"flush": "5", "scheduler.cap": "30"},
			Output: e2e.Properties(t, node.URL, prefix, map[string]string{
				"workers": "4", "sensor_id": "sensor-" + strconv.Itoa(i),
			}),
		}))
	}

	written := func(ctx context.Context) float64 {
		code, answer, err := node.Do(ctx, "GET", "/"+prefix+"-attackers/_stats/indexing", nil)
		if err != nil || code != 200 {
			return 0
		}
		all, _ := answer["_all"].(map[string]any) // empty while the shard is not there yet
		primaries, _ := all["primaries"].(map[string]any)
		indexing, _ := primaries["indexing"].(map[string]any)
		total, _ := indexing["index_total"].(float64)
		return total
	}
	until := func(what string, limit time.Duration, done func(context.Context) bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		for !done(ctx) {
			select {
			case <-ctx.Done():
				t.Fatalf("%s: not within %s", what, limit)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	until("the first documents", time.Minute, func(ctx context.Context) bool { return written(ctx) > 500 })
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Log("killed in mid-run")

	// What was in flight ends first.
	time.Sleep(10 * time.Second)
	before := make([]time.Duration, sensors)
	for i, f := range running {
		before[i], _ = f.PID().Time()
	}
	time.Sleep(away - 10*time.Second)
	for i, f := range running {
		after, err := f.PID().Time()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("sensor %d: %.2f %% of a core while the node is away", i, 100*float64(after-before[i])/float64(away-10*time.Second))
	}

	restarted := make(chan error, 1)
	go func() { restarted <- node.Restart(t.Context()) }()
	until("the node's answer", 2*time.Minute, func(ctx context.Context) bool {
		code, _, err := node.Do(ctx, "GET", "/"+prefix+"-attackers/_count", nil)
		return err == nil && code == 200
	})
	answered := time.Now()
	until("the first document after the outage", time.Minute, func(ctx context.Context) bool { return written(ctx) > 0 })
	t.Logf("the first document was written %.1f s after the index's first answer", time.Since(answered).Seconds())
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, f := range running {
		if err := f.WaitRecords(ctx, perSensor); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("everything was delivered %.1f s after the index's first answer", time.Since(answered).Seconds())
	for _, f := range running {
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	got := documents(t, node, prefix)
	for _, i := range indices {
		e2e.Equal(t, i, want[i], got[i], append(volatile, "sensors", "observer", "first_sensor", "sensor_count")...)
	}
}

// linesEach returns the lines that so many hosts have together, of 2,000
// attackers, and how many each has: n, unless the variable says another number.
func linesEach(t *testing.T, hosts, n int, variable string) (each int, lines []string) {
	t.Helper()
	if s := os.Getenv(variable); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
	}
	source, err := gen.New(gen.Options{Attackers: 2000})
	if err != nil {
		t.Fatal(err)
	}
	return n, source.Lines(hosts * n)
}
