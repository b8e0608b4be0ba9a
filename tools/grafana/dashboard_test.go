package grafana

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write conf/grafana-dashboard.json anew")

//go:generate go test . -run TestFileIsFresh -update

const file = "../../conf/grafana-dashboard.json"

func TestFileIsFresh(t *testing.T) {
	want, err := Dashboard()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is stale: go -C tools generate ./grafana", file)
	}
}

// exported are the metrics that docs/metrics.md tells of, which is made from the
// plugin's own table, each with its labels.
func exported(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram) \\| (.*?) \\|").FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		if m[2] == "histogram" {
			name += "_bucket"
		}
		out["dossier_"+name] = m[3]
	}
	if len(out) < 20 {
		t.Fatalf("docs/metrics.md tells of %d metrics", len(out))
	}
	return out
}

// Each query asks for metrics that the plugin exports, by labels that they have.
func TestQueries(t *testing.T) {
	metrics := exported(t)
	own := regexp.MustCompile(`(dossier_[a-z_]+)\{([^}]*)\}`)
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	for _, r := range rows {
		for _, p := range r.panels {
			w := uint32(24)
			if p.about == "" || p.unit == "" || p.w > w {
				t.Errorf("%s: says nothing of itself", p.title)
			}
			for _, q := range p.queries {
				asked := own.FindAllStringSubmatch(q[0], -1)
				if len(asked) == 0 || strings.Count(q[0], "dossier_") != len(asked) {
					t.Errorf("%s: %s asks for nothing, or not by job", p.title, q[0])
				}
				labels := []string{"instance", "job", "output", "le"}
				for _, m := range asked {
					has, ok := metrics[m[1]]
					if !ok {
						t.Errorf("%s: there is no metric %s", p.title, m[1])
					}
					for _, l := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(has, -1) {
						labels = append(labels, l[1])
					}
				}
				for _, m := range own.FindAllStringSubmatch(q[0], -1) {
					for pair := range strings.SplitSeq(m[2], ",") {
						name, _, _ := strings.Cut(strings.TrimRight(pair, "~"), "=")
						if !slices.Contains(labels, name) {
							t.Errorf("%s: %s has no label %s", p.title, m[1], name)
						}
					}
				}
				for _, m := range by.FindAllStringSubmatch(q[0], -1) {
					for name := range strings.SplitSeq(m[1], ", ") {
						if !slices.Contains(labels, name) {
							t.Errorf("%s: by %s, which is no label of what is asked", p.title, name)
						}
					}
				}
				for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q[1], -1) {
					if !strings.Contains(q[0], m[1]) {
						t.Errorf("%s: the legend tells %s, which isn't kept", p.title, m[1])
					}
				}
			}
		}
	}
}
