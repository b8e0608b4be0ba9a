package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/rules"
)

// How sure an indicator is: each condition alone, and just short of it.
func TestConfidence(t *testing.T) {
	artifact := func(s *state.Attacker) { s.Artifacts.Add(law.Entry{Key: "ab\x00\x00file", Count: 1}, large) }
	for _, c := range []struct {
		name string
		set  func(s *state.Attacker)
		want string
	}{
		{"nothing", func(s *state.Attacker) {}, "Low"},
		{"a scan without a handshake", func(s *state.Attacker) { s.Kinds[event.Scan] = 9 }, "Low"},
		{"everything without a handshake", func(s *state.Attacker) {
			s.Kinds[event.Scan], s.Kinds[event.Interaction], s.Attempts, s.CommandCount = 9, 9, 9, 9
			artifact(s)
		}, "Low"},
		{"a handshake", func(s *state.Attacker) { s.Handshake = true }, "Low"},
		{"noise after a handshake", func(s *state.Attacker) { s.Handshake, s.Kinds[event.Noise], s.Attempts = true, 9, 9 }, "Low"},
		{"one scan after a handshake", func(s *state.Attacker) { s.Handshake, s.Kinds[event.Scan] = true, 1 }, "Medium"},
		{"one interaction after a handshake", func(s *state.Attacker) { s.Handshake, s.Kinds[event.Interaction] = true, 1 }, "Medium"},
		{"one login attempt", func(s *state.Attacker) { s.Handshake, s.Kinds[event.Scan], s.Attempts = true, 1, 1 }, "High"},
		{"one command", func(s *state.Attacker) { s.Handshake, s.Kinds[event.Interaction], s.CommandCount = true, 1, 1 }, "High"},
		{"one file", func(s *state.Attacker) { s.Handshake, s.Kinds[event.Interaction] = true, 1; artifact(s) }, "High"},
	} {
		s := new(state.Attacker)
		c.set(s)
		if got := new(figures).confidence(s); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// overflow makes a list remember that it had to leave something out.
func overflow(t *testing.T, list any) bool {
	t.Helper()
	one := law.Limit{Keys: 1, Note: 32}
	for _, key := range []string{"a", "b"} {
		switch l := list.(type) {
		case *law.Bottom:
			l.Add(law.Entry{Key: key, Count: 1, First: moment(1), Last: moment(2)}, one)
		case *law.First:
			l.Add(law.Item{Time: moment(1), A: key}, one)
		case *law.Newest:
			l.Add(law.Item{Time: moment(1), A: key}, one)
		case *law.Distinct:
			l.Add(key, 1)
		case *law.Times:
			l.Add(moment(1), 1)
		default:
			return false
		}
	}
	return true
}

// Each list of a state that had to leave something out is named, with all that
// is counted from it, and nothing else is.
func TestTruncatedNamesWhatTheFoldCut(t *testing.T) {
	r := renderer(t, Options{})
	render := map[string]func(s any) []byte{
		"attacker": func(s any) []byte { return r.AppendAttacker(nil, headOf(someone), s.(*state.Attacker)) },
		"target":   func(s any) []byte { return r.AppendTarget(nil, headOf(someone), "example.com", s.(*state.Target)) },
		"indicator": func(s any) []byte {
			return r.AppendIndicator(nil, headOf(someone), "ip", "203.0.113.9", s.(*state.Indicator))
		},
		"hour": func(s any) []byte { return r.AppendActivity(nil, headOf(someone), moment(0), s.(*state.Activity)) },
	}
	for what, c := range map[string]struct {
		new  func() any
		want map[string]string
	}{
		"attacker": {func() any { return new(state.Attacker) }, map[string]string{
			"Services": "[service_count services]", "Deckies": "[deckies decky_count movement.dwell]", "Hops": "[hops movement.edges]",
			"Known": "<nil>", "Admitted": "<nil>", // commands and credentials are cut by then
			"Times": "[behavior.timing]", "Commands": "[commands]", "Credentials": "[bounty_count credential_count credentials]",
			"Fingerprints": "[bounty_count fingerprints]", "Artifacts": "[artifacts bounty_count]", "Leaks": "[bounty_count ip_leaks]",
			"Indicators": "[indicators]", "IndicatorCount": "[indicator_count]", "Forwards": "[forwards]",
			"Sessions": "[session_count]", "Sensors": "[sensors]", "Network": "[threat.indicator.ip]", "SystemGuesses": "[behavior.os_guess]",
			"TTLs": "[behavior.os_guess]", "Distances": "[behavior.hop_distance]", "KexOrders": "[behavior.kex_order]",
			"Tools": "[behavior.tool_evidence behavior.tools]", "Techniques": "[behavior.technique_evidence threat.technique.id]",
			"Conclusions": "[behavior.conclusions threat.technique.id]", "Alerts": "[alerts]", "Ports": "[port_count ports]", "Domains": "[smtp_domain_count]",
		}},
		"target": {func() any { return new(state.Target) }, map[string]string{
			"Services": "[services]", "Deckies": "[deckies]", "Sensors": "[sensors]",
		}},
		"indicator": {func() any { return new(state.Indicator) }, map[string]string{
			"Services": "[services]", "Deckies": "[deckies]", "Sensors": "[sensors]", "Uses": "[indicator.use]", "Attackers": "[attacker_count attackers]",
		}},
		"hour": {func() any { return new(state.Activity) }, map[string]string{
			"Services": "[services]", "Deckies": "[deckies]", "Sensors": "[observer.name]", "Commands": "[commands]",
			// Of a key that Tried keeps Admitted has all.
			"Lines": "[command.line]",
			"Tried": "[credentials.tried]", "Admitted": "<nil>", "Ports": "[port_count ports]",
		}},
	} {
		kind := reflect.TypeOf(c.new()).Elem()
		for i := range kind.NumField() {
			s := c.new()
			if field := kind.Field(i); !field.IsExported() || !overflow(t, reflect.ValueOf(s).Elem().Field(i).Addr().Interface()) {
				continue
			}
			want, known := c.want[kind.Field(i).Name]
			if got := fmt.Sprint(decode(t, render[what](s))["truncated"]); got != want || !known {
				t.Errorf("%s: %s is cut: truncated is %s, want %s", what, kind.Field(i).Name, got, want)
			}
		}
		if got := decode(t, render[what](c.new()))["truncated"]; got != nil {
			t.Errorf("%s: nothing is cut, but truncated is %v", what, got)
		}
	}
	s := new(state.Attacker)
	s.Untold = 1
	if got := fmt.Sprint(decode(t, render["attacker"](s))["truncated"]); got != "[transitions]" {
		t.Errorf("a line found no room: truncated is %s", got)
	}
	// Labels decide; TTLs are asked where there are none.
	s = new(state.Attacker)
	overflow(t, &s.TTLs)
	s.SystemGuesses.Add(law.Entry{Key: "linux", Count: 1}, large)
	if got := decode(t, render["attacker"](s))["truncated"]; got != nil {
		t.Errorf("TTLs that nobody asked are cut: truncated is %v", got)
	}
}

// What the document's budget cuts is named too, and all that is derived from a
// list is derived from what is shown of it.
func TestTruncatedNamesWhatTheBudgetCut(t *testing.T) {
	r := renderer(t, Options{})
	for list, c := range map[int]struct {
		truncated string
		left      map[string]int
	}{
		listDwell:           {"[movement.dwell]", map[string]int{"movement.dwell": 1, "deckies": 4}},
		listSensors:         {"[sensors]", map[string]int{"sensors": 1}},
		listNetwork:         {"[threat.indicator.ip]", map[string]int{"threat.indicator.ip": 1, "related.ip": 2}},
		listPorts:           {"[ports]", map[string]int{"ports": 1, "port.name": 1}},
		listServices:        {"[services]", map[string]int{"services": 1}},
		listTools:           {"[behavior.tool_evidence]", map[string]int{"behavior.tool_evidence": 1, "behavior.tools": 2}},
		listTechniques:      {"[behavior.technique_evidence]", map[string]int{"threat.technique.id": 3}},
		listConclusions:     {"[behavior.conclusions]", map[string]int{"behavior.conclusions": 1}},
		listKex:             {"[behavior.kex_order]", map[string]int{"behavior.kex_order": 1}},
		listFingerprints:    {"[fingerprints]", map[string]int{"fingerprints": 1}},
		listClaims:          {"[claimed.evidence]", map[string]int{"claimed.evidence": 1}},
		listClaimedServices: {"[claimed.services]", nil},
		listClaimedDeckies:  {"[claimed.deckies]", nil},
		listClaimedCommands: {"[claimed.commands]", map[string]int{"claimed.commands": 0}},
		listAlerts:          {"[alerts]", map[string]int{"alerts": 1, "alert.signature": 1}},
		listLeaks:           {"[ip_leaks]", map[string]int{"ip_leaks": 1}},
		listForwards:        {"[forwards]", map[string]int{"forwards": 1, "forward.target": 1}},
		listIndicators:      {"[indicators]", map[string]int{"indicators": 1, "indicator.url": 1}},
		listArtifacts:       {"[artifacts]", map[string]int{"artifacts": 1, "artifact.sha256": 1}},
		listCredentials:     {"[credentials]", map[string]int{"credentials": 1, "credential.username": 1, "credential.password": 1, "credential.pair": 1, "related.user": 1}},
		listHops:            {"[hops movement.edges]", map[string]int{"hops": 1, "movement.edges": 0, "movement.edge": 0}},
		listDeckies:         {"[deckies]", map[string]int{"deckies": 1, "related.hosts": 1, "movement.dwell": 4}},
		listCommands:        {"[commands]", map[string]int{"commands": 1, "command.line": 1}},
	} {
		s, h, p := numbered(), networkHead(), everything
		if strings.HasPrefix(c.truncated, "[claimed.") {
			s = claiming(s)
		}
		p.keep[list] = 1
		d := begin(nil)
		r.attacker(&d, h, s, r.judge(h, s), new(Place), "", &p)
		m := decode(t, append(d.b, '}'))
		if got := fmt.Sprint(m["truncated"]); got != c.truncated {
			t.Errorf("list %d: truncated is %s, want %s", list, got, c.truncated)
		}
		for name, n := range c.left {
			if shown, _ := at(m, name).([]any); len(shown) != n {
				t.Errorf("list %d: %s shows %d, want %d: %v", list, name, len(shown), n, shown)
			}
		}
	}
	// Of commands and a network's addresses the newest stay, of hops the oldest.
	s, h, p := numbered(), networkHead(), everything
	p.keep[listCommands], p.keep[listNetwork], p.keep[listHops] = 1, 1, 1
	d := begin(nil)
	r.attacker(&d, h, s, r.judge(h, s), new(Place), "", &p)
	m := decode(t, append(d.b, '}'))
	for field, want := range map[string]string{
		"commands":              "[map[command:uname -a timestamp:2026-03-04T00:00:55.000000Z]]",
		"command.line":          "[uname -a]",
		"threat.indicator.ip":   "[2a00:1450:4001::1]",
		"hops":                  "[map[decky:delta event_type:connect service:ssh timestamp:2026-03-04T00:00:02.000000Z]]",
		"threat.indicator.type": "ipv6-addr",
	} {
		if got := fmt.Sprint(at(m, field)); got != want {
			t.Errorf("of %s stays %s, want %s", field, got, want)
		}
	}
	if lists != 23 {
		t.Errorf("%d lists are cut to fit, 23 are tested", lists)
	}
}

// Each list has its room in any case, and what is missed least goes first.
func TestFit(t *testing.T) {
	ones := func(list, n int) (sizes [lists][]int) {
		sizes[list] = slices.Repeat([]int{1}, n)
		return sizes
	}
	for list, floor := range []int{512, 1024, 256, 512, 2048, 512, 512, 1024, 768, 512, 768, 1024, 512, 1792, 768, 768, 512, 2048, 1280, 2048, 1536, 1792, 9216} {
		sizes := ones(list, 60_000)
		if got := fit(&sizes, math.MaxInt/2).keep[list]; got != floor {
			t.Errorf("list %d keeps %d bytes in any case, want %d", list, got, floor)
		}
		sizes = ones(list, floor)
		if got := fit(&sizes, math.MaxInt/2).keep[list]; got < floor {
			t.Errorf("list %d keeps %d of the %d bytes it has in any case", list, got, floor)
		}
		sizes = ones(list, 30_000)
		if got := fit(&sizes, 1).keep[list]; got != 29_999 {
			t.Errorf("list %d keeps %d of 30,000 bytes where one is too many", list, got)
		}
		if got := fit(&sizes, 0).keep[list]; got != math.MaxInt {
			t.Errorf("list %d is cut to %d without need", list, got)
		}
	}
	sizes := ones(listCommands, 60_000)
	if got := fit(&sizes, 0).keep[listCommands]; got != 48<<10 {
		t.Errorf("commands keep %d bytes, want %d", got, 48<<10)
	}
	var all [lists][]int
	for list := range all {
		all[list] = slices.Repeat([]int{1}, 10_000)
	}
	p := fit(&all, 10_000)
	if p.keep[listDwell] != 512 || p.keep[listClaims] != 9488 || p.keep[listSensors] != math.MaxInt || p.keep[listNetwork] != math.MaxInt || p.keep[listCommands] != math.MaxInt {
		t.Errorf("10,000 bytes too many leave %v", p.keep)
	}
	// What is left beside a state, and beside the largest: of 496 KiB the base64
	// of 12,320 bytes of ids and of the state, and 12 bytes around it.
	for size, want := range map[int]int{0: 491_464, 1: 491_464, 2: 491_460, 30_000: 451_464} {
		if got := room(size); got != want {
			t.Errorf("beside a state of %d bytes there are %d left, want %d", size, got, want)
		}
	}
	if documentBudget != 496<<10 || commandBudget != 48<<10 {
		t.Errorf("a document takes %d bytes, its commands %d", documentBudget, commandBudget)
	}
}

// Each fact that risk is judged by is the figure of that name.
func TestEveryFactHasItsOwnSource(t *testing.T) {
	s := new(state.Attacker)
	s.Events, s.Kinds, s.Handshake = 101, [3]int64{event.Noise: 102, event.Scan: 103, event.Interaction: 104}, true
	s.Attempts, s.Successes, s.CommandCount, s.Large, s.Retransmits = 105, 106, 107, 108, 109
	fill := func(list *law.Bottom, n int, suffix string, rank uint8) {
		for i := range n {
			list.Add(law.Entry{Key: fmt.Sprint("key", i, suffix), Rank: rank, Count: 1, First: moment(1), Last: moment(2)}, large)
		}
	}
	fill(&s.Services, 2, "", 1)
	fill(&s.Deckies, 3, "", 0)
	fill(&s.Credentials, 4, "\x00\x00", 0)
	fill(&s.Fingerprints, 5, "\x00", 0)
	fill(&s.Leaks, 6, "\x00\x00", 0)
	fill(&s.Artifacts, 7, "\x00\x00file", 0)
	fill(&s.Artifacts, 4, "\x00\x00url", 0)
	fill(&s.Artifacts, 8, "\x00\x00mail", 0)
	fill(&s.Alerts, 9, "\x00worst", 255-1)
	fill(&s.Alerts, 10, "\x00bad", 255-2)
	for i := range 12 {
		s.Domains.Add(fmt.Sprint(i), 100)
	}
	for i := range 13 {
		s.Sessions.Add(fmt.Sprint(i), 100)
	}
	s.FirstSuccess, s.FirstCommand = moment(1), moment(2)
	s.Commands.Add(law.Item{Time: moment(3), C: "id"}, large)
	s.Times = times(moment(7200), slices.Repeat([]float64{1}, 511)...)
	overflow(t, &s.Times)
	for range 86400 {
		s.Hours.Add(moment(7200), 24)
	}
	want := map[string]int64{
		"hands_on": 1, "login_successes": 106, "login_attempts": 105, "commands": 107, "files": 11, "mails": 8, "smtp_domains": 12,
		"credentials": 4, "deckies": 3, "services": 2, "interactions": 104, "events": 103 + 104, "large_payloads": 108, "worst_alerts": 9,
		"alerts": 19, "claims": 6, "strobe": 1,
	}
	judge := func(fact string, s *state.Attacker) []any {
		s.Handshake = s.Handshake || fact != "unproven" // of what nothing proves there is one fact
		risk := fmt.Sprintf(riskOf(`{"id":"x","fact":%q,"weight":50,"text":"{n}"}`), fact)
		r := renderer(t, Options{Rules: rulesWith(t, risk)})
		reasons, _ := at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "risk.reasons").([]any)
		return reasons
	}
	for fact, n := range want {
		reasons := judge(fact, s)
		if len(reasons) != 1 || reasons[0].(map[string]any)["reason"] != fmt.Sprint(n) {
			t.Errorf("%s: %v, want %d", fact, reasons, n)
		}
		if reasons := judge(fact, new(state.Attacker)); len(reasons) != 0 {
			t.Errorf("%s of nobody: %v", fact, reasons)
		}
	}
	// The rules' own list of facts is in the error about one that is none.
	_, err := rules.New(rules.Options{Risk: write(t, riskOf(`{"id":"x","fact":"none","weight":1,"text":"x"}`))})
	_, list, ok := strings.Cut(fmt.Sprint(err), "facts are ")
	if !ok {
		t.Fatalf("a fact that is none: %v", err)
	}
	for fact := range strings.SplitSeq(strings.TrimSpace(list), ", ") {
		if _, known := want[fact]; !known && !slices.Contains([]string{"shell_commands", "inferred", "unproven", "internal", "person"}, fact) {
			t.Errorf("nothing says where the fact %q comes from", fact)
		}
	}
	// What can't be so of the same attacker.
	inside := new(state.Attacker)
	inside.Attempts, inside.CommandCount, inside.FirstCommand = 2, 3, moment(1)
	inside.Services.Add(law.Entry{Key: "telnet", Rank: uint8(event.Interaction), Count: 1, First: moment(1), Last: moment(2)}, large)
	if reasons := judge("shell_commands", inside); len(reasons) != 1 || reasons[0].(map[string]any)["reason"] != "3" {
		t.Errorf("three commands in a shell: %v", reasons)
	}
	if reasons := judge("inferred", inside); len(reasons) != 1 {
		t.Errorf("commands in a shell infer no login: %v", reasons)
	}
	if inside.Successes = 1; len(judge("inferred", inside)) != 0 {
		t.Error("a login that a sensor tells of is inferred")
	}
	packets := new(state.Attacker)
	packets.Claimed.Services.Add(law.Entry{Key: "portscan", Count: 9, First: moment(1), Last: moment(2)}, large)
	packets.Claimed.Services.Add(law.Entry{Key: "sip", Count: 7, First: moment(1), Last: moment(2)}, large)
	if reasons := judge("unproven", packets); len(reasons) != 1 || reasons[0].(map[string]any)["reason"] != "7" {
		t.Errorf("requests that nothing proves: %v", reasons)
	}
	packets.Claimed.Services.Add(law.Entry{Key: "portscan", Count: 1, First: moment(1), Last: moment(2)}, large)
	if reasons := judge("unproven", packets); len(reasons) != 1 || reasons[0].(map[string]any)["reason"] != "17" {
		t.Errorf("a sweep that nothing proves: %v", reasons)
	}
	if packets.Handshake = true; len(judge("unproven", packets)) != 0 {
		t.Error("what is claimed of an address counts where something is proven")
	}
	of := renderer(t, Options{Rules: rulesWith(t, riskOf(`{"id":"x","fact":"internal","weight":50,"text":"{n}"}`))})
	for address, want := range map[string]int{"10.1.2.3": 1, "185.220.101.4": 0} {
		head := headOf(netip.MustParseAddr(address))
		if reasons, _ := at(decode(t, of.AppendAttacker(nil, head, &state.Attacker{Handshake: true})), "risk.reasons").([]any); len(reasons) != want {
			t.Errorf("%s: internal is %v", address, reasons)
		}
	}
	// A beacon is no strobe.
	s = new(state.Attacker)
	s.Times = times(moment(0), 60, 60, 60, 60)
	if reasons := judge("strobe", s); len(reasons) != 0 {
		t.Errorf("five contacts are a strobe: %v", reasons)
	}
}

// Whoever has the beat of a tool is like it, and named by what else it shows; the
// beat has no part in the risk.
func TestBeatAloneRaisesNoRisk(t *testing.T) {
	r := renderer(t, Options{})
	// Mean 60 s, coefficient of variation 0.2: the beat of Cobalt Strike.
	beat := []float64{48, 72, 48, 72, 48, 72, 48, 72}
	for _, c := range []struct {
		name           string
		services       []string
		tool, system   string
		class          string
		tools, reasons string
	}{
		{"a beacon", []string{"https"}, "", "", "beaconing", "<nil>", ""},
		{"a slow scan with that beat", []string{"https", "ssh"}, "", "", "slow_scan", "<nil>", ""},
		{"one that says who it is", []string{"https", "ssh"}, "mythic", "", "slow_scan", "[mythic]", "control_tool [mythic]"},
		{"nmap by its packets", []string{"https", "ssh"}, "", "nmap", "slow_scan", "[nmap]", "scanner [nmap]"},
		{"nmap by packets that anybody can send", []string{"https"}, "", "nmap claimed", "beaconing", "<nil>", ""},
	} {
		s := new(state.Attacker)
		s.Events, s.Times, s.Handshake = 9, times(moment(0), beat...), true
		for _, service := range c.services {
			s.Services.Add(law.Entry{Key: service, Rank: uint8(event.Scan)}, large)
		}
		if c.tool != "" {
			s.Tools.Add(law.Entry{Key: c.tool, Payload: "user agent"}, large)
		}
		if c.system != "" {
			s.SystemGuesses.Add(law.Entry{Key: strings.TrimSuffix(c.system, " claimed"), Count: 1, Rank: map[bool]uint8{false: 1}[strings.HasSuffix(c.system, " claimed")]}, large)
		}
		m := decode(t, r.AppendAttacker(nil, headOf(someone), s))
		var reasons []string
		list, _ := at(m, "risk.reasons").([]any)
		for _, reason := range list {
			if reason := reason.(map[string]any); slices.Contains([]string{"control_tool", "scanner"}, reason["id"].(string)) {
				reasons = append(reasons, fmt.Sprint(reason["id"], " ", reason["evidence"]))
			}
		}
		if got := fmt.Sprint(at(m, "behavior.cadence_like")); got != "[cobalt_strike]" {
			t.Errorf("%s: the beat is like %s", c.name, got)
		}
		if got := at(m, "behavior.class"); got != c.class {
			t.Errorf("%s: class %v, want %s", c.name, got, c.class)
		}
		if got := fmt.Sprint(at(m, "behavior.tools")); got != c.tools {
			t.Errorf("%s: tools %s, want %s", c.name, got, c.tools)
		}
		if got := strings.Join(reasons, "; "); got != c.reasons {
			t.Errorf("%s: reasons %q, want %q", c.name, got, c.reasons)
		}
	}
}

// What is judged is judged anew when the state changes, and for another
// address.
func TestJudgementIsNotOutOfDate(t *testing.T) {
	r := renderer(t, Options{})
	scans := func(service string, start int64) (events []*event.Event) {
		for i := range int64(4) {
			events = append(events, &event.Event{Proof: event.ByConnection, Time: moment(start + 20*i), Addr: someone, Service: service, Kind: event.Scan})
		}
		return events
	}
	s := new(state.Attacker)
	s.Fold(new(event.Arena), "", false, scans("ssh", 0))
	class := func(addr netip.Addr) string {
		m := decode(t, r.AppendAttacker(nil, headOf(addr), s))
		return fmt.Sprint(at(m, "behavior.class"), " ", at(m, "threat.technique.id"))
	}
	private := netip.MustParseAddr("10.1.2.3")
	if got := class(someone); got != "beaconing <nil>" {
		t.Errorf("one service: %s", got)
	}
	s.Fold(new(event.Arena), "", false, scans("http", 1000))
	if got := class(someone); got != "slow_scan [T1595.001]" {
		t.Errorf("two services: %s", got)
	}
	if got := class(private); got != "slow_scan [T1046]" {
		t.Errorf("from a private address: %s", got)
	}
	if got := class(someone); got != "slow_scan [T1595.001]" {
		t.Errorf("two services, once more: %s", got)
	}
	other := new(state.Attacker)
	other.Fold(new(event.Arena), "", false, scans("ssh", 0)[:2])
	if got := at(decode(t, r.AppendAttacker(nil, headOf(someone), other)), "behavior.class"); got != "unknown" {
		t.Errorf("another attacker: %v", got)
	}
}

// The description counts in one and many, and passes over what there is none
// of.
func TestDescription(t *testing.T) {
	r := renderer(t, Options{})
	fill := func(list *law.Bottom, n int64) {
		for i := range n {
			list.Add(law.Entry{Key: fmt.Sprint(i, "\x00\x00"), Count: 1}, large)
		}
	}
	for _, c := range []struct {
		events, services, deckies, attempts, successes, commands, files int64
		want                                                            string
	}{
		{0, 0, 0, 0, 0, 0, 0, "0 events on 0 services of 0 decoys"},
		{1, 1, 1, 1, 1, 1, 1, "1 event on 1 service of 1 decoy, 1 login attempt (1 successful), 1 command, 1 file"},
		{2, 3, 4, 5, 6, 7, 8, "2 events on 3 services of 4 decoys, 5 login attempts (6 successful), 7 commands, 8 files"},
		{2, 2, 2, 2, 0, 0, 0, "2 events on 2 services of 2 decoys, 2 login attempts"},
		{2, 2, 2, 0, 0, 2, 0, "2 events on 2 services of 2 decoys, 2 commands"},
		{2, 2, 2, 0, 0, 0, 2, "2 events on 2 services of 2 decoys, 2 files"},
	} {
		s := new(state.Attacker)
		s.Events, s.Attempts, s.Successes, s.CommandCount = c.events, c.attempts, c.successes, c.commands
		fill(&s.Services, c.services)
		fill(&s.Deckies, c.deckies)
		fill(&s.Artifacts, c.files)
		want := "185.220.101.4 is behind packets without a connection; " + c.want
		if got := at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "threat.indicator.description"); got != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
	}
}

