package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/operate"
)

func newKeys() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "List, rotate and revoke the API keys of sensors, readers and retention",
		Long: `keys looks after the API keys that dossier setup --key made for this index_prefix. Connect as a user with the
cluster privilege manage_security, such as elastic, or as the user who made the keys: no key can make another.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newKeysList(), newKeysRotate(), newKeysRevoke())
	return c
}

func newKeysList() *cobra.Command {
	var timeout time.Duration
	var out format
	var lines, privileges bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show each key: its role, what it may do, when it was made, expires or was revoked",
		Long: `list shows every key of this prefix, newest first, and warns of those that expire within 30 days, have expired, or
have other privileges than their role has today. The exit status is 0 where all is well, 1 with warnings.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				keys, err := t.Keys(ctx)
				if err != nil {
					return err
				}
				as := out.or(lines)
				if len(keys) == 0 && as == asTable {
					fmt.Fprintln(c.OutOrStdout(), "there are no keys of this prefix that these credentials may see; dossier setup --key ROLE=FILE makes one")
				}
				worst := operate.OK
				l := listing{w: c.OutOrStdout(), as: as}
				t.JudgeKeys(keys, func(k operate.APIKey, f operate.Finding) {
					worst = max(worst, f.Level)
					l.add(struct {
						operate.Finding
						Key operate.APIKey `json:"key"`
					}{f, k}, f.String()+"\n     may: "+may(k, privileges))
				})
				if err := l.end(); err != nil {
					return err
				}
				if worst >= operate.Warning {
					return exit(1)
				}
				return nil
			})
		},
	}
	addOptions(c)
	addFormat(c, &out)
	addLines(c, &lines)
	c.Flags().BoolVar(&privileges, "privileges", false, "Show every privilege by its name")
	addTimeout(c, &timeout, time.Minute)
	return c
}

// duties says in a line what the keys of a role are for.
var duties = map[string]string{
	"writer":          "read documents by their id and write them; not search, delete, make indices or change a transition",
	"creating-writer": "read documents by their id and write them, make month indices with any mapping and settings; not search, delete or change a transition",
	"setup":           "make templates, indices, mappings and the alias, look at everything; not write or delete documents",
	"retention":       "read and delete documents and month indices; not write documents",
	"reader":          "read everything but the ledger; nothing else",
	"reshard":         "make, compare, swap and delete the indices of attackers, mail domains and indicators; not write documents",
	"forget":          "read and delete an attacker's documents and the notes on it, write indicators anew; not delete indices or write any other document",
	"rejudge":         "read attackers and write their documents anew; not delete",
	"analyst":         "read everything but the ledger, add notes and verdicts; nothing else",
}

// may says what a key may do: in words where that is what its role has.
func may(k operate.APIKey, privileges bool) string {
	if text := duties[k.Role]; k.Current && !privileges && text != "" {
		return text
	}
	return k.May()
}

func newKeysRotate() *cobra.Command {
	var timeout time.Duration
	var r operate.Rotation
	var file keyFileFlags
	var life string
	c := &cobra.Command{
		Use:   "rotate FILE...",
		Short: "Replace the key in a file by a new one, and end the old one",
		Long: `rotate makes a new key with the name and role of the one in the file and today's privileges, tries it, puts it into
the file by renaming (a sensor that runs takes it within a second or at its next request), tries it again from there, and
then revokes the old one. Owner and mode of the file stay as they are. With --keep-old the old key works on for that
time, and Elasticsearch ends it by itself: for a file that has to get to another host first.`,
		Args: atLeastOne("the file of a key: dossier keys rotate FILE"),
		RunE: func(c *cobra.Command, files []string) error {
			var err error
			if r.KeyFile, err = file.parse(); err != nil {
				return err
			}
			if life != "" {
				if r.Life, err = operate.ParseAge(life); err != nil {
					return fmt.Errorf("--key-expires: %w", err)
				}
			}
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				for _, name := range files {
					r.File = name
					if err := t.RotateKey(ctx, r, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) }); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	addOptions(c)
	c.Flags().DurationVar(&r.KeepOld, "keep-old", 0, "For how long the old key goes on working, such as 24h; 0s revokes it as soon as the new one is in place")
	c.Flags().StringVar(&life, "key-expires", "", "When the new key expires, such as 365d, or forever (default as long as the old one was made for)")
	file.add(c)
	addTimeout(c, &timeout, time.Minute)
	return c
}

func newKeysRevoke() *cobra.Command {
	var timeout time.Duration
	var all bool
	c := &cobra.Command{
		Use:   "revoke NAME|ID...",
		Short: "End keys by name or id",
		Long: `revoke ends keys of this prefix at once. A sensor whose key was revoked keeps its chunks on its disk until it has
another key; nothing is lost or dead-lettered.`,
		Args: atLeastOne("the name or id of a key: dossier keys revoke NAME; dossier keys list shows them"),
		RunE: func(c *cobra.Command, which []string) error {
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				return t.RevokeKeys(ctx, which, all, func(s esindex.Step) { fmt.Fprintln(c.OutOrStdout(), s) })
			})
		},
	}
	addOptions(c)
	c.Flags().BoolVar(&all, "all", false, "End all keys of a name that several have")
	addTimeout(c, &timeout, time.Minute)
	return c
}

// atLeastOne refuses a command line without an argument, and says what is
// wanted.
func atLeastOne(want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("got nothing, want " + want)
		}
		return nil
	}
}

// keyFileFlags are the flags that say whose a key's file is.
type keyFileFlags struct{ owner, mode string }

func (f *keyFileFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.owner, "key-owner", "", "Whose the key's file is: USER or USER:GROUP, as Fluent Bit runs (default as it is; this user for a new one)")
	c.Flags().StringVar(&f.mode, "key-mode", "", "Mode of the key's file: 0600, 0640, 0400 or 0440 (default as it is; 0600 for a new one)")
}

func (f *keyFileFlags) parse() (out operate.KeyFile, err error) {
	if f.owner != "" {
		if out.Owner, err = operate.ParseOwner(f.owner); err != nil {
			return out, err
		}
	}
	if f.mode != "" {
		out.Mode, err = operate.ParseKeyMode(f.mode)
	}
	return out, err
}

// forOneKind refuses an owner or a mode that keys of a sensor and keys of other
// roles would share: a sensor's user must hold none that can delete or set up.
func (f *keyFileFlags) forOneKind(keys []operate.Key) error {
	if f.owner == "" && f.mode == "" {
		return nil
	}
	sensors := 0
	for _, k := range keys {
		if k.Role == roles.Writer || k.Role == roles.CreatingWriter {
			sensors++
		}
	}
	if sensors > 0 && sensors < len(keys) {
		return errors.New("--key-owner and --key-mode: got keys of sensors and of other roles, want one or the other in a call: they would all be the same user's")
	}
	return nil
}
