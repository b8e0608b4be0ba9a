package profile

import (
	"net/netip"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/rules"

	"golang.org/x/net/publicsuffix"
)

// IndicatorsAlias returns the alias of the prefix's indicators that are
// published: under it, too, the indicator match rules of Elastic Security find
// them.
func IndicatorsAlias(prefix string) string { return "logs-ti_" + prefix + ".indicators" }

// AppendIndicator appends a thing that attackers used beyond the decoys.
func (r *Renderer) AppendIndicator(dst []byte, h Head, kind, value string, s *state.Indicator) []byte {
	d := begin(dst)
	d.someTime("@timestamp", s.Last)
	d.object("indicator")
	d.string("kind", kind)
	d.string("value", value)
	d.someStrings("use", r.each(s.Uses.Entries(), keyOf))
	d.end()
	d.someTime("first_seen", s.First)
	d.someTime("last_seen", s.Last)
	d.now("updated_at", h.Now)
	d.int("count", s.Count)
	if s.Claimed > 0 {
		d.int("claimed_count", s.Claimed)
	}
	if s.Fetched > 0 {
		d.int("contact_count", s.Fetched)
	}
	r.keys(&d, "attackers", &s.Attackers, s.Attackers.Len())
	d.int("attacker_count", s.Attackers.Distinct())
	r.keys(&d, "services", &s.Services, s.Services.Len())
	r.keys(&d, "deckies", &s.Deckies, s.Deckies.Len())
	r.keys(&d, "sensors", &s.Sensors, s.Sensors.Len())
	why := unpublished(kind, value, s)
	d.bool("published", why == "")
	if why != "" {
		d.strings("unpublished_why", []string{why})
	}
	d.object("threat")
	d.object("feed")
	d.string("name", "Dossier")
	d.end()
	d.object("indicator")
	r.thing(&d, kind, value)
	d.someTime("first_seen", s.First)
	d.someTime("last_seen", s.Last)
	d.someTime("modified_at", s.Last)
	d.int("sightings", s.Count)
	d.string("confidence", indicatorConfidence(why, s))
	d.string("provider", "Dossier")
	d.string("description", describeIndicator(kind, why, s))
	d.object("marking")
	d.string("tlp", r.o.TLP)
	d.end()
	d.end()
	d.end()
	r.relatedTo(&d, kind, value)
	d.object("event")
	d.string("kind", "enrichment")
	d.strings("category", []string{"threat"})
	d.strings("type", []string{"indicator"})
	d.string("module", "ti_dossier")
	d.string("dataset", "ti_dossier.indicators")
	d.end()
	r.names = cutShort(
		r.names[:0], capped{"attackers", &s.Attackers}, capped{"deckies", &s.Deckies}, capped{"indicator.use", &s.Uses},
		capped{"sensors", &s.Sensors}, capped{"services", &s.Services},
	)
	if s.Attackers.Truncated() {
		r.names = append(r.names, "attacker_count")
	}
	d.someStrings("truncated", distinct(r.names))
	d.schema()
	d.base64("state", h.State)
	d.end()
	return d.b
}

// unpublished returns why a thing isn't given out, "" where it is. A decoy's own
// fetch alone may be its own update; what only a shell wrote, and what was the
// decoy's own program all along, is nobody's payload.
func unpublished(kind, value string, s *state.Indicator) string {
	if why := rules.Unpublished(kind, value); why != "" {
		return why
	}
	var own int64
	uses := s.Uses.Entries()
	for i := range uses {
		if uses[i].Key == event.UsedWritten || uses[i].Key == event.UsedSystem {
			own += uses[i].Count
		}
	}
	switch {
	case s.Fetched == s.Count:
		return rules.FetchOnly
	case own > 0 && own+s.Fetched >= s.Count:
		return rules.WellKnown
	}
	return ""
}

func indicatorConfidence(why string, s *state.Indicator) string {
	switch {
	case why != "" || s.Attackers.Len() == 0 && s.Fetched == 0:
		return "Low"
	case s.Attackers.Distinct() > 1 || s.Fetched > 0:
		return "High"
	}
	return "Medium"
}

// words are the kinds of things as one says them.
var words = map[string]string{
	event.IndicatorURL: "URL", event.IndicatorDomain: "Host", event.IndicatorIP: "Address", event.IndicatorSHA256: "File", event.IndicatorSHA1: "File",
	event.IndicatorMD5: "File", event.IndicatorEmail: "Mail address", event.IndicatorWallet: "Wallet", event.IndicatorKeyComment: "Comment of an SSH key",
}

// describeIndicator returns it in one sentence. Everything in it is a number or a
// word of ours.
func describeIndicator(kind, why string, s *state.Indicator) string {
	b := []byte(words[kind])
	count := func(n int64, one, many string) {
		b = strconv.AppendInt(b, n, 10)
		b = append(b, ' ')
		if n == 1 {
			b = append(b, one...)
		} else {
			b = append(b, many...)
		}
	}
	b = append(b, " that "...)
	if n := s.Attackers.Distinct(); n > 0 {
		count(n, "attacker", "attackers")
		b = append(b, " used"...)
	} else {
		b = append(b, "decoys saw"...)
	}
	b = append(b, ", in "...)
	count(s.Count, "event", "events")
	if s.Fetched > 0 {
		b = append(b, "; decoys fetched it themselves "...)
		count(s.Fetched, "time", "times")
	}
	if why != "" {
		b = append(b, "; not published: "...)
		b = append(b, strings.ReplaceAll(why, "_", " ")...)
	}
	return string(b)
}