// What is shown from some value on is shown from there, not before.
func TestShownFromWhere(t *testing.T) {
	r := renderer(t, Options{})
	domains := func(n int) func(*state.Attacker) {
		return func(s *state.Attacker) {
			for i := range n {
				s.Domains.Add(fmt.Sprint(i), 5000)
			}
		}
	}
	phase := func(recon, exfil event.Time, large int64) func(*state.Attacker) {
		return func(s *state.Attacker) { s.Recon, s.Exfil, s.Large = recon, exfil, large }
	}
	deckies := func(n int) func(*state.Attacker) {
		return func(s *state.Attacker) {
			for i := range n {
				s.Events++
				s.Deckies.Add(law.Entry{Key: fmt.Sprint("d", i), First: moment(int64(i)), Last: moment(int64(i))}, large)
				s.Hops.Add(law.Item{Time: moment(int64(i)), A: fmt.Sprint("d", i), B: "ssh"}, large)
			}
		}
	}
	line := func(text string) func(*state.Attacker) {
		return func(s *state.Attacker) { s.Commands.Add(law.Item{Time: moment(1), C: text}, large) }
	}
	ascii, umlauts := strings.Repeat("x", 1024), strings.Repeat("ä", 1024)
	certificate := func(value string) func(*state.Attacker) {
		return func(s *state.Attacker) { s.Fingerprints.Add(law.Entry{Key: "tls_certificate\x00" + value}, large) }
	}
	for _, c := range []struct {
		name  string
		set   func(*state.Attacker)
		field string
		want  string
	}{
		{"no length of a session", func(s *state.Attacker) {}, "session_longest_s", "<nil>"},
		{"a session of a millisecond", func(s *state.Attacker) { s.LongestSession = 1 }, "session_longest_s", "0.001"},
		{"no mail domain", func(s *state.Attacker) {}, "smtp_domain_count", "<nil>"},
		{"one mail domain", domains(1), "smtp_domain_count", "1"},
		{"as many mail domains as have documents", domains(2000), "smtp_domains_dropped", "<nil>"},
		{"one more", domains(2001), "smtp_domains_dropped", "1"},
		{"no phase", phase(0, 0, 0), "behavior.phase", "<nil>"},
		{"large payloads alone", phase(0, 0, 1), "behavior.phase", "map[large_payload_count:1]"},
		{"recon alone", phase(moment(1), 0, 0), "behavior.phase", "map[large_payload_count:0 recon_end_ts:2026-03-04T00:00:01.000000Z]"},
		{"exfil alone", phase(0, moment(1), 0), "behavior.phase", "map[exfil_start_ts:2026-03-04T00:00:01.000000Z large_payload_count:0]"},
		{"exfil with recon's end", phase(moment(5), moment(5), 0), "behavior.phase.exfil_latency_s", "0"},
		{"exfil before recon's end", phase(moment(5), moment(5)-1, 0), "behavior.phase.exfil_latency_s", "<nil>"},
		{"exfil a millisecond later", phase(moment(5), moment(5)+1000, 0), "behavior.phase.exfil_latency_s", "0.001"},
		{"one decoy", deckies(1), "is_traversal", "false"},
		{"one decoy: path", deckies(1), "traversal_path", "<nil>"},
		{"one decoy: crossings", deckies(1), "transitions.traversal", "<nil>"},
		{"two decoys", deckies(2), "is_traversal", "true"},
		{"two decoys: path", deckies(2), "traversal_path", "d0 → d1"},
		{"two decoys: crossings", deckies(2), "transitions.traversal", "2026-03-04T00:00:01.000000Z"},
		{"a line as long as is indexed", line(ascii), "command.line", "[" + ascii + "]"},
		{"a longer one", line(ascii + "x"), "command.line", "<nil>"},
		{"as many characters of two bytes", line(umlauts), "command.line", "[" + umlauts + "]"},
		{"one character more", line(umlauts + "ä"), "command.line", "<nil>"},
		{"a line that may have been cut", line(strings.Repeat("x", 4096-9)), "truncated", "[commands]"},
		{"one that can't have been", line(strings.Repeat("x", 4096-10)), "truncated", "<nil>"},
		{"a digest of a certificate", certificate(strings.Repeat("a", 64)), "fingerprint.tls_cert_sha256", "[" + strings.Repeat("a", 64) + "]"},
		{"a shorter text", certificate(strings.Repeat("a", 63)), "fingerprint.tls_cert_sha256", "<nil>"},
		{"an alert of severity 1", func(s *state.Attacker) { s.Alerts.Add(law.Entry{Key: "a\x00", Rank: 254}, large) }, "alerts", "[map[count:0 severity:1 signature:a]]"},
		{"never proven", func(s *state.Attacker) {}, "spoofable", "true"},
		{"proven", func(s *state.Attacker) { s.Handshake = true }, "spoofable", "false"},
		{"an empty payload", func(s *state.Attacker) { s.Fingerprints.Add(law.Entry{Key: "ja3\x00x"}, large) }, "fingerprints", "[map[count:0 type:ja3 value:x]]"},
		{"a fingerprint of an empty value", func(s *state.Attacker) { s.Fingerprints.Add(law.Entry{Key: "ja3\x00"}, large) }, "fingerprint", "<nil>"},
		{"no events", func(s *state.Attacker) {}, "@timestamp", "<nil>"},
	} {
		s := new(state.Attacker)
		c.set(s)
		if got := fmt.Sprint(at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), c.field)); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.name, c.field, got, c.want)
		}
	}
	six := decode(t, r.AppendAttacker(nil, headOf(netip.MustParseAddr("2a00:1450::1")), new(state.Attacker)))
	if at(six, "threat.indicator.type") != "ipv6-addr" || at(six, "ip") != "2a00:1450::1" || at(six, "threat.indicator.ip") != "2a00:1450::1" {
		t.Errorf("an IPv6 address: %v", six)
	}
}

