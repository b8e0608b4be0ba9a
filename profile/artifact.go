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
	d.array("artifacts")
	for i := range kept {
		d.artifact(&kept[i])
	}
	d.endArray()
	d.object("artifact")
	r.names = r.names[:0]
	for i := range kept {
		if a := artifactOf(kept[i].Key); a.sha256 != "" {
			r.names = append(r.names, a.sha256)
		}
	}
	d.someStrings("sha256", distinct(r.names))
	r.names = r.names[:0]
	for i := range kept {
		if a := artifactOf(kept[i].Key); a.url != "" {
			r.names = append(r.names, a.url)
		}
	}
	d.someStrings("url", distinct(r.names))
	d.end()
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
	kept := r.byFirst(&s.Leaks, p.keep[listLeaks])
	if len(kept) == 0 {
		return
	}
	d.array("ip_leaks")
	for i := range kept {
		d.leak(&kept[i])
	}
	d.endArray()
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
	if len(kept) == 0 {
		return
	}
	d.array("alerts")
	for i := range kept {
		d.alert(&kept[i])
	}
	d.endArray()
	r.names = r.names[:0]
	for i := range kept {
		if a := alertOf(kept[i].Key); a.side == "" {
			r.names = append(r.names, a.signature)
		}
	}
	if len(r.names) == 0 {
		return
	}
	d.object("alert")
	d.strings("signature", distinct(r.names))
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
