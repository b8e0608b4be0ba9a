package analyst

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Sheet is all that is shown of one attacker.
type Sheet struct {
	*Profile
	Lines []Transition // lines crossed, oldest first
	Hours []Hour       // oldest first
	Notes []Note       // newest first
	// Now is when it is read: the risk fades.
	Now time.Time
}

// Sheet reads all that is shown of an attacker.
func (r *Reader) Sheet(ctx context.Context, address string) (*Sheet, error) {
	p, err := r.Profile(ctx, address)
	if err != nil {
		return nil, err
	}
	s := &Sheet{Profile: p, Now: r.now()}
	if s.Lines, err = r.Transitions(ctx, p.ID); err != nil {
		return nil, err
	}
	interval := "1h"
	if p.LastSeen.Sub(p.FirstSeen.Time) > 7*24*time.Hour {
		interval = "1d"
	}
	if s.Hours, err = r.Hours(ctx, p.ID, interval, p.FirstSeen.Truncate(time.Hour)); err != nil {
		return nil, err
	}
	s.Notes, err = r.Notes(ctx, p.ID, maxNotes)
	return s, err
}

// maxNotes bounds the notes that are shown of one attacker.
const maxNotes = 200

// The styles. Whoever writes takes them out where the output is no terminal or
// NO_COLOR is set.
var (
	heading = lipgloss.NewStyle().Bold(true)
	faint   = lipgloss.NewStyle().Faint(true)
	levels  = map[string]lipgloss.Style{
		"Critical": lipgloss.NewStyle().Bold(true).Foreground(lipgloss.BrightRed),
		"High":     lipgloss.NewStyle().Foreground(lipgloss.Red),
		"Moderate": lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	}
)

// Level shows text in the colour of a level of risk.
func Level(level, text string) string {
	if s, ok := levels[level]; ok {
		return s.Render(text)
	}
	return text
}

// shownOf is how many entries of each list are shown unless all are asked for.
const shownOf = 20

// sheetWriter writes sections, and keeps the first error.
type sheetWriter struct {
	w   io.Writer
	all bool
	err error
}

func (s *sheetWriter) line(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format+"\n", args...)
	}
}

func (s *sheetWriter) section(title string) { s.line("\n%s", heading.Render(title)) }

// rows writes a table: each column as wide as its widest cell, the last one as
// it is.
func (s *sheetWriter) rows(rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(c))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, c := range r {
			b.WriteString("  ")
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(c)))
			}
		}
		s.line("%s", strings.TrimRight(b.String(), " "))
	}
}

// list writes a section with the newest entries of a list, which stand last.
func list[E any](s *sheetWriter, title string, total int64, entries []E, row func(E) []string) {
	if len(entries) == 0 {
		return
	}
	left := 0
	if !s.all && len(entries) > shownOf {
		left = len(entries) - shownOf
	}
	head := title + " " + faint.Render(strconv.FormatInt(max(total, int64(len(entries))), 10))
	if left > 0 {
		head += faint.Render(fmt.Sprintf(", the last %d (--all shows %d)", shownOf, len(entries)))
	} else if total > int64(len(entries)) {
		head += faint.Render(fmt.Sprintf(", %d kept", len(entries)))
	}
	s.section(head)
	var rows [][]string
	for _, e := range entries[left:] {
		rows = append(rows, row(e))
	}
	s.rows(rows)
}

// Write writes the sheet for a terminal. With all, whole lists instead of the
// last entries of each.
func (s *Sheet) Write(w io.Writer, all bool) error {
	out := &sheetWriter{w: w, all: all}
	s.head(out)
	s.risk(out)
	s.course(out)
	s.evidence(out)
	s.claims(out)
	if len(s.Notes) > 0 {
		out.section("NOTES")
		var rows [][]string
		for _, n := range s.Notes {
			rows = append(rows, []string{n.Time.Short(), string(n.Author), string(n.Verdict), string(n.Text)})
		}
		out.rows(rows)
	}
	if len(s.Truncated) > 0 {
		out.line("\n%s", faint.Render("cut or estimated: "+strings.Join(s.Truncated.Strings(), ", ")))
	}
	return out.err
}

