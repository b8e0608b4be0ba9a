package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dossier/operate"
	"dossier/plugin/options"
)

// flagName is the flag of an option, envName its environment variable.
func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }
func envName(key string) string  { return "DOSSIER_" + strings.ToUpper(key) }

// addOptions gives the command a flag for each option that tells how to reach
// the cluster, and for those of the keys. Secrets get none: every user of the
// host sees the flags of a process.
func addOptions(c *cobra.Command, keys ...string) {
	for _, d := range options.Describe() {
		if d.Secret || !d.Connection && d.Key != "index_prefix" && !slices.Contains(keys, d.Key) {
			continue
		}
		c.Flags().String(flagName(d.Key), "", usage(d))
	}
}

// usage makes one line of an option's documentation.
func usage(d options.Description) string {
	text, _, _ := strings.Cut(strings.ReplaceAll(d.Doc, "`", ""), ". ")
	text = strings.TrimSuffix(text, ".")
	if d.Default != "" {
		text += fmt.Sprintf(" (default %s)", strings.ReplaceAll(d.Default, "`", ""))
	}
	return text
}

// parse reads the options that the flags and the environment name.
func parse(c *cobra.Command) (options.Options, error) {
	get := func(key string) string {
		if f := c.Flags().Lookup(flagName(key)); f != nil && f.Changed {
			return f.Value.String()
		}
		return os.Getenv(envName(key))
	}
	return options.Parse(get, func(text string) { fmt.Fprintln(c.ErrOrStderr(), "dossier: warning:", text) })
}

// target opens what the flags and the environment name.
func target(c *cobra.Command) (*operate.Target, options.Options, error) {
	o, err := parse(c)
	if err != nil {
		return nil, o, err
	}
	t, err := operate.Open(o, version)
	return t, o, err
}

// message makes one line of an error.
func message(err error) string {
	text := strings.TrimPrefix(err.Error(), "dossier: ")
	return strings.ReplaceAll(text, "\n", "; ")
}

func addTimeout(c *cobra.Command, timeout *time.Duration) {
	c.Flags().DurationVar(timeout, "timeout", time.Minute, "How long the whole may take")
}

func contextFor(c *cobra.Command, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context(), timeout)
}
