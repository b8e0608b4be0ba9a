package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages, one for each command",
		Long: `man writes dossier.1, dossier-show.1 and so on into a folder; make install does that. Where SOURCE_DATE_EPOCH is set, they
bear that day.`,
		Example: "  dossier man /usr/local/share/man/man1",
		Args:    exactly("a folder: dossier man DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			at := time.Now().UTC()
			if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
				n, err := strconv.ParseInt(epoch, 10, 64)
				if err != nil {
					return fmt.Errorf("the environment variable SOURCE_DATE_EPOCH: got %q, want seconds since 1970", oneLine(epoch))
				}
				at = time.Unix(n, 0).UTC()
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			// An account's name is none of a page's.
			for _, name := range []string{"note", "verdict"} {
				if below, _, err := root.Find([]string{name}); err == nil {
					below.Flags().Lookup("author").DefValue = "who is logged in"
				}
			}
			return doc.GenManTree(root, &doc.GenManHeader{Title: "DOSSIER", Section: "1", Date: &at, Source: "Dossier " + version, Manual: "Dossier"}, args[0])
		},
	}
}
