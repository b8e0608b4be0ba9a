package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"dossier/analyst"
)

func newRepair() *cobra.Command {
	var timeout time.Duration
	var out format
	c := &cobra.Command{
		Use:   "repair [ADDRESS]",
		Short: "Find documents whose state can't be read, and say what can be done",
		Long: `repair reads the states of all documents of an attacker, or of all attackers, as a sensor does, and names those that
can't be read: somebody with a sensor's key wrote them, or a disk failed. No sensor overwrites such a document; what belongs
to it goes to the dead letters, and everybody else's documents go on. It changes nothing, and says for each what can be done: bring
it back from a snapshot, or delete it, and then replay the dead letters. The role PREFIX-reader is enough. Without an
address it reads every document, hours included, which takes a minute for some 100,000.

The exit status is 0 where all can be read, 1 where some can't.`,
		Example: "  dossier repair 203.0.113.9\n  dossier repair -o ndjson",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				var err error
				if id, err = analyst.ParseAddress(args[0]); err != nil {
					return err
				}
			}
			return onReader(c, timeout, func(ctx context.Context, r *analyst.Reader) error {
				l := listing{w: c.OutOrStdout(), as: out}
				var spoilt []analyst.Unreadable
				n, told := 0, time.Now()
				looked, err := r.Unreadable(ctx, id, func(looked int64) {
					if now := time.Now(); now.Sub(told) >= 5*time.Second {
						told = now
						fmt.Fprintf(c.ErrOrStderr(), "dossier: %d documents read, %d can't be\n", looked, n)
					}
				}, func(u analyst.Unreadable) error {
					if n++; len(spoilt) < maxAdvised {
						spoilt = append(spoilt, u)
					}
					l.add(u, fmt.Sprintf("%s/%s: %s", u.Index, u.ID, u.Reason))
					return l.err
				})
				if err != nil {
					return err
				}
				if err := l.end(); err != nil {
					return err
				}
				if out == asTable {
					if err := advise(c.OutOrStdout(), looked, n, spoilt); err != nil {
						return err
					}
				}
				if n > 0 {
					return exit(1)
				}
				return nil
			})
		},
	}
	addOptions(c)
	addFormat(c, &out)
	addTimeout(c, &timeout, 24*time.Hour)
	return c
}

// maxAdvised bounds the documents whose requests are written out.
const maxAdvised = 20

// advise says what can be done about the documents.
func advise(w io.Writer, looked int64, n int, spoilt []analyst.Unreadable) error {
	if n == 0 {
		_, err := fmt.Fprintf(w, "%d documents read, each has a state that sensors can add to\n", looked)
		return err
	}
	text := fmt.Sprintf("\n%d of %d documents can't be read. No sensor overwrites them; what belongs to them goes to the dead letters of the sensor that met them.\n", n, looked)
	corrupt := spoilt[:0:0]
	for _, u := range spoilt {
		if !u.Newer {
			corrupt = append(corrupt, u)
		}
	}
	if len(corrupt) < len(spoilt) {
		text += "\nWhere a newer version wrote it, chunks wait: upgrade the sensors and this command, then nothing is lost.\n"
	}
	if len(corrupt) > 0 {
		text += "\nFirst see who wrote them: revoke the key of that sensor (dossier keys revoke). Then for each, as a user such as elastic, either\n" +
			"bring it back from a snapshot that is older than the damage (what it counted since then is lost),\n\n"
		seen := map[analyst.Text]bool{}
		for _, u := range corrupt {
			if !seen[u.Index] {
				seen[u.Index] = true
				text += fmt.Sprintf("  POST /_snapshot/REPOSITORY/SNAPSHOT/_restore\n  {\"indices\": %q, \"include_aliases\": false, \"rename_pattern\": \"(.+)\", \"rename_replacement\": \"restored-$1\"}\n", string(u.Index))
			}
			path := fmt.Sprintf("%s/_doc/%s", u.Index, url.PathEscape(string(u.ID)))
			text += fmt.Sprintf("  GET /restored-%s    its _source is the body of\n  PUT /%s?if_seq_no=%d&if_primary_term=%d\n", path, path, u.SeqNo, u.PrimaryTerm)
		}
		text += "\n(a snapshot from before a dossier reshard has the index under its number, or name, of then)\n" +
			"\nor, without a snapshot, delete it (what it counted before is lost):\n\n"
		for _, u := range corrupt {
			text += fmt.Sprintf("  DELETE /%s/_doc/%s?if_seq_no=%d&if_primary_term=%d\n", u.Index, url.PathEscape(string(u.ID)), u.SeqNo, u.PrimaryTerm)
		}
		text += "\nAt last, on each sensor with dead letters: dossier replay FOLDER. It adds to the document what waited, each once.\n"
	}
	if n > len(spoilt) {
		text += fmt.Sprintf("\n(The requests for %d more are like these.)\n", n-len(spoilt))
	}
	_, err := io.WriteString(w, text)
	return err
}
