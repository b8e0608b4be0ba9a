package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"dossier/operate"
	"dossier/plugin/configfile"
	"dossier/plugin/options"
)

// configFlag is a configuration of Fluent Bit as a flag: what its outputs of Dossier set
// stands behind flags and the environment.
type configFlag struct {
	path    string
	loaded  *configfile.Loaded
	outputs []configfile.DossierOutput
	only    int // the output that is meant, -1 for all: then they must agree
}

// Set implements pflag.Value.
func (f *configFlag) Set(path string) (err error) {
	if path == "" {
		return errors.New("want a configuration of Fluent Bit, classic or YAML")
	}
	if f.loaded, err = configfile.Load(path); err != nil {
		return err
	}
	f.path, f.only = path, -1
	f.outputs, err = f.loaded.DossierOutputs()
	return err
}

// String implements pflag.Value.
func (f *configFlag) String() string { return f.path }

// Type implements pflag.Value.
func (f *configFlag) Type() string { return "file" }

func addConfig(c *cobra.Command) {
	c.Flags().Var(&configFlag{}, "config", "Take what isn't given by flag or environment from the outputs of Dossier in this configuration of Fluent Bit")
	c.MarkFlagFilename("config", "yaml", "yml", "conf") //nolint:errcheck // the flag is there
}

// configOf returns the configuration that is given, nil without one.
func configOf(c *cobra.Command) *configFlag {
	f := c.Flags().Lookup("config")
	if f == nil || !f.Changed {
		return nil
	}
	v := f.Value
	if o, ok := v.(*once); ok {
		v = o.Value
	}
	found, _ := v.(*configFlag)
	return found
}

// takesOf says whether the command takes an option from a configuration: those that it has
// a flag for, and secrets, which have none.
func takesOf(c *cobra.Command, key string) bool {
	f := c.Flags().Lookup(flagName(key))
	return f != nil && slices.Equal(f.Annotations[optionOf], []string{key}) || slices.Contains(secrets(), key)
}

// secrets are the options without a flag.
func secrets() (keys []string) {
	for _, d := range options.Describe() {
		if d.Secret {
			keys = append(keys, d.Key)
		}
	}
	return keys
}

// get returns what the configuration sets an option to.
func (f *configFlag) get(key string) configfile.Property {
	return f.outputs[max(f.only, 0)].Get(key)
}

// together are options of which a flag or variable puts all of the file's aside: who gives
// a key means no user that stands there, and who gives hosts no cloud.
var together = [][]string{
	{"es_user", "es_password", "es_password_file", "es_api_key", "es_api_key_file"},
	{"es_hosts", "es_cloud_id"},
}

// aside says whether the file's value of an option is put aside so.
func aside(c *cobra.Command, key string) bool {
	for _, keys := range together {
		if slices.Contains(keys, key) && slices.ContainsFunc(keys, func(other string) bool { return given(c, other) != "" }) {
			return true
		}
	}
	return false
}

// agree returns an error where the outputs set an option differently and nothing goes
// before them.
func (f *configFlag) agree(c *cobra.Command) error {
	if f.only >= 0 {
		return nil
	}
	for _, d := range options.Describe() {
		if !takesOf(c, d.Key) || given(c, d.Key) != "" || aside(c, d.Key) {
			continue
		}
		for _, o := range f.outputs[1:] {
			if first := f.outputs[0]; o.Get(d.Key).Value != first.Get(d.Key).Value {
				fix := "give --" + flagName(d.Key)
				if d.Secret {
					fix = "set " + envName(d.Key)
				}
				return fmt.Errorf("--config: the outputs %s (%s) and %s (%s) set %s differently: %s", oneLine(first.Name), first.Place, oneLine(o.Name), o.Place, d.Key, fix)
			}
		}
	}
	return nil
}

// faults tells what is wrong with the configuration.
func (f *configFlag) faults(out func(operate.Finding)) {
	const subject = "configuration"
	faults := f.loaded.Faults()
	for _, fault := range faults {
		level := operate.Warning
		if fault.Stops {
			level = operate.Failure
		}
		out(operate.Finding{Level: level, Subject: subject, Text: oneLine(fault.Place.String() + ": " + fault.Text), Fix: oneLine(fault.Fix)})
	}
	if len(faults) == 0 {
		out(operate.Finding{Level: operate.OK, Subject: subject, Text: fmt.Sprintf("%s: %d outputs of Dossier, nothing that loses data or has no effect", oneLine(f.path), len(f.outputs))})
	}
}

// targets returns which outputs stand for all: of those that lead the command to the same
// place the first.
func (f *configFlag) targets(c *cobra.Command) (out []int) {
	same := func(a, b configfile.DossierOutput) bool {
		for _, d := range options.Describe() {
			if takesOf(c, d.Key) && given(c, d.Key) == "" && !aside(c, d.Key) && a.Get(d.Key).Value != b.Get(d.Key).Value {
				return false
			}
		}
		return true
	}
	for i, o := range f.outputs {
		if !slices.ContainsFunc(out, func(n int) bool { return same(f.outputs[n], o) }) {
			out = append(out, i)
		}
	}
	return out
}

// check has look see to each place that the outputs lead to. What they are about is said
// in front where there are several.
func (f *configFlag) check(c *cobra.Command, look func(tell func(operate.Finding)) error, tell func(operate.Finding)) {
	places := f.targets(c)
	for _, n := range places {
		f.only = n
		name := oneLine(f.outputs[n].Name)
		here := func(found operate.Finding) {
			if len(places) > 1 {
				found.Subject = name + ", " + found.Subject
			}
			tell(found)
		}
		if err := look(here); err != nil { // of its options; its faults said so already where it is the file's
			here(operate.Finding{Level: operate.Failure, Subject: "options", Text: message(err)})
		}
	}
	f.only = -1
}