func (s *Sheet) head(out *sheetWriter) {
	p := s.Profile
	out.line("%s  %s", heading.Render(p.ID), Level(string(p.Risk.Level), fmt.Sprintf("risk %.0f %s, %s", p.Risk.Score, p.Risk.Level, p.Class())))
	out.line("%s", p.Threat.Indicator.Description)
	if v := p.Verdict; v != nil {
		out.line("verdict: %s, by %s on %s", v.Verdict, v.Author, v.Time.Short())
	}
	rows := [][]string{}
	add := func(name string, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("seen", p.FirstSeen.Short()+" to "+p.LastSeen.Short()+" UTC")
	add("from", p.Origin())
	add("actor", joined(string(p.Actor), string(p.Basis)))
	add("class", joined(string(p.Behavior.Class), beacon(p)))
	add("tools", strings.Join(p.Behavior.Tools.Strings(), ", "))
	add("ATT&CK has", strings.Join(append(p.Threat.Software.ID.Strings(), p.Threat.Group.ID.Strings()...), ", "))
	if p.Behavior.OS != "" {
		add("system", fmt.Sprintf("%s, %d hops away, by packets that anybody can send", p.Behavior.OS, p.Behavior.Distance))
	}
	add("services", strings.Join(p.Services.Strings(), ", "))
	add("used", strings.Join(p.Interacted.Strings(), ", "))
	var ports []string
	for i, port := range p.Ports {
		if i == shownOf && !out.all {
			ports = append(ports, "…")
			break
		}
		ports = append(ports, port.String())
	}
	add("ports", strings.Join(ports, ", "))
	add("sensors", strings.Join(p.Sensors.Strings(), ", "))
	out.line("")
	out.rows(rows)
	if p.Spoofable {
		out.line("  anybody could have put this address there: nothing proves that it was it")
	}
}

// Origin says where the address is: country, network and what kind it is, names.
func (p *Profile) Origin() string {
	var as string
	if p.ASN > 0 {
		as = fmt.Sprintf("AS%d %s", p.ASN, p.ASName)
	}
	scope := ""
	if p.Scope == "internal" {
		scope = "inside our networks"
	}
	country := string(p.Country)
	if p.CountryName != "" {
		country = fmt.Sprintf("%s (%s)", p.CountryName, p.Country)
	}
	network := string(p.NetworkType)
	if p.NetworkSource != "" {
		network = fmt.Sprintf("%s by %s", p.NetworkType, p.NetworkSource)
	}
	return joined(scope, string(p.Host.Name), country, strings.TrimSpace(as), string(p.ASNetwork), network, string(p.PTR))
}

func (p Port) String() string {
	name := strconv.FormatInt(p.Port, 10)
	if p.Transport != "" {
		name = string(p.Transport) + "/" + name
	}
	return fmt.Sprintf("%s ×%d", name, p.Count)
}

func beacon(p *Profile) string {
	b := p.Behavior.Beacon
	if b.Interval == 0 {
		return ""
	}
	return fmt.Sprintf("every %.0f s, jitter %.0f %%, beacon score %.2f", b.Interval, b.Jitter, b.Score)
}

func joined(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, ", ")
}

func (s *Sheet) risk(out *sheetWriter) {
	r := s.Risk
	title := fmt.Sprintf("RISK %.2f %s", r.Score, r.Level)
	out.section(title + faint.Render(fmt.Sprintf(" stage %s, confidence %s, now %.1f (half is left after %.0f days)", r.Stage, r.Confidence, s.CurrentRisk(s.Now), r.HalfLife)))
	var rows [][]string
	for _, reason := range r.Reasons {
		text := string(reason.Reason)
		if len(reason.Evidence) > 0 {
			text += " [" + strings.Join(reason.Evidence.Strings(), ", ") + "]"
		}
		rows = append(rows, []string{fmt.Sprintf("%+6.2f", reason.Points), string(reason.Stage), text})
	}
	out.rows(rows)
}

// course is what happened when and where.
func (s *Sheet) course(out *sheetWriter) {
	var rows [][]string
	for _, l := range s.Timeline() {
		rows = append(rows, []string{l.Time.Short(), string(l.Text)})
	}
	if len(rows) > 0 {
		out.section("TIMELINE")
		out.rows(rows)
	}
	if line, from, to := Spark(s.Hours, sparkWidth); line != "" {
		out.line("  %s  %s", line, faint.Render(from+" to "+to))
	}
	if len(s.Movement.Dwell) > 0 {
		title := "PATH"
		if s.Path != "" {
			title += " " + faint.Render(string(s.Path))
		}
		out.section(title)
		rows = nil
		for i, d := range s.Movement.Dwell {
			if i == shownOf && !out.all {
				break
			}
			rows = append(rows, []string{
				string(d.Decky), d.First.Short(), time.Duration(d.Seconds * float64(time.Second)).Round(time.Second).String(),
				fmt.Sprintf("%d events", d.Events),
			})
		}
		out.rows(rows)
	}
}

