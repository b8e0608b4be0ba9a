package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/rules"
)

// What a campaign key needs, so that it doesn't put strangers together.
const (
	// minCredentials is the length of a credential list that tells something.
	minCredentials = 3
	// minPrograms is the length of a command sequence that tells something
	// together with the client, minProgramsAlone without one.
	minPrograms      = 3
	minProgramsAlone = 5
)

// campaigns appends the campaign keys: hashes of what attackers bring along,
// the same for all that bring the same. Of files and clients that the document
// doesn't show there is no key.
func (r *Renderer) campaigns(d *document, s *state.Attacker, p *plan) {
	r.keysOf = r.keysOf[:0]
	artifacts := s.Artifacts.Entries()
	for i := range artifacts[:min(len(artifacts), p.keep[listArtifacts])] {
		if a := artifactOf(artifacts[i].Key); a.sha256 != "" && a.kind != "mail" && !rules.Nothing(a.sha256) {
			r.text = append(append(r.text[:0], "payload\x00"...), a.sha256...)
			r.keysOf = append(r.keysOf, r.campaign("payload:"))
		}
	}
	r.keysOf = distinct(r.keysOf)
	payloads := len(r.keysOf)
	if r.credentialList(s) {
		r.keysOf = append(r.keysOf, r.campaign("credentials:"))
	}
	lists := len(r.keysOf)
	r.toolchains(s, p)
	slices.Sort(r.keysOf[lists:])
	if len(r.keysOf) == 0 {
		return
	}
	d.object("campaign")
	d.someStrings("payload", r.keysOf[:payloads])
	if lists > payloads {
		d.string("credentials", r.keysOf[payloads])
	}
	d.someStrings("toolchain", r.keysOf[lists:])
	d.strings("keys", distinct(r.keysOf))
	d.end()
}

// campaign returns the key of r.text: the first half of its SHA-256.
func (r *Renderer) campaign(kind string) string {
	sum := sha256.Sum256(r.text)
	var b [64]byte
	return string(hex.AppendEncode(append(b[:0], kind...), sum[:16]))
}

// credentialList puts the distinct principals and secrets into r.text,
// whatever the service. It returns false where there are too few.
func (r *Renderer) credentialList(s *state.Attacker) bool {
	r.names = r.names[:0]
	credentials := s.Credentials.Entries()
	for i := range credentials {
		_, pair, _ := strings.Cut(credentials[i].Key, "\x00")
		r.names = append(r.names, pair)
	}
	pairs := distinct(r.names)
	if len(pairs) < minCredentials {
		return false
	}
	r.text = append(r.text[:0], "credentials"...)
	for _, p := range pairs {
		// A digest may hold any byte: its fixed length keeps pairs apart.
		r.text = append(append(r.text, 0), p...)
	}
	return true
}

// toolchains appends a key for each SSH client seen, with the shape of the
// commands: the programs run, each once, in the order of their first run
// among the commands kept.
func (r *Renderer) toolchains(s *state.Attacker, p *plan) {
	commands := s.Commands.Items()
	if len(commands) == 0 {
		return
	}
	r.shape.Reset()
	for i := range commands {
		// Most sessions repeat themselves.
		line := state.CommandOf(&commands[i]).Line()
		if i > 0 && slices.ContainsFunc(commands[max(0, i-8):i], func(c law.Item) bool { return state.CommandOf(&c).Line() == line }) {
			continue
		}
		r.shape.Add(line)
	}
	programs := r.shape.Programs()
	if len(programs) < minPrograms {
		return
	}
	r.flatten(s, p.keep[listFingerprints])
	clients := r.flats[flatHASSH]
	if len(clients) == 0 {
		clients = r.flats[flatSSHClient]
	}
	if len(clients) == 0 {
		if len(programs) < minProgramsAlone {
			return
		}
		clients = []string{""}
	}
	for _, client := range clients {
		r.text = append(append(r.text[:0], "toolchain\x00"...), client...)
		for _, p := range programs {
			r.text = append(append(r.text, 0), p...)
		}
		r.keysOf = append(r.keysOf, r.campaign("toolchain:"))
	}
}
