package profile

import (
	"strings"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

func (r *Renderer) artifacts(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Artifacts, p.keep[listArtifacts])
	if len(kept) == 0 {
		return
	}
	elements(d, "artifacts", kept, d.artifact)
	d.object("artifact")
	d.someStrings("sha256", r.each(kept, digestOf))
	d.someStrings("url", r.each(kept, func(e *law.Entry) (string, bool) {
		url := artifactOf(e.Key).url
		return url, url != ""
	}))
	d.end()
}

// digestOf returns an artifact's SHA-256, where it has one.
func digestOf(e *law.Entry) (string, bool) {
	sum := artifactOf(e.Key).sha256
	return sum, sum != ""
}

// artifact is an artifact's key, taken apart.
type artifact struct{ sha256, url, kind string }

func artifactOf(key string) (a artifact) {
	a.sha256, key, _ = strings.Cut(key, "\x00")
	a.url, a.kind, _ = strings.Cut(key, "\x00")
	return a
}

func (d *document) artifact(e *law.Entry) {
	a := artifactOf(e.Key)
	d.element()
	d.some("sha256", a.sha256)
	d.some("url", a.url)
	d.some("kind", a.kind)
	d.payload(e.Payload)
	d.counted(e)
	d.end()
}

// public is the category of a claimed address that could be somebody's.
const public = "public"

func (r *Renderer) leaks(d *document, s *state.Attacker, p *plan) {
	elements(d, "ip_leaks", r.byFirst(&s.Leaks, p.keep[listLeaks]), d.leak)
}

func (d *document) leak(e *law.Entry) {
	claimed, rest, _ := strings.Cut(e.Key, "\x00")
	header, category, _ := strings.Cut(rest, "\x00")
	d.element()
	d.string("claimed_ip", claimed)
	d.some("header", header)
	d.some("category", category)
	kind := "spoofed_source"
	if category == public {
		kind = "leak"
	}
	d.string("kind", kind)
	d.counted(e)
	d.end()
}

func (r *Renderer) alerts(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Alerts, p.keep[listAlerts])
	elements(d, "alerts", kept, d.alert)
	signatures := r.each(kept, func(e *law.Entry) (string, bool) {
		a := alertOf(e.Key)
		return a.signature, a.side == ""
	})
	if len(signatures) == 0 {
		return
	}
	d.object("alert")
	d.strings("signature", signatures)
	d.end()
}

func (d *document) alert(e *law.Entry) {
	a := alertOf(e.Key)
	d.element()
	d.string("signature", a.signature)
	d.some("category", a.category)
	d.some("side", a.side)
	if !e.FirstOnly() {
		d.int("severity", severityOf(e))
	}
	d.counted(e)
	d.end()
}
