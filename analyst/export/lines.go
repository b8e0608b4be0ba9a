package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"dossier/analyst"
)

// lines are the documents without their state.
type lines struct{ w *bufio.Writer }

func (l *lines) begin() error { return nil }

func (l *lines) add(p *analyst.Profile, _ netip.Prefix) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = l.w.Write(append(b, '\n'))
	return err
}

func (l *lines) end() error { return nil }

// table is comma-separated (RFC 4180), with a line of names.
type table struct {
	w *csv.Writer
	o Options
}

func newCSV(w *bufio.Writer, o Options) *table { return &table{csv.NewWriter(w), o} }

func (t *table) begin() error {
	return t.w.Write([]string{
		"address", "first_seen", "last_seen", "risk_score", "risk_current", "risk_level", "stage", "confidence", "classification", "basis", "actor", "spoofable",
		"class", "events", "deckies", "traversal", "commands", "login_attempts", "login_successes",
		"country", "asn", "as_name", "services_interacted", "tools", "techniques",
		"country_name", "network_type",
	})
}

func (t *table) add(p *analyst.Profile, _ netip.Prefix) error {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	asn := ""
	if p.ASN > 0 {
		asn = n(p.ASN)
	}
	row := []string{
		p.ID, stamp(p.FirstSeen.Time), stamp(p.LastSeen.Time), float(p.Risk.Score), float(p.CurrentRisk(t.o.Now)), string(p.Risk.Level), string(p.Risk.Stage),
		string(p.Risk.Confidence), string(p.Class()), string(p.Basis), string(p.Actor), strconv.FormatBool(p.Spoofable),
		string(p.Behavior.Class), n(p.EventCount), n(p.DeckyCount), strconv.FormatBool(p.IsTraversal), n(p.CommandCount), n(p.LoginAttempts), n(p.LoginSuccesses),
		string(p.Country), asn, string(p.ASName), list(p.Interacted), list(p.Behavior.Tools), list(p.Threat.Technique.ID),
		string(p.CountryName), string(p.NetworkType),
	}
	for i := range row {
		row[i] = noFormula(row[i])
	}
	return t.w.Write(row)
}

func (t *table) end() error {
	t.w.Flush()
	return t.w.Error()
}

func list(t analyst.Texts) string { return strings.Join(t.Strings(), " ") }

func float(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// noFormula keeps a spreadsheet from working out what an attacker wrote: OWASP,
// "CSV injection".
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// stamp is a time as STIX writes it (RFC 3339, UTC, milliseconds); "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// blocklist has an address or a network a line, lines of remarks with #.
type blocklist struct {
	w *bufio.Writer
	o Options
}

func (b *blocklist) begin() error { return remark(b.w, b.o) }

func remark(w *bufio.Writer, o Options) error {
	expires := "entries don't expire"
	if o.Expires != Forever {
		expires = fmt.Sprintf("entries expire %s after the last event", days(o.Expires))
	}
	_, err := fmt.Fprintf(w, "# Dossier, index prefix %s, made %s; %s\n", o.Prefix, stamp(o.Now), expires)
	return err
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	}
	return d.String()
}

func (b *blocklist) add(_ *analyst.Profile, n netip.Prefix) error {
	_, err := b.w.WriteString(shown(n) + "\n")
	return err
}

func (b *blocklist) end() error { return nil }

// shown is a network, or the address where it is one.
func shown(n netip.Prefix) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}
