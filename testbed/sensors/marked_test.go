package sensors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dossier/plugin/options"
)

// TestMarkedEdits makes the edits that (*) marks in each configuration, and no
// others: then it has a sensor's own key from a file, leaves the templates
// alone and says who it is, and nothing of it is refused or warned of.
func TestMarkedEdits(t *testing.T) {
	key := filepath.Join(t.TempDir(), "sensor.key")
	if err := os.WriteFile(key, []byte("id:key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	edits := map[string]string{"es_api_key_file": key, "manage_templates": "off", "sensor_id": "here-1"}
	files, err := filepath.Glob(conf("dossier-*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range files {
		text := file(t, path)
		if !strings.Contains(text, "es_hosts") {
			continue // it loads the plugin alone
		}
		seen++
		t.Run(filepath.Base(path), func(t *testing.T) {
			set := outputOf(text, edits)
			got := map[string]string{}
			for _, at := range set {
				got[at[0]] = at[1]
			}
			o, err := options.Parse(func(k string) string {
				// The environment has the rest; the authority's file is the sensor's own.
				if k == "es_hosts" {
					return "https://elastic-1.example:9200"
				}
				if v := got[k]; k != "es_ca_file" && k != "field_map" && !strings.HasPrefix(v, "${") {
					return v
				}
				return ""
			}, func(text string) { t.Error(text) })
			if err != nil {
				t.Fatal(err)
			}
			if o.APIKeyFile != key || o.ManageTemplates || o.SensorID != "here-1" {
				t.Errorf("after the marked edits: es_api_key_file %q, manage_templates %t, sensor_id %q", o.APIKeyFile, o.ManageTemplates, o.SensorID)
			}
			var names []string
			for _, at := range set {
				names = append(names, at[0])
			}
			options.CheckNames(names, func(text string) { t.Error(text) })
		})
	}
	if seen < 15 {
		t.Errorf("%d configurations in %q", seen, files)
	}
}

// outputOf returns the settings of a configuration's output after the edits, each
// of which changes the first line below a mark that sets it, if only in a comment.
func outputOf(text string, edits map[string]string) (out [][2]string) {
	marked, within := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "outputs:" || strings.EqualFold(line, "[OUTPUT]") {
			within = true
			continue
		}
		setting := strings.TrimPrefix(strings.TrimPrefix(line, "# "), "- ")
		fields := strings.Fields(setting)
		if !within || len(fields) < 2 {
			marked = false
			continue
		}
		k := strings.ToLower(strings.TrimSuffix(fields[0], ":"))
		comment := strings.HasPrefix(line, "#")
		if v, ok := edits[k]; ok && marked {
			out = append(out, [2]string{k, v})
			marked = false
			continue
		}
		if comment {
			marked = marked || strings.HasPrefix(line, "# (*)")
			continue
		}
		marked = false
		out = append(out, [2]string{k, strings.Trim(strings.Join(fields[1:], " "), "'")})
	}
	return slices.Clip(out)
}
