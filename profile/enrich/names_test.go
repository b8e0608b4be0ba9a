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
