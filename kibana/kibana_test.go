package kibana

import (
	"flag"
	"os"
	"testing"

	"dossier/testbed/page"
)

var update = flag.Bool("update", false, "write conf/kibana anew")

//go:generate go test . -run TestFilesAreFresh -update

// What is in conf/kibana is what the command writes.
func TestFilesAreFresh(t *testing.T) {
	if *update {
		if err := os.MkdirAll("../conf/kibana", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	page.Check(t, "../conf/kibana/dashboards.ndjson", string(Dashboards(DefaultPrefix)), *update, "go generate ./kibana")
	page.Check(t, "../conf/kibana/rules.ndjson", string(Rules(DefaultPrefix)), *update, "go generate ./kibana")
}
