package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"dossier/operate"
)

func newRejudge() *cobra.Command {
	var timeout time.Duration
	r := operate.Rejudging{Rate: operate.DefaultRate}
	c := &cobra.Command{
		Use:   "rejudge",
		Short: "Render attackers' documents anew after rules or lists changed",
		Long: `rejudge renders the documents of attackers anew from their states, with the rules, lists and databases of
the options: give it those that the outputs have. Counts and what was applied stay as they are, no transition is
written, and a document that a sensor writes meanwhile is read again, so it may run at any time. It leaves alone what has the
same rules and lists already (rules.version, rules.lists_date), so that one that was stopped goes on where it was; --all
takes those too, after a database changed. Run it once all sensors have the new rules: what one of them writes is as that
one judges. It takes a key of the role rejudge (dossier setup --key rejudge=FILE), never on a decoy's host.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
				told := time.Now()
				done, err := t.Rejudge(ctx, r, log, func(r operate.Rejudged) {
					if now := time.Now(); now.Sub(told) >= 5*time.Second {
						told = now
						fmt.Fprintln(c.OutOrStdout(), r)
					}
				})
				if err == nil || done.Written > 0 {
					fmt.Fprintln(c.OutOrStdout(), done)
				}
				return err
			})
		},
	}
	addOptions(c, "ipv6_prefix", "internal_nets", "internal_hosts", "geoip_db", "asn_db", "network_types", "tlp", "store_secrets", "tool_rules", "attack_rules", "risk_rules", "known_scanners", "known_good")
	c.Flags().BoolVar(&r.All, "all", false, "Render those too that the same rules and lists judged")
	c.Flags().IntVar(&r.Rate, "rate", operate.DefaultRate, fmt.Sprintf("Documents a second at the most, 1 to %d", operate.MaxRate))
	c.Flags().BoolVarP(&r.DryRun, "dry-run", "n", false, "Only say how many there are")
	addTimeout(c, &timeout, 24*time.Hour)
	return c
}
