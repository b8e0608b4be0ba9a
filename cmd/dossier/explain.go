package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dossier/operate/explain"
	"dossier/plugin/options"
)

// shortOf are the short names of options that explain takes.
var shortOf = map[string]string{"decoys": "decoy_nets", "maps": "field_map"}

// longFlags gives explain's flags a second dash where they came with one, as Go's
// own flags do: -form log.
func longFlags(args []string) []string {
	if len(args) == 0 || args[0] != "explain" {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(arg, "=")
		if slices.Contains([]string{"-form", "-decoys", "-maps", "-profiles", "-time"}, name) {
			args[i] = "-" + arg
		}
	}
	return args
}

// reads says whether an option decides what becomes of a record: explain looks
// at no other, whatever is set for commands that ask a cluster.
func reads(key string) bool {
	return slices.ContainsFunc(options.Describe(), func(d options.Description) bool {
		return d.Key == key && d.Reading && !d.Secret
	})
}

func newExplain() *cobra.Command {
	var form, at string
	var profiles bool
	c := &cobra.Command{
		Use:   "explain [FILE]",
		Short: "Say what records are read as, or why they give nothing",
		Long: `explain reads the records of a file, or of standard input, with the code that the plugin reads them with, and says
of each what it is taken for and by which fields, and the event it gives: attacker, decky, service, kind, time and all
that is kept of it; or the reason why it gives none and what decided that. It needs no Elasticsearch.

--form log takes each line as Fluent Bit's tail hands it over, under "log"; --form record takes each line for the JSON
of a whole record, as Fluent Bit's stdout output with format json_lines shows it. The options of the output that decide
how records are read are flags here: use the same as the output has. --decoys is --decoy-nets, --maps is --field-map.

--profiles prints one line for each attacker: DOC and the document as JSON, as the plugin would write it but for the
state.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o := explain.Options{Form: explain.Form(form)}
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return fmt.Errorf("time: got %q, want a time such as 2026-11-27T00:00:00Z", at)
				}
				o.Time = t
			}
			if maps := c.Flags().Lookup("field-map"); maps.Changed {
				given := maps.Value
				if o, ok := given.(*once); ok {
					given = o.Value // it was given once, by the user
				}
				if err := given.Set(strings.ReplaceAll(given.String(), "@P/", "")); err != nil {
					return err
				}
			}
			var err error
			if o.Output, err = parseSome(c, reads); err != nil {
				return err
			}
			in := c.InOrStdin()
			if len(args) == 1 && args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			if profiles {
				return explain.Profiles(c.Context(), c.OutOrStdout(), in, o)
			}
			return explain.Records(c.OutOrStdout(), in, o)
		},
	}
	for _, d := range options.Describe() {
		if reads(d.Key) {
			addOption(c, d)
		}
	}
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if key, ok := shortOf[name]; ok {
			name = flagName(key)
		}
		return pflag.NormalizedName(name)
	})
	c.Flags().StringVar(&form, "form", string(explain.Log), "What a line is: log, or record")
	c.Flags().StringVar(&at, "time", "", "The time that Fluent Bit would give the records, such as 2026-11-27T00:00:00Z (default now)")
	c.Flags().BoolVar(&profiles, "profiles", false, "Print the attackers' documents")
	return c
}
