package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/operate"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "dossier",
		Short: "Keep and read the profiles that the Fluent Bit output dossier writes",
		Long: `dossier sets up, checks, prunes and repairs the indices that the Fluent Bit output dossier writes, explains what
becomes of records, and shows, finds and exports the attackers.

Every option of the output that matters here is a flag (es_hosts is --es-hosts) and an environment variable
(DOSSIER_ES_HOSTS); --config takes what neither says from a configuration of Fluent Bit. Secrets come from a file
(--es-api-key-file, --es-password-file) or from the environment (DOSSIER_ES_API_KEY, DOSSIER_ES_PASSWORD) only.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,

		PersistentPreRunE: noEmptyFlags,
	}
	root.AddCommand(newSetup(), newCheck(), newRetain(), newReplay(), newImport(), newRejudge(), newRepair(), newReshard(), newForget(), newUninstall(), newFleet(), newKeys(), newExplain(),
		newShow(), newTop(), newSearch(), newExport(), newReport(), newNote(), newVerdict(), newKibana(), newTest(), newMan())
	giveOnce(root)
	root.SetFlagErrorFunc(flagError)
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
	var also []string
	var life, export string
	var file keyFileFlags
	c := &cobra.Command{
		Use:   "setup",
		Short: "Create or upgrade templates, indices, alias, roles and API keys",
		Long: `setup brings templates, the alias and the indices into the cluster, those of this month and of thirteen
ahead (--months) included, and the roles PREFIX-writer, PREFIX-creating-writer, PREFIX-setup, PREFIX-retention,
PREFIX-reader, PREFIX-analyst, PREFIX-rejudge, PREFIX-reshard and PREFIX-forget. Sensors with the role writer make no index: run setup from cron once a month. With --key it makes API
keys of these roles: --key writer:sensor-7=/etc/dossier/sensor-7.key for a sensor, whose name the key gets (without one that
of this host and the file); dossier keys lists, rotates and revokes them. It may run at any time and again: what is
there is compared with what it is to be, what differs is changed where it can be and said, field by field.

--shards, --replicas and --refresh-interval change what is there only where they are given; without them everything
keeps what it was given before. The number of shards of an index that is there can't change.

--dry-run says what would be made or changed, field by field, and changes nothing. --export writes what setup makes where there is
nothing yet as files, each the body of one PUT, with a script that sends them by curl, for who sets clusters up by tools of
their own; it asks the cluster which kinds of fields it has.

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
			if s.Months < 1 || s.Months > operate.MaxMonths {
				return fmt.Errorf("--months: got %d, want 1 to %d", s.Months, operate.MaxMonths)
			}
			for _, m := range also {
				at, err := operate.ParseMonth(m)
				if err != nil {
					return fmt.Errorf("--also-month: %w", err)
				}
				s.Also = append(s.Also, at)
			}
			if life != "" {
				age, err := operate.ParseAge(life)
				if err != nil {
					return fmt.Errorf("--key-expires: %w", err)
				}
				s.KeyLife = age
			}
			var err error
			if s.KeyFile, err = file.parse(); err != nil {
				return err
			}
			if len(keys) == 0 && (life != "" || file != (keyFileFlags{})) {
				return errors.New("--key-expires, --key-owner and --key-mode are about the keys of --key, and none is given; say for which file: --key ROLE=FILE")
			}
			if err := file.forOneKind(s.Keys); err != nil {
				return err
			}
			for _, o := range chosen {
				if value(c, o.key) != "" {
					s.Chosen = append(s.Chosen, o.choice)
				}
			}
			if export != "" && (s.DryRun || len(keys) > 0) {
				return errors.New("--export writes files and nothing else: leave out --dry-run and --key; keys are made by dossier setup --key once the files were applied")
			}
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				if export != "" {
					return t.Export(ctx, s, export, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
				}
				changed := false
				err := t.Setup(ctx, s, func(s esindex.Step) {
					changed = changed || s.Changed()
					fmt.Fprintln(c.OutOrStdout(), s)
				})
				switch {
				case err != nil:
				case s.DryRun && changed:
					fmt.Fprintln(c.OutOrStdout(), "a dry run: nothing was changed")
				case s.DryRun:
					fmt.Fprintln(c.OutOrStdout(), "nothing would change")
				case !changed:
					fmt.Fprintln(c.OutOrStdout(), "nothing changed")
				}
				return err
			})
		},
	}
	addOptions(c, "shards", "replicas", "refresh_interval", "ipv6_prefix")
	c.Flags().IntVar(&s.Months, "months", operate.DefaultMonths, fmt.Sprintf("Months after this one whose indices are made, 1 to %d", operate.MaxMonths))
	c.Flags().StringArrayVar(&also, "also-month", nil, "Make the indices of this month too, such as 2024.07, before a log of then is read: else its documents go to the indices for other times; may be repeated")
	c.Flags().StringVar(&s.Roles, "roles", "auto", "Make the roles: on, off, or auto for wherever this user may")
	c.Flags().StringArrayVar(&keys, "key", nil, "Make an API key of a role, ROLE=FILE or ROLE:NAME=FILE, its secret in the file; may be repeated")
	c.Flags().StringVar(&life, "key-expires", "", "When the keys expire, such as 365d: a new one (default never), or from now on one that is there (default as it was)")
	file.add(c)
	c.Flags().BoolVarP(&s.DryRun, "dry-run", "n", false, "Only say what would be made or changed")
	c.Flags().StringVar(&export, "export", "", "Write what is made where there is nothing yet as files into this folder, and change nothing")
	addTimeout(c, &timeout, 5*time.Minute)
	return c
}

