package profile

import "dossier/profile/enrich"

// Place is where an address is.
type Place = enrich.Place

// where looks up the attacker's place, of a network that of its first
// address.
func (r *Renderer) where(h Head) (place Place) {
	defer func() {
		if p := recover(); p != nil {
			place = Place{}
			r.failed("enrichment", p)
		}
	}()
	return r.o.Files.Place(h.Addr)
}

// place appends the ECS copies of a place.
func (d *document) place(p *Place) {
	if p.Country != "" || p.Located {
		d.object("geo")
		d.some("country_iso_code", p.Country)
		d.some("country_name", enrich.CountryName(p.Country))
		if p.Located {
			d.object("location")
			d.float("lat", p.Latitude)
			d.float("lon", p.Longitude)
			d.end()
		}
		d.end()
	}
	if p.ASN != 0 {
		d.object("as")
		d.int("number", int64(p.ASN))
		if p.ASName != "" {
			d.object("organization")
			d.string("name", p.ASName)
			d.end()
		}
		d.end()
	}
}

// enriched appends the system's own names of a place.
func (d *document) enriched(p *Place, name string) {
	if p.Country != "" {
		d.string("country_code", p.Country)
		d.some("country_name", enrich.CountryName(p.Country))
		d.string("country_source", p.CountrySource)
	}
	if p.ASN != 0 {
		d.int("asn", int64(p.ASN))
		d.some("as_name", p.ASName)
		d.some("as_network", p.Network)
		d.some("as_cidr", p.Network)
		d.string("asn_source", p.ASNSource)
	}
	d.some("network_type", p.NetworkType)
	d.some("network_type_source", p.NetworkSource)
	d.some("ptr_record", name)
}
