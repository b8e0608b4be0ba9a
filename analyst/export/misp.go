package export

import (
	"bufio"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"dossier/analyst"
)

// misp is one event of MISP's core format (draft-dulaunoy-misp-core-format): an
// attribute ip-src for each attacker. It is not published, and for the own
// organisation only: whoever takes it in decides.
type misp struct {
	w *bufio.Writer
	o Options
	n int
}

func newMISP(w *bufio.Writer, o Options) *misp { return &misp{w: w, o: o} }

func (m *misp) begin() error {
	tag := strings.ToLower(m.o.TLP)
	if tag == "" {
		tag = "amber"
	}
	b, err := plain(object{
		"uuid": stableUUID("misp-event", m.o.Prefix), "info": "Attackers of decoys, by Dossier, index prefix " + m.o.Prefix,
		"date": m.o.Now.UTC().Format("2006-01-02"), "timestamp": strconv.FormatInt(m.o.Now.Unix(), 10),
		"threat_level_id": "2", "analysis": "2", "distribution": "0", "published": false,
		"Orgc": object{"name": "Dossier", "uuid": stableUUID("misp-org", m.o.Prefix)},
		"Tag":  []object{{"name": "tlp:" + tag}},
	})
	if err != nil {
		return err
	}
	// The attributes stand last, so that they can be written one by one.
	_, err = fmt.Fprintf(m.w, "{\"Event\":%s,\"Attribute\":[", b[:len(b)-1])
	return err
}

func (m *misp) add(p *analyst.Profile, n netip.Prefix) error {
	tags := []object{
		{"name": "tlp:" + strings.ToLower(tlpOf(m.o, p))},
		{"name": "dossier:stage=\"" + label(p.Risk.Stage) + "\""},
		{"name": "dossier:risk=\"" + label(p.Risk.Level) + "\""},
	}
	for _, t := range p.Techniques() {
		if technique(t.ID) && t.Name != "" {
			tags = append(tags, object{"name": fmt.Sprintf("misp-galaxy:mitre-attack-pattern=\"%s - %s\"", t.Name, t.ID)})
		}
	}
	b, err := plain(object{
		"uuid": stableUUID("misp-attribute", m.o.Prefix, p.ID), "type": "ip-src", "category": "Network activity", "value": shown(n),
		"to_ids": p.Class() == "malicious", "distribution": "5", "comment": description(p),
		"first_seen": firstProven(p).UTC().Format("2006-01-02T15:04:05.000000+00:00"),
		"last_seen":  p.LastSeen.UTC().Format("2006-01-02T15:04:05.000000+00:00"),
		"timestamp":  strconv.FormatInt(p.LastSeen.Unix(), 10), "Tag": tags,
	})
	if err != nil {
		return err
	}
	if m.n++; m.n > 1 {
		if err := m.w.WriteByte(','); err != nil {
			return err
		}
	}
	if err := m.w.WriteByte('\n'); err != nil {
		return err
	}
	_, err = m.w.Write(b)
	return err
}

func (m *misp) end() error {
	_, err := m.w.WriteString("\n]}}\n")
	return err
}