// statusOf returns the exit status of dossier check by its worst finding.
func statusOf(worst operate.Level) int {
	switch worst {
	case operate.Failure:
		return 2
	case operate.Warning:
		return 1
	default: // a note is no fault
		return 0
	}
}

func newCheck() *cobra.Command {
	var timeout time.Duration
	var check operate.Check
	var out format
	var lines bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong and how to fix it",
		Long: `check looks at connection, credentials, clocks, templates, indices, alias, health, sensors and the dead letters
on this host. It changes nothing. With a sensor's own key it says whether that can write; with the role PREFIX-setup
it sees everything. With --config it first looks at a configuration of Fluent Bit and what that includes, for settings that lose
data, stop Fluent Bit or have no effect, then at the cluster of each output of Dossier in it, with the options that it has: nothing
is typed twice. Run it where Fluent Bit runs, with the variables that it has. The exit status is 0 where all is well, 1 with warnings, 2 with failures, 3 where it could not begin.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(roles.Names(), check.Role) {
				return fmt.Errorf("--role: got %q, want one of %s", check.Role, strings.Join(roles.Names(), ", "))
			}
			worst := operate.OK
			l := listing{w: c.OutOrStdout(), as: out.or(lines)}
			tell := func(f operate.Finding) {
				worst = max(worst, f.Level)
				l.add(f, f.String())
			}
			look := func(tell func(operate.Finding)) error {
				return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
					t.Check(ctx, check, tell)
					return nil
				})
			}
			if f := configOf(c); f == nil {
				if err := look(tell); err != nil {
					return err
				}
			} else {
				f.faults(tell)
				f.check(c, look, tell)
			}
			if err := l.end(); err != nil {
				return err
			}
			if status := statusOf(worst); status != 0 {
				return exit(status)
			}
			return nil
		},
	}
	addOptions(c, "ipv6_prefix", "dead_letter_path", "syslog_timezone")
	c.Flags().StringVar(&check.Role, "role", "writer", "What the credentials are meant for: "+strings.Join(roles.Names(), ", "))
	addFormat(c, &out)
	addLines(c, &lines)
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
		Long: `retain deletes what is older than its age: attackers, mail domains and indicators by their last event, months of activity
and transitions by their end, sensors by their last heartbeat, months of the ledger by their last marker. Ages are
days such as 90d, or forever. What it deletes goes in parts of 5,000 documents, it says every ten seconds how far it
is, and one that is stopped leaves the rest to the next. Run it from cron with a key of its own (dossier setup --key retention=FILE), never on a
decoy's host.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				return t.Retain(ctx, ages, dryRun, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
			})
		},
	}
	addOptions(c)
	c.Flags().Var((*ageFlag)(&ages.Attackers), "attackers", "Attackers without an event for so long")
	c.Flags().Var((*ageFlag)(&ages.Targets), "targets", "Mail domains without an event for so long")
	c.Flags().Var((*ageFlag)(&ages.Indicators), "indicators", "Indicators without an event for so long")
	c.Flags().Var((*ageFlag)(&ages.Activity), "activity", "Months of activity that ended so long ago")
	c.Flags().Var((*ageFlag)(&ages.Transitions), "transitions", "Months of transitions that ended so long ago")
	c.Flags().Var((*ageFlag)(&ages.Sensors), "sensors", "Sensors without a heartbeat for so long")
	c.Flags().Var((*ageFlag)(&ages.Ledger), "ledger", "Months of the ledger without a new marker for so long, at least 30d")
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "Only say what would be deleted")
	addTimeout(c, &timeout, 30*24*time.Hour)
	return c
}

