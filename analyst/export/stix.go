package export

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"dossier/analyst"
)

// object is one object of STIX, or of MISP.
type object map[string]any

// stix is a bundle of STIX 2.1 (OASIS Standard, June 2021): an identity, a
// marking, an indicator for each attacker, and the techniques of ATT&CK that it
// indicates. Ids come from the index prefix and the attacker, so that the same
// attacker has the same indicator in every export.
type stix struct {
	w      *bufio.Writer
	o      Options
	id     string
	marks  map[string]string // of each TLP that was written
	ttps   map[string]string // of each technique that was written
	writes int
}

func newSTIX(w *bufio.Writer, o Options) *stix {
	return &stix{w: w, o: o, marks: map[string]string{}, ttps: map[string]string{}}
}

// stixID returns the id of an object, the same for the same names. STIX wants
// version 4 of all but observables, so the hash bears its mark.
func stixID(kind string, names ...string) string { return kind + "--" + stableUUID(kind, names...) }

func stableUUID(kind string, names ...string) string {
	space := uuid.MustParse("7bd113fc-8472-511b-8ac6-824e102bd8b9") // of the attackers' uuid
	u := uuid.NewSHA1(space, []byte(kind+"\x00"+strings.Join(names, "\x00")))
	u[6] = u[6]&0x0f | 0x40
	return u.String()
}