// Timeline returns the lines that were crossed: those that were told as
// transitions, else those that the profile itself has.
func (s *Sheet) Timeline() []Transition {
	if len(s.Lines) > 0 {
		return s.Lines
	}
	var lines []Transition
	add := func(at Time, action, text Text) {
		if !at.IsZero() {
			lines = append(lines, Transition{at, action, text})
		}
	}
	t, since := s.Transitions, s.Risk.Since
	add(t.Observed, "observed", "seen for the first time")
	add(since.Looking, "stage", "looking")
	add(t.Traversal, "traversal", "a second decoy")
	add(since.Attempting, "stage", "attempting")
	add(t.Login, "login_success", "a login that a decoy let in")
	add(since.Inside, "stage", "inside")
	add(t.HandsOn, "hands_on", "hands on")
	add(since.Acting, "stage", "acting")
	return sortedByTime(lines)
}

func (s *Sheet) evidence(out *sheetWriter) {
	list(out, "COMMANDS", s.CommandCount-int64(len(s.Claimed.Commands)), s.Commands, Command.row)
	list(out, "CREDENTIALS", s.CredentialCount, s.Credentials, func(c Credential) []string {
		return []string{string(c.Service), string(c.Principal), c.Shown(), fmt.Sprintf("×%d", c.Count), string(c.Outcome)}
	})
	list(out, "FINGERPRINTS", 0, s.Fingerprints, func(f Fingerprint) []string {
		return []string{string(f.Type), fmt.Sprintf("×%d", f.Count), string(f.Value)}
	})
	list(out, "TECHNIQUES", 0, s.Techniques(), func(t Technique) []string { return []string{t.ID, t.Name, t.Why} })
	list(out, "FILES", 0, s.Artifacts, func(a Artifact) []string {
		return []string{string(a.Kind), a.LastSeen.Short(), string(a.SHA256), string(a.URL)}
	})
	list(out, "ALERTS", 0, s.Alerts, func(a Alert) []string {
		return []string{strconv.FormatInt(a.Severity, 10), fmt.Sprintf("×%d", a.Count), string(a.Signature), string(a.Side)}
	})
	list(out, "ADDRESSES THAT ITS HEADERS CLAIM", 0, s.Leaks, func(l Leak) []string {
		return []string{string(l.Address), string(l.Header), string(l.Kind), string(l.Category)}
	})
	list(out, "CAMPAIGN KEYS", 0, s.Campaign.Keys, func(k Text) []string { return []string{string(k)} })
}

func (c Command) row() []string {
	return []string{c.Time.Short(), string(c.Service), string(c.Decky), string(c.Command)}
}

// Shown is the secret as far as option store_secrets shows it.
func (c Credential) Shown() string {
	switch {
	case c.Secret != nil:
		return string(*c.Secret)
	case c.SHA256 != "":
		return "sha256:" + string(c.SHA256)
	default:
		return "-"
	}
}

// Technique is one of ATT&CK, with what it was concluded from first.
type Technique struct{ ID, Name, Why string }

// Techniques returns the techniques with their names.
func (p *Profile) Techniques() []Technique {
	why := map[Text]Text{}
	for _, c := range p.Behavior.Conclusions {
		if _, ok := why[c.Technique]; !ok {
			why[c.Technique] = c.Why
		}
	}
	t := p.Threat.Technique
	out := make([]Technique, len(t.ID))
	for i, id := range t.ID {
		out[i] = Technique{ID: string(id), Why: string(why[id])}
		if i < len(t.Name) {
			out[i].Name = string(t.Name[i])
		}
	}
	return out
}

func (s *Sheet) claims(out *sheetWriter) {
	if s.Claimed.Events == 0 {
		return
	}
	out.section("CLAIMED " + faint.Render(fmt.Sprintf("%d events that prove nothing about the address: nobody is judged by them", s.Claimed.Events)))
	var rows [][]string
	for i, e := range s.Claimed.Evidence {
		if i == shownOf && !out.all {
			break
		}
		rows = append(rows, []string{string(e.Kind), joined(string(e.Service), string(e.Type), string(e.Principal), string(e.Value)), fmt.Sprintf("×%d", e.Count)})
	}
	for i, c := range s.Claimed.Commands {
		if i == shownOf && !out.all {
			break
		}
		rows = append(rows, []string{"command", strings.Join(c.row(), "  ")})
	}
	out.rows(rows)
}
