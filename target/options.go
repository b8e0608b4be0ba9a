package target

import (
	"fmt"
	"slices"
	"strings"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/redact"
	"dossier/esindex"
	"dossier/esindex/deadletter"
	"dossier/plugin/observe/tracing"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/profile/enrich"
	"dossier/profile/rules"
)

// What each part is given of the options is worked out by the functions of
// this file alone. They open nothing, so that what they return can be
// compared; who makes the parts adds what must be running.

// key tells targets apart: outputs with the same one share a target.
func key(o options.Options) string {
	hosts := slices.Sorted(slices.Values(o.Hosts))
	return strings.Join(append(hosts, o.CloudID, o.IndexPrefix), " ")
}

// name is what a target is called in the log.
func name(o options.Options) string {
	where := strings.Join(o.Hosts, ",")
	if where == "" {
		name, _, _ := strings.Cut(o.CloudID, ":")
		where = "cloud:" + name
	}
	return where + "/" + o.IndexPrefix + "-*"
}

// indices are the target's.
func indices(o options.Options) correlate.Indices { return correlate.Indices{Prefix: o.IndexPrefix} }

func clientOptions(o options.Options, version string) esindex.Options {
	e := esindex.Options{
		Hosts: o.Hosts, CloudID: o.CloudID,
		User: o.User, PasswordFile: o.PasswordFile, APIKeyFile: o.APIKeyFile,
		CAFile: o.CAFile, ClientCert: o.ClientCert, ClientKey: o.ClientKey, TLSSkipVerify: !o.TLSVerify,
		Compress: map[options.Compress]esindex.Compress{
			options.CompressAuto: esindex.CompressAuto, options.CompressOn: esindex.CompressOn, options.CompressOff: esindex.CompressOff,
		}[o.Compress],
		UserAgent: "dossier/" + version,
	}
	// Where there is a file the client reads it itself, and again when it
	// changes.
	if e.PasswordFile == "" {
		e.Password = o.Password.Reveal()
	}
	if e.APIKeyFile == "" {
		e.APIKey = o.APIKey.Reveal()
	}
	return e
}

func templateOptions(o options.Options) profile.TemplateOptions {
	p := profile.TemplateOptions{
		Prefix: o.IndexPrefix, Shards: o.Shards, IPv6Prefix: o.IPv6Prefix,
		RefreshInterval: o.RefreshInterval,
	}
	if o.Replicas != options.ReplicasAuto {
		p.Replicas = &o.Replicas
	}
	return p
}

func letterOptions(o options.Options) deadletter.Options {
	return deadletter.Options{Path: o.DeadLetterPath, Encode: correlate.EncodeDelta}
}

func databaseOptions(o options.Options) enrich.Options {
	return enrich.Options{GeoIP: o.GeoIPDB, ASN: o.ASNDB, Networks: o.NetworkTypes}
}

func ruleOptions(o options.Options) rules.Options {
	r := rules.Options{Tools: o.ToolRules, Rules: o.AttackRules, Risk: o.RiskRules, Scanners: o.KnownScanners, Good: o.KnownGood, Internal: o.InternalNets}
	if r.Internal == nil {
		r.Internal = profile.PrivateNets()
	}
	return r
}

// rendererOptions lacks the rules, and where places and names are looked up.
func rendererOptions(o options.Options) profile.Options {
	return profile.Options{
		TLP: o.TLP, InternalNets: o.InternalNets, Secrets: o.StoreSecrets,
	}
}

// modelOptions lacks the renderer.
func modelOptions(o options.Options) correlate.ModelOptions {
	return correlate.ModelOptions{Indices: indices(o), Activity: o.Activity, Transitions: true}
}

func machineOptions(o options.Options) commit.MachineOptions {
	return commit.MachineOptions{Ledger: indices(o).Ledger, CacheBytes: o.CacheSize}
}

// tracerOptions lacks whom to report to.
func tracerOptions(o options.Options, version string) tracing.Options {
	return tracing.Options{Version: version, Sensor: o.SensorID}
}

// parserOptions lacks the field maps.
func parserOptions(o options.Options) dialect.Options {
	d := dialect.Options{
		Force: o.Dialect, DropApps: o.DropApps, InternalDeckyPrefix: o.InternalDeckyPrefix,
		DecoyNets: o.DecoyNets, DecoyNames: o.DecoyNames, Ports: o.PortMap, DecoyPorts: o.DecoyPorts, SentencesOnly: !o.StructuredData,
		JSON: dialect.JSONTrust{All: o.JSONInSyslog, Units: o.JSONUnits}, Zone: o.SyslogTimezone,
		Secrets: o.StoreSecrets,
	}
	if d.InternalDeckyPrefix == "" {
		d.InternalDeckyPrefix = "\x00" // starts no name; "" would mean the default
	}
	return d
}

// engineOptions lacks the parser and what it calls.
func engineOptions(o options.Options) correlate.Options {
	return correlate.Options{
		Indices:       indices(o),
		Mask:          maskOptions(o),
		BuryUnparsed:  o.UnparsedDeadLetters,
		Sensor:        o.SensorID,
		ExcludeNets:   o.ExcludeNets,
		Exclude:       o.Exclude,
		IPv6Prefix:    o.IPv6Prefix,
		Activity:      o.Activity,
		CommitTimeout: max(o.CommitTimeout, o.EngineCommitTimeout),
	}
}

func maskOptions(o options.Options) redact.Options {
	return redact.Options{Secrets: o.StoreSecrets != redact.Plain}
}

// ruleFiles are the files of rules by option, "" where there is none.
func ruleFiles(o options.Options) [5]ruleFile {
	return [...]ruleFile{
		{"tool_rules", o.ToolRules, rules.Options{Tools: o.ToolRules}},
		{"attack_rules", o.AttackRules, rules.Options{Rules: o.AttackRules}},
		{"risk_rules", o.RiskRules, rules.Options{Risk: o.RiskRules}},
		{"known_scanners", o.KnownScanners, rules.Options{Scanners: o.KnownScanners}},
		{"known_good", o.KnownGood, rules.Options{Good: o.KnownGood}},
	}
}

type ruleFile struct {
	option, path string
	one          rules.Options
}

// fault is an error about what the file of an option holds.
func fault(option, path, want string, err error) error {
	return fmt.Errorf("dossier: option %s: got %q, want %s (%w)", option, path, want, err)
}