// epoch is when what never changes was made.
var epoch = stamp(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

func (s *stix) begin() error {
	if _, err := fmt.Fprintf(s.w, "{\"type\":\"bundle\",\"id\":%q,\"objects\":[", stixID("bundle", s.o.Prefix, stamp(s.o.Now))); err != nil {
		return err
	}
	s.id = stixID("identity", s.o.Prefix)
	return s.write(object{
		"type": "identity", "spec_version": "2.1", "id": s.id, "created": epoch, "modified": epoch,
		"name": "Dossier", "identity_class": "system", "description": "Profiles of the addresses that touched decoys, index prefix " + s.o.Prefix,
	})
}

func (s *stix) write(o object) error {
	b, err := plain(o)
	if err != nil {
		return err
	}
	if s.writes++; s.writes > 1 {
		if err := s.w.WriteByte(','); err != nil {
			return err
		}
	}
	if err := s.w.WriteByte('\n'); err != nil {
		return err
	}
	_, err = s.w.Write(b)
	return err
}

// plain is JSON without the escapes for HTML.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// The markings of the traffic light protocol that STIX 2.1 names (§7.2.1.4).
// CLEAR is WHITE's new name; AMBER+STRICT has no marking of its own there.
var markings = map[string]object{
	"WHITE": tlp("613f2e26-407d-48c7-9eca-b8e91df99dc9", "white"),
	"GREEN": tlp("34098fce-860f-48ae-8e50-ebd3cc5e41da", "green"),
	"AMBER": tlp("f88d31f6-486f-44da-b317-01333bde0b82", "amber"),
	"RED":   tlp("5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "red"),
}

func tlp(id, color string) object {
	return object{
		"type": "marking-definition", "spec_version": "2.1", "id": "marking-definition--" + id, "created": "2017-01-20T00:00:00.000Z",
		"definition_type": "tlp", "name": "TLP:" + strings.ToUpper(color), "definition": object{"tlp": color},
	}
}

// marking writes the marking of an attacker where it wasn't yet, and returns
// its id.
func (s *stix) marking(p *analyst.Profile) (string, error) {
	name := tlpOf(s.o, p)
	switch name {
	case "CLEAR":
		name = "WHITE"
	case "AMBER+STRICT":
		name = "RED" // the next that is no wider
	}
	mark, ok := markings[name]
	if !ok {
		mark = markings["RED"]
	}
	id := mark["id"].(string)
	if s.marks[id] == "" {
		s.marks[id] = id
		return id, s.write(mark)
	}
	return id, nil
}

// tlpOf is the marking that the options want, else the document's.
func tlpOf(o Options, p *analyst.Profile) string {
	return strings.ToUpper(cmp.Or(o.TLP, string(p.Threat.Indicator.Marking.TLP), "AMBER"))
}

// confidences are the middles of the ranges of STIX's scale None/Low/Med/High
// (appendix A).
var confidences = map[string]int{"Low": 15, "Medium": 50, "High": 85}

func (s *stix) add(p *analyst.Profile, n netip.Prefix) error {
	mark, err := s.marking(p)
	if err != nil {
		return err
	}
	family := "ipv4-addr"
	if n.Addr().Is6() {
		family = "ipv6-addr"
	}
	seen := firstProven(p)
	indicator := object{
		"type": "indicator", "spec_version": "2.1", "id": stixID("indicator", s.o.Prefix, p.ID),
		"created": stamp(seen), "modified": stamp(p.LastSeen.Time), "created_by_ref": s.id, "object_marking_refs": []string{mark},
		"name":            "Attacker " + shown(n),
		"description":     description(p),
		"indicator_types": []string{indicatorType(p)},
		"pattern":         fmt.Sprintf("[%s:value = '%s']", family, shown(n)), "pattern_type": "stix", "pattern_version": "2.1",
		"valid_from": stamp(seen),
		"labels":     []string{"stage-" + label(p.Risk.Stage), "risk-" + label(p.Risk.Level)},
	}
	if c, ok := confidences[string(p.Risk.Confidence)]; ok {
		indicator["confidence"] = c
	}
	if s.o.Expires != Forever {
		indicator["valid_until"] = stamp(s.o.end(p))
	}
	if err := s.write(indicator); err != nil {
		return err
	}
	return s.techniques(p, indicator)
}

// firstProven is when somebody was first seen for certain.
func firstProven(p *analyst.Profile) time.Time {
	seen := p.Threat.Indicator.FirstSeen.Time
	if seen.IsZero() {
		seen = p.FirstSeen.Time
	}
	if seen.After(p.LastSeen.Time) {
		return p.LastSeen.Time
	}
	return seen
}

func label(t analyst.Text) string { return strings.ToLower(cmp.Or(string(t), "unknown")) }

func indicatorType(p *analyst.Profile) string {
	switch p.Class() {
	case "malicious":
		return "malicious-activity"
	case "benign":
		return "benign"
	default:
		return "anomalous-activity"
	}
}

// description is the profile in one sentence, and its risk.
func description(p *analyst.Profile) string {
	text := fmt.Sprintf("%s; risk %s (%s), stage %s", p.Threat.Indicator.Description, float(p.Risk.Score), p.Risk.Level, p.Risk.Stage)
	if v := p.Verdict; v != nil {
		text += fmt.Sprintf("; %s by an analyst's word", v.Verdict)
	}
	return text
}

func (s *stix) techniques(p *analyst.Profile, indicator object) error {
	for _, t := range p.Techniques() {
		if !technique(t.ID) {
			continue
		}
		id := s.ttps[t.ID]
		if id == "" {
			id = stixID("attack-pattern", t.ID)
			s.ttps[t.ID] = id
			if err := s.write(object{
				"type": "attack-pattern", "spec_version": "2.1", "id": id, "created": epoch, "modified": epoch, "created_by_ref": s.id,
				"name": cmp.Or(t.Name, t.ID),
				// Without a URL, which STIX wants a hash of.
				"external_references": []object{{"source_name": "mitre-attack", "external_id": t.ID}},
			}); err != nil {
				return err
			}
		}
		if err := s.write(object{
			"type": "relationship", "spec_version": "2.1", "id": stixID("relationship", s.o.Prefix, p.ID, t.ID),
			"created": indicator["created"], "modified": indicator["modified"], "created_by_ref": s.id, "object_marking_refs": indicator["object_marking_refs"],
			"relationship_type": "indicates", "source_ref": indicator["id"], "target_ref": id,
		}); err != nil {
			return err
		}
	}
	return nil
}

// technique says whether an id is one of ATT&CK: T1059 or T1059.004.
func technique(id string) bool {
	rest, ok := strings.CutPrefix(id, "T")
	if !ok || len(rest) != 4 && len(rest) != 8 {
		return false
	}
	return !slices.ContainsFunc([]rune(rest), func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
}

func (s *stix) end() error {
	_, err := s.w.WriteString("\n]}\n")
	return err
}