// A payload's names are the dialects' own, each once, at most 32 of at most 64
// characters; of a TCP/IP snapshot only numbers that are numbers.
func TestPayloadsAreBounded(t *testing.T) {
	r := renderer(t, Options{})
	long := strings.Repeat("n", 64)
	fields := []event.Field{{Key: long, Value: "1"}, {Key: long + "n", Value: "2"}, {Key: long, Value: "3"}, {Key: "", Value: "4"}, {Key: "a.b", Value: "5"}}
	for i := range 40 {
		fields = append(fields, event.Field{Key: fmt.Sprintf("Name_%d", i), Value: "v"})
	}
	s := new(state.Attacker)
	s.Artifacts.Add(law.Entry{Key: "ab\x00\x00file", Payload: state.EncodeFields(new(event.Arena), fields)}, large)
	s.Stack = law.Latest{Time: moment(1), Value: state.EncodeFields(new(event.Arena), []event.Field{
		{Key: "window", Value: " 7 "},
		{Key: "window", Value: "8"},
		{Key: "mss", Value: "many"},
		{Key: "has_sack", Value: "true"},
		{Key: "has_timestamps", Value: "yes"},
		{Key: "other", Value: "9"},
	})}
	m := decode(t, r.AppendAttacker(nil, headOf(someone), s))
	payload := at(m, "artifacts").([]any)[0].(map[string]any)["payload"].(map[string]any)
	if len(payload) != 32 || payload[long] != "1" || payload["Name_30"] != "v" || payload["Name_31"] != nil {
		t.Errorf("%d names: %v", len(payload), payload)
	}
	if got := fmt.Sprint(at(m, "behavior.tcp_fingerprint")); got != "map[has_sack:true has_timestamps:false window:7]" {
		t.Errorf("snapshot %s", got)
	}
}

