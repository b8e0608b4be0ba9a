package profile

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"dossier/correlate/state"
	"dossier/profile/enrich"
)

// lastAsked is the address that is asked for last.
const lastAsked = "8.8.4.4"

// asked is a resolver that notes for whom it was asked before lastAsked.
type asked struct {
	addresses []string
	done      chan struct{}
}

// LookupAddr is called by one worker.
func (a *asked) LookupAddr(_ context.Context, addr string) ([]string, error) {
	if addr == lastAsked {
		close(a.done)
	} else {
		a.addresses = append(a.addresses, addr)
	}
	return nil, nil
}

// Whoever runs an attacker's DNS learns of each question. Without Names nobody
// is asked; with them one question is put about the attacker's own address, not
// about what his headers claim, and none about addresses that are nobody's.
func TestWhoIsAskedForNames(t *testing.T) {
	if r := renderer(t, Options{}); r.o.Names != nil || r.o.Files != nil {
		t.Errorf("somebody is asked by default: %v, %v", r.o.Names, r.o.Files)
	}
	all := func(r *Renderer, addr netip.Addr) {
		head, s := headOf(addr), numbered()
		for range 3 {
			r.AppendAttacker(nil, head, s)
			r.AppendActivity(nil, head, moment(0), new(state.Activity))
			r.AppendTarget(nil, head, "example.com", new(state.Target))
			r.AppendTransition(nil, head, state.Transition{Action: Observed}, s)
			r.AppendSummary(nil, head, s)
			r.Transitions(nil, head, s)
		}
	}
	for address, want := range map[string]string{
		"185.220.101.4": "[185.220.101.4]", "2a00:1450::1": "[2a00:1450::1]", "10.1.2.3": "[]", "127.0.0.1": "[]", "203.0.113.9": "[]",
	} {
		resolver := &asked{done: make(chan struct{})}
		names := enrich.NewNames(enrich.NamesOptions{Resolver: resolver, Workers: 1})
		r := renderer(t, Options{Names: names})
		all(r, netip.MustParseAddr(address))
		names.Name(netip.MustParseAddr(lastAsked))
		<-resolver.done
		names.Close()
		if got := fmt.Sprint(resolver.addresses); got != want {
			t.Errorf("of %s DNS learnt %s, want %s", address, got, want)
		}
	}
}
