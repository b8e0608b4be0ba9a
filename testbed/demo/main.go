// Command demo shows what Dossier does: it starts a real Elasticsearch, or
// OpenSearch, replays sensors' logs through the plugin as Fluent Bit would, and prints
// the attackers and mail domains that are found there afterwards.
//
//	demo -plugin build/out_dossier.so [-server opensearch] [-log FILE] [-rows N] [-down]
//
// ELASTICSEARCH_URL names a node of your own. A second run delivers the same
// chunks again, and nothing is counted twice.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"dossier/testbed/esnode"
	"dossier/testbed/host"
	"dossier/testbed/sample"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	plugin := flag.String("plugin", "build/out_dossier.so", "the plugin")
	server := flag.String("server", "", "the server: opensearch, or another that esnode servers lists")
	log := flag.String("log", "", "the sensor's log, a line each, in place of the sample's")
	rows := flag.Int("rows", 15, "attackers to print")
	down := flag.Bool("down", false, "stop the demo's node, remove its data and do no more")
	flag.Parse()
	if err := run(ctx, *plugin, *server, *log, *rows, *down); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

const nodeName = "demo"

func run(ctx context.Context, plugin, server, log string, rows int, down bool) error {
	if down {
		node, err := esnode.Find(server, nodeName)
		if err != nil {
			return err
		}
		return errors.Join(node.Stop(ctx), node.Purge())
	}
	files := sample.Files()
	if log != "" {
		files = []string{log}
	}
	chunks, lines, err := sample.Chunks(files...)
	if err != nil {
		return err
	}
	what, err := esnode.Describe(server)
	if err != nil {
		return err
	}
	step(what + " ...")
	node, err := esnode.Open(ctx, esnode.Options{Server: server, Name: nodeName, Heap: "1g"})
	if err != nil {
		return err
	}
	step("the plugin, loaded as Fluent Bit loads it ...")
	letters, err := filepath.Abs(filepath.Join(filepath.Dir(plugin), "demo-dead-letters"))
	if err != nil {
		return err
	}
	properties, err := sample.Databases(filepath.Dir(letters))
	if err != nil {
		return err
	}
	maps.Copy(properties, map[string]string{
		"es_hosts": node.URL, "sensor_id": "demo-sensor", "dead_letter_path": letters,
		"commit_timeout": "20s", // as shipped: a node that has just started is slow
	})
	h, err := host.Start(ctx, host.Options{
		Plugin: plugin, Workers: 2, Log: &indent{f: os.Stdout},
		Properties: properties,
	})
	if err != nil {
		return err
	}
	defer h.Kill()
	step(fmt.Sprintf("%d lines of %s in %d chunks ...", lines, names(files), len(chunks)))
	start := time.Now()
	if err := deliver(ctx, h, chunks); err != nil {
		return err
	}
	took := time.Since(start)
	if err := h.Exit(ctx); err != nil {
		return err
	}
	fmt.Printf("    durable after %.1f s, %.0f records/s (a cold node)\n", took.Seconds(), float64(lines)/took.Seconds())
	return show(ctx, node, rows)
}

func step(what string) { fmt.Println("==>", what) }

// names are the files' own.
func names(files []string) string {
	short := make([]string, len(files))
	for i, f := range files {
		short[i] = filepath.Base(f)
	}
	return strings.Join(short, " and ")
}

// indent sets the plugin's own log lines apart.
type indent struct {
	f      *os.File
	inside bool // a line, of which the next part may be still to come
}

