// Command fielddocs writes the documentation of the documents' fields.
package main

import (
	"flag"
	"fmt"
	"os"

	"dossier/profile"
)

func main() {
	out := flag.String("o", "docs/profile.md", "file to write")
	flag.Parse()
	if err := os.WriteFile(*out, profile.Markdown(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "fielddocs:", err)
		os.Exit(1)
	}
}
