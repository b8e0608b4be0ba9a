package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dossier/analyst"
)

// addAuthor gives the command a flag that says who speaks: whoever is logged in
// unless it is given.
func addAuthor(c *cobra.Command, author *string) {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	c.Flags().StringVar(author, "author", name, "Who says it")
}

func newNote() *cobra.Command {
	var timeout time.Duration
	var author string
	c := &cobra.Command{
		Use:   "note ADDRESS TEXT...",
		Short: "Write a note on an attacker",
		Long: `note adds a remark to an attacker, with author and time; "-" reads it from standard input. dossier show and report show
it. Notes are documents of their own (PREFIX-notes), since sensors overwrite profiles; none is ever changed. It takes the
role PREFIX-analyst.`,
		Example: "  dossier note 203.0.113.9 'our own red team until Friday, ticket 17'",
		Args:    several(2, "an address and a text: dossier note 203.0.113.9 'seen before'"),
		RunE: func(c *cobra.Command, args []string) error {
			text := strings.Join(args[1:], " ")
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(c.InOrStdin(), analyst.MaxNote+1))
				if err != nil {
					return err
				}
				text = strings.TrimSpace(string(b))
			}
			return say(c, timeout, args[0], analyst.Note{Author: analyst.Text(author), Text: analyst.Text(text)})
		},
	}
	addOptions(c)
	addAuthor(c, &author)
	addTimeout(c, &timeout, time.Minute)
	return c
}

func newVerdict() *cobra.Command {
	var timeout time.Duration
	var author, note string
	words := append(analyst.Classes(), analyst.None)
	c := &cobra.Command{
		Use:   "verdict ADDRESS " + strings.Join(words, "|"),
		Short: "Say what an attacker is, whatever the rules say",
		Long: `verdict says that an attacker is benign, suspicious or malicious, with author and time; none takes that back. The newest
one counts, and goes before the classification wherever dossier searches and exports: who is benign by verdict gets into no
list that blocks, and --min-risk keeps nobody out who is malicious by verdict. Risk and classification in the profile stay as
they are. It takes the role PREFIX-analyst.`,
		Example:   "  dossier verdict 203.0.113.9 benign --note 'our own scanner'",
		Args:      several(2, "an address and a verdict: dossier verdict 203.0.113.9 benign"),
		ValidArgs: words,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 2 {
				return errors.New("got more than an address and a verdict; give the reason with --note")
			}
			return say(c, timeout, args[0], analyst.Note{Author: analyst.Text(author), Text: analyst.Text(note), Verdict: analyst.Text(args[1])})
		},
	}
	addOptions(c)
	addAuthor(c, &author)
	c.Flags().StringVar(&note, "note", "", "Why")
	addTimeout(c, &timeout, time.Minute)
	return c
}

// several refuses a command line with fewer arguments, and says what is wanted.
func several(least int, want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least {
			return fmt.Errorf("got %d arguments, want %s", len(args), want)
		}
		return nil
	}
}

func say(c *cobra.Command, timeout time.Duration, address string, n analyst.Note) error {
	if _, err := analyst.ParseAddress(address); err != nil {
		return err
	}
	if err := n.Validate(); err != nil {
		return err
	}
	return onReader(c, timeout, func(ctx context.Context, r *analyst.Reader) error {
		p, err := r.Say(ctx, address, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: noted, by %s\n", p.ID, analyst.Repair(string(n.Author)))
		return nil
	})
}
