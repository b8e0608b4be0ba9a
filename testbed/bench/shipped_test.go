package main

import (
	"strings"
	"testing"

	"dossier/testbed/esnode"
)

// TestOutputs: what is shipped, the same for backlogs and es are compared, each with
// the input section that is shipped, and nothing of a real host's is left in it.
func TestOutputs(t *testing.T) {
	b := bench{conf: "../../conf/dossier-decnet.yaml", plugin: "out_dossier.so", node: new(esnode.Node)}
	b.node.URL = "http://127.0.0.1:9200"
	list, err := b.outputs("uniform")
	if err != nil {
		t.Fatal(err)
	}
	var inputs string
	for i, want := range []struct{ name, has string }{
		{asShipped, "workers: 24"}, {"Dossier for backlogs", "workers: 64"}, {"es", "name: es"},
	} {
		if len(list) != 3 || list[i].name != want.name {
			t.Fatalf("%d outputs, %d is %v; want %s", len(list), i, list, want.name)
		}
		text := list[i].config("/logs/a.log", "/run/b")
		for _, left := range []string{"\x00", "elastic-1", "/var/", "/etc/"} {
			if strings.Contains(withoutComments(text), left) {
				t.Errorf("%s: it has %q:\n%s", want.name, left, text)
			}
		}
		if !strings.Contains(text, want.has) || strings.Contains(text, "name: dossier\n") != list[i].dossier {
			t.Errorf("%s: it has no %q:\n%s", want.name, want.has, text)
		}
		_, in, _ := strings.Cut(text, "  inputs:\n")
		in, _, _ = strings.Cut(in, "  outputs:\n")
		if inputs == "" {
			inputs = in
		}
		if !strings.Contains(in, "/logs/a.log") || in != inputs {
			t.Errorf("%s: the inputs are\n%s\nwant\n%s", want.name, in, inputs)
		}
	}
}

func withoutComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
