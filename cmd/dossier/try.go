package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dossier/analyst"
	"dossier/profile/rules"
)

func newTest() *cobra.Command {
	c := &cobra.Command{
		Use:   "test",
		Short: "Try rules before sensors have them",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newTestRules())
	return c
}

// trial is a rule's trial as programs read it.
type trial struct {
	Rule    string   `json:"rule"`
	Example string   `json:"example"`
	Wanted  bool     `json:"wanted"`
	On      []string `json:"on"`
	Others  []string `json:"others"`
	OK      bool     `json:"ok"`
}

func newTestRules() *cobra.Command {
	var out format
	var all bool
	c := &cobra.Command{
		Use:   "rules [FILE]",
		Short: "Run each rule's own examples, and say which rule fired where",
		Long: `rules reads a file as the option attack_rules takes it, beside the built-in rules, and gives each of its rules the examples
that stand with it: it must hold for those under fires and for none under quiet. Of each example it says on which channels
the rule held, and which other rules hold for it as well. Without a file all built-in rules are tried. It needs no cluster. The
exit status is 1 where a rule doesn't do what its examples say, or has none to hold for.`,
		Example: "  dossier test rules /etc/dossier/rules.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path := strings.Join(args, "")
			if len(args) == 1 && path == "" {
				return fmt.Errorf("got a file without a name")
			}
			set, err := rules.New(rules.Options{Rules: path})
			if err != nil {
				return err
			}
			var trials []trial
			failed, tried := 0, map[string]bool{}
			untried, err := set.Try(path, func(t rules.Trial) {
				tried[t.Rule] = true
				if !t.OK() {
					failed++
				}
				trials = append(trials, trial{t.Rule, string(analyst.Repair(t.Example.String())), t.Fires, t.On, t.Others, t.OK()})
			})
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			l := listing{w: w, as: out}
			for _, t := range trials {
				if out != asTable || all || path != "" || !t.OK {
					l.add(t, t.String())
				}
			}
			if err := l.end(); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "%d rules, %d examples, %d failed\n", len(tried), len(trials), failed)
			for _, id := range untried {
				fmt.Fprintf(c.ErrOrStderr(), "FAIL %s has no example that it must hold for; give it one under fires\n", oneLine(id))
			}
			if failed+len(untried) > 0 {
				return exit(1)
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "Without a file: print the examples that are well, too")
	addFormat(c, &out)
	return c
}

// String is the trial in a line.
func (t trial) String() string {
	verdict, what := "ok  ", "fires on "+strings.Join(t.On, ", ")
	if len(t.On) == 0 {
		what = "quiet"
	}
	if !t.OK {
		verdict = "FAIL"
		if t.Wanted {
			what += ", should fire"
		} else {
			what += ", should be quiet"
		}
	}
	s := fmt.Sprintf("%s %s: %s: %s", verdict, oneLine(t.Rule), t.Example, what)
	if len(t.Others) > 0 {
		s += "; others that fire: " + strings.Join(t.Others, ", ")
	}
	return s
}
