// Package export writes attackers for other programs: as they are (ndjson,
// csv), as threat intelligence (STIX 2.1, MISP), and as lists that a firewall
// takes (plain, nftables, ipset).
//
// Whatever the form, no address that isn't reached over the Internet, none of
// the operator's own networks and none that is excluded ever gets out. Whoever
// is benign by network, by name or by an analyst's word does where it is asked
// for. Lists that block leave out whom anybody could have put there.
package export

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dossier/analyst"
	"dossier/profile/enrich"
)

// Form is a form of output.
type Form string

// The forms.
const (
	NDJSON    Form = "ndjson"    // the documents, one a line
	CSV       Form = "csv"       // RFC 4180, the figures of each attacker
	STIX      Form = "stix"      // a STIX 2.1 bundle
	MISP      Form = "misp"      // a MISP event
	Blocklist Form = "blocklist" // an address a line
	NFTables  Form = "nftables"  // two sets, for nft -f
	IPSet     Form = "ipset"     // two sets, for ipset restore
)

// Forms returns the forms.
func Forms() []Form { return []Form{NDJSON, CSV, STIX, MISP, Blocklist, NFTables, IPSet} }

// Forever is an expiry that never comes.
const Forever time.Duration = -1

// Options say what gets out, and how.
type Options struct {
	Form Form
	// Now is when the export is made.
	Now time.Time
	// Expires is how long after its last event an entry ends, Forever for never.
	// Those that have ended are left out of all forms but NDJSON and CSV.
	Expires time.Duration
	// Excluded are networks that never get out.
	Excluded []netip.Prefix
	// Benign has those who are benign get out too; NoBenign leaves out all who
	// are, those included who only say so themselves.
	Benign, NoBenign bool
	// TLP is the marking of STIX and MISP; "" is that of the documents.
	TLP string
	// Prefix is the index prefix: it makes the ids of what is not an attacker.
	Prefix string
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if !slices.Contains(Forms(), o.Form) {
		var forms []string
		for _, f := range Forms() {
			forms = append(forms, string(f))
		}
		return fmt.Errorf("got form %q, want one of %s", string(o.Form), strings.Join(forms, ", "))
	}
	if o.Benign && o.NoBenign {
		return fmt.Errorf("benign attackers are asked for and left out at once; leave one")
	}
	return nil
}

// blocks says whether somebody blocks by the form.
func (f Form) blocks() bool { return f == Blocklist || f == NFTables || f == IPSet }

// expires says whether entries of the form end.
func (f Form) expires() bool { return f != NDJSON && f != CSV }

// Fields returns the fields of a profile that the form needs, nil for all.
func (f Form) Fields() []string {
	common := []string{
		"ip", "network", "uuid", "first_seen", "last_seen", "scope", "classification", "classification_basis", "spoofable", "actor",
		"risk.score", "risk.level", "risk.stage", "risk.confidence", "risk.half_life_d",
	}
	switch f {
	case NDJSON:
		return nil
	case CSV:
		return append(common, "event_count", "service_count", "services_interacted", "decky_count", "is_traversal", "command_count",
			"login_attempts", "login_successes", "behavior.class", "behavior.tools", "country_code", "country_name", "network_type", "asn", "as_name", "threat.technique.id")
	case STIX, MISP:
		return append(common, "threat", "behavior.class", "country_code", "asn", "as_name")
	default:
		return common
	}
}

// Verdict is why an attacker is left out, "" where it gets out.
type Verdict string

// Why attackers are left out.
const (
	Private  Verdict = "not on the Internet"
	Internal Verdict = "inside our networks"
	Excluded Verdict = "excluded"
	Benign   Verdict = "benign"
	Unproven Verdict = "anybody could have put it there"
	Expired  Verdict = "expired"
)

// Judge says whether an attacker gets out.
func (o Options) Judge(p *analyst.Profile) Verdict {
	n, err := p.Network()
	switch {
	case err != nil, !enrich.Routed(n.Addr()):
		return Private
	case p.Scope == "internal":
		return Internal
	case slices.ContainsFunc(o.Excluded, n.Overlaps):
		return Excluded
	case p.Class() == "benign" && !o.Benign && (o.NoBenign || known(p)):
		return Benign
	case o.Form.expires() && o.Expires != Forever && !o.Now.Before(o.end(p)):
		return Expired
	case (o.Form.blocks() || o.Form == STIX || o.Form == MISP) && p.Spoofable:
		return Unproven
	}
	return ""
}

// known says whether somebody is benign by more than his own word.
func known(p *analyst.Profile) bool {
	return p.Verdict != nil || p.Basis == "network" || p.Basis == "dns"
}

// end is when an entry ends.
func (o Options) end(p *analyst.Profile) time.Time { return p.LastSeen.Add(o.Expires) }

// writer writes one form.
type writer interface {
	begin() error
	add(p *analyst.Profile, n netip.Prefix) error
	end() error
}

// Writer writes an export: Add for each attacker, and Close.
type Writer struct {
	o       Options
	out     *bufio.Writer
	w       writer
	begun   bool
	Written int
	// LeftOut counts those that didn't get out, by why.
	LeftOut map[Verdict]int
}

// NewWriter returns a writer to w. Nothing is written before the first Add, or
// Close.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	out := &Writer{o: o, out: bufio.NewWriterSize(w, 64<<10), LeftOut: map[Verdict]int{}}
	switch o.Form {
	case NDJSON:
		out.w = &lines{out.out}
	case CSV:
		out.w = newCSV(out.out, o)
	case STIX:
		out.w = newSTIX(out.out, o)
	case MISP:
		out.w = newMISP(out.out, o)
	case Blocklist:
		out.w = &blocklist{out.out, o}
	case NFTables:
		out.w = &nftables{w: out.out, o: o}
	case IPSet:
		out.w = &ipset{w: out.out, o: o}
	}
	return out, nil
}

func (w *Writer) start() error {
	if w.begun {
		return nil
	}
	w.begun = true
	return w.w.begin()
}

// Add writes an attacker, unless it is left out.
func (w *Writer) Add(p *analyst.Profile) error {
	if why := w.o.Judge(p); why != "" {
		w.LeftOut[why]++
		return nil
	}
	n, err := p.Network()
	if err != nil {
		return err
	}
	if err := w.start(); err != nil {
		return err
	}
	w.Written++
	return w.w.add(p, n)
}

// Close writes what is left. It doesn't close what is below.
func (w *Writer) Close() error {
	if err := w.start(); err != nil {
		return err
	}
	if err := w.w.end(); err != nil {
		return err
	}
	return w.out.Flush()
}

// Summary says in a line what got out and what was left out.
func (w *Writer) Summary() string {
	s := fmt.Sprintf("%d written", w.Written)
	var why []string
	for v, n := range w.LeftOut {
		why = append(why, fmt.Sprintf("%d %s", n, v))
	}
	slices.Sort(why)
	if len(why) > 0 {
		s += "; left out: " + strings.Join(why, ", ")
	}
	return s
}
