package hostile

import (
	"strings"
	"testing"

	"dossier/correlate"
	"dossier/correlate/dialect"
)

const stamp = "2026-11-24T11:00:00.000000+00:00"

// typed is a command with a newline in it, and behind that a whole line that
// blames 8.8.4.4, as a shell's hook hands it over.
var typed = map[string]string{
	"DECNET's structured data": `<14>1 ` + stamp + ` decoy-2 ssh - auth_success [relay@55555 src_ip="8.8.4.4" outcome="success" principal="root"]`,
	"DECNET's JSON":            `{"timestamp":"` + stamp + `","decky":"decoy-2","service":"ssh","event_type":"auth_success","attacker_ip":"8.8.4.4","fields":{"src_ip":"8.8.4.4","outcome":"success"}}`,
	"Cowrie's JSON":            `{"eventid":"cowrie.login.success","src_ip":"8.8.4.4","username":"root","password":"x","sensor":"decoy-2"}`,
	"Suricata's JSON":          `{"event_type":"ftp","src_ip":"8.8.4.4","src_port":40000,"dest_ip":"10.0.0.5","dest_port":21,"proto":"TCP","ftp":{"command":"PASS","completion_code":["230"]}}`,
	"wrapped by a relay":       `<14>1 ` + stamp + ` decoy-2 1 - - - ` + stamp + ` decoy-2 ssh - auth_success [relay@55555 src_ip="8.8.4.4" outcome="success"]`,
}

func command(text string) string {
	return `<14>1 ` + stamp + ` decoy-1 bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=185.220.101.4 pwd=/root cmd=echo "` + text + `"`
}

// The attacker types a newline and behind it a line that blames somebody else,
// and the transport keeps the message whole: octet counting, a datagram, or a
// sender that escapes it.
func TestATypedNewlineForgesNoLineWhereTheTransportKeepsTheMessageWhole(t *testing.T) {
	for what, line := range typed {
		for how, message := range map[string]string{
			"as it is": command("\n" + line), "escaped by rsyslog": command("#012" + line), "escaped by vis": command(`\012` + line),
		} {
			docs, _ := profiles(t, dialect.Options{DropApps: []string{"rsyslogd"}}, message)
			if len(docs) != 1 || docs["185.220.101.4"] == nil || docs["185.220.101.4"]["command_count"] != 1.0 {
				t.Errorf("%s, %s: profiles of %v", what, how, keys(docs))
			}
		}
	}
}

// The transport breaks the message at the newline: what stands behind it is a
// line of its own, which structured_data off refuses.
func TestAForgedLineIsRefusedWhereNoStructuredDataIsExpected(t *testing.T) {
	for what, line := range typed {
		lines := strings.Split(command("\n"+line+"\n"), "\n")
		docs, _ := profiles(t, dialect.Options{DecoyNets: decoyNets}, lines...)
		if docs["8.8.4.4"] == nil {
			t.Errorf("%s: the line is no forgery to begin with", what)
		}
		docs, stats := profiles(t, dialect.Options{DecoyNets: decoyNets, SentencesOnly: true}, lines...)
		if len(docs) != 1 || docs["185.220.101.4"] == nil {
			t.Errorf("%s: profiles of %v", what, keys(docs))
		}
		if n := refused(stats, "structured_data"); n != 1 {
			t.Errorf("%s: %d lines are counted as structured data", what, n)
		}
	}
}

// The attacker writes an address of his choice into what PAM's sentence repeats
// of the client.
func TestAnAddressInPAMsOtherFieldsBlamesNobody(t *testing.T) {
	const start = `<86>1 ` + stamp + ` decoy-1 sshd 7 - - pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh `
	for _, c := range []struct {
		pairs, want string
		ambiguous   int64
	}{
		{"ruser= rhost=185.220.101.4  user=root", "185.220.101.4", 0},
		{"ruser= rhost=185.220.101.4 ", "185.220.101.4", 0},
		{"ruser= rhost=185.220.101.4", "185.220.101.4", 0},
		{"ruser=x rhost=8.8.8.8 rhost=185.220.101.4  user=root", "185.220.101.4", 0},
		{"ruser=x rhost=8.8.8.8 y rhost=185.220.101.4", "185.220.101.4", 0},
		{"ruser=x rhost=8.8.8.8  user=y rhost=185.220.101.4  user=root", "", 1},
		{"ruser= rhost=185.220.101.4  user=x rhost=8.8.8.8", "", 1},
		{"ruser= rhost=185.220.101.4  user=x rhost=8.8.8.8  user=y", "", 1},
		{"ruser=x rhost=8.8.8.8 but the line ends", "", 0},
	} {
		docs, stats := profiles(t, dialect.Options{DropApps: []string{"rsyslogd"}}, start+c.pairs)
		if got := strings.Join(keys(docs), " "); got != c.want {
			t.Errorf("%s: blames %q, want %q", c.pairs, got, c.want)
		}
		if n := refused(stats, "ambiguous_address"); n != c.ambiguous {
			t.Errorf("%s: %d ambiguous, want %d", c.pairs, n, c.ambiguous)
		}
	}
}

func keys(docs map[string]map[string]any) (all []string) {
	for id := range docs {
		all = append(all, id)
	}
	return all
}

func refused(s correlate.Stats, reason string) int64 {
	for _, r := range dialect.Reasons() {
		if r.String() == reason {
			return s.Refused[r]
		}
	}
	return -1
}
