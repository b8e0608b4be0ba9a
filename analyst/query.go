package analyst

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query says which profiles are asked for. What is set must all hold; the zero
// Query finds every profile.
type Query struct {
	// Command is a part of a command line, with * and ? as wildcards.
	Command string
	// Credential is USER:SECRET, USER: or :SECRET. With store_secrets sha256
	// the secret's digest stands for it.
	Credential string
	// Fingerprint is the value of one: JA3, JA4, HASSH, JARM, a user agent, an
	// SSH client's banner, a certificate's SHA-256.
	Fingerprint string
	// File is the SHA-256 of a file, or where it came from (* and ? as
	// wildcards).
	File string
	// Campaign is a campaign key, or the address of somebody who has some.
	Campaign []string
	// Technique is of ATT&CK, with those below it: T1059.
	Technique string
	// Port is 22 or tcp/22.
	Port string
	// Country is an ISO 3166-1 alpha-2 code, Network one that addresses are in.
	Country, Network string
	// NetworkType is what kind of network an address is in: cloud, vpn, tor.
	NetworkType string
	// Service and Decky were touched; Tool was recognised.
	Service, Decky, Tool string
	// MinRisk is the least risk.score.
	MinRisk float64
	// Since leaves out who was last seen before it, unless it is zero.
	Since time.Time
	// Classes are classifications that are asked for; none is all. A verdict
	// goes before the classification.
	Classes []string
	// Sort is the order, Limit the most profiles; zero is no limit.
	Sort  Sort
	Limit int
	// Fields are the fields that are read of each profile; none is all.
	Fields []string
}

// source says which fields of a document are read.
func (q Query) source() any {
	if len(q.Fields) == 0 {
		return noState
	}
	return q.Fields
}

// Sort is an order of profiles, the first ones first.
type Sort string

// The orders.
const (
	ByRisk     Sort = "risk"     // highest risk.score
	ByActivity Sort = "activity" // most events
	ByNewest   Sort = "newest"   // last seen last
	ByAddress  Sort = "address"  // lowest address
	byNote     Sort = "note"     // of notes, the newest
	unsorted   Sort = "none"     // as Elasticsearch has them
)

// Sorts returns the orders.
func Sorts() []Sort { return []Sort{ByRisk, ByActivity, ByNewest, ByAddress} }

// Classes returns the classifications, which verdicts are too.
func Classes() []string { return []string{"benign", "suspicious", "malicious"} }

func (s Sort) keys() []any {
	desc := func(field string) any {
		return map[string]any{field: map[string]any{"order": "desc", "missing": "_last"}}
	}
	asc := func(field string) any {
		return map[string]any{field: map[string]any{"order": "asc", "missing": "_last"}}
	}
	switch s {
	case ByActivity:
		return []any{desc("event_count"), desc("last_seen"), asc("ip")}
	case ByNewest:
		return []any{desc("last_seen"), desc("risk.score"), asc("ip")}
	case byNote:
		return newestFirst()
	case unsorted:
		return nil
	case ByAddress:
		return []any{asc("ip"), asc("network")}
	default:
		return []any{desc("risk.score"), desc("last_seen"), asc("ip")}
	}
}

// maxVerdicts bounds the verdicts that a query names: Elasticsearch takes
// 65,536 terms.
const maxVerdicts = 50_000

var (
	techniqueForm = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)
	countryForm   = regexp.MustCompile(`^[A-Z]{2}$`)
	portForm      = regexp.MustCompile(`^((tcp|udp)/)?[0-9]{1,5}$`)
)

// fingerprints are the fields that a fingerprint's value may stand in.
var fingerprints = []string{
	"fingerprint.ja3", "fingerprint.ja3s", "fingerprint.ja4", "fingerprint.ja4s", "fingerprint.ja4h", "fingerprint.ja4_quic",
	"fingerprint.hassh", "fingerprint.jarm", "fingerprint.user_agent", "fingerprint.ssh_client", "fingerprint.tls_cert_sha256",
}

func term(field string, value any) any { return map[string]any{"term": map[string]any{field: value}} }

func anyOf(of []any) any {
	return map[string]any{"bool": map[string]any{"should": of, "minimum_should_match": 1}}
}

// contains finds texts with the part in them, in whatever case. A part without
// a wildcard may stand anywhere.
func contains(field, part string) any {
	if !strings.ContainsAny(part, "*?") {
		part = "*" + part + "*"
	}
	return map[string]any{"wildcard": map[string]any{field: map[string]any{"value": part, "case_insensitive": true}}}
}

