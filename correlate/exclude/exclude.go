// Package exclude reads the rules by which an operator leaves out what is no
// attack: his own scanner, monitoring, a load balancer's checks.
//
// A rule is a list of conditions that must all hold; rules are separated by
// semicolons:
//
//	net=192.0.2.0/24 port=22; service=http agent="kube-probe/*"
package exclude

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
)

// The bounds of what an option may hold.
const (
	maxRules = 64
	maxText  = 256
)

// Rule leaves out the events that meet all of its conditions. A condition that
// is its zero value holds for every event.
type Rule struct {
	// Net has the address in it.
	Net netip.Prefix
	// Port is the decoy's port that the connection came to.
	Port uint16
	// Service and Type are the event's.
	Service, Type string
	// Agent is what the request's software names itself, a "*" at the end
	// standing for anything.
	Agent string

	text string
}

// String returns the rule as it was written, with single spaces.
func (r *Rule) String() string { return r.text }

// Parse reads rules. Its errors name the rule and say what it may have.
func Parse(s string) ([]Rule, error) {
	var rules []Rule
	for part := range splitOutside(s, ';') {
		words := slices.DeleteFunc(slices.Collect(splitOutside(part, ' ')), func(w string) bool { return w == "" })
		if len(words) == 0 {
			continue
		}
		r := Rule{text: strings.Join(words, " ")}
		if len(r.text) > maxText {
			return nil, fmt.Errorf("a rule is longer than %d bytes", maxText)
		}
		for _, word := range words {
			if err := r.set(word); err != nil {
				return nil, fmt.Errorf("rule %q: %w", r.text, err)
			}
		}
		if slices.ContainsFunc(rules, func(other Rule) bool { return other.text == r.text }) {
			return nil, fmt.Errorf("rule %q stands there twice", r.text)
		}
		if rules = append(rules, r); len(rules) > maxRules {
			return nil, fmt.Errorf("more than %d rules", maxRules)
		}
	}
	if len(rules) == 0 {
		return nil, fmt.Errorf("no rule in it")
	}
	return rules, nil
}

func (r *Rule) set(word string) error {
	key, value, ok := strings.Cut(word, "=")
	value = strings.Trim(value, `"`)
	if !ok || value == "" {
		return fmt.Errorf("%q is no condition: write one of net, port, service, type, agent, then = and a value", word)
	}
	var err error
	switch key {
	case "net":
		r.Net, err = network(value)
	case "port":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 16)
		if r.Port = uint16(n); err != nil || n == 0 {
			err = fmt.Errorf("port %q: it must be a number from 1 to 65535", value)
		}
	case "service":
		r.Service = value
	case "type":
		r.Type = value
	case "agent":
		if r.Agent = value; value == "*" {
			err = fmt.Errorf(`agent "*" says nothing: name what the software calls itself`)
		}
	default:
		err = fmt.Errorf("%q is unknown: a condition is one of net, port, service, type, agent", key)
	}
	return err
}

func network(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	net, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("net %q: it must be a network such as 192.0.2.0/24", s)
	}
	return net.Masked(), nil
}

// splitOutside splits s at each sep that is in no double quotes.
func splitOutside(s string, sep byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted := false
		start := 0
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == '"':
				quoted = !quoted
			case s[i] == sep && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// Find returns the place of the first rule that an event meets, -1 without one.
func Find(rules []Rule, ev *event.Event) int {
	for i := range rules {
		if rules[i].meets(ev) {
			return i
		}
	}
	return -1
}

func (r *Rule) meets(ev *event.Event) bool {
	return (!r.Net.IsValid() || r.Net.Contains(ev.Addr)) &&
		(r.Port == 0 || r.Port == ev.Port) &&
		(r.Service == "" || r.Service == ev.Service) &&
		(r.Type == "" || r.Type == ev.Type) &&
		(r.Agent == "" || r.named(ev))
}

// named says whether the event's request names the rule's software.
func (r *Rule) named(ev *event.Event) bool {
	start, any := strings.CutSuffix(r.Agent, "*")
	for i := range ev.Evidence {
		if ev.Evidence[i].Kind != event.Fingerprint {
			continue
		}
		f := ev.Evidence[i].Fingerprint()
		if (f.Type() == "http_useragent" || f.Type() == "sip_useragent") &&
			(any && strings.HasPrefix(f.Value(), start) || f.Value() == r.Agent) {
			return true
		}
	}
	return false
}
