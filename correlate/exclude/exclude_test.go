package exclude

import (
	"net/netip"
	"strings"
	"testing"

	"dossier/correlate/event"
)

func TestParse(t *testing.T) {
	rules, err := Parse(` net=192.0.2.0/24  port=22 ;service=http agent="kube probe; v1*";; type=ping`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Rule{
		{Net: netip.MustParsePrefix("192.0.2.0/24"), Port: 22, text: "net=192.0.2.0/24 port=22"},
		{Service: "http", Agent: "kube probe; v1*", text: `service=http agent="kube probe; v1*"`},
		{Type: "ping", text: "type=ping"},
	}
	if len(rules) != len(want) {
		t.Fatalf("%d rules, want %d: %v", len(rules), len(want), rules)
	}
	for i := range want {
		if rules[i] != want[i] {
			t.Errorf("rule %d is %+v, want %+v", i, rules[i], want[i])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "no rule",
		" ; ":                              "no rule",
		"192.0.2.1":                        "no condition",
		"net=":                             "no condition",
		"net=192.0.2.1/33":                 "must be a network",
		"net=fe80::1%eth0":                 "must be a network",
		"port=0":                           "from 1 to 65535",
		"port=65536":                       "from 1 to 65535",
		"port=ssh":                         "from 1 to 65535",
		"user=root":                        "is unknown",
		"agent=*":                          "says nothing",
		"type=a; type=a":                   "twice",
		"type=" + strings.Repeat("x", 300): "longer than",
		manyRules(65):                      "more than 64",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func manyRules(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("port=")
		b.WriteByte(byte('1' + i%9))
		b.WriteByte(byte('0' + i/9))
		b.WriteByte(';')
	}
	return b.String()
}

func TestFind(t *testing.T) {
	ev := &event.Event{Addr: netip.MustParseAddr("192.0.2.7"), Service: "http", Type: "request", Port: 80, Evidence: []event.Evidence{
		{Kind: event.Login, A: "http_useragent", B: "kube-probe/1.29"}, {Kind: event.Fingerprint, A: "http_useragent", B: "kube-probe/1.29"},
	}}
	for text, want := range map[string]bool{
		"net=192.0.2.0/24":                   true,
		"net=192.0.2.7":                      true,
		"net=198.51.100.0/24":                false,
		"net=192.0.2.0/24 port=80":           true,
		"net=192.0.2.0/24 port=81":           false,
		"service=http":                       true,
		"service=https":                      false,
		"service=http type=request":          true,
		"service=http type=login":            false,
		"agent=kube-probe/*":                 true,
		"agent=kube-probe/1.29":              true,
		"agent=kube-probe/1.2":               false,
		"agent=probe*":                       false,
		"type=x; net=192.0.2.0/24":           true,
		"net=192.0.2.0/24 agent=Prometheus*": false,
	} {
		rules, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Find(rules, ev); (got >= 0) != want {
			t.Errorf("%s: rule %d, want %t", text, got, want)
		}
	}
	rules, _ := Parse("port=80")
	ev.Port = 0
	if Find(rules, ev) >= 0 {
		t.Error("a port that isn't known is the rule's")
	}
}
