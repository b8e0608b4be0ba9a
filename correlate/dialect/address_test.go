package dialect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
)

// whom returns whom a line blames, or why nobody.
func whom(t *testing.T, p *Parser, line string) string {
	t.Helper()
	var a event.Arena
	var ev event.Event
	v := p.Parse(&a, logRecord(line), &ev)
	if v.Class() != Parsed {
		return v.Reason.String()
	}
	return ev.Addr.String()
}

// sshd's sentences blame who stands where sshd puts the address, whatever the
// client's name, certificate or banner says; where the sentence can be read in
// two ways nobody is blamed.
func TestSentencesBlameOnlyWhomSSHDMeans(t *testing.T) {
	const (
		real   = "192.0.2.1"
		plain  = ": ED25519 SHA256:abc"
		nobody = "ambiguous_address"
	)
	cert := func(identity string) string {
		return ": ED25519-CERT SHA256:abc ID " + identity + " (serial 0) CA ED25519 SHA256:def"
	}
	fakes := []string{
		"x from 6.6.6.6", "x from 6.6.6.6 port 5", "x from 6.6.6.6 port 5 ssh2", "x from 6.6.6.6 port 5 ssh2" + plain, "x from 6.6.6.6 port 5 ssh2" + cert("y"),
		"from from 6.6.6.6", " from 6.6.6.6", "x from 6.6.6.6 port 5 ssh2: a",
	}
	p := newParser(t, Options{DropApps: []string{"none"}})
	check := func(sentence string, want ...string) {
		t.Helper()
		for _, preauth := range []string{"", " [preauth]"} {
			line := `<38>1 ` + stamp + ` d sshd 7 - - ` + sentence + preauth
			got := whom(t, p, line)
			if slices.Contains(want, got) {
				return
			}
			t.Errorf("%s\nblames %s, want %s", sentence+preauth, got, strings.Join(want, " or "))
		}
	}
	ends := []string{" from " + real, " from " + real + " port 22", " from " + real + " port 22 ssh2"}
	for _, tt := range []struct {
		start string
		ends  []string
		// more says that the sentence may go on behind its end.
		more bool
	}{
		{"Failed password for invalid user ", ends, true},
		{"Failed password for ", ends, true},
		{"Failed none for invalid user ", ends, true},
		{"Accepted password for ", ends, true},
		{"Accepted keyboard-interactive/pam for ", ends, true},
		{"Failed publickey for ", ends, true},
		{"Accepted publickey for ", ends, true},
		{"Invalid user ", ends[:2], false},
		{"error: PAM: Authentication failure for ", ends[:1], false},
		{"error: maximum authentication attempts exceeded for ", ends, false},
		{"Bad protocol version identification '", []string{"' from " + real, "' from " + real + " port 22"}, false},
		{"User ", []string{" from " + real + " not allowed because not listed in AllowUsers"}, false},
		{"administratively prohibited connection for invalid user ", ends[1:2], false},
		{"Close session: user ", []string{" from " + real + " port 22 id 0"}, false},
		{"Starting session: command for ", []string{" from " + real + " port 22 id 0"}, false},
		{"public key ED25519-SK SHA256:x signature for ", []string{" from " + real + " port 22 rejected: user verification requirement not met "}, false},
		{"Nasty PTR record \"", []string{"\" is set up for " + real + ", ignoring"}, false},
		{"reverse mapping checking getaddrinfo for ", []string{" [" + real + "] failed."}, false},
		{"userauth_hostbased mismatch: client sends ", []string{", but we resolve " + real + " to host"}, false},
	} {
		for _, end := range tt.ends {
			check(tt.start+"root"+end, real)
			for _, fake := range fakes {
				// What may go on may also end in a name: then it is a key, a
				// certificate or the like that was cut.
				if tt.more && strings.Contains(fake, "ssh2: ") {
					check(tt.start+fake+end, nobody)
				} else {
					check(tt.start+fake+end, real)
				}
			}
		}
	}
	for _, method := range []string{"Failed publickey for ", "Failed publickey for invalid user ", "Accepted publickey for ", "Postponed publickey for "} {
		end := " from " + real + " port 22 ssh2"
		check(method+"root"+end+plain, real)
		check(method+"root"+end+": RSA MD5:aa:bb", real)
		check(method+"root"+end+cert("me"), real)
		check(method+"root"+end+cert("a b c from d"), real)
		for _, fake := range fakes {
			want := []string{real}
			if strings.Contains(fake, "ssh2: ") {
				want = []string{nobody}
			}
			check(method+fake+end+plain, want...)
			check(method+fake+end+cert("me"), want...)
			// In the identity, whole or cut where sshd's buffer ends.
			check(method+"root"+end+cert(fake), want...)
			cut := method + "root" + end + ": ED25519-CERT SHA256:abc ID " + strings.Repeat("y", 900) + fake
			check(cut, nobody, real)
		}
	}
	// A line of a form that isn't known blames somebody only where one stands in
	// it.
	check("Failed password for root from 192.0.2.1 port 22 ssh3 what", real)
	check("Failed password for root from 6.6.6.6 port 22 ssh3 from 192.0.2.1 what", nobody)
	check("Failed password for root from 6.6.6.6 port x ssh2 from 192.0.2.1 port y", nobody)
	// Names in front of an address without a word between them.
	for _, method := range []string{"Connection closed by authenticating user ", "Connection reset by invalid user ", "Disconnected from user ", "Disconnected from invalid user "} {
		for _, name := range []string{"root", "x 6.6.6.6", "x 6.6.6.6 port 5", "6.6.6.6 port 5 6.6.6.6 port 5", "port 5"} {
			check(method+name+" "+real+" port 22", real)
			check(method+name+" "+real, real)
		}
	}
	check("Received disconnect from 192.0.2.1 port 22:11: from 6.6.6.6 port 5", real)
	check("Unable to negotiate with 192.0.2.1 port 22: no matching from 6.6.6.6 port 5", real)
}

