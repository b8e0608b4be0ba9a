package profile

import (
	"dossier/correlate/event"
	"dossier/correlate/state"
	"dossier/profile/enrich"

	"golang.org/x/net/publicsuffix"
)

// AppendTarget appends a mail domain that an attacker aimed at.
func (r *Renderer) AppendTarget(dst []byte, h Head, domain string, s *state.Target) []byte {
	d := begin(dst)
	d.someTime("@timestamp", s.Last)
	d.who(h)
	r.uuid(&d, h.ID)
	d.string("domain", domain)
	if registrable, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		d.string("registrable_domain", registrable)
	}
	d.someTime("first_seen", s.First)
	d.someTime("last_seen", s.Last)
	d.now("updated_at", h.Now)
	d.int("count", s.Count)
	d.int("rcpt_accepted_count", s.Accepted)
	d.int("rcpt_denied_count", s.Denied)
	d.int("message_count", s.Messages)
	r.keys(&d, "services", &s.Services, s.Services.Len())
	r.keys(&d, "deckies", &s.Deckies, s.Deckies.Len())
	r.keys(&d, "sensors", &s.Sensors, s.Sensors.Len())
	where := r.where(h)
	d.some("country_code", where.Country)
	d.some("country_name", enrich.CountryName(where.Country))
	d.some("network_type", where.NetworkType)
	var u summary
	if s.Summary.Time != event.Never && u.decode(s.Summary.Value) == nil {
		d.object("risk")
		d.string("level", u.level)
		d.end()
		d.object("behavior")
		d.string("class", u.class)
		d.end()
	}
	r.names = cutShort(r.names[:0], capped{"deckies", &s.Deckies}, capped{"sensors", &s.Sensors}, capped{"services", &s.Services})
	d.someStrings("truncated", r.names)
	d.schema()
	d.base64("state", h.State)
	d.end()
	return d.b
}
