package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dossier/esindex"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "dossier",
		Short: "Set up, check, prune and repair the indices of the Fluent Bit output dossier",
		Long: `dossier sets up, checks, prunes and repairs the indices that the Fluent Bit output dossier writes.

Every option of the output that matters here is a flag (es_hosts is --es-hosts) and an
environment variable (DOSSIER_ES_HOSTS). Secrets come from a file (--es-api-key-file,
--es-password-file) or from the environment (DOSSIER_ES_API_KEY, DOSSIER_ES_PASSWORD) only.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newSetup())
	return root
}

func newSetup() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "setup",
		Short: "Create or upgrade templates, indices and alias",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, _, err := target(c)
			if err != nil {
				return err
			}
			defer t.Close()
			ctx, cancel := contextFor(c, timeout)
			defer cancel()
			return t.Setup(ctx, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
		},
	}
	addOptions(c, "shards", "replicas", "refresh_interval", "ipv6_prefix")
	addTimeout(c, &timeout)
	return c
}
