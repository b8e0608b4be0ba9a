package profile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// By which law each field's evidence combines, written down a second time:
// docs/profile.md is made of fields.go, and says so to everybody.
func TestLawsOfFields(t *testing.T) {
	for k, laws := range map[Kind]map[string]string{
		Attackers: {
			"as of the write": "updated_at rules.version rules.lists_date scope host.name country_code country_name network_type network_type_source country_source asn as_name as_network asn_source ptr_record threat.indicator.geo.location",
			"constant": "threat.framework threat.feed.name threat.indicator.provider threat.indicator.marking.tlp ecs.version event.kind " +
				"event.category event.type event.module event.dataset schema_version",
			"copy": "cidr as_cidr risk.confidence port.name threat.indicator.geo.country_iso_code threat.indicator.geo.country_name " +
				"threat.indicator.as.number threat.indicator.as.organization.name related.user related.hosts related.hash",
			"counts of the newest 24 hours, exact": "behavior.beacon.strobe",
			"derived from the state": "behavior.profile_evidence exploit.cve exploit.request service_guessed is_traversal traversal_path movement.edge movement.edges movement.dwell command.line credential.username " +
				"credential.password credential.pair fingerprint.ja3 fingerprint.ja3s fingerprint.ja4 fingerprint.ja4s fingerprint.ja4h " +
				"fingerprint.ja4_quic fingerprint.hassh fingerprint.jarm fingerprint.user_agent fingerprint.ssh_client " +
				"indicator.url indicator.domain indicator.ip indicator.sha256 indicator.sha1 indicator.md5 indicator.email indicator.wallet indicator.key_comment " +
				"forward.target forward.via fingerprint.tls_cert_sha256 artifact.sha256 artifact.url alert.signature bounty_count claimed.kinds behavior.class " +
				"behavior.beacon.interval_s behavior.beacon.jitter_pct behavior.beacon.score behavior.beacon.ts_score " +
				"behavior.beacon.hist_score behavior.beacon.dur_score behavior.phase.exfil_latency_s behavior.os_guess " +
				"behavior.hop_distance campaign.keys campaign.payload campaign.credentials campaign.toolchain smtp_domains_dropped " +
				"risk.score risk.level risk.stage risk.base risk.half_life_d risk.reasons classification classification_basis actor login_inferred behavior.cadence_like behavior.kind behavior.kind_why behavior.pauses.median_s behavior.pauses.min_s behavior.pauses.max_s behavior.pauses.corrected software.library software.scanner software.tool software.malware threat.software.id threat.software.name threat.software.type threat.group.id threat.group.name transitions threat.technique.name threat.tactic.id threat.tactic.name " +
				"threat.indicator.confidence threat.indicator.description related.ip truncated",
			"distinct, exact up to 128, then estimated":                                             "service_count",
			"distinct, exact up to 200, then estimated":                                             "credential_count",
			"distinct, exact up to 256, then estimated":                                             "decky_count session_count smtp_domain_count indicator_count",
			"exact for 256 ports that matter, others rank 64, proven ones 64, and what those leave": "ports",
			"distinct, exact while all are kept, then estimated":                                    "port_count",
			"false once a handshake was seen":                                                       "spoofable",
			"first 128 (decky, service) by time":                                                    "hops",
			"first contact per decky, rank 256":                                                     "deckies",
			"rank, shares for files fetched, files brought, mails, URLs alone":                      "artifacts",
			"rank 200, and 64 of those that were let in":                                            "credentials",
			"rank, a share for each kind":                                                           "fingerprints claimed.evidence indicators",
			"rank, shares for public addresses and others":                                          "ip_leaks",
			"rank 64":                     "alerts forwards",
			"key":                         "ip network uuid threat.indicator.type threat.indicator.name",
			"key; newest 32 of a network": "threat.indicator.ip",
			"newest 200 by (time, content), first 10, and 48 that a rule knows by rank": "commands",
			"newest 96 commands of shells with their sessions":                          "behavior.pauses.count",
			"set, 32": "claimed.services",
			"max":     "claimed.last_seen threat.indicator.last_seen @timestamp last_seen session_longest_s behavior.phase.recon_end_ts threat.indicator.modified_at",
			"min":     "claimed.first_seen threat.indicator.first_seen first_seen behavior.phase.exfil_start_ts risk.since.looking risk.since.attempting risk.since.inside risk.since.acting",
			"newest 256 by (time, content), a multiset, first 10, and 48 that a rule knows by rank": "claimed.commands",
			"newest 512 times, a multiset": "behavior.timing.event_count behavior.timing.duration_s behavior.timing.mean_iat_s behavior.timing.median_iat_s " +
				"behavior.timing.stdev_iat_s behavior.timing.min_iat_s behavior.timing.max_iat_s behavior.timing.cv",
			"set, 24 KiB by stage":                "behavior.conclusions",
			"newest by (time, content)":           "behavior.tcp_fingerprint",
			"set, 128":                            "services",
			"set, 64":                             "behavior.tools behavior.tool_evidence behavior.kex_order sensors claimed.deckies",
			"set, 96":                             "behavior.technique_evidence threat.technique.id",
			"strongest kind of event per service": "services_scanned services_interacted",
			"sum, exact":                          "claimed.event_count claimed.command_count claimed.login_attempts claimed.login_successes threat.indicator.sightings event_count command_count login_attempts login_successes behavior.phase.large_payload_count behavior.retransmit_count",
			"the fold itself":                     "state",
		},
		Targets: {
			"as of the write":               "updated_at country_code country_name network_type",
			"constant":                      "ecs.version schema_version",
			"derived from the state":        "registrable_domain truncated",
			"copy":                          "cidr",
			"of the write with most events": "risk.level behavior.class",
			"key":                           "ip network uuid domain",
			"max":                           "@timestamp last_seen",
			"min":                           "first_seen",
			"set, 64":                       "services deckies sensors",
			"sum, exact":                    "count rcpt_accepted_count rcpt_denied_count message_count",
			"the fold itself":               "state",
		},
		Indicators: {
			"as of the write":        "updated_at threat.indicator.marking.tlp",
			"constant":               "threat.feed.name threat.indicator.provider event.kind event.category event.type event.module event.dataset ecs.version schema_version",
			"copy":                   "threat.indicator.first_seen threat.indicator.last_seen threat.indicator.modified_at threat.indicator.sightings",
			"derived from the state": "published unpublished_why threat.indicator.url.registered_domain threat.indicator.confidence threat.indicator.description truncated",
			"key": "indicator.kind indicator.value threat.indicator.type threat.indicator.name threat.indicator.url.full threat.indicator.url.original " +
				"threat.indicator.url.scheme threat.indicator.url.domain threat.indicator.url.port threat.indicator.url.path threat.indicator.url.query " +
				"threat.indicator.url.extension threat.indicator.domain threat.indicator.ip threat.indicator.file.hash.sha256 threat.indicator.file.hash.sha1 " +
				"threat.indicator.file.hash.md5 threat.indicator.email.address related.ip related.hosts related.hash",
			"max": "@timestamp last_seen", "min": "first_seen", "sum, exact": "count claimed_count contact_count",
			"rank 128, and the first 4":                 "attackers",
			"distinct, exact up to 128, then estimated": "attacker_count",
			"set, 32":         "indicator.use services deckies",
			"set, 64":         "sensors",
			"the fold itself": "state",
		},
		Activity: {
			"as of the write":                       "source.geo.country_iso_code source.geo.country_name source.geo.location source.as.number source.as.organization.name scope host.name country_code network_type asn updated_at",
			"constant":                              "event.kind event.module event.dataset ecs.version schema_version",
			"derived from the state":                "service_guessed credential.username truncated",
			"alias":                                 "ip sensors as_name country_name",
			"rank 64":                               "command.line",
			"key":                                   "@timestamp source.ip network uuid",
			"newest 20 by (time, content), first 5": "commands",
			"exact for 256 ports that matter, others rank 64, proven ones 64, and what those leave": "ports",
			"distinct, exact while all are kept, then estimated":                                    "port_count",
			"copy":                          "cidr port.name",
			"rank 128":                      "credentials.tried",
			"of the write with most events": "event_count service_count decky_count bounty_count credential_count is_traversal risk.score risk.level behavior.class",
			"set, 64":                       "observer.name services deckies",
			"sum, exact": "activity.events activity.interactions activity.scans activity.commands activity.login_attempts activity.login_successes " +
				"activity.recipients activity.claimed",
			"the fold itself": "state",
		},
		Transitions: {
			"derived from the state": "behavior.kind",
			"as of the write": "event.ingested event.risk_score message network_type source.geo.country_name source.geo.country_iso_code source.geo.location source.as.number " +
				"source.as.organization.name observer.name first_seen last_seen event_count services service_count decky_count " +
				"is_traversal traversal_path login_attempts login_successes command_count bounty_count behavior.class behavior.tools " +
				"risk.score risk.level risk.stage classification spoofable scope host.name threat.technique.id",
			"constant": "event.kind event.category event.type event.module event.dataset ecs.version schema_version",
			"key":      "@timestamp event.action transition.value source.ip network uuid related.ip",
			"alias":    "ip sensors country_code country_name asn as_name",
			"copy":     "cidr",
		},
		Sensors: {
			"as of the write": "@timestamp version state_version started_at records_per_second lag_s records_in records_out chunks_in chunks_out chunks_skipped bytes_in documents_written " +
				"unattributed unparsed dropped reasons ownerless_commands dropped_programs malformed dead_letters conflicts retries clock_skew service_guessed gateway gateway_events exactness_at_risk panics " +
				"cache_documents cache_bytes last_error last_error_at",
			"constant": "ecs.version schema_version",
			"key":      "sensor",
		},
		Chunks: {
			"as of the write": "@timestamp state",
			"key":             "first_record",
		},
	} {
		want := map[string]string{}
		for law, names := range laws {
			for name := range strings.FieldsSeq(names) {
				want[name] = law
			}
		}
		for _, f := range Fields(k) {
			if f.Law != want[f.Name] {
				t.Errorf("%s: %s combines by %q, want %q", k, f.Name, f.Law, want[f.Name])
			}
			delete(want, f.Name)
			if f.Doc == "" || f.Source == "" && f.Law != lawConst && f.Law != "the fold itself" {
				t.Errorf("%s: nothing says what %s tells, or where it comes from", k, f.Name)
			}
		}
		for name := range want {
			t.Errorf("%s: there is no field %s", k, name)
		}
	}
}

