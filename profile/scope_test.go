package profile

import (
	"net/netip"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

// Without the option the private ranges are internal, and with it what it says.
func TestScope(t *testing.T) {
	own := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	for _, tt := range []struct {
		nets  []netip.Prefix
		addr  string
		scope string
	}{
		{nil, "10.1.2.3", "internal"},
		{nil, "172.31.0.1", "internal"},
		{nil, "192.168.0.1", "internal"},
		{nil, "100.100.0.1", "internal"},
		{nil, "169.254.3.4", "internal"},
		{nil, "fd00::1", "internal"},
		{nil, "fe80::1", "internal"},
		{nil, "127.0.0.1", "external"},
		{nil, "::1", "external"},
		{nil, "172.32.0.1", "external"},
		{nil, "192.0.2.1", "external"},
		{nil, "2001:db8::1", "external"},
		{own, "198.51.100.7", "internal"},
		{own, "10.1.2.3", "external"},
		{[]netip.Prefix{}, "10.1.2.3", "external"},
	} {
		r := renderer(t, Options{InternalNets: tt.nets, InternalHosts: map[netip.Addr]string{netip.MustParseAddr(tt.addr): "files-1"}})
		h := headOf(netip.MustParseAddr(tt.addr))
		for name, doc := range map[string][]byte{
			"attacker": r.AppendAttacker(nil, h, new(state.Attacker)), "hour": r.AppendActivity(nil, h, morning.Hour(), new(state.Activity)),
			"transition": r.AppendTransition(nil, h, state.Transition{Action: Observed}, new(state.Attacker)),
		} {
			m := decode(t, doc)
			host := any(nil)
			if tt.scope == Internal {
				host = "files-1"
			}
			if at(m, "scope") != tt.scope || at(m, "host.name") != host {
				t.Errorf("%v, %s of %s: scope %v, host %v", tt.nets, name, tt.addr, at(m, "scope"), at(m, "host.name"))
			}
		}
	}
	if nets := PrivateNets(); len(nets) != 7 {
		t.Errorf("%v", nets)
	} else if nets[0] = own[0]; PrivateNets()[0] == own[0] {
		t.Error("the private ranges can be changed")
	}
}

// The option decides who is judged as coming from inside, too.
func TestScopeDecidesRisk(t *testing.T) {
	score := func(nets []netip.Prefix, addr string) float64 {
		r := renderer(t, Options{InternalNets: nets})
		h := headOf(netip.MustParseAddr(addr))
		s := folded(r, everyEvent())
		return r.judge(h, s).risk.Score
	}
	own := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	inside, outside := score(own, "198.51.100.7"), score(own, "10.1.2.3")
	if private, public := score(nil, "10.1.2.3"), score(nil, "198.51.100.7"); inside != private || outside != public || inside <= outside {
		t.Errorf("inside %v and %v, outside %v and %v", inside, private, outside, public)
	}
}

// Who announces a scanner is taken for it, but not from inside the network: from
// networks that the operator calls his own, and from private ones whatever he
// says.
func TestNobodyInsideIsHarmless(t *testing.T) {
	own := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	for _, tt := range []struct {
		nets []netip.Prefix
		addr string
		want any
	}{
		{nil, "198.51.100.7", "benign"},
		{own, "198.51.101.7", "benign"},
		{own, "198.51.100.7", "suspicious"},
		{nil, "10.1.2.3", "suspicious"},
		{nil, "100.100.0.1", "suspicious"},
		{own, "10.1.2.3", "suspicious"},
	} {
		r, addr := renderer(t, Options{InternalNets: tt.nets}), netip.MustParseAddr(tt.addr)
		s := folded(r, []*event.Event{{
			Proof: event.ByConnection, Time: morning, Addr: addr, Decky: "decky-01", Service: "http", Type: "request", Kind: event.Scan,
			Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)"}},
		}})
		if m := decode(t, r.AppendAttacker(nil, headOf(addr), s)); at(m, "classification") != tt.want {
			t.Errorf("%v, %s: %v by %v, want %v", tt.nets, tt.addr, at(m, "classification"), at(m, "classification_basis"), tt.want)
		}
	}
}
