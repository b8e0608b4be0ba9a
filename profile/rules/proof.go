package rules

import (
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// maxProof bounds what is kept of what a rule saw, in bytes.
const maxProof = 120

// proof returns what the rule at hand saw: the line, the request, the name. Of
// a request it is the method and the path: queries and bodies may hold secrets.
func (w *annotation) proof() string {
	switch {
	case w.told == "":
		return w.asked()
	case w.inner:
		// It lies in memory that the next event takes.
		clean, _ := w.arena.Clean(strings.Clone(w.told[:min(len(w.told), maxProof)]), maxProof)
		return clean
	}
	return w.told
}

// asked returns the request's method and path without the secrets of either, or
// who asked. It doesn't depend on store_secrets: what is shown is proof enough.
func (w *annotation) asked() string {
	agent := ""
	for i := range w.event.Evidence {
		switch e := &w.event.Evidence[i]; {
		case e.Kind == event.Said && e.B == event.SaidRequest:
			path, _, _ := strings.Cut(e.A, "?")
			// A proxy is asked for whole URLs, which may hold a password.
			clean, _ := w.arena.Clean(redact.URL(path), maxProof)
			return w.arena.Join(e.C, " ", clean)
		case e.Kind == event.Fingerprint && e.A == userAgent:
			agent = e.B
		}
	}
	return agent
}

// doors are the channels on which a command inside a request is what an attacker
// asks for: a web or mail server that isn't vulnerable does nothing of it.
const doors channelSet = 1<<httpChannel | 1<<elasticChannel | 1<<dataChannel | 1<<mailChannel