func newReplay() *cobra.Command {
	var timeout time.Duration
	var showRaw bool
	c := &cobra.Command{
		Use:   "replay [PATH...]",
		Short: "Bring dead letters back to their documents, each once",
		Long: `replay writes the dead letters of folders or files (--dead-letter-path without any) to the documents
they were meant for. One that is replayed twice counts once. Files that are done with are renamed to
*.jsonl.replayed. It stops at the first one that Elasticsearch still doesn't take, before any where the
credentials can't write, and leaves files alone whose dead letters are for another index prefix.

Raw dead letters, bytes of chunks that nobody could read, and damaged lines are kept in *.jsonl.kept and counted each
time, until you remove those files. --show-raw shows them and does nothing else.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				o, err := parse(c)
				if err != nil {
					return err
				}
				args = []string{o.DeadLetterPath}
			}
			if showRaw {
				return showRawLetters(c, args)
			}
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
				var left []string
				for _, path := range args {
					r, err := t.Replay(ctx, path, log)
					tellReplayed(c, path, r)
					if err != nil {
						return err
					}
					if r.Foreign > 0 {
						left = append(left, fmt.Sprintf("%s: %d letters are in files for another prefix (%s), left as they are; run dossier replay --index-prefix with that",
							oneLine(path), r.Foreign, strings.Join(r.Prefixes, ", ")))
					}
				}
				if len(left) > 0 {
					return errors.New(strings.Join(left, "\n"))
				}
				return nil
			})
		},
	}
	addOptions(c, "dead_letter_path", "ipv6_prefix", "internal_nets", "internal_hosts", "geoip_db", "asn_db", "network_types", "tlp", "store_secrets", "activity")
	c.Flags().BoolVar(&showRaw, "show-raw", false, "Show the raw dead letters, repaired, and replay none")
	addTimeout(c, &timeout, time.Minute)
	return c
}

func tellReplayed(c *cobra.Command, path string, r operate.Replayed) {
	path = oneLine(path)
	fmt.Fprintf(c.OutOrStdout(), "%s: %d letters written, %d files done; torn lines: %d, damaged: %d, files in use: %d\n",
		path, r.Written, r.Files, r.Torn, r.Damaged, r.Busy)
	if n := r.KeptIn; n > 0 {
		fmt.Fprintf(c.OutOrStdout(), "%s: %d raw letters (--show-raw shows them) and %d damaged lines (to be looked at in the files) are kept in %d files *.jsonl.kept, until you remove those\n",
			path, r.RawKept, r.DamagedKept, n)
	}
}

func showRawLetters(c *cobra.Command, paths []string) error {
	n := 0
	for _, path := range paths {
		err := operate.ShowRaw(path, func(r operate.Raw) {
			n++
			fmt.Fprintf(c.OutOrStdout(), "%s: %s, %s, chunk %s, tag %s, piece %d of %d\n    %s\n", oneLine(r.File), r.Time.UTC().Format(time.RFC3339), r.Reason, r.Chunk, r.Tag, r.Piece, r.Pieces, r.Text)
			if r.More > 0 {
				fmt.Fprintf(c.OutOrStdout(), "    and %d bytes more\n", r.More)
			}
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(c.OutOrStdout(), "%d raw letters\n", n)
	return nil
}
