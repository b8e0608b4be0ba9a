package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dossier/esindex"
	"dossier/operate"
)

func newUninstall() *cobra.Command {
	var timeout time.Duration
	var yes, keep bool
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Delete all that was made in the cluster under a prefix",
		Long: `uninstall deletes what dossier setup and sensors made under the index prefix: indices with all their documents, templates,
roles and API keys. It lists everything and asks first. What only has a name like ours stays, and is named: indices, templates and
roles that Dossier did not make, component templates NAME@custom that somebody filled, and all of other prefixes. --keep-data
leaves the indices. Stop the sensors first: one with manage_templates on makes everything again.

It takes a user such as elastic. Kibana's dashboards and rules, files on hosts (keys, dead letters, Fluent Bit's storage) and
snapshots are not its own and stay.`,
		Example: "  dossier uninstall --index-prefix dossier-test\n  dossier uninstall --keep-data --yes",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				found, err := t.Installed(ctx)
				if err != nil {
					return err
				}
				out := c.OutOrStdout()
				for _, l := range found.Left {
					fmt.Fprintln(out, "left alone:", l)
				}
				kept := found.Indices
				if keep {
					found.Indices = nil
				}
				if found.Empty() {
					fmt.Fprintf(out, "nothing to delete, at %s\n", oneLine(t.String()))
					return nil
				}
				for _, s := range found.Steps("to delete") {
					fmt.Fprintln(out, s)
				}
				if keep {
					fmt.Fprintf(out, "%d indices stay with their documents\n", len(kept))
				}
				if len(found.Writing) > 0 {
					fmt.Fprintf(out, "WARN sensors write now, stop them first: %s\n", strings.Join(found.Writing, ", "))
				}
				if err := sure(c, yes, fmt.Sprintf("Delete these %d things at %s?", len(found.Steps("")), oneLine(t.String()))); err != nil {
					return err
				}
				return t.Uninstall(ctx, found, keep, func(s esindex.Step) { fmt.Fprintln(out, s) })
			})
		},
	}
	addOptions(c)
	addYes(c, &yes)
	c.Flags().BoolVar(&keep, "keep-data", false, "Leave the indices with their documents")
	addTimeout(c, &timeout, 10*time.Minute)
	return c
}