// body returns the query as Elasticsearch takes it.
func (q Query) body(verdicts map[string]*Verdict) (any, error) {
	var must []any
	for _, f := range []struct{ flag, text string }{
		{"command", q.Command},
		{"credential", q.Credential},
		{"fingerprint", q.Fingerprint},
		{"file", q.File},
		{"campaign", strings.Join(q.Campaign, "")},
		{"service", q.Service},
		{"decky", q.Decky},
		{"tool", q.Tool},
		{"network-type", q.NetworkType},
	} {
		if clean := Repair(f.text); string(clean) != f.text {
			return nil, fmt.Errorf("--%s: got %q, want text as it is shown: what can't be seen is spelled out, as \\x1b", f.flag, clean)
		}
	}
	if q.Command != "" {
		must = append(must, contains("command.line", q.Command))
	}
	if q.Credential != "" {
		user, secret, ok := strings.Cut(q.Credential, ":")
		switch {
		case !ok || user == "" && secret == "":
			return nil, fmt.Errorf("--credential: got %q, want USER:SECRET, USER: or :SECRET", Repair(q.Credential))
		case secret == "":
			must = append(must, term("credential.username", user))
		case user == "":
			must = append(must, term("credential.password", secret))
		default:
			must = append(must, term("credential.pair", q.Credential))
		}
	}
	if q.Fingerprint != "" {
		var any []any
		for _, field := range fingerprints {
			any = append(any, term(field, q.Fingerprint))
		}
		must = append(must, anyOf(any))
	}
	if q.File != "" {
		must = append(must, anyOf([]any{term("artifact.sha256", strings.ToLower(q.File)), contains("artifact.url", q.File)}))
	}
	if len(q.Campaign) > 0 {
		must = append(must, map[string]any{"terms": map[string]any{"campaign.keys": q.Campaign}})
	}
	if q.Technique != "" {
		id := strings.ToUpper(q.Technique)
		if !techniqueForm.MatchString(id) {
			return nil, fmt.Errorf("--technique: got %q, want an id of ATT&CK such as T1059 or T1059.004", Repair(q.Technique))
		}
		must = append(must, anyOf([]any{term("threat.technique.id", id), map[string]any{"prefix": map[string]any{"threat.technique.id": id + "."}}}))
	}
	if q.Port != "" {
		_, number, _ := strings.Cut("/"+q.Port, "/")
		if _, n, ok := strings.Cut(q.Port, "/"); ok {
			number = n
		}
		if n, err := strconv.Atoi(number); !portForm.MatchString(q.Port) || err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("--port: got %q, want a port such as 22 or tcp/22", Repair(q.Port))
		}
		ports := []any{term("port.name", q.Port)}
		if !strings.Contains(q.Port, "/") {
			ports = append(ports, term("port.name", "tcp/"+q.Port), term("port.name", "udp/"+q.Port))
		}
		must = append(must, anyOf(ports))
	}
	if q.Country != "" {
		code := strings.ToUpper(q.Country)
		if !countryForm.MatchString(code) {
			return nil, fmt.Errorf("--country: got %q, want a code of two letters such as DE", Repair(q.Country))
		}
		must = append(must, term("country_code", code))
	}
	if q.Network != "" {
		n, err := parseNetwork(q.Network)
		if err != nil {
			return nil, fmt.Errorf("--network: got %q, want a network such as 203.0.113.0/24", Repair(q.Network))
		}
		must = append(must, anyOf([]any{term("ip", n.String()), term("network", n.String())}))
	}
	for _, f := range []struct{ field, value string }{{"services", q.Service}, {"deckies", q.Decky}, {"behavior.tools", q.Tool}, {"network_type", strings.ToLower(q.NetworkType)}} {
		if f.value != "" {
			must = append(must, term(f.field, f.value))
		}
	}
	if q.MinRisk > 0 {
		must = append(must, orSaid(map[string]any{"range": map[string]any{"risk.score": map[string]any{"gte": q.MinRisk}}}, verdicts, []string{"malicious"}))
	}
	if !q.Since.IsZero() {
		must = append(must, map[string]any{"range": map[string]any{"last_seen": map[string]any{"gte": q.Since.UTC().Format(time.RFC3339Nano)}}})
	}
	if len(q.Classes) > 0 {
		for _, c := range q.Classes {
			if !slices.Contains(Classes(), c) {
				return nil, fmt.Errorf("--classification: got %q, want one of %s", Repair(c), strings.Join(Classes(), ", "))
			}
		}
		judged := map[string]any{"bool": map[string]any{
			"filter":   []any{map[string]any{"terms": map[string]any{"classification": q.Classes}}},
			"must_not": []any{ids(slices.Sorted(maps.Keys(verdicts)))},
		}}
		must = append(must, orSaid(judged, verdicts, q.Classes))
	}
	if len(must) == 0 {
		return map[string]any{"match_all": map[string]any{}}, nil
	}
	return map[string]any{"bool": map[string]any{"filter": must}}, nil
}

// Validate says what is wrong with the query.
func (q Query) Validate() error {
	_, err := q.body(nil)
	return err
}

// orSaid finds what the query finds, and those of whom an analyst said one of
// the classes.
func orSaid(query any, verdicts map[string]*Verdict, classes []string) any {
	var said []string
	for id, v := range verdicts {
		if slices.Contains(classes, string(v.Verdict)) {
			said = append(said, id)
		}
	}
	slices.Sort(said)
	return anyOf([]any{query, ids(said)})
}

func ids(of []string) any {
	if of == nil {
		of = []string{}
	}
	return map[string]any{"terms": map[string]any{"_id": of}}
}
