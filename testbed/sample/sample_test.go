package sample

import (
	"flag"
	"testing"

	"dossier/testbed/page"
)

var update = flag.Bool("update", false, "write testbed/data/demo anew")

//go:generate go test . -run TestMoreIsFresh -update

func TestMoreIsFresh(t *testing.T) {
	more, err := More()
	if err != nil {
		t.Fatal(err)
	}
	page.Check(t, Data("demo", "more.log"), string(more), *update, "go generate ./testbed/sample")
}
