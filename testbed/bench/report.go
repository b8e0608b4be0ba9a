package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one line of the table.
type figure struct {
	Part  string  `json:"part"`
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal,omitempty"`
	Note  string  `json:"note,omitempty"`
	// More is what Note says, to be computed with.
	More map[string]float64 `json:"more,omitempty"`
}

// report collects the figures of a run.
type report struct {
	Started time.Time `json:"started"`
	Machine string    `json:"machine"`
	Go      string    `json:"go"`
	// Load has the machine's load average before each part: what else ran
	// then slowed it down.
	Load    map[string]string `json:"load"`
	Figures []figure          `json:"figures"`

	current string
}

func (r *report) begin() {
	r.Started = time.Now().UTC().Truncate(time.Second)
	r.Machine = fmt.Sprintf("%d cores, %s", runtime.NumCPU(), processor())
	r.Go = runtime.Version()
	r.Load = map[string]string{}
}

func (r *report) part(name string) {
	r.current = name
	r.Load[name] = loadAverage()
	fmt.Printf("==> %s (load %s)\n", name, r.Load[name])
}

// add adds a figure and shows it at once, for who is watching.
func (r *report) add(f figure) {
	f.Part = r.current
	r.Figures = append(r.Figures, f)
	fmt.Printf("    %-58s %14s %s\n", f.What, number(f.Value), f.Unit)
}

// value returns a figure of before, 0 without it.
func (r *report) value(what string) float64 {
	for _, f := range r.Figures {
		if f.What == what {
			return f.Value
		}
	}
	return 0
}

// ratio adds how many times a is b, where both were measured.
func (r *report) ratio(what, a, b, goal string) {
	if x, y := r.value(a), r.value(b); x > 0 && y > 0 {
		r.add(figure{What: what, Value: x / y, Unit: "times", Goal: goal})
	}
}

// compare adds the figures that take two parts.
func (r *report) compare() {
	r.current = "comparison"
	for _, load := range loads {
		goal := "≥ 1"
		if load.name == "uniform" {
			goal = "≥ 1.5"
		}
		r.ratio("as shipped ÷ es, "+load.name, "Dossier as shipped, "+load.name, "es, "+load.name, goal)
		r.ratio("for backlogs ÷ es, "+load.name, "Dossier for backlogs, "+load.name, "es, "+load.name, "")
		r.ratio("engine → node ÷ its documents alone, "+load.name, "engine → node, "+load.name, "the documents alone, by plain bulk, "+load.name, "≥ 0.6")
	}
	for _, kind := range []string{"uniform", "zipf"} {
		dossier := "Fluent Bit → Dossier, " + kind
		r.ratio(dossier+" ÷ es output", dossier, "Fluent Bit → es, "+kind, "")
		r.ratio(dossier+" ÷ tail → null", dossier, "Fluent Bit → null, "+kind, "")
		r.ratio("tail → null ÷ es output, "+kind+": no output can be more", "Fluent Bit → null, "+kind, "Fluent Bit → es, "+kind, "")
	}
	r.ratio("Fluent Bit → Dossier, uniform ÷ plain bulk", "Fluent Bit → Dossier, uniform", "plain bulk, a document a line", "")
	r.ratio("index of Dossier ÷ index of raw lines", "Dossier's indices on disk", "raw lines' index on disk", "")
	r.ratio("index of Dossier ÷ raw log", "Dossier's indices on disk", "the raw log", "")
}

func number(v float64) string {
	switch {
	case v >= 1000:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v >= 10 || v == float64(int64(v)):
		return fmt.Sprintf("%.4g", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %s, %s\n\n", r.Machine, r.Go, r.Started.Format(time.RFC3339))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "part\twhat\tfigure\t\tgoal\tnote")
	for _, f := range r.Figures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Part, f.What, number(f.Value), f.Unit, f.Goal, f.Note)
	}
	t.Flush()
}

func (r *report) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(b), " ")
	return load
}