func (i *indent) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if !i.inside {
			line = append([]byte("    "), line...)
		}
		i.inside = !bytes.HasSuffix(line, []byte("\n"))
		if _, err := i.f.Write(line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// deliver hands all chunks over at once, as Fluent Bit does with a backlog,
// and brings back what isn't durable.
func deliver(ctx context.Context, h *host.Host, chunks [][]byte) error {
	errs := make(chan error, len(chunks))
	for _, c := range chunks {
		go func() {
			_, err := h.Deliver(ctx, "decnet", c, time.Second)
			errs <- err
		}()
	}
	var all error
	for range chunks {
		all = errors.Join(all, <-errs)
	}
	return all
}

// hits is what Elasticsearch answers to a search.
type hit = map[string]any

func search(ctx context.Context, node *esnode.Node, index string, body any) (hits []hit, total float64, aggs hit, err error) {
	status, answer, err := node.Do(ctx, "POST", "/"+index+"/_search", body)
	if err != nil {
		return nil, 0, nil, err
	}
	if status != 200 {
		return nil, 0, nil, fmt.Errorf("search in %s: HTTP %d: %v", index, status, answer)
	}
	for _, h := range at(answer, "hits.hits").([]any) {
		hits = append(hits, h.(hit)["_source"].(hit))
	}
	total, _ = at(answer, "hits.total.value").(float64)
	aggs, _ = answer["aggregations"].(hit)
	return hits, total, aggs, nil
}

// at returns the value under a dotted path, nil where there is none.
func at(m hit, path string) any {
	var v any = m
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(hit)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func text(m hit, path string) string {
	switch v := at(m, path).(type) {
	case nil:
		return "-"
	case []any:
		var s []string
		for _, i := range v {
			s = append(s, fmt.Sprint(i))
		}
		return short(strings.Join(s, " "), 28)
	case float64:
		return fmt.Sprintf("%.0f", v)
	default:
		return short(fmt.Sprint(v), 40)
	}
}

func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// next names the commands that go on from here.
func next(w io.Writer, url, address string) {
	fmt.Fprintf(w, `
The node runs on at %s; go run ./testbed/demo -down removes it. Next:

  make build && export DOSSIER_ES_HOSTS=%s
  build/dossier top                     # the attackers, live; q ends it
  build/dossier show %s
  build/dossier kibana dashboards --url http://localhost:5601   # of the first week of January 2026: set the time to it
`, url, url, address)
}

func show(ctx context.Context, node *esnode.Node, rows int) error {
	if status, answer, err := node.Do(ctx, "POST", "/dossier-*/_refresh", nil); err != nil || status != 200 {
		return fmt.Errorf("refresh: HTTP %d: %v: %w", status, answer, err)
	}
	attackers, total, aggs, err := search(ctx, node, "dossier-attackers", hit{
		"size": rows, "track_total_hits": true, "_source": hit{"excludes": []string{"state"}},
		"sort": []any{hit{"risk.score": "desc"}, hit{"event_count": "desc"}},
		"aggs": hit{"events": hit{"sum": hit{"field": "event_count"}}, "traversals": hit{"filter": hit{"term": hit{"is_traversal": true}}}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n%.0f attackers, %.0f events, %.0f of them moved between decoys. The %d of highest risk:\n\n",
		total, at(aggs, "events.value"), at(aggs, "traversals.doc_count"), len(attackers))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tRISK\tCLASS\tEVENTS\tDECOYS\tINTERACTED\tCOMMANDS\tLOGINS\tTECHNIQUES\tPATH")
	for _, a := range attackers {
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", text(a, "ip"), text(a, "risk.score"), text(a, "risk.level"),
			text(a, "behavior.class"), text(a, "event_count"), text(a, "decky_count"), text(a, "services_interacted"),
			text(a, "command_count"), text(a, "login_attempts"), text(a, "threat.technique.id"), text(a, "traversal_path"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, _, aggs, err = search(ctx, node, "dossier-smtp-targets", hit{"size": 0, "aggs": hit{"domains": hit{
		"terms": hit{"field": "domain", "size": 10, "order": hit{"events": "desc"}},
		"aggs":  hit{"events": hit{"sum": hit{"field": "count"}}, "accepted": hit{"sum": hit{"field": "rcpt_accepted_count"}}, "messages": hit{"sum": hit{"field": "message_count"}}},
	}}})
	if err != nil {
		return err
	}
	fmt.Print("\nMail domains they aimed at:\n\n")
	fmt.Fprintln(w, "DOMAIN\tATTACKERS\tEVENTS\tRECIPIENTS ACCEPTED\tMESSAGES")
	buckets, _ := at(aggs, "domains.buckets").([]any)
	for _, b := range buckets {
		d := b.(hit)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", text(d, "key"), text(d, "doc_count"), text(d, "events.value"), text(d, "accepted.value"), text(d, "messages.value"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	first := "ADDRESS"
	if len(attackers) > 0 {
		first = text(attackers[0], "ip")
	}
	next(os.Stdout, node.URL, first)
	return nil
}
