// Command validators installs the programs that exports are checked with, and
// says in a line which tests will be skipped where they can't be had.
package main

import (
	"context"
	"fmt"

	"dossier/testbed/validators"
)

func main() {
	if _, err := validators.Python(context.Background()); err != nil {
		fmt.Println("SKIP: STIX and MISP exports are not checked:", err)
	}
}
