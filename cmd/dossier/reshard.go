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

func newReshard() *cobra.Command {
	var timeout time.Duration
	var r operate.Reshard
	c := &cobra.Command{
		Use:   "reshard [" + strings.Join(operate.ReshardKinds(), "|") + "]...",
		Short: "Move indices behind aliases, and give them more shards",
		Long: `reshard puts the index of attackers, mail domains or indicators (all three where none is named) behind an alias of
its name, where an installation from before there were aliases has the index itself, and with --shards gives it more
shards. Meanwhile it is blocked for writes: sensors try again, and their chunks wait on their disks. Elasticsearch
copies it (_clone, _split) with every sequence number, the copy is held against it, and then takes over the name and all
aliases in one step, in which the old index is deleted.

It may be stopped at any time: run it again to go on, or with --abort to take back what was begun. The last step is whole
or not there. It takes a key of the role reshard (dossier setup --key reshard=FILE), never on a decoy's host, and
sensors of this version. Run one at a time.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			r.Kinds = args
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				if value(c, "shards") != "" && !r.Abort {
					r.Shards = t.Shards()
				}
				return t.Reshard(ctx, r, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
			})
		},
	}
	addOptions(c, "shards", "ipv6_prefix")
	c.Flags().Lookup("shards").Usage = "Primary shards that the index gets, more than it has (default as many as it has)"
	c.Flags().BoolVar(&r.Abort, "abort", false, "Take back what was begun: delete the copy, and let sensors write again")
	addTimeout(c, &timeout, time.Hour)
	return c
}
