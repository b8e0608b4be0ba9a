package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/operate"
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

		PersistentPreRunE: noEmptyFlags,
	}
	root.AddCommand(newSetup(), newCheck(), newRetain(), newReplay())
	return root
}

// chosen are the options that setup applies to what is there only where they
// are given.
var chosen = []struct {
	key    string
	choice esindex.Choice
}{{"shards", esindex.Shards}, {"replicas", esindex.Replicas}, {"refresh_interval", esindex.RefreshInterval}}

func newSetup() *cobra.Command {
	var timeout time.Duration
	var s operate.Setup
	var keys []string
	var life string
	c := &cobra.Command{
		Use:   "setup",
		Short: "Create or upgrade templates, indices, alias, roles and API keys",
		Long: `setup brings templates, the alias and the indices into the cluster, those of this month and the next
included, and the roles PREFIX-writer, PREFIX-setup, PREFIX-retention and PREFIX-reader. With --key it makes API
keys of these roles: --key writer=/etc/dossier/sensor.key for a sensor. It may run at any time and again: what is
there is compared with what it is to be, what differs is changed where it can be and said, field by field.

--shards, --replicas and --refresh-interval change what is there only where they are given; without them everything
keeps what it was given before. The number of shards of an index that is there can't change.

Roles and keys take a user with the cluster privilege manage_security, such as elastic; for the rest the role
PREFIX-setup is enough.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, k := range keys {
				key, err := operate.ParseKey(k)
				if err != nil {
					return err
				}
				s.Keys = append(s.Keys, key)
			}
			if life != "" {
				age, err := operate.ParseAge(life)
				if err != nil {
					return fmt.Errorf("key-expires: %w", err)
				}
				s.KeyLife = max(0, age)
			}
			for _, o := range chosen {
				if value(c, o.key) != "" {
					s.Chosen = append(s.Chosen, o.choice)
				}
			}
			t, err := target(c)
			if err != nil {
				return err
			}
			defer t.Close()
			ctx, cancel := contextFor(c, timeout)
			defer cancel()
			changed := false
			err = t.Setup(ctx, s, func(s esindex.Step) {
				changed = changed || s.Changed()
				fmt.Fprintln(c.OutOrStdout(), s)
			})
			if err == nil && !changed {
				fmt.Fprintln(c.OutOrStdout(), "nothing changed")
			}
			return err
		},
	}
	addOptions(c, "shards", "replicas", "refresh_interval", "ipv6_prefix")
	c.Flags().StringVar(&s.Roles, "roles", "auto", "Make the roles: on, off, or auto for wherever this user may")
	c.Flags().StringArrayVar(&keys, "key", nil, "Make an API key of a role, ROLE=FILE, its secret in the file; may be repeated")
	c.Flags().StringVar(&life, "key-expires", "", "When a new key expires, such as 365d (default never)")
	addTimeout(c, &timeout, time.Minute)
	return c
}

func newCheck() *cobra.Command {
	var timeout time.Duration
	var check operate.Check
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong and how to mend it",
		Long: `check looks at connection, credentials, clocks, templates, indices, alias, health, sensors and the dead letters
on this host. It changes nothing. With a sensor's own key it says whether that can write; with the role PREFIX-setup
it sees everything. The exit status is 0 where all is well, 1 with warnings, 2 with failures.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := target(c)
			if err != nil {
				return err
			}
			defer t.Close()
			ctx, cancel := contextFor(c, timeout)
			defer cancel()
			worst := operate.OK
			t.Check(ctx, check, func(f operate.Finding) {
				worst = max(worst, f.Level)
				if !asJSON {
					fmt.Fprintln(c.OutOrStdout(), f)
					return
				}
				b, err := json.Marshal(f)
				if err == nil {
					fmt.Fprintf(c.OutOrStdout(), "%s\n", b)
				}
			})
			switch worst {
			case operate.Failure:
				return exit(2)
			case operate.Warning:
				return exit(1)
			}
			return nil
		},
	}
	addOptions(c, "ipv6_prefix", "dead_letter_path")
	c.Flags().StringVar(&check.Role, "role", "writer", "What the credentials are meant for: "+strings.Join(roles.Names(), ", "))
	c.Flags().BoolVar(&asJSON, "json", false, "One JSON object a line")
	addTimeout(c, &timeout, time.Minute)
	return c
}

func newRetain() *cobra.Command {
	var timeout time.Duration
	var dryRun bool
	ages := operate.DefaultAges()
	c := &cobra.Command{
		Use:   "retain",
		Short: "Delete what has expired",
		Long: `retain deletes what is older than its age: attackers and mail domains by their last event, months of activity
and transitions by their end, sensors by their last heartbeat, months of the ledger by their last marker. Ages are
days such as 90d, or forever. Run it from cron with a key of its own (dossier setup --key retention=FILE), never on a
decoy's host.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := target(c)
			if err != nil {
				return err
			}
			defer t.Close()
			ctx, cancel := contextFor(c, timeout)
			defer cancel()
			return t.Retain(ctx, ages, dryRun, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
		},
	}
	addOptions(c)
	c.Flags().Var((*ageFlag)(&ages.Attackers), "attackers", "Attackers without an event for so long")
	c.Flags().Var((*ageFlag)(&ages.Targets), "targets", "Mail domains without an event for so long")
	c.Flags().Var((*ageFlag)(&ages.Activity), "activity", "Months of activity that ended so long ago")
	c.Flags().Var((*ageFlag)(&ages.Transitions), "transitions", "Months of transitions that ended so long ago")
	c.Flags().Var((*ageFlag)(&ages.Sensors), "sensors", "Sensors without a heartbeat for so long")
	c.Flags().Var((*ageFlag)(&ages.Ledger), "ledger", "Months of the ledger without a new marker for so long, at least 30d")
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "Only say what would be deleted")
	addTimeout(c, &timeout, time.Hour)
	return c
}

func newReplay() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "replay [PATH...]",
		Short: "Bring dead letters back to their documents, each once",
		Long: `replay writes the dead letters of folders or files (--dead-letter-path without any) to the documents
they were meant for. A letter that is replayed twice counts once. Files that are done with are renamed to
*.jsonl.replayed. It stops at the first letter that Elasticsearch still doesn't take.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			o, err := parse(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{o.DeadLetterPath}
			}
			o.ManageTemplates = false // what setup is for
			ctx, cancel := contextFor(c, timeout)
			defer cancel()
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			for _, path := range args {
				r, err := instance.Replay(ctx, o, instance.Host{Version: version, Logger: log}, path)
				fmt.Fprintf(c.OutOrStdout(), "%s: %d letters written, %d raw ones left, %d files done; torn lines: %d, damaged: %d, files in use: %d\n",
					path, r.Written, r.Raw, r.Files, r.Torn, r.Damaged, r.Busy)
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	addOptions(c, "dead_letter_path", "ipv6_prefix", "geoip_db", "asn_db", "tlp", "store_secrets", "activity")
	addTimeout(c, &timeout, time.Minute)
	return c
}