// What of a secret is shown flat follows the option too.
func TestFlatSecrets(t *testing.T) {
	toor := strings.Repeat("d1", 32)
	for mode, want := range map[Secrets]string{
		Plain:  "[toor] [root:toor] map[count:1 first_seen:2026-03-04T00:00:01.000000Z last_seen:2026-03-04T00:00:02.000000Z outcome:success principal:root secret:toor secret_kind:plaintext secret_sha256:" + toor + " service:ssh]",
		Digest: "[" + toor + "] [root:" + toor + "] map[count:1 first_seen:2026-03-04T00:00:01.000000Z last_seen:2026-03-04T00:00:02.000000Z outcome:success principal:root secret_kind:plaintext secret_sha256:" + toor + " service:ssh]",
		Hidden: "<nil> <nil> map[count:1 first_seen:2026-03-04T00:00:01.000000Z last_seen:2026-03-04T00:00:02.000000Z outcome:success principal:root secret_kind:plaintext service:ssh]",
	} {
		r := renderer(t, Options{Secrets: mode})
		e := event.Evidence{A: "root", B: "plaintext", Digest: [32]byte(slices.Repeat([]byte{0xd1}, 32))}
		s := new(state.Attacker)
		s.Credentials.Add(law.Entry{Key: state.CredentialKey(new(event.Arena), "ssh", &e), Count: 1, First: moment(1), Last: moment(2), Rank: uint8(event.Success), Payload: "toor"}, large)
		m := decode(t, r.AppendAttacker(nil, headOf(someone), s))
		if got := fmt.Sprint(at(m, "credential.password"), at(m, "credential.pair"), at(m, "credentials").([]any)[0]); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("mode %d:\n got %s\nwant %s", mode, got, want)
		}
		hour := new(state.Activity)
		hour.Tried.Add(law.Entry{Key: s.Credentials.Keys()[0], Count: 1, Payload: "toor"}, large)
		m = decode(t, r.AppendActivity(nil, headOf(someone), moment(0), hour))
		tried := at(m, "credentials.tried").([]any)[0].(map[string]any)
		if (tried["secret"] == "toor") != (mode == Plain) || (tried["secret_sha256"] == toor) != (mode != Hidden) || len(tried) != map[Secrets]int{Plain: 7, Digest: 6, Hidden: 5}[mode] {
			t.Errorf("mode %d: an hour shows %v", mode, tried)
		}
	}
}

