package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dossier/operate"
	"dossier/plugin/options"
)

// flagName is the flag of an option, envName its environment variable.
func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }
func envName(key string) string  { return envPrefix + strings.ToUpper(key) }

// optionOf is the annotation of a flag that sets an option, with the option's
// key: a command may have a flag of its own by the name of an option that it
// doesn't take.
const optionOf = "option"

// addOptions gives the command a flag for each option that tells how to reach
// the cluster, and for those of the keys. Secrets get none: every user of the
// host sees the flags of a process.
func addOptions(c *cobra.Command, keys ...string) {
	for _, d := range options.Describe() {
		if d.Secret || !d.Connection && d.Key != "index_prefix" && !slices.Contains(keys, d.Key) {
			continue
		}
		addOption(c, d)
	}
	addConfig(c)
}

func addOption(c *cobra.Command, d options.Description) {
	c.Flags().String(flagName(d.Key), "", usage(d))
	c.Flags().Lookup(flagName(d.Key)).Annotations = map[string][]string{optionOf: {d.Key}}
}

// markdownLink is one of Markdown, of which a terminal shows the text alone.
var markdownLink = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)

// usage makes one line of an option's documentation.
func usage(d options.Description) string {
	text, _, _ := strings.Cut(markdownLink.ReplaceAllString(strings.ReplaceAll(d.Doc, "`", ""), "$1"), ". ")
	text = strings.TrimSuffix(text, ".")
	if d.Default != "" {
		text += fmt.Sprintf(" (default %s)", strings.ReplaceAll(d.Default, "`", ""))
	}
	return text
}

// parse reads the options that the flags, the environment and a configuration of
// Fluent Bit name. A flag goes before the environment, and that before the file.
func parse(c *cobra.Command) (options.Options, error) { return parseSome(c, isOption) }

// parseSome is parse for a command that takes only some of the options: of
// the others it says nothing, whatever the environment has.
func parseSome(c *cobra.Command, takes func(key string) bool) (options.Options, error) {
	warn := func(text string) { fmt.Fprintln(c.ErrOrStderr(), "dossier: warning:", oneLine(text)) }
	misspelt(os.Environ(), warn)
	if f := configOf(c); f != nil {
		if err := f.agree(c); err != nil {
			return options.Options{}, err
		}
	}
	// What is no option is not asked for: Parse would take each for one that
	// is misspelt.
	o, err := options.Parse(func(key string) string {
		if !isOption(key) || !takes(key) {
			return ""
		}
		return value(c, key)
	}, warn)
	return o, sources(c, err)
}

// once is a flag that may be given once: of two values one would be taken
// without a word.
type once struct {
	pflag.Value
	several bool // in one value
	given   bool
}

// Set implements pflag.Value.
func (o *once) Set(s string) error {
	if o.given {
		if o.several {
			return errors.New("it is there twice; write all values into one, separated by commas")
		}
		return errors.New("it is there twice; leave one")
	}
	o.given = true
	return o.Value.Set(s)
}

// giveOnce lets each flag of the commands be given once, but for those that
// collect.
func giveOnce(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() == "stringArray" {
			return
		}
		several := slices.ContainsFunc(f.Annotations[optionOf], options.TakesSeveral)
		f.Value = &once{Value: f.Value, several: several}
	})
	for _, below := range c.Commands() {
		giveOnce(below)
	}
}

// isFlag says whether the option was given as a flag.
func isFlag(c *cobra.Command, key string) bool {
	f := c.Flags().Lookup(flagName(key))
	return f != nil && f.Changed && slices.Equal(f.Annotations[optionOf], []string{key})
}

// value returns what an option is set to, "" where it is not.
func value(c *cobra.Command, key string) string {
	if v := given(c, key); v != "" {
		return v
	}
	f := configOf(c)
	if f == nil || !takesOf(c, key) || aside(c, key) {
		return ""
	}
	return f.get(key).Value
}

// given returns what a flag or the environment sets an option to.
func given(c *cobra.Command, key string) string {
	if isFlag(c, key) {
		return c.Flags().Lookup(flagName(key)).Value.String()
	}
	return os.Getenv(envName(key))
}

// noEmptyFlags refuses flags that are given and empty, as those of shell
// variables that aren't set are: what would be taken instead, such as the
// indices of the default prefix, is not what was meant.
func noEmptyFlags(c *cobra.Command, _ []string) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && strings.TrimSpace(f.Value.String()) == "" {
			err = fmt.Errorf("--%s: got nothing, want a value; leave the flag out for its default", f.Name)
		}
	})
	return err
}

// onTarget has do work on what the flags and the environment name, for as long
// as the whole may take.
func onTarget(c *cobra.Command, timeout time.Duration, do func(context.Context, *operate.Target) error) error {
	o, err := parse(c)
	if err != nil {
		return err
	}
	t, err := operate.Open(o, version)
	if err != nil {
		return err
	}
	defer t.Close()
	ctx, cancel := context.WithTimeout(c.Context(), timeout)
	defer cancel()
	return do(ctx, t)
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
	// Cobra writes its suggestions on lines of their own.
	if said, meant, ok := strings.Cut(text, "\n\nDid you mean this?\n"); ok {
		text = said + "; did you mean " + strings.Join(strings.Fields(meant), " or ") + "?"
	}
	return oneLine(text)
}

// flagError says of an unknown flag what was likely meant.
func flagError(c *cobra.Command, err error) error {
	e, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	key := strings.ReplaceAll(e.GetSpecifiedName(), "-", "_")
	if c.Flags().Lookup(flagName(key)+"-file") != nil {
		return fmt.Errorf("%w: a secret is in --%s-file or in the variable %s, every user of the host sees flags", err, flagName(key), envName(key))
	}
	if right, ok := options.Meant(key); ok && c.Flags().Lookup(flagName(right)) != nil {
		return fmt.Errorf("%w; did you mean --%s?", err, flagName(right))
	}
	return err
}

// oneLine makes text fit for a line on a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
}

// timeoutFlag is how long a command may take.
type timeoutFlag time.Duration

// Set implements pflag.Value.
func (t *timeoutFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return errors.New("want a duration such as 90s or 10m")
	}
	*t = timeoutFlag(d)
	return nil
}

// String implements pflag.Value.
func (t *timeoutFlag) String() string { return time.Duration(*t).String() }

// Type implements pflag.Value.
func (t *timeoutFlag) Type() string { return "duration" }

func addTimeout(c *cobra.Command, timeout *time.Duration, most time.Duration) {
	*timeout = most
	c.Flags().Var((*timeoutFlag)(timeout), "timeout", "How long the whole may take")
}
