package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dossier/operate"
)

func newFleet() *cobra.Command {
	var timeout time.Duration
	var out format
	var unwell bool
	c := &cobra.Command{
		Use:   "fleet",
		Short: "Show all sensors: version, rate, lag, retries, dead letters, which are silent",
		Long: `fleet lists every sensor by its last heartbeat: the silent ones first, then those that something is wrong with. RATE
is records a second between its last two heartbeats, LAG how old the first record of the chunk was that it finished
last, and the counts are those since it started. The last lines say which versions run and what is wrong, as dossier
check does. The role PREFIX-reader is enough. A sensor that is gone for good is forgotten by dossier retain.

The exit status is 0 where all sensors are well, 1 where one is not.`,
		Example: "  dossier fleet\n  dossier fleet --unwell\n  dossier fleet -o json | jq '.[] | select(.state == \"silent\") | .sensor'",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return onTarget(c, timeout, func(ctx context.Context, t *operate.Target) error {
				fleet, more, err := t.Fleet(ctx)
				if err != nil {
					return err
				}
				if more {
					fmt.Fprintf(c.ErrOrStderr(), "dossier: warning: there are more than %d sensors; these are the ones that are silent longest; let dossier retain delete those that are gone\n", len(fleet))
				}
				shown := fleet
				if unwell {
					shown = slices.DeleteFunc(slices.Clone(fleet), func(s operate.Sensor) bool { return s.State == operate.Well })
				}
				if out == asTable {
					err = writeFleet(c.OutOrStdout(), fleet, shown)
				} else {
					l := listing{w: c.OutOrStdout(), as: out}
					for _, s := range shown {
						l.add(s, "")
					}
					err = l.end()
				}
				if err != nil {
					return err
				}
				if slices.ContainsFunc(fleet, func(s operate.Sensor) bool { return s.State != operate.Well }) {
					return exit(1)
				}
				return nil
			})
		},
	}
	addOptions(c)
	c.Flags().BoolVar(&unwell, "unwell", false, "Only those that are silent or that something is wrong with")
	addFormat(c, &out)
	addTimeout(c, &timeout, time.Minute)
	return c
}

// writeFleet writes the sensors that are shown as a table, a summary of the whole
// fleet, and what is wrong with those shown.
func writeFleet(w io.Writer, fleet, shown []operate.Sensor) error {
	if len(fleet) == 0 {
		_, err := fmt.Fprintln(w, "no sensor has written a heartbeat yet")
		return err
	}
	if len(shown) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "SENSOR\tSTATE\tHEARTBEAT\tUP\tVERSION\tRECORDS\tRATE\tLAG\tRETRIES\tDEAD LETTERS\tUNPARSED")
		for _, s := range shown {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%.1f/s\t%s\t%d\t%d\t%d\n", s.Name, s.State, ago(time.Duration(s.Age)), span(s.At.Sub(s.Started)),
				s.Version, s.Records, s.Rate, span(time.Duration(s.Lag)), s.Retries, s.Letters, s.Unparsed)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, summary(fleet))
	for _, s := range shown {
		for _, f := range s.Findings {
			if f.Level >= operate.Warning {
				fmt.Fprintln(w, f)
			}
		}
	}
	return nil
}

// maxVersions bounds the versions that a summary names.
const maxVersions = 5

// summary says how many sensors are how, and which versions run.
func summary(fleet []operate.Sensor) string {
	states := make(map[operate.State]int)
	versions := make(map[string]int)
	rate := 0.0
	for _, s := range fleet {
		states[s.State]++
		if s.State != operate.Silent {
			versions[s.Version]++
			rate += s.Rate
		}
	}
	text := fmt.Sprintf("%d sensors: %d well, %d unwell, %d silent; %.1f records a second", len(fleet),
		states[operate.Well], states[operate.Unwell], states[operate.Silent], rate)
	var parts []string
	for v, n := range versions {
		parts = append(parts, fmt.Sprintf("%s (%d)", v, n))
	}
	slices.SortFunc(parts, strings.Compare)
	if more := len(parts) - maxVersions; more > 0 {
		parts = append(parts[:maxVersions], fmt.Sprintf("and %d more", more))
	}
	if len(parts) > 0 {
		text += "; versions " + strings.Join(parts, ", ")
	}
	return text
}

// span is a duration in a table: two units at most.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Round(time.Second); {
	case d >= 10000*day || d < 0: // a heartbeat without a time
		return "-"
	case d >= 2*day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return d.String()
	}
}

// ago says how long ago a heartbeat was, by this host's clock.
func ago(d time.Duration) string {
	if d < 0 && d.Round(time.Second) < 0 {
		return "in " + span(-d)
	}
	return span(max(d, 0)) + " ago"
}
