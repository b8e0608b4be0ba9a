package sensors

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"dossier/testbed/e2e"
)

var update = flag.Bool("update", false, "write the examples in docs/sensors.md anew")

// always are the fields that every example shows first.
var always = []string{
	"ip", "first_seen", "last_seen", "event_count", "services", "services_interacted", "deckies", "login_attempts",
	"command_count", "spoofable",
}

// last are the fields that every example ends with.
var last = []string{"threat.technique.id", "risk.level", "threat.indicator.description"}

// page is docs/sensors.md: what stands between two marks is made here.
type page struct {
	path, text string
}

func readPage(t *testing.T) *page {
	t.Helper()
	path := conf("../docs/sensors.md")
	return &page{path, file(t, path)}
}

// holds checks that what stands at a mark is the text, or puts it there.
func (p *page) holds(t *testing.T, mark, text string) {
	t.Helper()
	start, end := "<!-- "+mark+" -->\n", "<!-- end -->\n"
	i := strings.Index(p.text, start)
	if i < 0 {
		t.Errorf("docs/sensors.md has no mark %q", mark)
		return
	}
	i += len(start)
	n := strings.Index(p.text[i:], end)
	if n < 0 {
		t.Fatalf("docs/sensors.md: nothing ends %q", mark)
	}
	if *update {
		p.text = p.text[:i] + text + p.text[i+n:]
	} else if got := p.text[i : i+n]; got != text {
		t.Errorf("docs/sensors.md, %s: it says\n%s\nwhere the code gives\n%s\ngo test ./testbed/sensors -run TestThroughHost -update writes it anew", mark, got, text)
	}
}

func (p *page) write(t *testing.T) {
	t.Helper()
	if *update {
		if err := os.WriteFile(p.path, []byte(p.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// input is the part of a configuration that is about its sensor.
func (s sensor) input(t *testing.T) string {
	t.Helper()
	_, text, _ := strings.Cut(file(t, conf("dossier-"+s.config+".yaml")), "pipeline:\n")
	text, output, ok := strings.Cut(text, "  outputs:\n")
	if !ok {
		t.Fatalf("dossier-%s.yaml has no outputs", s.config)
	}
	var out strings.Builder
	out.WriteString("```yaml\n")
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			out.WriteString(strings.TrimPrefix(line, "  "))
		}
	}
	own := ""
	for line := range strings.Lines(output) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "field_map", "decoy_nets", "drop_apps", "structured_data", "json_in_syslog":
			own += "    " + strings.TrimSpace(line) + "\n"
		}
	}
	if own != "" {
		out.WriteString("outputs:\n  - name: dossier\n" + own)
	}
	out.WriteString("```\n")
	return out.String()
}

// example is a line of the sensor's, and the attacker that came of his lines.
func (s sensor) example(t *testing.T, doc map[string]any) string {
	t.Helper()
	line := ""
	for _, l := range e2e.Lines(t, e2e.Data(filepath.Split(s.data[0]))) {
		if strings.Contains(l, s.sample) && strings.Contains(l, s.address) {
			line = l
			break
		}
	}
	if line == "" {
		t.Fatalf("no line of %s has %q", s.address, s.sample)
	}
	var b strings.Builder
	kind := "text"
	if line[0] == '{' {
		kind = "json"
	}
	fmt.Fprintf(&b, "A line of [%s](../testbed/data/%s), and the attacker it comes from:\n\n```%s\n%s\n```\n\n```json\n{\n",
		s.data[0], s.data[0], kind, cut(line, 600))
	var rows []string
	for _, field := range slices.Concat(always, s.show, last) {
		if v := at(doc, field); v != nil {
			rows = append(rows, fmt.Sprintf("  %q: %s", field, shorten(t, v)))
		}
	}
	b.WriteString(strings.Join(rows, ",\n"))
	b.WriteString("\n}\n```\n")
	return b.String()
}

// shorten writes a value in one line, an array of objects in a few.
func shorten(t *testing.T, v any) string {
	t.Helper()
	list, ok := v.([]any)
	if !ok {
		return compact(t, v)
	}
	keep, sep, start, end := 3, ", ", "[", "]"
	if len(list) > 0 {
		if _, objects := list[0].(map[string]any); objects {
			keep, sep, start, end = 2, ",\n    ", "[\n    ", "\n  ]"
		}
	}
	var parts []string
	for i, e := range list {
		if i == keep {
			parts = append(parts, fmt.Sprintf(`"… %d more"`, len(list)-keep))
			break
		}
		parts = append(parts, compact(t, e))
	}
	return start + strings.Join(parts, sep) + end
}

func compact(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case string:
		return quote(t, cut(v, 160))
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quote(t, k)+": "+compact(t, v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return quote(t, v)
}

func quote(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cut returns at most n bytes of a text, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
