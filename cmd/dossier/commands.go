package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"dossier/esindex"
	"dossier/plugin/instance"
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
	root.AddCommand(newSetup(), newReplay())
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

func newReplay() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "replay [PATH]",
		Short: "Bring dead letters back to their documents, each once",
		Long: `replay writes the dead letters of a folder or file (--dead-letter-path without one) to the documents
they were meant for. A letter that is replayed twice counts once. Files that are done with are renamed to
*.jsonl.replayed. It stops at the first letter that Elasticsearch still doesn't take.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := parse(c)
			if err != nil {
				return err
			}
			path := o.DeadLetterPath
			if len(args) > 0 {
				path = args[0]
			}
			ctx, cancel := contextFor(c, timeout)
			defer cancel()
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			r, err := instance.Replay(ctx, o, instance.Host{Version: version, Logger: log}, path)
			fmt.Fprintf(c.OutOrStdout(), "%d letters written, %d raw ones left, %d files done; torn lines: %d, damaged: %d, files in use: %d\n",
				r.Written, r.Raw, r.Files, r.Torn, r.Damaged, r.Busy)
			return err
		},
	}
	addOptions(c, "dead_letter_path", "ipv6_prefix", "manage_templates", "geoip_db", "asn_db", "tlp", "store_secrets", "activity")
	addTimeout(c, &timeout)
	return c
}
