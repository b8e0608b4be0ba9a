package enrich

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"dossier/panics"
)

// NamesOptions configures Names.
type NamesOptions struct {
	// Resolver holds who is asked.
	//
	// If Resolver is nil, the system's resolver is asked.
	Resolver interface {
		LookupAddr(ctx context.Context, addr string) ([]string, error)
	}
	// Timeout holds how long one question may take.
	//
	// If Timeout is zero, the default of 2 s will be used.
	Timeout time.Duration
	// Workers holds how many questions are asked at a time.
	//
	// If Workers is zero, the default of 4 will be used.
	Workers int
	// OnPanic is called when asking panics; the name stays unknown. It may be
	// nil.
	OnPanic func(*panics.Panic)
}

// The bounds of Names: questions waiting, answers kept, and how long.
const (
	maxQuestions = 1024
	maxAnswers   = 16384
	answerAge    = 24 * time.Hour
	maxHost      = 253
)

// Names looks up the names of addresses in reverse DNS, in the background.
// Looking a name up tells whoever runs the DNS of the address. It is safe for
// concurrent use.
type Names struct {
	o         NamesOptions
	questions chan netip.Addr
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu      sync.Mutex
	answers map[netip.Addr]answer
}

// answer is a name, "" where there is none or the question still waits.
type answer struct {
	name string
	at   time.Time
	// confirmed says that the name leads back to the address.
	confirmed bool
}

// NewNames starts to answer questions.
func NewNames(o NamesOptions) *Names {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Workers <= 0 {
		o.Workers = 4
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Names{o: o, questions: make(chan netip.Addr, maxQuestions), stop: cancel, answers: map[netip.Addr]answer{}}
	for range o.Workers {
		n.done.Add(1)
		go n.work(ctx)
	}
	return n
}

// KnownNames returns Names that ask nobody: they know what they are told by Tell.
func KnownNames() *Names { return &Names{stop: func() {}, answers: map[netip.Addr]answer{}} }

// Tell has n know the name of an address, as if it had just been asked for. It is for
// KnownNames.
func (n *Names) Tell(addr netip.Addr, name string, confirmed bool) {
	n.keep(addr, host(name), confirmed)
}

// Close gives up what is being asked and returns when all is quiet.
func (n *Names) Close() {
	n.stop()
	n.done.Wait()
}

// Name returns what is known of addr's name. It never waits: an unknown
// address is asked for in the background, for the next time.
func (n *Names) Name(addr netip.Addr) string {
	name, _ := n.known(addr)
	return name
}

// Confirmed is Name where the name leads back to the address, else "": whoever runs
// the reverse DNS of an address may give it any name, but not put the address behind it.
func (n *Names) Confirmed(addr netip.Addr) string {
	if name, confirmed := n.known(addr); confirmed {
		return name
	}
	return ""
}

func (n *Names) known(addr netip.Addr) (name string, confirmed bool) {
	if n == nil || !Routed(addr) {
		return "", false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if a, ok := n.answers[addr]; ok && now.Sub(a.at) < answerAge {
		return a.name, a.confirmed
	}
	select {
	case n.questions <- addr:
	default:
		return "", false // too many wait: another time
	}
	if len(n.answers) >= maxAnswers {
		clear(n.answers)
	}
	n.answers[addr] = answer{at: now}
	return "", false
}

func (n *Names) work(ctx context.Context) {
	defer n.done.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case addr := <-n.questions:
			panics.Do("names", n.o.OnPanic, func() {
				name, confirmed := n.ask(ctx, addr)
				n.keep(addr, name, confirmed)
			})
		}
	}
}

func (n *Names) keep(addr netip.Addr, name string, confirmed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[addr] = answer{name, time.Now(), confirmed}
}

// forwards is a resolver that tells the addresses of a name too.
type forwards interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func (n *Names) ask(ctx context.Context, addr netip.Addr) (name string, confirmed bool) {
	ctx, cancel := context.WithTimeout(ctx, n.o.Timeout)
	defer cancel()
	names, err := n.o.Resolver.LookupAddr(ctx, addr.String())
	if err != nil || len(names) == 0 {
		return "", false
	}
	if name = host(names[0]); name == "" {
		return "", false
	}
	back, ok := n.o.Resolver.(forwards)
	if !ok {
		return name, false
	}
	addrs, err := back.LookupNetIP(ctx, "ip", name)
	return name, err == nil && slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == addr })
}

// host returns name as a host name of letters, digits, hyphens, underscores
// and dots, "" where it is none: whoever runs the attacker's DNS chose it.
func host(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > maxHost {
		return ""
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return ""
		}
	}
	return name
}
