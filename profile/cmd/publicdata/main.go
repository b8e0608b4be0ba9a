// Command publicdata fetches the public data that tests need, and says which of
// them will be skipped where it can't be had.
package main

import (
	"context"
	"fmt"

	"dossier/profile/internal/registry"
)

func main() {
	for _, p := range registry.All() {
		if _, err := p.Fetch(context.Background()); err != nil {
			fmt.Printf("SKIP: the tests against %s are left out: %v\n", p, err)
		}
	}
}