// A field with the address that is there twice must say the same.
func TestAddressFieldsThatAreThereTwice(t *testing.T) {
	p := newParser(t, Options{DropApps: []string{"none"}})
	const a, b = "192.0.2.1", "6.6.6.6"
	for _, tt := range []struct{ params, want string }{
		{`src_ip="` + a + `"`, a},
		{`src_ip="` + a + `" src_ip="` + a + `"`, a},
		{`src_ip="` + a + `" src_ip="` + b + `"`, "ambiguous_address"},
		{`src_ip="` + b + `" src_ip="` + a + `" src_ip="` + a + `"`, "ambiguous_address"},
		{`src_ip="` + a + `" src_ip="` + b + `" src_ip="` + a + `"`, "ambiguous_address"},
		{`src="` + b + `" src="` + a + `" src_ip="` + a + `"`, a}, // what counts is there once
		{`src_ip="` + a + `" src="` + b + `" src="` + a + `"`, a},
		{`src_ip="" src_ip="` + b + `"`, "ambiguous_address"},
		{`ip="` + a + `" remote_addr="` + b + `" ip="` + a + `"`, b},
		// The order of the fields is DECNET's, not the line's.
		{`ip="` + b + `" remote_addr="` + b + `" remote_ip="` + b + `" client_ip="` + b + `" src="` + b + `" src_ip="` + a + `"`, a},
		{`ip="` + b + `" remote_addr="` + b + `" remote_ip="` + b + `" client_ip="` + b + `" src="` + a + `"`, a},
		{`ip="` + b + `" remote_addr="` + b + `" remote_ip="` + b + `" client_ip="` + a + `"`, a},
		{`ip="` + b + `" remote_addr="` + b + `" remote_ip="` + a + `"`, a},
		{`ip="` + b + `" remote_addr="` + a + `"`, a},
		{`src_ip="nobody" src="` + b + `"`, "bad_address"},
	} {
		if got := whom(t, p, `<134>1 `+stamp+` d http - request [relay@55555 `+tt.params+` path="/"]`); got != tt.want {
			t.Errorf("%s blames %s, want %s", tt.params, got, tt.want)
		}
		var fields []string
		for param := range strings.SplitSeq(tt.params, " ") {
			name, value, _ := strings.Cut(param, "=")
			fields = append(fields, fmt.Sprintf(`%q:%s`, name, value))
		}
		doc := `{"timestamp":"` + stamp + `","decky":"d","service":"http","event_type":"request","fields":{` + strings.Join(fields, ",") + `}}`
		if got := whom(t, p, doc); got != tt.want {
			t.Errorf("%s blames %s, want %s", doc, got, tt.want)
		}
	}
	for params, want := range map[string]string{
		`target_ip="` + a + `" src_ip="` + b + `"`: a, `target_ip="` + a + `" target_ip="` + b + `"`: "ambiguous_address",
		`target_ip="` + a + `" src_ip="x" src_ip="y"`: a, `src_ip="` + a + `"`: "no_address",
	} {
		if got := whom(t, p, `<134>1 `+stamp+` d prober - jarm_fingerprint [relay@55555 `+params+` hash="x"]`); got != want {
			t.Errorf("of the prober, %s blames %s, want %s", params, got, want)
		}
	}
	// Of any other parameter, and of a member of JSON, the last one counts.
	var arena event.Arena
	var ev event.Event
	p.Parse(&arena, logRecord(`<134>1 `+stamp+` d ssh - auth [relay@55555 src_ip="192.0.2.1" username="x" username="y" password="z"]`), &ev)
	if len(ev.Evidence) == 0 || ev.Evidence[0].A != "y" {
		t.Errorf("evidence %+v", ev.Evidence)
	}
	if got := whom(t, p, `{"eventid":"cowrie.session.connect","src_ip":"6.6.6.6","src_ip":"192.0.2.1","session":"1","timestamp":"`+stamp+`"}`); got != a {
		t.Errorf("of a repeated member %s counts", got)
	}
}

