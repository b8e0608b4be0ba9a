package instance

import (
	"fmt"
	"os"

	"dossier/correlate/dialect"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/profile/enrich"
	"dossier/profile/rules"
)

// fault is an error about what the file of an option holds.
func fault(option, path, want string, err error) error {
	return fmt.Errorf("dossier: option %s: got %q, want %s (%w)", option, path, want, err)
}

// openFiles opens what profiles are rendered with.
func (t *target) openFiles() error {
	set, err := readRules(t.o)
	if err != nil {
		return err
	}
	t.files, err = enrich.Open(enrich.Options{GeoIP: t.o.GeoIPDB, ASN: t.o.ASNDB, OnError: func(err error) {
		t.erred(err.Error())
		t.log.Error("a changed database can't be read; the one before stays in use", "err", err)
	}})
	if err != nil {
		return fmt.Errorf("dossier: option %w", err)
	}
	if t.o.PTR {
		t.names = enrich.NewNames(enrich.NamesOptions{})
	}
	secrets := map[options.Secrets]profile.Secrets{
		options.SecretsPlain: profile.Plain, options.SecretsSHA256: profile.Digest, options.SecretsNone: profile.Hidden,
	}
	t.renderer, err = profile.New(profile.Options{
		TLP: t.o.TLP, Secrets: secrets[t.o.StoreSecrets], Rules: set, Files: t.files, Names: t.names,
		OnFailure: func(part string, err error) {
			t.leftOut.Add(1)
			t.erred(part + ": " + err.Error())
			t.log.Error("a part of a document fails and is left out", logging.ReasonKey, part, "err", err)
		},
	})
	if err != nil {
		t.closeFiles()
	}
	return err
}

// closeFiles closes what openFiles and newTarget opened.
func (t *target) closeFiles() {
	if t.names != nil {
		t.names.Close()
	}
	if t.files != nil {
		t.files.Close()
	}
	if t.client != nil {
		t.client.Close()
	}
}

// readRules reads each file by itself first, so that an error names the
// option.
func readRules(o options.Options) (*rules.Set, error) {
	all := rules.Options{Tools: o.ToolRules, Attack: o.AttackRules, Risk: o.RiskRules}
	for _, f := range []struct {
		option, path string
		one          rules.Options
	}{
		{"tool_rules", o.ToolRules, rules.Options{Tools: o.ToolRules}},
		{"attack_rules", o.AttackRules, rules.Options{Attack: o.AttackRules}},
		{"risk_rules", o.RiskRules, rules.Options{Risk: o.RiskRules}},
	} {
		if f.path == "" {
			continue
		}
		if _, err := rules.New(f.one); err != nil {
			return nil, fault(f.option, f.path, "a rule file in the form of docs/rules.md", err)
		}
	}
	return rules.New(all)
}

func newParser(o options.Options) (*dialect.Parser, error) {
	secrets := map[options.Secrets]dialect.Secrets{
		options.SecretsPlain: dialect.Plain, options.SecretsSHA256: dialect.SHA256, options.SecretsNone: dialect.Hidden,
	}
	d := dialect.Options{
		Force: o.Dialect, DropApps: o.DropApps, InternalDeckyPrefix: o.InternalDeckyPrefix,
		DecoyNets: o.DecoyNets, DecoyNames: o.DecoyNames, Secrets: secrets[o.StoreSecrets],
	}
	if d.InternalDeckyPrefix == "" {
		d.InternalDeckyPrefix = "\x00" // starts no name; "" would mean the default
	}
	for _, path := range o.FieldMaps {
		maps, err := readFieldMaps(path)
		if err != nil {
			return nil, fault("field_map", path, "field maps in YAML", err)
		}
		d.FieldMaps = append(d.FieldMaps, maps...)
	}
	p, err := dialect.New(d)
	if err != nil {
		return nil, fmt.Errorf("dossier: option %w", err)
	}
	return p, nil
}

func readFieldMaps(path string) ([]dialect.FieldMap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return dialect.ReadFieldMaps(f)
}