// What testdata/ecs.json, which UPDATE=1 writes anew, must say of the fields
// that the documents copy.
func TestECSExtractSaysWhatItMust(t *testing.T) {
	ecs := ecsFields(t)
	n := 0
	for _, c := range []struct {
		kind  string
		array bool
		names string
	}{
		{"date", false, "@timestamp event.ingested threat.indicator.first_seen threat.indicator.last_seen threat.indicator.modified_at"},
		{"keyword", false, "ecs.version event.action event.dataset event.kind event.module host.name observer.name source.as.organization.name " +
			"source.geo.country_iso_code source.geo.country_name threat.feed.name threat.framework threat.indicator.as.organization.name " +
			"threat.indicator.confidence threat.indicator.description threat.indicator.geo.country_iso_code threat.indicator.geo.country_name " +
			"threat.group.id threat.group.name threat.software.id threat.software.name threat.software.type threat.indicator.marking.tlp threat.indicator.name threat.indicator.provider threat.indicator.type " +
			"threat.indicator.email.address threat.indicator.file.hash.md5 threat.indicator.file.hash.sha1 threat.indicator.file.hash.sha256 " +
			"threat.indicator.url.domain threat.indicator.url.extension threat.indicator.url.query threat.indicator.url.registered_domain threat.indicator.url.scheme"},
		{"wildcard", false, "threat.indicator.url.full threat.indicator.url.original threat.indicator.url.path"},
		{"keyword", true, "event.category event.type related.hash related.hosts related.user threat.tactic.id threat.tactic.name " +
			"threat.technique.id threat.technique.name"},
		{"float", false, "event.risk_score"},
		{"ip", true, "related.ip"},
		{"long", false, "source.as.number threat.indicator.as.number threat.indicator.sightings threat.indicator.url.port"},
		{"geo_point", false, "source.geo.location threat.indicator.geo.location"},
		{"ip", false, "source.ip threat.indicator.ip"},
	} {
		for name := range strings.FieldsSeq(c.names) {
			n++
			if f, ok := ecs.Fields[name]; !ok || f.Type != c.kind || f.Array != c.array {
				t.Errorf("%s is %+v, want %s, a list: %v", name, f, c.kind, c.array)
			}
		}
	}
	if n != len(ecs.Fields) {
		t.Errorf("the extract has %d fields, %d are tested", len(ecs.Fields), n)
	}
	for name, want := range map[string]string{
		"threat.indicator.confidence":  "[Not Specified None Low Medium High]",
		"threat.indicator.marking.tlp": "[WHITE CLEAR GREEN AMBER AMBER+STRICT RED]",
		"event.kind":                   "[alert asset enrichment event metric state pipeline_error signal]",
	} {
		if got := fmt.Sprint(ecs.Fields[name].Values); got != want {
			t.Errorf("%s may be %s, want %s", name, got, want)
		}
	}
	for name, values := range map[string][]string{
		"threat.indicator.type": {"ipv4-addr", "ipv6-addr", "url", "domain-name", "file", "email-addr", "artifact"}, "event.category": {"threat", "intrusion_detection"}, "event.type": {"indicator", "info"},
	} {
		for _, v := range values {
			if !slices.Contains(ecs.Fields[name].Values, v) {
				t.Errorf("%s may not be %s", name, v)
			}
		}
	}
	if ecs.Version != "9.4.0" || !reflect.DeepEqual(Markings(), ecs.Fields["threat.indicator.marking.tlp"].Values) {
		t.Errorf("ECS %s, markings %v", ecs.Version, Markings())
	}
}