// From how much on a campaign key is made.
func TestCampaignBounds(t *testing.T) {
	r := renderer(t, Options{})
	kinds := func(set func(s *state.Attacker)) string {
		s := new(state.Attacker)
		set(s)
		list, _ := at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "campaign.keys").([]any)
		var names []string
		for _, k := range list {
			name, _, _ := strings.Cut(k.(string), ":")
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	commands := func(s *state.Attacker, programs ...string) {
		for i, p := range programs {
			s.Commands.Add(law.Item{Time: moment(int64(i + 1)), C: p}, large)
		}
	}
	logins := func(s *state.Attacker, n int) {
		for i := range n {
			s.Credentials.Add(law.Entry{Key: fmt.Sprintf("ssh\x00root\x00plaintext\x00%032d", i)}, large)
		}
	}
	client := func(s *state.Attacker, kind string) { s.Fingerprints.Add(law.Entry{Key: kind + "\x00x"}, large) }
	for _, c := range []struct {
		name string
		set  func(s *state.Attacker)
		want string
	}{
		{"two credentials", func(s *state.Attacker) { logins(s, 2) }, ""},
		{"three credentials", func(s *state.Attacker) { logins(s, 3) }, "credentials"},
		{"one pair on three services", func(s *state.Attacker) {
			for _, service := range []string{"ssh", "ftp", "http"} {
				s.Credentials.Add(law.Entry{Key: service + "\x00root\x00plaintext\x00digest"}, large)
			}
		}, ""},
		{"two programs with HASSH", func(s *state.Attacker) { client(s, "hassh"); commands(s, "a", "b") }, ""},
		{"three programs with HASSH", func(s *state.Attacker) { client(s, "hassh"); commands(s, "a", "b", "c") }, "toolchain"},
		{"three programs with a banner", func(s *state.Attacker) { client(s, "ssh_client_banner"); commands(s, "a", "b", "c") }, "toolchain"},
		{"three programs with a JA3", func(s *state.Attacker) { client(s, "ja3"); commands(s, "a", "b", "c") }, ""},
		{"four programs alone", func(s *state.Attacker) { commands(s, "a", "b", "c", "d") }, ""},
		{"five programs alone", func(s *state.Attacker) { commands(s, "a", "b", "c", "d", "e") }, "toolchain"},
		{"five runs of one program", func(s *state.Attacker) { commands(s, "a", "a", "a 1", "a 2", "a 3") }, ""},
		{"a file", func(s *state.Attacker) { s.Artifacts.Add(law.Entry{Key: "ab\x00\x00file"}, large) }, "payload"},
		{"two files", func(s *state.Attacker) {
			s.Artifacts.Add(law.Entry{Key: "ab\x00\x00file"}, large)
			s.Artifacts.Add(law.Entry{Key: "cd\x00\x00file"}, large)
		}, "payload payload"},
		{"a file under two URLs", func(s *state.Attacker) {
			s.Artifacts.Add(law.Entry{Key: "ab\x00u\x00file"}, large)
			s.Artifacts.Add(law.Entry{Key: "ab\x00v\x00file"}, large)
		}, "payload"},
		{"a URL without a file", func(s *state.Attacker) { s.Artifacts.Add(law.Entry{Key: "\x00u\x00url"}, large) }, ""},
		{"a mail", func(s *state.Attacker) { s.Artifacts.Add(law.Entry{Key: "ab\x00\x00mail"}, large) }, ""},
	} {
		if got := kinds(c.set); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// HASSH goes before the banner.
	both := func(kind string) string {
		s := new(state.Attacker)
		client(s, kind)
		if kind == "hassh" {
			s.Fingerprints.Add(law.Entry{Key: "ssh_client_banner\x00y"}, large)
		}
		commands(s, "a", "b", "c")
		return fmt.Sprint(at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "campaign.toolchain"))
	}
	if a, b := both("hassh"), both("ssh_client_banner"); a != b {
		t.Errorf("of the client x: %s by its HASSH, %s by its banner", a, b)
	}
}

// A heartbeat without errors, reasons and a version says nothing of them, and a
// long error is cut between characters.
func TestHeartbeatBounds(t *testing.T) {
	m := decode(t, AppendSensor(nil, written, &Heartbeat{Sensor: "s", LastErrorAt: written}))
	for _, name := range []string{"version", "reasons", "dropped_programs", "last_error", "last_error_at"} {
		if v := m[name]; v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
	for text, want := range map[string]string{
		strings.Repeat("x", 1024):       strings.Repeat("x", 1024),
		strings.Repeat("x", 1025):       strings.Repeat("x", 1024),
		strings.Repeat("x", 1023) + "ä": strings.Repeat("x", 1023),
	} {
		got, _ := decode(t, AppendSensor(nil, written, &Heartbeat{LastError: text}))["last_error"].(string)
		if got != want || !utf8.ValidString(got) {
			t.Errorf("an error of %d bytes is shown as %d, want %d", len(text), len(got), len(want))
		}
	}
}

// A transition says nothing of what there isn't.
func TestTransitionOfLittle(t *testing.T) {
	r := renderer(t, Options{})
	s := new(state.Attacker)
	s.Deckies.Add(law.Entry{Key: "one"}, large)
	m := decode(t, r.AppendTransition(nil, headOf(someone), state.Transition{Action: Observed, Time: moment(1)}, s))
	for _, name := range []string{"transition", "traversal_path", "behavior.tools", "threat", "first_seen"} {
		if v := at(m, name); v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
	if at(m, "spoofable") != true || at(m, "is_traversal") != false || at(m, "risk.level") != "Unknown" {
		t.Errorf("%v", m)
	}
}

// Which lines are crossed hangs on the class and the level, each at its
// boundary.
func TestCrossings(t *testing.T) {
	for score, want := range map[string]string{
		"19.99": "observed looking", "20": "observed looking Low", "39.99": "observed looking Low", "40": "observed looking Low Moderate", "69.99": "observed looking Low Moderate",
		"70": "observed looking Low Moderate High", "89.99": "observed looking Low Moderate High", "90": "observed looking Low Moderate High Critical",
	} {
		// Looking begins at the score, and what moves it in its band is too small to be seen.
		file := strings.NewReplacer(`"from":20,"to":40`, `"from":`+score+`,"to":91`, `"from":40,"to":60`, `"from":91,"to":92`, `"from":60,"to":80`, `"from":92,"to":93`,
			`"from":80,"to":100`, `"from":93,"to":94`, `"announced":20`, `"announced":5`).Replace(riskOf(`{"id":"x","fact":"events","stage":"looking","weight":0.001,"text":"x"}`))
		r := renderer(t, Options{Rules: rulesWith(t, file)})
		s := new(state.Attacker)
		s.Events, s.Kinds[event.Scan], s.First, s.Last, s.Handshake = 1, 1, moment(1), moment(2), true
		var got []string
		for _, crossed := range r.Transitions(nil, headOf(someone), s) {
			if crossed.Action == Observed {
				got = append(got, "observed")
			} else {
				got = append(got, crossed.Value)
			}
			if at := map[bool]event.Time{true: moment(1), false: moment(2)}[crossed.Action == Observed || crossed.Action == StageReached]; crossed.Time != at {
				t.Errorf("score %s: %s is dated %d, want %d", score, crossed.Action, crossed.Time, at)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("score %s: crossed %v, want %s", score, got, want)
		}
	}
}

// Each field's type, written down a second time: docs/profile.md and the
// mappings are both made of fields.go. What is not named is a keyword.
func TestTypesOfFields(t *testing.T) {
	types := map[Kind]map[Type]string{
		Attackers: {
			IP: "ip related.ip threat.indicator.ip indicator.ip",
			Date: "@timestamp first_seen last_seen updated_at behavior.phase.recon_end_ts behavior.phase.exfil_start_ts " +
				"claimed.first_seen claimed.last_seen threat.indicator.first_seen threat.indicator.last_seen threat.indicator.modified_at " +
				"risk.since.looking risk.since.attempting risk.since.inside risk.since.acting",
			Long: "claimed.event_count claimed.command_count claimed.login_attempts claimed.login_successes event_count command_count credential_count login_attempts login_successes bounty_count session_count behavior.phase.large_payload_count " +
				"behavior.retransmit_count service_guessed smtp_domain_count smtp_domains_dropped asn threat.indicator.sightings threat.indicator.as.number",
			Integer: "service_count port_count decky_count indicator_count behavior.hop_distance behavior.pauses.count behavior.pauses.corrected schema_version",
			Float: "session_longest_s behavior.timing.event_count behavior.timing.duration_s behavior.timing.mean_iat_s behavior.timing.median_iat_s " +
				"behavior.timing.stdev_iat_s behavior.timing.min_iat_s behavior.timing.max_iat_s behavior.timing.cv behavior.beacon.interval_s " +
				"behavior.beacon.jitter_pct behavior.beacon.score behavior.beacon.ts_score behavior.beacon.hist_score behavior.beacon.dur_score " +
				"behavior.phase.exfil_latency_s behavior.pauses.median_s behavior.pauses.min_s behavior.pauses.max_s risk.score risk.base risk.half_life_d",
			Boolean:  "is_traversal spoofable login_inferred behavior.beacon.strobe",
			GeoPoint: "threat.indicator.geo.location",
			IPRange:  "cidr as_cidr",
			Binary:   "state",
			Object: "claimed.evidence claimed.commands indicators forwards hops movement.edges movement.dwell ports commands credentials fingerprints artifacts ip_leaks alerts behavior.tool_evidence " +
				"behavior.conclusions behavior.profile_evidence behavior.technique_evidence behavior.tcp_fingerprint risk.reasons transitions",
		},
		Targets: {
			IP: "ip", Date: "@timestamp first_seen last_seen updated_at", Long: "count rcpt_accepted_count rcpt_denied_count message_count",
			Integer: "schema_version", Binary: "state", IPRange: "cidr",
		},
		Indicators: {
			IP: "threat.indicator.ip related.ip", Boolean: "published", Integer: "schema_version", Binary: "state",
			Date: "@timestamp first_seen last_seen updated_at threat.indicator.first_seen threat.indicator.last_seen threat.indicator.modified_at",
			Long: "count claimed_count contact_count attacker_count threat.indicator.url.port threat.indicator.sightings",
		},
		Activity: {
			IP: "source.ip", Date: "@timestamp updated_at", GeoPoint: "source.geo.location", Integer: "service_count port_count decky_count schema_version",
			Long: "source.as.number activity.events activity.interactions activity.scans activity.commands activity.login_attempts activity.login_successes " +
				"activity.recipients activity.claimed service_guessed event_count bounty_count credential_count asn",
			Float: "risk.score", Boolean: "is_traversal", Object: "commands", Nested: "credentials.tried ports", Binary: "state",
			IPRange: "cidr", OtherName: "ip sensors as_name country_name",
		},
		Transitions: {
			IP: "source.ip related.ip", Date: "@timestamp event.ingested first_seen last_seen", GeoPoint: "source.geo.location",
			Integer: "service_count decky_count schema_version", Boolean: "is_traversal spoofable", Float: "event.risk_score risk.score",
			IPRange: "cidr", OtherName: "ip sensors country_code country_name asn as_name",
			Long: "source.as.number event_count login_attempts login_successes command_count bounty_count",
		},
		Sensors: {
			Date: "@timestamp started_at last_error_at", Integer: "schema_version state_version", Object: "reasons ownerless_commands dropped_programs", Float: "records_per_second",
			Long: "lag_s records_in records_out chunks_in chunks_out chunks_skipped bytes_in documents_written unattributed unparsed dropped malformed dead_letters " +
				"conflicts retries clock_skew service_guessed gateway_events exactness_at_risk panics cache_documents cache_bytes",
		},
		Chunks: {Date: "@timestamp first_record", Binary: "state"},
	}
	for _, k := range Kinds() {
		want := map[string]Type{}
		for kind, names := range types[k] {
			for name := range strings.FieldsSeq(names) {
				want[name] = kind
			}
		}
		for _, f := range Fields(k) {
			w, named := want[f.Name]
			if !named {
				w = Keyword
			}
			if f.Type != w {
				t.Errorf("%s: %s is of type %s, want %s", k, f.Name, f.Type, w)
			}
			delete(want, f.Name)
			for _, member := range f.Members {
				w := Keyword
				switch member.Name {
				case "attempts", "successes", "count":
					w = Long
				case "port":
					w = Integer
				case "proven":
					w = Boolean
				case "first_seen", "last_seen":
					w = Date
				}
				if member.Type != w || f.Type != Nested {
					t.Errorf("%s: %s.%s is of type %s, want %s", k, f.Name, member.Name, member.Type, w)
				}
			}
		}
		for name := range want {
			t.Errorf("%s: there is no field %s", k, name)
		}
	}
}

// The bounds that docs/profile.md states, and those of its text that stand in
// the code too.
func TestDocumentedBounds(t *testing.T) {
	page := string(Markdown())
	for _, row := range []string{
		"| `services` | 128 | 4608 |", "| `ports` | – | 13440 |", "| `deckies` | 256 | 12288 |", "| `hops` | 128 | 7424 |", "| `commands` | 200 | 16384 |",
		"| `credentials` | 200 | 23552 |", "| `fingerprints` | – | 18432 |", "| `artifacts` | – | 10240 |", "| `ip_leaks` | – | 3456 |",
		"| `alerts` | 64 | 6144 |", "| `behavior.tool_evidence` | 64 | 3072 |", "| `behavior.technique_evidence` | 96 | 5120 |", "| `behavior.conclusions` | – | 24576 |",
		"| `behavior.kex_order` | 64 | 18432 |", "| `sensors` | 64 | 2560 |", "| `threat.indicator.ip` | 32 | 1700 |",
		"| `credentials.tried` | 128 | 13824 |",
		"| `claimed.services` | 32 | 2048 |", "| `claimed.deckies` | 64 | 3072 |", "| `claimed.evidence` | – | 10240 |",
		"| `claimed.commands` | 256 | 16384 |",
	} {
		if !strings.Contains(page, "\n"+row+"\n") {
			t.Errorf("docs/profile.md has no row %s", row)
		}
	}
	for _, text := range []string{
		fmt.Sprintf("can't be packed takes %d KiB at most", (state.MaxAttacker+1023)>>10),
		fmt.Sprintf("leaves of the document: %d KiB at the least", room(state.MaxAttacker)>>10),
	} {
		if !strings.Contains(page, text) {
			t.Errorf("docs/profile.md doesn't say %q", text)
		}
	}
	for _, row := range []string{
		"| `@timestamp` | date, ECS | max | every event but those of our own prober | Same as `last_seen`. |",
		"| `services` | keyword[] | set, 128 | events of decoy services | Services touched, proven or claimed, sorted. Helper programs count as the service they belong to; observers are no service. |",
		"| `movement.edges` | object[], not indexed | derived from the state | `hops` | Moves between decoys: {from, to, first, count}, by time of the first. |",
		"| `related.ip` | ip[], ECS | derived from the state | `ip`, `ip_leaks` | The addresses of the document, public claims included. |",
		"| `credentials.tried.successes` | long | sum, exact | login events | How often a decoy let it in. |",
	} {
		if !strings.Contains(page, "\n"+row+"\n") {
			t.Errorf("docs/profile.md has no row %s", row)
		}
	}
	for _, k := range Kinds() {
		id := map[Kind]string{
			Attackers: "the address in canonical form, or the CIDR text of an IPv6 network.", Targets: "`address|domain`.", Indicators: "the SHA-256 of kind, NUL and value, in hex.",
			Activity:    "`address|hour`. Months before 2015 and after 2099 go to `…-other`, and events more than 400 days older or a day newer than their record",
			Transitions: "`address|action|value`. What lies more than 400 days before or a day after the first record of the chunk",
			Sensors:     "the sensor's id.", Chunks: "the chunk's id in hex. The month is that of the chunk's first record; months before 2015 and after 2099, and chunks of stored logs, go to `…-other`.",
		}[k]
		name := map[Kind]string{
			Attackers: "attackers", Targets: "smtp-targets", Indicators: "indicators", Activity: "activity-YYYY.MM", Transitions: "transitions-YYYY.MM", Sensors: "sensors",
			Chunks: "chunks-YYYY.MM",
		}[k]
		if !strings.Contains(page, "## `<prefix>-"+name+"`\n\n`_id` is "+id) {
			t.Errorf("docs/profile.md doesn't say that the _id in %s is %s", name, id)
		}
	}
	// How often a field holds several is said of each; what a cap is, where
	// there is one, is that of the state.
	caps := map[string]law.Limit{
		"services": state.LimitServices, "deckies": state.LimitDeckies, "hops": state.LimitHops, "commands": state.LimitCommands,
		"credentials": state.LimitCredentials,
		"alerts":      state.LimitAlerts, "behavior.tool_evidence": state.LimitTools, "behavior.tools": state.LimitTools,
		"behavior.technique_evidence": state.LimitTechniques, "threat.technique.id": state.LimitTechniques, "behavior.kex_order": state.LimitKexOrders,
		"sensors": state.LimitSensors, "threat.indicator.ip": state.LimitNetwork,
	}
	digits := regexp.MustCompile(`\d+`)
	for _, f := range Fields(Attackers) {
		if limit, ok := caps[f.Name]; ok {
			if n := digits.FindString(f.Law); n != fmt.Sprint(limit.Keys) {
				t.Errorf("%s: its law says %q, %d are kept", f.Name, f.Law, limit.Keys)
			}
		}
	}
}

// The templates pass on what is asked for, at each bound.
func TestTemplatesPassOnWhatIsAskedFor(t *testing.T) {
	templates, err := Templates(TemplateOptions{Prefix: "p", Shards: 3, Replicas: new(2), RefreshInterval: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range templates {
		var body struct {
			Settings struct{ Index map[string]any }
			Mappings struct {
				Meta       Meta `json:"_meta"`
				Dynamic    bool
				Properties map[string]any
			}
		}
		if err := json.Unmarshal(template.Body, &body); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"number_of_shards": 3.0, "number_of_replicas": "2", "refresh_interval": "30s", "translog.durability": "request"}
		if index := body.Settings.Index; !reflect.DeepEqual(index, want) {
			t.Errorf("%s: settings %v, want %v", template.Name, index, want)
		}
		if body.Mappings.Meta.Product != "dossier" || body.Mappings.Meta.Kind != template.Kind.String() || fmt.Sprint(body.Mappings.Meta.SchemaVersion) != schemaText || body.Mappings.Dynamic {
			t.Errorf("%s: %+v", template.Name, body)
		}
		if property, _ := at(body.Mappings.Properties, "uuid").(map[string]any); property != nil && property["ignore_above"] != 1024.0 {
			t.Errorf("%s: uuid is %v", template.Name, property)
		}
	}
	hundred := "p" + strings.Repeat("x", 99)
	for _, o := range []TemplateOptions{
		{Prefix: hundred},
		{Prefix: "0._-"},
		{Prefix: "logsx"},
		{Prefix: "logs_x-y"},
		{Shards: 1},
		{Shards: 64},
		{Replicas: new(0)},
		{Replicas: new(5)},
		{RefreshInterval: 100 * time.Millisecond},
		{RefreshInterval: 10 * time.Minute},
		{IPv6Prefix: 16},
		{IPv6Prefix: 128},
	} {
		if _, err := Templates(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []TemplateOptions{
		{Prefix: hundred + "x"},
		{Prefix: ".p"},
		{Prefix: "p/q"},
		{Prefix: "logs"},
		{Prefix: "logs-"},
		{Prefix: "metrics-x"},
		{Prefix: "traces-x"},
		{Prefix: "synthetics-x"},
		{Shards: -1},
		{Shards: 65},
		{Prefix: "profiling-x"},
		{Replicas: new(6)},
		{Replicas: new(-1)},
		{RefreshInterval: -1},
		{RefreshInterval: 99 * time.Millisecond},
		{RefreshInterval: 10*time.Minute + 1},
		{IPv6Prefix: 15},
		{IPv6Prefix: 129},
		{IPv6Prefix: -1},
	} {
		if _, err := Templates(o); err == nil {
			t.Errorf("%+v: accepted", o)
		}
	}
}

// What is not said is the default, and each marking is taken in any case.
func TestDefaultsOfTheRenderer(t *testing.T) {
	m := decode(t, renderer(t, Options{}).AppendAttacker(nil, headOf(someone), numbered()))
	if at(m, "threat.indicator.marking.tlp") != "AMBER" || !strings.Contains(fmt.Sprint(at(m, "credential.password")), "toor") {
		t.Errorf("tlp %v, passwords %v", at(m, "threat.indicator.marking.tlp"), at(m, "credential.password"))
	}
	for _, tlp := range []string{"WHITE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"} {
		m := decode(t, renderer(t, Options{TLP: strings.ToLower(tlp)}).AppendAttacker(nil, headOf(someone), numbered()))
		if got := at(m, "threat.indicator.marking.tlp"); got != tlp {
			t.Errorf("%s is shown as %v", tlp, got)
		}
	}
	for _, name := range []string{"country_code", "asn", "ptr_record"} {
		if v := m[name]; v != nil {
			t.Errorf("nobody was asked, but %s is %v", name, v)
		}
	}
}

// Where a list had to leave something out, its count is an estimate of all that
// was seen, not of what is kept: in every document that shows it, and for the
// risk.
func TestCountsGoBeyondWhatIsKept(t *testing.T) {
	s := new(state.Attacker)
	s.Events, s.Handshake = 1, true
	const seen, kept = 3000, 100
	few := law.Limit{Keys: kept}
	for i := range seen {
		for _, list := range []*law.Bottom{&s.Services, &s.Deckies, &s.Credentials, &s.Fingerprints, &s.Artifacts, &s.Leaks, &s.Alerts} {
			list.Add(law.Entry{Key: fmt.Sprint(i, "\x00\x00\x00"), Count: 1, Rank: uint8(event.Scan)}, few)
		}
		s.Sessions.Add(fmt.Sprint(i), kept)
		s.Domains.Add(fmt.Sprint(i), kept)
	}
	r := renderer(t, Options{})
	// A tenth of them is the standard error of an estimate from 100 keys.
	about := func(doc map[string]any, field string, n float64) {
		t.Helper()
		if got, _ := at(doc, field).(float64); got < 0.6*n || got > 1.4*n {
			t.Errorf("%s is %v, want about %v", field, at(doc, field), n)
		}
	}
	head := headOf(someone)
	attacker := decode(t, r.AppendAttacker(nil, head, s))
	for _, field := range []string{"service_count", "decky_count", "credential_count", "session_count", "smtp_domain_count"} {
		about(attacker, field, seen)
	}
	about(attacker, "bounty_count", 4*seen)
	transition := decode(t, r.AppendTransition(nil, head, state.Transition{Action: Observed, Time: moment(1)}, s))
	hour := new(state.Activity)
	hour.Summary.Add(1, string(r.AppendSummary(nil, head, s)))
	activity := decode(t, r.AppendActivity(nil, head, moment(0), hour))
	for _, field := range []string{"service_count", "decky_count"} {
		about(transition, field, seen)
		about(activity, field, seen)
	}
	about(activity, "credential_count", seen)
	about(activity, "bounty_count", 4*seen)
	about(transition, "bounty_count", 4*seen)
	for _, word := range []string{"services", "decoys", "files"} {
		found := regexp.MustCompile(`(\d+) ` + word).FindStringSubmatch(fmt.Sprint(at(attacker, "threat.indicator.description")))
		if len(found) != 2 || len(found[1]) != 4 {
			t.Errorf("the description counts %v, want about %d", found, seen)
		}
	}
	s.Handshake = true // of what nothing proves no act counts
	for _, fact := range []string{"services", "deckies", "credentials", "alerts", "claims", "smtp_domains"} {
		risk := fmt.Sprintf(riskOf(`{"id":"x","fact":%q,"at_least":1800,"weight":50,"text":"{n}"}`), fact)
		of := renderer(t, Options{Rules: rulesWith(t, risk)})
		if reasons := at(decode(t, of.AppendAttacker(nil, head, s)), "risk.reasons"); reasons == nil {
			t.Errorf("risk is judged by the %s kept, not by those seen", fact)
		}
	}
}
