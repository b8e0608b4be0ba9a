package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dossier/analyst"
	"dossier/esindex"
	"dossier/operate"
)

func newForget() *cobra.Command {
	var timeout time.Duration
	var yes, letters bool
	c := &cobra.Command{
		Use:   "forget ADDRESS",
		Short: "Erase one address, and all that is kept of it",
		Long: `forget erases the profile of an address, or of a network of IPv6, with its hours, transitions, mail domains, notes and
verdicts, takes it out of the lists of attackers of indicators, and out of the dead letters on this host. It says what there
is and asks first, may run while sensors write, looks again until nothing is left, and says what was erased.

A sensor that sends further records of the address opens a new profile: keep them out there before (exclude_nets). Dead
letters are on the sensors' hosts: run it there, as Fluent Bit's user, with --only-dead-letters, which needs no cluster. The
guarantees (docs/guarantees.md) say what exactness means afterwards, and what has to be erased elsewhere. It takes a key of the
role forget (dossier setup --key forget=FILE), never on a decoy's host.`,
		Example: "  dossier forget 203.0.113.9\n  dossier forget --only-dead-letters --yes 203.0.113.9",
		Args:    exactly("an address: dossier forget 203.0.113.9"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := analyst.ParseAddress(args[0])
			if err != nil {
				return err
			}
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				if letters {
					if err := sure(c, yes, fmt.Sprintf("Erase %s from the dead letters in %s?", id, oneLine(t.DeadLetterPath()))); err != nil {
						return err
					}
					return forgetLetters(c, t, id)
				}
				known, err := t.Known(ctx, id)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s, at %s: %s\n", id, oneLine(t.String()), known)
				if known.Elsewhere > 0 {
					fmt.Fprintf(c.OutOrStdout(), "%d documents of others and indicators show it as part of what was done, and stay as they are; related.ip finds them\n", known.Elsewhere)
				}
				if err := sure(c, yes, fmt.Sprintf("Erase %s?", id)); err != nil {
					return err
				}
				log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
				err = t.Forget(ctx, id, log, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
				return errors.Join(err, forgetLetters(c, t, id))
			})
		},
	}
	addOptions(c, "tlp", "dead_letter_path")
	addYes(c, &yes)
	c.Flags().BoolVar(&letters, "only-dead-letters", false, "Only the dead letters on this host; it needs no cluster")
	addTimeout(c, &timeout, 10*time.Minute)
	return c
}

// forgetLetters erases an attacker from the dead letters on this host.
func forgetLetters(c *cobra.Command, t *operate.Target, id string) error {
	folder := t.DeadLetterPath()
	r, err := t.ForgetLetters(id)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(c.OutOrStdout(), "dead letters: there is no folder %s on this host; those of sensors are on theirs\n", oneLine(folder))
		return nil
	}
	fmt.Fprintf(c.OutOrStdout(), "dead letters %s: %d erased and %d changed, in %d files\n", oneLine(folder), r.Letters, r.Changed, r.Files)
	left := []error{err}
	if r.Raw > 0 {
		left = append(left, fmt.Errorf("%d raw dead letters hold it among other records, which can't be parted; look at them (dossier replay --show-raw) and remove: %s", r.Raw, oneLine(strings.Join(r.RawIn, " "))))
	}
	if r.Damaged > 0 {
		left = append(left, fmt.Errorf("%d damaged lines of dead letters hold it; look at the files *.jsonl* in %s", r.Damaged, oneLine(folder)))
	}
	if len(r.Busy) > 0 {
		left = append(left, fmt.Errorf("somebody was writing to dead letters, run it again: %s", oneLine(strings.Join(r.Busy, " "))))
	}
	return errors.Join(left...)
}
