package dialect

import (
	"net/netip"
	"strings"

	"dossier/correlate/event"

	"github.com/dchest/siphash"
)

// sessionKey names a session of a sensor's. The address is the sensor's word,
// so that no attacker speaks for another's session.
type sessionKey struct {
	id   string
	addr netip.Addr
}

// sessionPlace is what the records of a chunk tell of a session: "" where they
// don't.
type sessionPlace struct{ service, decky string }

// cowriePlace sets the service and the decoy of an event. Version 2 names the
// protocol where a session starts, and in the field "system" otherwise; a
// sensor without a name is known by the address that the connection came to.
// What is missing may stand in another record of the session.
func (p *Parser) cowriePlace(x *scratch, kind string, out *event.Event, v *Verdict) {
	service := x.cowrieService(kind)
	decky := p.decky(x, x.first("t-pot_hostname", "sensor"))
	if decky == "" && !strings.HasPrefix(kind, directPrefix) {
		// There the address is the one that the client wants.
		if own, ok := event.ParseAddress(x.get("dst_ip")); ok {
			decky = p.decoyName(x, own)
		}
	}
	if id := x.get("session"); id != "" {
		x.tell(sessionKey{id, out.Addr}, sessionPlace{service, decky})
		if _, named := x.lookup("protocol"); service != "" && (!named || kind == cowrieConnect) {
			// Where every record names the protocol nobody needs to be told.
			out.Naming, out.Session = event.Names, sessionHash(id)
		}
		if service == "" {
			v.Missing |= MissingService
		}
		if decky == "" {
			v.Missing |= MissingDecky
		}
		v.session = id
	}
	if service == "" {
		service = event.GuessedService
	}
	out.Service, out.Decky = service, decky
}

// cowrieService returns the protocol, "" where a record doesn't tell it.
func (x *scratch) cowrieService(kind string) string {
	if protocol := x.get("protocol"); protocol != "" {
		return x.arena.Name(protocol, event.MaxService)
	}
	switch system := x.get("system"); {
	case strings.Contains(system, "Telnet"), strings.HasPrefix(kind, "cowrie.telnet."):
		return "telnet"
	case strings.Contains(system, "SSH"), strings.HasPrefix(kind, directPrefix):
		return "ssh"
	}
	switch kind {
	case "cowrie.client.version", "cowrie.client.kex", "cowrie.client.fingerprint":
		return "ssh"
	}
	return ""
}

// tell keeps what a record tells of its session. A word that was given stays:
// records of one session don't differ.
func (x *scratch) tell(key sessionKey, told sessionPlace) {
	if told == (sessionPlace{}) || x.toldOf == key && x.told == told {
		return
	}
	x.toldOf, x.told = key, told
	known, ok := x.sessions[key]
	if ok && (known.service != "" || told.service == "") && (known.decky != "" || told.decky == "") {
		return
	}
	if known.service == "" {
		known.service = told.service
	}
	if known.decky == "" {
		known.decky = told.decky
	}
	if x.sessions == nil {
		x.sessions = make(map[sessionKey]sessionPlace)
	}
	x.sessions[key] = known
}

// Settle fills in what the record of ev, which was read with the verdict v,
// left to the others of its session, once all records of the chunk were read
// with a. It returns false where the service stays a guess.
func (p *Parser) Settle(a *event.Arena, v Verdict, ev *event.Event) bool {
	x, ok := a.Local.(*scratch)
	if !ok || v.Missing == 0 {
		return v.Missing&MissingService == 0
	}
	told := x.sessions[sessionKey{v.session, ev.Addr}]
	if v.Missing&MissingDecky != 0 {
		ev.Decky = told.decky
	}
	if v.Missing&MissingService == 0 {
		return true
	}
	if told.service == "" {
		ev.Naming, ev.Session = event.Guessed, sessionHash(v.session)
		return false
	}
	ev.Service = told.service
	return true
}

// sessionHash returns what a session's id is known by beyond its chunk: 56 bits,
// never 0. No attacker chooses an id.
func sessionHash(id string) uint64 { return max(1, siphash.Hash(0, 0, event.Bytes(id))>>8) }
