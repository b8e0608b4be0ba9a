package judgement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/operate/explain"
	"dossier/plugin/options"
	"dossier/testbed/judgement"
)

var details = flag.Bool("details", false, "print what each attacker lacks")

const repository = "../.."

// profile is dossier explain --profiles, in process. The records' time is behind
// all events of the sets, so that no clock seems ahead.
func profile(args []string, path string) ([]judgement.Document, error) {
	set := map[string]string{"sensor_id": "judgement"}
	form := explain.Log
	for i := 0; i+1 < len(args); i += 2 {
		switch value := strings.ReplaceAll(args[i+1], "@P", repository); args[i] {
		case "-form":
			form = explain.Form(value)
		case "-decoys":
			set["decoy_nets"] = value
		case "-maps":
			set["field_map"] = value
		default:
			return nil, fmt.Errorf("argument %q is not known", args[i])
		}
	}
	o, err := options.Parse(func(key string) string { return set[key] }, func(string) {})
	if err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var out bytes.Buffer
	err = explain.Profiles(context.Background(), &out, in, explain.Options{Output: o, Form: form, Time: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return nil, err
	}
	var docs []judgement.Document
	for line := range bytes.Lines(out.Bytes()) {
		body, ok := bytes.CutPrefix(line, []byte("DOC "))
		if !ok {
			continue
		}
		var d judgement.Document
		if err := json.Unmarshal(body, &d); err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// TestFigures prints how far the conclusions are those of an analyst, and holds
// what was reached.
func TestFigures(t *testing.T) {
	for _, tt := range []struct {
		set   string
		least judgement.Figures
	}{
		{"public", judgement.Figures{TauB: 0.91, Classified: 1, Kinds: 1, Techniques: 0.98, Tactics: 0.97, Names: 0.9, Indicators: 1, Pairs: 7, Lines: 26, Harmless: 25}},
		{"own", judgement.Figures{TauB: 0.87, Classified: 1, Kinds: 0.96, Techniques: 0.94, Tactics: 0.93, Names: 0.93, Indicators: 0.97, Pairs: 83, Lines: 62, Harmless: 102}},
	} {
		t.Run(tt.set, func(t *testing.T) {
			s, err := judgement.Read(filepath.Join(repository, "testbed", "data", "scenarios", tt.set))
			if err != nil {
				t.Fatal(err)
			}
			r, err := judgement.Measure(s, profile)
			if err != nil {
				t.Fatal(err)
			}
			var table strings.Builder
			r.Write(&table, *details)
			fmt.Printf("judgement, %d attackers of %s:\n%s", len(s.Labels), tt.set, table.String())
			f, least := r.Figures(), tt.least
			for name, v := range map[string][2]float64{
				"tau-b": {f.TauB, least.TauB}, "techniques": {f.Techniques, least.Techniques}, "tactics": {f.Tactics, least.Tactics}, "names": {f.Names, least.Names},
				"indicators": {f.Indicators, least.Indicators}, "pairs": {float64(f.Pairs), float64(least.Pairs)}, "lines": {float64(f.Lines), float64(least.Lines)},
				"classification": {f.Classified, least.Classified}, "kinds": {f.Kinds, least.Kinds}, "harmless lines": {float64(f.Harmless), float64(least.Harmless)},
				// Of these as few as possible.
				"forbidden techniques": {0, float64(f.Forbidden)}, "false names": {0, float64(f.FalseNames)},
			} {
				if v[0] < v[1] {
					t.Errorf("%s: %v against %v that was reached (-args -details says what is lacking)", name, v[0], v[1])
				}
			}
			for i := range r.Judged {
				for _, what := range unexplained(r.Judged[i].Document) {
					t.Errorf("%s: nothing in the document says why %s", r.Judged[i].Label.ID, what)
				}
			}
			if f.MissingDocuments > 0 {
				t.Errorf("%d of %d attackers have no document", f.MissingDocuments, len(s.Labels))
			}
		})
	}
}

// unexplained are the techniques, names, stages and points of a document of which
// it doesn't say what they were concluded from.
func unexplained(d judgement.Document) (missing []string) {
	behavior, _ := d["behavior"].(map[string]any)
	told := map[string]bool{}
	for _, list := range []string{"conclusions", "technique_evidence", "profile_evidence", "tool_evidence"} {
		entries, _ := behavior[list].([]any)
		for _, e := range entries {
			m, _ := e.(map[string]any)
			if m["first_seen"] == nil || m["why"] == nil && m["by"] == nil {
				missing = append(missing, fmt.Sprintf("%s %v", list, m))
			}
			for _, key := range []string{"technique", "tool", "software"} {
				if v, ok := m[key].(string); ok {
					told[v] = true
				}
			}
		}
	}
	threat, _ := d["threat"].(map[string]any)
	technique, _ := threat["technique"].(map[string]any)
	ids, _ := technique["id"].([]any)
	names, _ := behavior["tools"].([]any)
	for _, v := range append(ids, names...) {
		if !told[v.(string)] {
			missing = append(missing, v.(string))
		}
	}
	risk, _ := d["risk"].(map[string]any)
	reasons, _ := risk["reasons"].([]any)
	proven := risk["stage"] == "none"
	for _, e := range reasons {
		m, _ := e.(map[string]any)
		proven = proven || m["stage"] == risk["stage"]
		if text, _ := m["reason"].(string); text == "" || m["points"] == nil {
			missing = append(missing, fmt.Sprintf("reason %v", m["id"]))
		}
	}
	if !proven {
		missing = append(missing, fmt.Sprintf("stage %v", risk["stage"]))
	}
	return missing
}
