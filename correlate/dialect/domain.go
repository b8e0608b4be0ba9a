package dialect

import (
	"strings"
	"unicode/utf8"

	"dossier/correlate/event"

	"golang.org/x/net/idna"
)

const (
	maxDomain     = 253 // RFC 1035 §2.3.4, without the trailing dot
	maxLabel      = 63
	maxCandidate  = 1024
	maxRecipients = 100 // RFC 5321 §4.5.3.1.8: what a server must take
)

// mailDomain returns the domain of a mail address as it stands in an SMTP
// command or header, in lower-case ASCII, with at least two labels. The local
// part goes nowhere. It returns false for what no mail can be delivered to:
// address literals, names that break the rules, and the reserved top-level
// domains of RFC 2606 and RFC 6762.
func (x *scratch) mailDomain(candidate string) (domain string, ok bool) {
	domain, ok = x.domain(candidate)
	if !ok {
		return "", false
	}
	dot := strings.LastIndexByte(domain, '.')
	last := domain[dot+1:]
	if dot < 0 || len(last) < 2 {
		return "", false
	}
	switch last {
	case "invalid", "test", "localhost", "local", "example":
		return "", false
	}
	_, number := digits(last, 0, len(last))
	return domain, !number
}

// domain returns what follows the last "@" of a mail address, in lower-case
// ASCII.
func (x *scratch) domain(candidate string) (domain string, ok bool) {
	if len(candidate) > maxCandidate {
		return "", false
	}
	candidate = angled(candidate)
	at := strings.LastIndexByte(candidate, '@')
	if at < 1 {
		return "", false
	}
	domain = strings.TrimSpace(candidate[at+1:])
	domain = strings.TrimSuffix(domain, ".")
	plain := true
	for i := 0; i < len(domain); i++ {
		c := domain[i]
		plain = plain && c < 0x80
		if c >= 'A' && c <= 'Z' {
			domain = x.lower(domain)
		}
	}
	if !plain && !utf8.ValidString(domain) {
		return "", false
	}
	if !plain || strings.Contains(domain, "xn--") {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return "", false
		}
		domain = strings.TrimSuffix(ascii, ".")
	}
	if !validDomain(domain) {
		return "", false
	}
	return domain, true
}

// angled returns what stands between "<" and ">", s without brackets. A ">"
// inside a quoted local part ends nothing.
func angled(s string) string {
	open := strings.IndexByte(s, '<')
	if open < 0 {
		return s
	}
	s = s[open+1:]
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '>':
			if !quoted {
				return s[:i]
			}
		}
	}
	return s
}

// validDomain says whether s consists of labels of letters, digits and inner
// hyphens, within the lengths of RFC 1035.
func validDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			c := s[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
			continue
		}
		label := s[start:i]
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// lower returns s with ASCII letters in lower case.
func (x *scratch) lower(s string) string {
	b := x.arena.Grab(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return x.arena.Keep(b)
}

// addDomains adds one evidence for each domain in a comma list of recipients.
func (x *scratch) addDomains(kind event.EvidenceKind, list string, outcome event.Outcome) {
	start := len(x.evidence)
	for list != "" && len(x.evidence)-start < maxRecipients {
		var candidate string
		candidate, list, _ = strings.Cut(list, ",")
		domain, ok := x.mailDomain(candidate)
		if !ok {
			continue
		}
		known := false
		for i := start; i < len(x.evidence) && !known; i++ {
			known = x.evidence[i].A == domain
		}
		if !known {
			x.add(event.Evidence{Kind: kind, A: domain, Outcome: outcome})
		}
	}
}

// domains returns the domains in a comma list of mail addresses, without the
// local parts and display names.
func (x *scratch) domains(list string) string {
	out := x.name[:0]
	for n := 0; list != "" && n < maxRecipients && len(out) < event.MaxValue; n++ {
		var candidate string
		candidate, list, _ = strings.Cut(list, ",")
		domain, ok := x.domain(candidate)
		if !ok || listed(event.View(out), domain) {
			continue
		}
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = append(out, domain...)
	}
	x.name = out
	return x.arena.Join(event.View(out))
}

// listed says whether a comma list has the item.
func listed(list, item string) bool {
	for list != "" {
		var head string
		head, list, _ = strings.Cut(list, ",")
		if head == item {
			return true
		}
	}
	return false
}
