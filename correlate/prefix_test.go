package correlate

import (
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
)

func TestValidatePrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"dossier": true, "a": true, "site-1.eu_x": true, "logstash": true, "catalogs-x": true, strings.Repeat("a", 100): true,
		"": false, "logs": false, "logs-dossier": false, "metrics-a": false, "traces-x-y": false, "synthetics": false, "profiling": false, "profiling-x": false, "profilings": true,
		"-a": false, "_a": false, ".a": false, "A": false, "a*": false, "a b": false, "a/b": false, "é": false, "a,b": false, "a\n": false,
		strings.Repeat("a", 101): false, "dossier-activity": false,
	} {
		err := ValidatePrefix(prefix)
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestPrefixKind(t *testing.T) {
	for prefix, want := range map[string]string{
		"dossier": "", "dossier-b": "", "activity": "", "sensors": "", "chunks-b": "", "dossier-activityx": "", "dossier-xactivity": "",
		"dossier.activity": "", "dossier-smtp": "", "dossier-targets": "", "dossier-activity.b": "",
		"dossier-activity": "activity", "dossier-activity-b": "activity", "a-b-chunks": "chunks", "a-smtp-targets-2026.11": "smtp-targets",
		"dossier-attackers": "attackers", "dossier-attackers-000001": "attackers", "x-transitions-y-sensors": "transitions", "activity-sensors": "sensors",
		"d-indicators": "indicators",
	} {
		if got := PrefixKind(prefix); got != want {
			t.Errorf("%s: got %q, want %q", prefix, got, want)
		}
	}
}

// TestPrefixesAreApart: of two prefixes that are allowed no index of one falls
// under a pattern of the other's, whatever they share.
func TestPrefixesAreApart(t *testing.T) {
	parts := []string{"d", "smtp", "targets", "x", "other", "2026.11"}
	parts = append(parts, kinds...)
	var prefixes []string
	for _, a := range parts {
		prefixes = append(prefixes, a)
		for _, b := range parts {
			prefixes = append(prefixes, a+"-"+b, a+b)
			for _, c := range parts {
				prefixes = append(prefixes, a+"-"+b+"-"+c)
			}
		}
	}
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	names := make(map[string]string) // index: prefix
	var allowed []Indices
	for _, p := range prefixes {
		if PrefixKind(p) != "" {
			continue
		}
		i := Indices{Prefix: p}
		allowed = append(allowed, i)
		for _, name := range []string{
			i.Attackers(), i.Targets(), i.Sensors(), i.Activity(event.FromTime(at), false), i.Activity(0, true),
			i.Transitions(event.FromTime(at), false), i.Transitions(0, true), i.Ledger(uint32(at.Unix() / 60)),
		} {
			if other := names[name]; other != "" && other != p {
				t.Errorf("%s is of %s and of %s", name, other, p)
			}
			names[name] = p
		}
	}
	if len(allowed) < 100 {
		t.Fatalf("%d prefixes are allowed", len(allowed))
	}
	isAllowed := make(map[string]bool)
	for _, i := range allowed {
		isAllowed[i.Prefix] = true
	}
	for name, of := range names {
		for at := range name {
			for _, k := range kinds {
				if owner := name[:at]; owner != of && isAllowed[owner] && strings.HasPrefix(name[at:]+"-", "-"+k+"-") {
					t.Errorf("%s of %s falls under %s-%s-* of %s", name, of, owner, k, owner)
				}
			}
		}
	}
}
