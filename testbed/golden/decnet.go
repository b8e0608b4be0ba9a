// Package golden compares what Dossier makes of DECNET's lines with what
// DECNET 1.0.0 made of them.
package golden

import (
	"regexp"
	"strings"
)

// decnetLine is a line as DECNET 1.0.0's profiler reads it, after the
// description of its parser. It is here to tell which attackers a difference
// touches, and so which must be equal in every field.
type decnetLine struct {
	ok                   bool
	decky, service, kind string
	address              string
	addressFrom          string // "field", "text", ""
	fields               map[string]string
	mutation             bool
}

const (
	reV4 = `\d{1,3}(?:\.\d{1,3}){3}`
	reIP = `(?:` + reV4 + `|[0-9a-fA-F:]+:[0-9a-fA-F:]+)`
)

var (
	lineRE     = regexp.MustCompile(`^<\d+>1 (\S+) (\S+) (\S+) - (\S+) (.+)$`)
	innerRE    = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}T\S+)\s+(\S+)\s+(\S+)\s+\S+\s+(\S+)\s+(.+)$`)
	blockRE    = regexp.MustCompile(`(?s)\[relay@55555\s+(.*?)\]`)
	paramRE    = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
	anchoredRE = regexp.MustCompile(`(?i)\b(?:from|rhost[:=]|client[:=]|src[:=])\s*(` + reIP + `)`)
	bareRE     = regexp.MustCompile(`\b(` + reV4 + `)\b`)
	tailRE     = regexp.MustCompile(`\]\s+(.+)$`)
	headRE     = regexp.MustCompile(`(\w+)=(\S+)`)
)

var addressFields = []string{"src_ip", "src", "client_ip", "remote_ip", "remote_addr", "target_ip", "ip"}

// parseDECNET reads a line as DECNET does.
func parseDECNET(raw string) (l decnetLine) {
	m := lineRE.FindStringSubmatch(strings.TrimSpace(raw))
	if m == nil {
		return l
	}
	if m[1] == "-" {
		return l
	}
	decky, service, kind, rest := m[2], m[3], m[4], m[5]
	if kind == "-" && strings.HasPrefix(rest, "-") {
		if in := innerRE.FindStringSubmatch(strings.TrimLeft(rest[1:], " \t")); in != nil {
			decky, service, kind, rest = in[2], in[3], in[4], in[5]
		}
	}
	if decky == "-" || service == "-" {
		return l
	}
	l = decnetLine{ok: true, decky: decky, service: service, kind: kind, fields: map[string]string{}}
	if b := blockRE.FindStringSubmatch(rest); b != nil {
		for _, p := range paramRE.FindAllStringSubmatch(b[1], -1) {
			v := strings.ReplaceAll(p[2], `\"`, `"`)
			v = strings.ReplaceAll(v, `\\`, `\`)
			l.fields[p[1]] = strings.ReplaceAll(v, `\]`, `]`)
		}
	}
	msg := ""
	if strings.HasPrefix(rest, "-") {
		msg = strings.TrimLeft(rest[1:], " \t")
	} else if t := tailRE.FindStringSubmatch(rest); t != nil {
		msg = t[1]
	}
	l.findAddress(msg)
	if (kind == "-" || kind == "command") && strings.HasPrefix(msg, "CMD ") && l.fields["command"] == "" {
		l.kind = "command"
		head, command, found := strings.Cut(msg[4:], "cmd=")
		for _, kv := range headRE.FindAllStringSubmatch(head, -1) {
			if _, set := l.fields[kv[1]]; !set {
				l.fields[kv[1]] = kv[2]
			}
		}
		if found {
			l.fields["command"] = command
		}
	}
	l.mutation = service == "mutator" && l.kind == "decky_mutated"
	return l
}

func (l *decnetLine) findAddress(msg string) {
	for _, k := range addressFields {
		if v, set := l.fields[k]; set {
			l.address, l.addressFrom = v, "field"
			return
		}
	}
	if m := anchoredRE.FindStringSubmatch(msg); m != nil {
		l.address, l.addressFrom = m[1], "text"
	} else if m := bareRE.FindStringSubmatch(msg); m != nil {
		l.address, l.addressFrom = m[1], "text"
	}
}

// classify is DECNET's behaviour class of rounded statistics.
func classify(n int64, mean, cv *float64, services int) string {
	switch {
	case n < 3 || mean == nil:
		return "unknown"
	case services >= 2 && *mean >= 10 && n >= 4:
		return "slow_scan"
	case services >= 3 && *mean < 10 || services >= 2 && *mean < 2:
		return "scanning"
	case services == 1 && n >= 8 && *mean < 5 && cv != nil && *cv < 0.6:
		return "brute_force"
	case cv != nil && *cv < 0.35 && *mean >= 5 && n >= 4:
		return "beaconing"
	case cv != nil && *cv >= 0.5 && *mean < 5 && n >= 6:
		return "interactive"
	}
	return "mixed"
}
