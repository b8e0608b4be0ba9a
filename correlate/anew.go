package correlate

import (
	"fmt"
	"net/netip"
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/law"
	"dossier/correlate/state"
)

// Anew renders attackers' documents from their stored states, as the rules and
// lists at hand judge them. It is not safe for concurrent use.
type Anew struct {
	renderer Renderer
	by       law.Rank
	s        state.Attacker
}

// NewAnew returns what renders with r. The prefix has by for its Rank.
func NewAnew(r Renderer, by law.Rank) *Anew { return &Anew{renderer: r, by: by} }

// AppendAttacker appends the document of the attacker id. What is stored goes into it
// byte for byte: its counts, the chunks applied and the lines crossed stay as they are. An
// error says that the state can't be read (commit.ErrNewer, commit.ErrCorrupt), or that
// id is no attacker's.
func (a *Anew) AppendAttacker(dst []byte, id string, stored []byte, now time.Time) ([]byte, error) {
	prefix, err := attackerPrefix(id)
	if err != nil {
		return dst, err
	}
	payload, err := commit.Payload(stored)
	if err != nil {
		return dst, err
	}
	a.s.By(a.by)
	if err := a.s.Decode(payload); err != nil {
		return dst, err
	}
	h := head(prefix, id, now)
	h.State = stored
	return a.renderer.AppendAttacker(dst, h, &a.s), nil
}

// attackerPrefix reads an attacker's id: an address, or a network as CIDR.
func attackerPrefix(id string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(id); err == nil && addr.String() == id {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(id)
	if err != nil || prefix.Masked().String() != id {
		return netip.Prefix{}, fmt.Errorf("correlate: %q is no attacker's id", id)
	}
	return prefix, nil
}
