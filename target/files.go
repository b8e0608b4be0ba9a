package target

import (
	"fmt"
	"net/netip"
	"os"

	"dossier/correlate/dialect"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/profile/enrich"
	"dossier/profile/rules"
)

// openFiles opens what profiles are rendered with.
func (t *Target) openFiles() error {
	set, err := readRules(t.o)
	if err != nil {
		return err
	}
	t.rules = set
	databases := databaseOptions(t.o)
	databases.OnPanic = t.panicked
	databases.OnError = func(err error) {
		t.Erred(err.Error())
		t.log.Error("a changed database can't be read; the one before stays in use", "err", err)
	}
	if t.files, err = enrich.Open(databases); err != nil {
		return fmt.Errorf("dossier: option %w", err)
	}
	if t.o.PTR {
		t.names = enrich.NewNames(enrich.NamesOptions{OnPanic: t.panicked})
	}
	hosts, err := readHosts(t.o)
	if err == nil {
		t.renderer, err = profile.New(t.rendererOptions(set, hosts))
	}
	if err != nil {
		t.closeFiles()
	}
	return err
}

// rendererOptions are complete once what they hold is open.
func (t *Target) rendererOptions(set *rules.Set, hosts map[netip.Addr]string) profile.Options {
	r := rendererOptions(t.o)
	r.Rules, r.Files, r.Names, r.InternalHosts, r.OnFailure = set, t.files, t.names, hosts, t.partFailed
	return r
}

// readHosts reads the names of internal addresses, none where no file has any.
func readHosts(o options.Options) (map[netip.Addr]string, error) {
	if o.InternalHosts == "" {
		return nil, nil
	}
	hosts, err := enrich.ReadHosts(o.InternalHosts)
	if err != nil {
		return nil, fault("internal_hosts", o.InternalHosts, "a file of addresses and names in the form of /etc/hosts", err)
	}
	return hosts, nil
}

// partFailed is told of a part of a document that goes without it.
func (t *Target) partFailed(part string, err error) {
	t.leftOut.Add(1)
	t.Erred(part + ": " + err.Error())
	t.log.Error("a part of a document fails and is left out", logging.ReasonKey, part, "err", err)
}

// closeFiles closes what openFiles and open opened.
func (t *Target) closeFiles() {
	if t.names != nil {
		t.names.Close()
	}
	if t.files != nil {
		t.files.Close()
	}
	if t.link != nil {
		t.link.Close()
	}
}

// readRules reads each file by itself first, so that an error names the
// option.
func readRules(o options.Options) (*rules.Set, error) {
	for _, f := range ruleFiles(o) {
		if f.path == "" {
			continue
		}
		if _, err := rules.New(f.one); err != nil {
			return nil, fault(f.option, f.path, "a rule file in the form of docs/rules.md", err)
		}
	}
	return rules.New(ruleOptions(o))
}

// NewParser returns what reads the records of an output of these options.
func NewParser(o options.Options) (*dialect.Parser, error) { return newParser(o, parserOptions(o)) }

func newParser(o options.Options, d dialect.Options) (*dialect.Parser, error) {
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
