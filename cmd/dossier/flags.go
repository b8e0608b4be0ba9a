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
	flag := make(map[string]string)
	for _, d := range options.Describe() {
		if f := c.Flags().Lookup(flagName(d.Key)); f != nil && f.Changed {
			flag[d.Key] = f.Value.String()
		}
	}
	get := func(key string) string {
		if v, ok := flag[key]; ok {
			return v
		}
		return os.Getenv(envName(key))
	}
	return options.Parse(get, func(text string) { fmt.Fprintln(c.ErrOrStderr(), "dossier: warning:", text) })
}

// target opens what the flags and the environment name.
func target(c *cobra.Command) (*operate.Target, error) {
	o, err := parse(c)
	if err != nil {
		return nil, err
	}
	return operate.Open(o, version)
}

// unknown ends dossier check where it could not even begin.
func unknown(c *cobra.Command, err error) error {
	fmt.Fprintln(c.ErrOrStderr(), "dossier:", message(err))
	return exit(3)
}

// ageFlag is an age as a flag.
type ageFlag time.Duration

// Set implements pflag.Value.
func (a *ageFlag) Set(s string) error {
	age, err := operate.ParseAge(s)
	*a = ageFlag(age)
	return err
}

// String implements pflag.Value.
func (a *ageFlag) String() string {
	if time.Duration(*a) == operate.Forever {
		return "forever"
	}
	return fmt.Sprintf("%dd", time.Duration(*a)/(24*time.Hour))
}

// Type implements pflag.Value.
func (a *ageFlag) Type() string { return "age" }

// message makes one line of an error.
func message(err error) string {
	text := strings.TrimPrefix(err.Error(), "dossier: ")
	return strings.ReplaceAll(text, "\n", "; ")
}

func addTimeout(c *cobra.Command, timeout *time.Duration, most time.Duration) {
	c.Flags().DurationVar(timeout, "timeout", most, "How long the whole may take")
}

func contextFor(c *cobra.Command, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.Context(), timeout)
}