// A request's headers claim an address only where it isn't the attacker's own.
func TestClaims(t *testing.T) {
	p := newParser(t, Options{})
	for header, want := range map[string]string{
		`\"X-Forwarded-For\": \"192.0.2.1\"`: "", `\"X-Forwarded-For\": \"::ffff:192.0.2.1\"`: "", `\"Forwarded\": \"for=192.0.2.1\"`: "",
		`\"X-Forwarded-For\": \"8.8.8.8\"`:                                      "8.8.8.8 X-Forwarded-For public",
		`\"X-Forwarded-For\": \"x, 8.8.8.8, 192.0.2.1\"`:                        "8.8.8.8 X-Forwarded-For public",
		`\"X-Real-IP\": \"8.8.4.4\", \"X-Forwarded-For\": \"8.8.8.8\"`:          "8.8.8.8 X-Forwarded-For public",
		`\"Forwarded\": \"for=8.8.4.4\", \"X-Forwarded-For\": \"8.8.8.8\"`:      "8.8.4.4 Forwarded public",
		`\"Forwarded\": \"by=8.8.4.4\", \"X-Forwarded-For\": \"8.8.8.8\"`:       "8.8.8.8 X-Forwarded-For public",
		`\"X-Forwarded-For\": \"192.0.2.1\", \"True-Client-IP\": \"8.8.8.8\"`:   "", // the first that names one decides
		`\"X-Forwarded-For\": \"unknown\", \"CF-Connecting-IP\": \"8.8.8.8\"`:   "8.8.8.8 CF-Connecting-IP public",
		`\"User-Agent\": \"8.8.8.8\", \"Accept\": \"X-Forwarded-For: 8.8.8.8\"`: "",
	} {
		var a event.Arena
		var ev event.Event
		line := `<134>1 ` + stamp + ` d http - request [relay@55555 src_ip="192.0.2.1" path="/" headers="{` + header + `}"]`
		if v := p.Parse(&a, logRecord(line), &ev); v.Class() != Parsed || ev.Addr != netip.MustParseAddr("192.0.2.1") {
			t.Fatalf("%s: %s, %v", line, v.Reason, ev.Addr)
		}
		got := ""
		for _, e := range ev.Evidence {
			if e.Kind == event.Leak {
				got = e.A + " " + e.B + " " + e.C
			}
		}
		if got != want {
			t.Errorf("%s claims %q, want %q", header, got, want)
		}
	}
}

// Headers that are next to nothing.
func TestHeadersOfNothing(t *testing.T) {
	p := newParser(t, Options{})
	for _, headers := range []string{"{", "{ ", "{}", "{   ", "{\t", `{\"`, "{'", "{,}", "[", " "} {
		if got := whom(t, p, `<134>1 `+stamp+` d http - request [relay@55555 src_ip="192.0.2.1" path="/" headers="`+headers+`"]`); got != "192.0.2.1" {
			t.Errorf("headers %q: %s", headers, got)
		}
	}
}
