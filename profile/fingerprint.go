package profile

import (
	"slices"
	"strings"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

// The flat lists of fingerprints.
const (
	flatJA3 = iota
	flatJA3S
	flatJA4
	flatJA4S
	flatJA4H
	flatJA4QUIC
	flatHASSH
	flatJARM
	flatUserAgent
	flatSSHClient
	flatCertificate
	flatFingerprints
)

var flatNames = [flatFingerprints]string{
	"ja3", "ja3s", "ja4", "ja4s", "ja4h", "ja4_quic", "hassh", "jarm", "user_agent", "ssh_client", "tls_cert_sha256",
}

// flatOf returns the flat list that a fingerprint's type or a payload field
// belongs to.
func flatOf(name string) (int, bool) {
	switch name {
	case "http_useragent":
		return flatUserAgent, true
	case "ssh_client_banner":
		return flatSSHClient, true
	case "cert_sha256":
		return flatCertificate, true
	}
	for i, n := range flatNames {
		if n == name {
			return i, true
		}
	}
	return 0, false
}

// eachFlat calls yield for each value of a fingerprint that stands in a flat
// list.
func eachFlat(e *law.Entry, yield func(flat int, value string)) {
	kind, value, _ := strings.Cut(e.Key, "\x00")
	if flat, ok := flatOf(kind); ok && value != "" {
		yield(flat, value)
	}
	if kind == "tls_certificate" && len(value) == 64 {
		yield(flatCertificate, value)
	}
	state.DecodeFields(e.Payload, func(key, value string) {
		if flat, ok := flatOf(key); ok && value != "" {
			yield(flat, value)
		}
	})
}

// flatten collects the values of the n fingerprints that matter most.
func (r *Renderer) flatten(s *state.Attacker, n int) {
	for i := range r.flats {
		r.flats[i] = r.flats[i][:0]
	}
	entries := first(&s.Fingerprints, n)
	for i := range entries {
		eachFlat(&entries[i], func(flat int, value string) { r.flats[flat] = append(r.flats[flat], value) })
	}
	for i := range r.flats {
		r.flats[i] = distinct(r.flats[i])
	}
}

func (r *Renderer) fingerprints(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Fingerprints, p.keep[listFingerprints])
	if len(kept) == 0 {
		return
	}
	elements(d, "fingerprints", kept, d.fingerprint)
	r.flatten(s, p.keep[listFingerprints])
	open := false
	for i, values := range r.flats {
		if len(values) == 0 {
			continue
		}
		if !open {
			d.object("fingerprint")
			open = true
		}
		d.strings(flatNames[i], values)
	}
	if open {
		d.end()
	}
}

func (d *document) fingerprint(e *law.Entry) {
	kind, value, _ := strings.Cut(e.Key, "\x00")
	d.element()
	d.string("type", kind)
	d.string("value", value)
	d.payload(e.Payload)
	d.counted(e)
	d.end()
}

// payload appends a payload's fields. Their names are the dialects' own;
// whatever doesn't look like one, or stands there twice, is left out.
func (d *document) payload(fields string) {
	if fields == "" {
		return
	}
	d.object("payload")
	var seen [32]string
	n := 0
	state.DecodeFields(fields, func(key, value string) {
		if n == len(seen) || !fieldName(key) || slices.Contains(seen[:n], key) {
			return
		}
		seen[n] = key
		n++
		d.string(key, value)
	})
	d.end()
}

func fieldName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
