package enrich

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// zone answers from a table; hang questions wait for their deadline.
type zone struct {
	names map[string][]string
	asked atomic.Int32
}

func (z *zone) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	z.asked.Add(1)
	names, ok := z.names[addr]
	if !ok {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if len(names) == 0 {
		return nil, errors.New("no such host")
	}
	return names, nil
}

func TestNames(t *testing.T) {
	z := &zone{names: map[string][]string{
		"185.220.101.4": {"Tor-Exit-4.example.ORG.", "second.example."},
		"185.220.101.5": {},
		"185.220.101.6": {"<script>.example."},
	}}
	n := NewNames(NamesOptions{Resolver: z, Timeout: 20 * time.Millisecond, Workers: 2})
	defer n.Close()
	first := netip.MustParseAddr("185.220.101.4")
	if got := n.Name(first); got != "" {
		t.Errorf("%q before anybody was asked", got)
	}
	waitFor(t, "the name", func() bool { return n.Name(first) == "tor-exit-4.example.org" })
	for _, address := range []string{"185.220.101.5", "185.220.101.6", "185.220.101.7", "10.0.0.1"} {
		addr := netip.MustParseAddr(address)
		n.Name(addr)
	}
	waitFor(t, "all answers", func() bool { return z.asked.Load() == 4 })
	time.Sleep(50 * time.Millisecond)
	for _, address := range []string{"185.220.101.5", "185.220.101.6", "185.220.101.7", "10.0.0.1"} {
		if got := n.Name(netip.MustParseAddr(address)); got != "" {
			t.Errorf("%s is called %q", address, got)
		}
	}
	if got := z.asked.Load(); got != 4 {
		t.Errorf("%d questions, want 4: no address is asked for twice, private ones never", got)
	}
}

// A resolver that doesn't answer must not hold anybody up, nor take memory
// without end.
func TestNamesNeverWait(t *testing.T) {
	n := NewNames(NamesOptions{Resolver: &zone{}, Timeout: time.Hour, Workers: 1})
	begin := time.Now()
	for i := range 5 * maxAnswers {
		n.Name(netip.AddrFrom4([4]byte{185, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(n.questions) > maxQuestions || len(n.answers) > maxAnswers {
		t.Errorf("%d questions, %d answers", len(n.questions), len(n.answers))
	}
	n.Close()
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	if (*Names)(nil).Name(netip.MustParseAddr("185.220.101.4")) != "" {
		t.Error("without a resolver there is a name")
	}
}

// both answers in both directions.
type both struct {
	zone
	addresses map[string][]netip.Addr
}

func (b *both) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if network != "ip" {
		return nil, errors.New("only addresses of both families")
	}
	return b.addresses[host], nil
}

// A name is confirmed where it leads back to the address, and a resolver that can't
// tell confirms none.
func TestConfirmedNames(t *testing.T) {
	first, second := netip.MustParseAddr("185.220.101.4"), netip.MustParseAddr("185.220.101.5")
	table := zone{names: map[string][]string{"185.220.101.4": {"one.example."}, "185.220.101.5": {"one.example."}}}
	b := &both{zone: zone{names: table.names}, addresses: map[string][]netip.Addr{"one.example": {netip.MustParseAddr("::ffff:185.220.101.4")}}}
	n := NewNames(NamesOptions{Resolver: b, Workers: 1})
	defer n.Close()
	waitFor(t, "both names", func() bool { return n.Name(first) != "" && n.Name(second) != "" })
	if n.Confirmed(first) != "one.example" || n.Confirmed(second) != "" {
		t.Errorf("confirmed: %q and %q", n.Confirmed(first), n.Confirmed(second))
	}
	one := NewNames(NamesOptions{Resolver: &table, Workers: 1})
	defer one.Close()
	waitFor(t, "the name", func() bool { return one.Name(first) != "" })
	if got := one.Confirmed(first); got != "" {
		t.Errorf("confirmed by a resolver that can't: %q", got)
	}
	told := KnownNames()
	told.Tell(first, "One.example.", true)
	told.Tell(second, "two.example", false)
	if told.Name(first) != "one.example" || told.Confirmed(first) != "one.example" || told.Name(second) != "two.example" || told.Confirmed(second) != "" ||
		told.Name(netip.MustParseAddr("8.8.8.8")) != "" {
		t.Error("what was told isn't known, or something else is")
	}
	told.Close()
}
