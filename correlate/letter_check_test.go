package correlate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/state"
)

// TestCheckLetter: what Bury writes passes, and a change of any part that says
// whose the events are is found.
func TestCheckLetter(t *testing.T) {
	const at, hour = 1767780000000000 + 5, 1767780000000000 // 2026-01-07T10:00Z
	in := correlate.Indices{Prefix: "p"}
	events := func(source, rest string, list ...string) string {
		return fmt.Sprintf(`{"source":%q%s,"events":[%s]}`, source, rest, strings.Join(list, ","))
	}
	one := func(at int64, address string) string { return fmt.Sprintf(`{"time":%d,"address":%q}`, at, address) }
	good := one(at, "203.0.113.9")
	from := func(event, source string) string {
		return strings.TrimSuffix(event, "}") + fmt.Sprintf(`,"source":%q}`, source)
	}
	url, thing := state.IndicatorID("url", "http://a/"), `,"kind":"url","value":"http://a/"`
	withHour := fmt.Sprintf(`,"hour":%d`, int64(hour))
	for _, c := range []struct {
		index, id string
		class     commit.Class
		events    string
		want      string // part of the error
	}{
		{"p-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", good, good), ""},
		{"p-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", one(-1, "203.0.113.9")), ""},
		{"p-attackers", "2001:db8::/64", 0, events("2001:db8::/64", "", one(at, "2001:db8::7")), ""},
		{"p-attackers", "2001:db8::7", 0, events("2001:db8::7/128", "", one(at, "2001:db8::7")), ""},
		{"p-smtp-targets", "203.0.113.9|example.org", 1, events("203.0.113.9/32", `,"domain":"example.org"`, good), ""},
		{"p-activity-2026.01", "203.0.113.9|2026-01-07T10", 2, events("203.0.113.9/32", withHour, good), ""},
		{"p-activity-other", "203.0.113.9|2026-01-07T10", 2, events("203.0.113.9/32", withHour, good), ""},

		{"p-attackers", "8.8.8.8", 0, events("203.0.113.9/32", "", good), "8.8.8.8"},
		{"p-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", good, one(at, "8.8.8.8")), "8.8.8.8"},
		{"p-attackers", "203.0.113.0/24", 0, events("203.0.113.9/24", "", good), "no source"},
		{"p-attackers", "203.0.113.9/32", 0, events("203.0.113.9/32", "", good), "203.0.113.9/32"},
		{"p-attackers", "203.0.113.9", 0, events("::ffff:203.0.113.9/128", "", good), "no source"},
		{"p-attackers", "203.0.113.9", 0, `{"events":[]}`, "no source"},
		{"p-attackers", "203.0.113.9", 0, `[]`, "events"},
		{"p-sensors", "203.0.113.9", 0, events("203.0.113.9/32", "", good), "p-sensors"},
		{"q-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", good), "q-attackers"},
		{"p-attackers", "203.0.113.9", 1, events("203.0.113.9/32", "", good), "203.0.113.9"},
		{"p-attackers", "203.0.113.9", 4, events("203.0.113.9/32", "", good), "class 4"},
		{"p-indicators", url, 3, events("203.0.113.9/32", thing, from(good, "203.0.113.9/32"), from(one(at, "2001:db8::7"), "2001:db8::/64")), ""},
		{"p-indicators", url, 3, events("203.0.113.9/32", thing, good), "203.0.113.9"},
		{"p-indicators", url, 3, events("203.0.113.9/32", thing, from(good, "8.8.8.8/32")), "203.0.113.9"},
		{"p-indicators", url, 3, events("203.0.113.9/32", `,"kind":"url","value":"http://b/"`, from(good, "203.0.113.9/32")), url},
		{"p-attackers", url, 3, events("203.0.113.9/32", thing, from(good, "203.0.113.9/32")), "p-attackers"},
		{"p-attackers", "203.0.113.9|example.org", 1, events("203.0.113.9/32", `,"domain":"example.org"`, good), "p-attackers"},
		{"p-smtp-targets", "203.0.113.9|example.org", 1, events("203.0.113.9/32", `,"domain":"example.com"`, good), "example.com"},
		{"p-activity-2026.02", "203.0.113.9|2026-01-07T10", 2, events("203.0.113.9/32", withHour, good), "p-activity-2026.02"},
		{"p-activity-2026.01", "203.0.113.9|2026-01-07T11", 2, events("203.0.113.9/32", withHour, good), "T11"},
		{"p-activity-2026.01", "203.0.113.9|2026-01-07T10", 2, events("203.0.113.9/32", withHour, one(at+3600_000_000, "203.0.113.9")), "another hour"},
		{"p-activity-2026.01", "203.0.113.9|2026-01-07T10", 2, events("203.0.113.9/32", fmt.Sprintf(`,"hour":%d`, int64(hour)+1), good), "hour"},
		{"p-activity-other", "203.0.113.9|11970-01-01T00", 2, events("203.0.113.9/32", `,"hour":315569520000000000`, one(315569520000000000, "203.0.113.9")), "9999"},
		{"p-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", one(253402300800000000, "203.0.113.9")), "9999"},
		{"p-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", one(253402300799999999, "203.0.113.9")), ""},
		{"p-attackers", "203.0.113.9", 0, events("203.0.113.9/32", "", one(-62135596800000001, "203.0.113.9")), "9999"},
	} {
		err := in.CheckLetter(commit.Key{Index: c.index, ID: c.id}, c.class, json.RawMessage(c.events))
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s/%s, class %d, %s: %v, want %q", c.index, c.id, c.class, c.events, err, c.want)
		}
	}
}