// thing appends what the thing is, in the words of the schema.
func (r *Renderer) thing(d *document, kind, value string) {
	d.string("type", schemaType(kind, value))
	d.string("name", value)
	switch kind {
	case event.IndicatorURL:
		host := rules.URLHost(value)
		d.object("url")
		d.string("full", value)
		d.string("original", value)
		scheme, rest, _ := strings.Cut(value, "://")
		d.string("scheme", scheme)
		d.string("domain", host)
		authority, path, _ := strings.Cut(rest, "/")
		authority, query, asked := strings.Cut(authority, "?")
		if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
			if port, err := strconv.ParseUint(authority[i+1:], 10, 16); err == nil {
				d.int("port", int64(port))
			}
		}
		if strings.IndexByte(rest, '/') >= 0 && !asked {
			path, query, _ = strings.Cut(path, "?")
			d.string("path", "/"+path)
			if i := strings.LastIndexByte(path, '.'); i >= 0 && i > strings.LastIndexByte(path, '/') && len(path)-i <= 16 {
				d.some("extension", path[i+1:])
			}
		}
		d.some("query", query)
		registered(d, host)
		d.end()
		r.hostOf(d, host)
	case event.IndicatorDomain:
		d.object("url")
		d.string("domain", value)
		registered(d, value)
		d.end()
		d.string("domain", value)
	case event.IndicatorIP:
		r.hostOf(d, value)
	case event.IndicatorSHA256, event.IndicatorSHA1, event.IndicatorMD5:
		d.object("file")
		d.object("hash")
		d.string(kind, value)
		d.end()
		d.end()
	case event.IndicatorEmail:
		d.object("email")
		d.string("address", value)
		d.end()
	}
}

func (r *Renderer) hostOf(d *document, host string) {
	if a, err := netip.ParseAddr(host); err == nil {
		d.address("ip", a)
	} else if host != "" {
		d.string("domain", host)
	}
}

func registered(d *document, host string) {
	if _, err := netip.ParseAddr(host); err == nil {
		return
	}
	if name, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		d.string("registered_domain", name)
	}
}

// schemaType is the schema's name for a kind of thing (threat.indicator.type).
func schemaType(kind, value string) string {
	switch kind {
	case event.IndicatorURL:
		return "url"
	case event.IndicatorDomain:
		return "domain-name"
	case event.IndicatorIP:
		if strings.IndexByte(value, ':') >= 0 {
			return "ipv6-addr"
		}
		return "ipv4-addr"
	case event.IndicatorSHA256, event.IndicatorSHA1, event.IndicatorMD5:
		return "file"
	case event.IndicatorEmail:
		return "email-addr"
	}
	return "artifact"
}

func (r *Renderer) relatedTo(d *document, kind, value string) {
	host := ""
	switch kind {
	case event.IndicatorURL:
		host = rules.URLHost(value)
	case event.IndicatorDomain, event.IndicatorIP:
		host = value
	case event.IndicatorSHA256, event.IndicatorSHA1, event.IndicatorMD5:
		d.object("related")
		d.strings("hash", []string{value})
		d.end()
		return
	}
	if host == "" {
		return
	}
	d.object("related")
	if _, err := netip.ParseAddr(host); err == nil {
		d.strings("ip", []string{host})
	} else {
		d.strings("hosts", []string{host})
	}
	d.end()
}

// indicators appends what the attacker used beyond the decoys, and what decoys
// were asked to pass on.
func (r *Renderer) indicators(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Indicators, p.keep[listIndicators])
	if len(kept) > 0 {
		elements(d, "indicators", kept, d.indicator)
		d.object("indicator")
		for _, kind := range event.IndicatorKinds() {
			d.someStrings(kind, r.each(kept, func(e *law.Entry) (string, bool) {
				is, value := state.IndicatorOf(e.Key)
				return value, is == kind
			}))
		}
		d.end()
	}
	if n := s.IndicatorCount.Count(); n > 0 {
		d.int("indicator_count", n)
	}
	kept = r.byFirst(&s.Forwards, p.keep[listForwards])
	if len(kept) == 0 {
		return
	}
	elements(d, "forwards", kept, d.forward)
	d.object("forward")
	d.strings("target", r.each(kept, func(e *law.Entry) (string, bool) {
		_, target := state.IndicatorOf(e.Key)
		return target, true
	}))
	d.strings("via", r.each(kept, func(e *law.Entry) (string, bool) {
		way, _ := state.IndicatorOf(e.Key)
		return way, true
	}))
	d.end()
}

func (d *document) indicator(e *law.Entry) {
	kind, value := state.IndicatorOf(e.Key)
	d.element()
	d.string("kind", kind)
	d.string("value", value)
	d.some("use", e.Payload)
	d.counted(e)
	d.end()
}

func (d *document) forward(e *law.Entry) {
	way, target := state.IndicatorOf(e.Key)
	d.element()
	d.string("target", target)
	d.string("via", way)
	d.counted(e)
	d.end()
}
