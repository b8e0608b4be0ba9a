// Command bench measures Dossier beside programs that do less, all in one run
// on one machine and one node, prints a table and writes it as JSON.
//
//	bench -plugin build/out_dossier.so -out build/bench.json [-only core,fluent] [-lines N]
//
// ELASTICSEARCH_URL names a node of your own. Nothing here passes or fails:
// figures depend on the machine and on who else uses it, which is why the
// load is printed with them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"

	"dossier/testbed/esnode"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := bench{}
	flag.StringVar(&b.plugin, "plugin", "build/out_dossier.so", "the plugin")
	flag.StringVar(&b.out, "out", "build/bench.json", "where the figures go as JSON")
	flag.IntVar(&b.lines, "lines", 500_000, "lines of a log")
	flag.IntVar(&b.workers, "workers", 64, "flushes at a time, as Fluent Bit's option workers")
	flag.IntVar(&b.rounds, "rounds", 5, "how often the parts shipped, fluent and floor measure each output, after a round that warms up the node; with 0 the part shipped has that one")
	flag.StringVar(&b.conf, "conf", "conf/dossier-decnet.yaml", "the configuration that is shipped; several, separated by commas, are compared by the part shipped")
	flag.StringVar(&b.loads, "loads", "", "the loads of the parts commit, shipped and floor, separated by commas; empty for all")
	flag.BoolVar(&b.trace, "trace", false, "print each request of the part commit, and what Fluent Bit logs")
	flag.IntVar(&b.attackers, "attackers", 2_000_000, "how many attackers the part fill writes")
	profile := flag.String("cpuprofile", "", "write a profile of this process, where the engine runs in the parts commit, latency and writers")
	only := flag.String("only", "", "the parts to run, separated by commas: "+strings.Join(names(), ", ")+"; empty for all but those that take long: "+strings.Join(long, ", "))
	flag.Parse()
	if b.trace {
		b.log = os.Stderr
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	err := b.run(ctx, *only)
	pprof.StopCPUProfile()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	plugin, out string
	lines       int
	attackers   int
	workers     int
	conf, loads string
	rounds      int
	trace       bool
	log         io.Writer // of Fluent Bit; nil for none
	dir         string    // for logs and storage
	node        *esnode.Node
	report      report
}

// parts are the measurements in their order.
var parts = []struct {
	name string
	// node says that the part needs Elasticsearch.
	node bool
	run  func(b *bench, ctx context.Context) error
}{
	{"core", false, (*bench).core},
	{"memory", false, (*bench).memory},
	{"start", true, (*bench).start},
	{"backlog", false, (*bench).backlog},
	{"commit", true, (*bench).commit},
	{"latency", true, (*bench).latency},
	{"writers", true, (*bench).writers},
	{"url", true, (*bench).oneURL},
	{"shipped", true, (*bench).shipped},
	{"searchable", true, (*bench).searchable},
	{"fluent", true, (*bench).fluent},
	{"floor", true, (*bench).floor},
	{"bulk", true, (*bench).bulk},
	{"fill", true, (*bench).fill},
	{"search", true, (*bench).search},
	{"retain", true, (*bench).retain},
}

// long are parts that run only where they are asked for, on a node of their
// own whose documents stay: the one called large.
var long = []string{"fill", "search", "retain"}

func names() []string {
	var list []string
	for _, p := range parts {
		list = append(list, p.name)
	}
	return list
}

func (b *bench) run(ctx context.Context, only string) (err error) {
	chosen := slices.DeleteFunc(names(), func(name string) bool { return slices.Contains(long, name) })
	if only != "" {
		chosen = strings.Split(only, ",")
		for _, name := range chosen {
			if !slices.Contains(names(), name) {
				return fmt.Errorf("-only: there is no part %q, only %s", name, strings.Join(names(), ", "))
			}
		}
	}
	if b.rounds < 0 || b.rounds == 0 && (slices.Contains(chosen, "fluent") || slices.Contains(chosen, "floor")) {
		return fmt.Errorf("-rounds is %d; it must be at least 1, or 0 with the part shipped", b.rounds)
	}
	if b.loads != "" {
		for _, name := range strings.Split(b.loads, ",") {
			if !slices.ContainsFunc(loads, func(l load) bool { return l.name == name }) {
				return fmt.Errorf("-loads: there is no load %q, only uniform, zipf, wide and bursts", name)
			}
		}
	}
	out, err := filepath.Abs(b.out)
	if err != nil {
		return err
	}
	b.dir = filepath.Join(filepath.Dir(out), "bench")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	b.report.begin()
	for _, p := range parts {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		name := "bench"
		if slices.Contains(long, p.name) {
			name = "large"
		}
		if p.node && (b.node == nil || b.node.Name != name) {
			if b.node, err = esnode.Open(ctx, esnode.Options{Name: name, Heap: "1g"}); err != nil {
				return err
			}
		}
		b.report.part(p.name)
		if err := p.run(b, ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), b.report.write(out))
		}
	}
	b.report.compare()
	b.report.print(os.Stdout)
	return b.report.write(out)
}
