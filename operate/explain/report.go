package explain

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/profile"
)

// maxShown is how much of a value is shown, in bytes.
const maxShown = 200

// report writes what becomes of records.
type report struct {
	w                           io.Writer
	records, events, out, wrong int
	skewed                      int
	refused                     [dialect.ReasonCount]int
	// internal are the networks of scope internal; told says that the option
	// names them, and both scopes are shown.
	internal []netip.Prefix
	told     bool
}

// unread tells of a line that is no record.
func (r *report) unread(line int, why error) {
	r.wrong++
	var a event.Arena
	fmt.Fprintf(r.w, "line %d: not a record: %s\n", line, shown(&a, why.Error()))
}

// record tells what a record is read as.
func (r *report) record(line int, a *event.Arena, rec *event.Record, v dialect.Verdict, excluded, cut bool, ev *event.Event) {
	r.records++
	if cut || v.Cut {
		defer fmt.Fprintf(r.w, "    it is not whole: what is beyond %d fields, %d levels or names of %d bytes is left out\n", event.MaxFields, event.MaxDepth, event.MaxKey)
	}
	shape, decided := dialect.Basis(a, v)
	fmt.Fprintf(r.w, "line %d: read as %s%s: ", line, v.Dialect, fields(a, ", by ", shape))
	if v.Class() != dialect.Parsed {
		r.refused[v.Reason]++
		fmt.Fprintf(r.w, "no event, %s (%s)\n", v.Reason, v.Class())
		switch {
		case v.Program != "":
			fmt.Fprintf(r.w, "    decided by the program %s\n", shown(a, v.Program))
		case len(decided) > 0:
			fmt.Fprintf(r.w, "    decided by%s\n", fields(a, " ", decided))
		default:
			fmt.Fprintf(r.w, "    what is there: %s\n", dialect.Describe(rec))
		}
		return
	}
	if excluded {
		r.out++
		fmt.Fprintf(r.w, "no event, excluded: %s\n", ev.Addr)
		return
	}
	r.events++
	fmt.Fprintf(r.w, "event %s\n", ev.Type)
	fmt.Fprintf(r.w, "    attacker %s%s, decky %q, service %q, ", ev.Addr, r.scope(ev.Addr), ev.Decky, ev.Service)
	if ev.Port != 0 {
		fmt.Fprintf(r.w, "port %s, ", strings.TrimPrefix(fmt.Sprint(ev.Transport, "/", ev.Port), "/"))
	}
	fmt.Fprintf(r.w, "kind %s, time %s", ev.Kind, ev.Time.Time().Format("2006-01-02T15:04:05.000000Z"))
	if v.ClockSkew {
		r.skewed++
		fmt.Fprint(r.w, " (the record's)")
	}
	switch ev.Role {
	case event.Sniffer:
		fmt.Fprint(r.w, ", seen by an observer")
	case event.Prober:
		fmt.Fprint(r.w, ", from our own probe")
	case event.Contact:
		fmt.Fprint(r.w, ", the decoy opened the connection")
	}
	if ev.Role != event.Contact && ev.Role != event.Prober {
		fmt.Fprintf(r.w, ", address by %s", ev.Proof)
	}
	fmt.Fprintln(r.w)
	for i := range ev.Evidence {
		fmt.Fprintf(r.w, "    %s\n", evidence(a, &ev.Evidence[i]))
	}
}

// scope names where an address is, where that says something.
func (r *report) scope(addr netip.Addr) string {
	switch {
	case slices.ContainsFunc(r.internal, func(net netip.Prefix) bool { return net.Contains(addr) }):
		return " (" + profile.Internal + ")"
	case r.told:
		return " (" + profile.External + ")"
	}
	return ""
}

// sum tells what became of all.
func (r *report) sum() {
	fmt.Fprintf(r.w, "%d records, %d events", r.records, r.events)
	r.rest(r.out, r.skewed, func(v dialect.Reason) int64 { return int64(r.refused[v]) })
}

// result tells what became of the records that profiles were made of.
func (r *report) result(s correlate.Stats) {
	fmt.Fprintf(r.w, "RESULT %d records, %d events", s.Records, s.Events)
	r.rest(int(s.Excluded), int(s.ClockSkew), func(v dialect.Reason) int64 { return s.Refused[v] })
}

func (r *report) rest(excluded, skewed int, refused func(dialect.Reason) int64) {
	for _, v := range dialect.Reasons() {
		if n := refused(v); n > 0 {
			fmt.Fprintf(r.w, ", %s %d", v, n)
		}
	}
	for _, n := range []struct {
		what string
		n    int
	}{{"excluded", excluded}, {"clock_skew", skewed}, {"not a record", r.wrong}} {
		if n.n > 0 {
			fmt.Fprintf(r.w, ", %s %d", n.what, n.n)
		}
	}
	fmt.Fprintln(r.w)
}

// kinds names the kinds of evidence.
var kinds = map[event.EvidenceKind]string{
	event.Command: "command", event.Login: "login", event.Fingerprint: "fingerprint", event.Artifact: "artifact",
	event.Leak: "leaked address", event.Session: "session", event.Recipient: "mail domain", event.Message: "mail for domain",
	event.Stack: "TCP stack", event.Retransmits: "retransmissions", event.KexOrder: "key exchange order", event.Tool: "tool",
	event.Technique: "technique", event.Alert: "alert", event.Said: "said", event.Conclusion: "rule", event.Indicator: "indicator", event.Forward: "asked to pass on",
}

// evidence shows what an event shows, as it is kept.
func evidence(a *event.Arena, e *event.Evidence) string {
	name, ok := kinds[e.Kind]
	if !ok {
		name = fmt.Sprint("evidence ", e.Kind)
	}
	var b strings.Builder
	b.WriteString(name)
	if e.Kind == event.Said {
		// It may be a secret or anybody's mail address.
		fmt.Fprintf(&b, " %s, %d bytes", shown(a, e.B), len(e.A))
		return b.String()
	}
	for _, text := range []string{e.A, e.B, e.C} {
		if text != "" {
			b.WriteByte(' ')
			b.WriteString(shown(a, text))
		}
	}
	if e.Outcome != event.Unknown {
		b.WriteString(", " + e.Outcome.String())
	}
	if e.N != 0 {
		fmt.Fprintf(&b, ", %d", e.N)
	}
	b.WriteString(fields(a, ", with ", e.Payload))
	return b.String()
}

// fields shows some fields behind a word, nothing where there are none.
func fields(a *event.Arena, word string, fields []event.Field) string {
	const most = 12
	var b strings.Builder
	for i, f := range fields {
		if i == 0 {
			b.WriteString(word)
		} else {
			b.WriteString(", ")
		}
		if i == most {
			fmt.Fprintf(&b, "%d more", len(fields)-i)
			break
		}
		name, _ := a.Clean(f.Key, maxShown)
		b.WriteString(name + "=" + shown(a, f.Value))
	}
	return b.String()
}

// shown makes a text fit for a terminal.
func shown(a *event.Arena, text string) string {
	text, cut := a.Clean(text, maxShown)
	if cut {
		return `"` + text + `"…`
	}
	return `"` + text + `"`
}
