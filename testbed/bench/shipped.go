package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dossier/testbed/flb"
)

// shipped measures what people run: the configuration in conf/, unchanged but for
// paths and hosts, beside one that is set for backlogs and Fluent Bit's own es with
// the same service and input sections, on each load.
func (b *bench) shipped(ctx context.Context) error {
	program, err := flb.Find()
	if err != nil {
		return err
	}
	if program == "" {
		fmt.Println("    SKIP: no fluent-bit on PATH and FLUENT_BIT not set; what is shipped was not compared with es")
		return nil
	}
	for _, load := range b.chosenLoads() {
		path, size, err := b.writeLog(load.name+".log", load.o, b.lines)
		if err != nil {
			return err
		}
		outputs, err := b.outputs(load.name)
		if err != nil {
			return err
		}
		// They take turns, so that what else the machine does meets all of them;
		// the first round warms up the node, and counts only where it is all there is.
		for round := range 1 + b.rounds {
			for _, out := range outputs {
				if err := b.drop(ctx, out.pattern); err != nil {
					return err
				}
				was, err := b.written(ctx, out.pattern)
				if err != nil {
					return err
				}
				r, err := b.tail(ctx, path, size, out.config, out.dossier)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", out.name, load.name, err)
				}
				now, err := b.written(ctx, out.pattern)
				if err != nil {
					return err
				}
				fmt.Printf("        %s, %s: %.2f s, %.2f s of the sensor, %.2f s of the node, %.0f MiB, %.0f attackers, %.0f documents, %.1f MB\n", out.name, load.name,
					r.took.Seconds(), r.fluent.Seconds(), r.node.Seconds(), float64(r.peak)/(1<<20), now.attackers, now.documents, (now.bytes-was.bytes)/1e6)
				if round > 0 || b.rounds == 0 {
					r.wrote = now
					r.wrote.bytes -= was.bytes
					out.runs = append(out.runs, r)
				}
			}
		}
		for _, out := range outputs {
			if err := b.addShipped(ctx, out, load.name); err != nil {
				return err
			}
			if err := b.drop(ctx, out.pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

// delivery is one way to have Fluent Bit deliver a log.
type delivery struct {
	name    string
	prefix  string // of its indices
	pattern string
	dossier bool
	config  func(file, dir string) string
	runs    []run
}

// asShipped is the name of the first configuration.
const asShipped = "Dossier as shipped"

// outputs are what is compared on a load: the configuration that is shipped and either
// the others of -conf or the same set for backlogs, and es.
func (b *bench) outputs(load string) ([]*delivery, error) {
	var list []*delivery
	add := func(name string, dossier bool, text string) {
		d := &delivery{name: name, prefix: fmt.Sprintf("bench-%s-%d", load, len(list)), dossier: dossier}
		d.pattern = d.prefix + "-*"
		d.config = func(file, dir string) string { return placed(text, file, dir, d.prefix) }
		list = append(list, d)
	}
	paths := strings.Split(b.conf, ",")
	texts := make([]string, len(paths))
	for i, path := range paths {
		var err error
		if texts[i], err = b.readConf(path); err != nil {
			return nil, err
		}
	}
	add(asShipped, true, texts[0])
	for i, path := range paths[1:] {
		add(path, true, texts[i+1])
	}
	if len(paths) == 1 {
		add("Dossier for backlogs", true, forBacklogs(texts[0]))
	}
	add("es", false, b.withES(texts[0]))
	return list, nil
}

// Where a configuration is to have what depends on the run.
const (
	ofFile, ofDir, ofPrefix, ofPort = "\x00file\x00", "\x00dir\x00", "\x00prefix\x00", "\x00port\x00"
)

// placed fills in what depends on the run.
func placed(text, file, dir, prefix string) string {
	port := "2020"
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_, port, _ = net.SplitHostPort(l.Addr().String())
		l.Close()
	}
	return strings.NewReplacer(ofFile, file, ofDir, dir, ofPrefix, prefix, ofPort, port).Replace(text)
}

// readConf reads a configuration and replaces its paths and hosts.
func (b *bench) readConf(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	plugin, err := filepath.Abs(b.plugin)
	if err != nil {
		return "", err
	}
	text := string(raw)
	for _, of := range [][2]string{
		{"/var/log/decnet/decnet.log", ofFile},
		{"/var/lib/fluent-bit/", ofDir + "/"},
		{"/var/lib/dossier/dead-letters", ofDir + "/letters"},
		{"/usr/lib/dossier/out_dossier.so", plugin},
		{"https://elastic-1.example:9200", b.node.URL},
		{"      es_ca_file: /etc/dossier/ca.pem\n", ""},
		{"      es_api_key: ${DOSSIER_ES_API_KEY}\n", ""},
		{"index_prefix: dossier", "index_prefix: " + ofPrefix},
		{"http_port: 2020", "http_port: " + ofPort},
	} {
		if !strings.Contains(text, of[0]) {
			return "", fmt.Errorf("%s has no %q", path, of[0])
		}
		text = strings.ReplaceAll(text, of[0], of[1])
	}
	return text, nil
}

// withES is a configuration with Fluent Bit's es in the place of Dossier.
func (b *bench) withES(text string) string {
	before, _, _ := strings.Cut(text, "  outputs:\n")
	head, pipeline, _ := strings.Cut(before, "plugins:\n")
	_, pipeline, _ = strings.Cut(pipeline, "pipeline:\n")
	u, err := url.Parse(b.node.URL)
	if err != nil {
		panic(err) // it is in use
	}
	// The answer to 2 MB of lines is larger than the buffer that es has by
	// default.
	return head + "pipeline:\n" + pipeline + fmt.Sprintf(`  outputs:
    - name: es
      match: decnet
      workers: 2
      retry_limit: no_limits
      host: %s
      port: %s
      index: %s-es
      suppress_type_name: on
      buffer_size: false
`, u.Hostname(), u.Port(), ofPrefix)
}

// forBacklogs is a configuration with the larger settings of docs/operations.md.
func forBacklogs(text string) string {
	for key, value := range map[string]string{"workers": "64", "cache_size": "256M", "storage.max_chunks_up": "128", "storage.backlog.mem_limit": "64M"} {
		text = regexp.MustCompile(`(?m)^(\s+`+regexp.QuoteMeta(key)+`: ).*$`).ReplaceAllString(text, "${1}"+value)
	}
	return text
}

// wrote is what a node took in, as it says itself.
type wrote struct {
	attackers, documents float64 // writes of documents that were taken
	bytes                float64 // of the operations
}

// written returns what indices under a pattern took in since they were made. The bytes
// are those of all indices since the node began: the difference counts.
func (b *bench) written(ctx context.Context, pattern string) (w wrote, err error) {
	answer, err := b.ask(ctx, "GET", "/"+pattern+"/_stats/indexing?ignore_unavailable=true", nil)
	if err != nil {
		return w, err
	}
	indices, _ := answer["indices"].(map[string]any)
	for name, of := range indices {
		n, _ := dig(of, "primaries", "indexing", "index_total").(float64)
		w.documents += n
		if strings.Contains(name, "-attackers") {
			w.attackers += n
		}
	}
	answer, err = b.ask(ctx, "GET", "/_nodes/stats/indexing_pressure", nil)
	if err != nil {
		return w, err
	}
	nodes, _ := answer["nodes"].(map[string]any)
	for _, n := range nodes {
		bytes, _ := dig(n, "indexing_pressure", "memory", "total", "coordinating_in_bytes").(float64)
		w.bytes += bytes
	}
	return w, nil
}

// residentGoal is what a sensor may hold through a backlog: a host of decoys has 1 GB.
const residentGoal = 256 << 20

// addShipped adds the figures of an output on a load: its median run.
func (b *bench) addShipped(ctx context.Context, out *delivery, load string) error {
	disk, _, err := b.onDisk(ctx, out.pattern)
	if err != nil {
		return err
	}
	slices.SortFunc(out.runs, func(a, b run) int { return cmp.Compare(a.took, b.took) })
	m := out.runs[len(out.runs)/2]
	million := float64(b.lines) / 1e6
	peak := slices.MaxFunc(out.runs, func(a, b run) int { return cmp.Compare(a.peak, b.peak) }).peak
	attackers := ""
	if out.dossier {
		attackers = number(m.wrote.attackers) + " attacker writes; "
	}
	b.report.add(figure{
		What: out.name + ", " + load, Value: float64(b.lines) / m.took.Seconds(), Unit: "records/s",
		Note: fmt.Sprintf("%.2f s, median of %d (%.2f to %.2f); %sa million records: %.1f s of the sensor's processor, %.1f s of the node's, %s documents and %.0f MB written; %.0f MB on disk after a force merge",
			m.took.Seconds(), len(out.runs), out.runs[0].took.Seconds(), out.runs[len(out.runs)-1].took.Seconds(), attackers,
			m.fluent.Seconds()/million, m.node.Seconds()/million, number(m.wrote.documents/million), m.wrote.bytes/million/1e6, disk/1e6),
		More: map[string]float64{
			"attacker_writes": m.wrote.attackers, "sensor_cpu_s": m.fluent.Seconds(), "node_cpu_s": m.node.Seconds(),
			"documents_written": m.wrote.documents, "bytes_written": m.wrote.bytes, "index_bytes": disk, "resident_bytes": float64(peak),
		},
	})
	f := figure{What: "resident memory, " + out.name + ", " + load, Value: float64(peak) / (1 << 20), Unit: "MiB", Note: "the most of all rounds"}
	if out.name == asShipped {
		f.Goal = "≤ " + strconv.Itoa(residentGoal>>20)
	}
	b.report.add(f)
	if out.dossier {
		return b.allCounted(ctx, out.prefix, out.name+", "+load)
	}
	return nil
}

// allCounted checks that each line is in an attacker's profile, once.
func (b *bench) allCounted(ctx context.Context, prefix, what string) error {
	answer, err := b.ask(ctx, "POST", "/"+prefix+"-attackers/_search", map[string]any{
		"size": 0, "aggs": map[string]any{"events": map[string]any{"sum": map[string]any{"field": "event_count"}}},
	})
	if err != nil {
		return err
	}
	events, _ := dig(answer, "aggregations", "events", "value").(float64)
	b.report.add(figure{What: "events counted ÷ lines, " + what, Value: events / float64(b.lines), Unit: "times", Goal: "1"})
	return nil
}
