package dialect

import (
	"strings"

	"dossier/correlate/event"
)

// pamProse reads what PAM's modules say of sshd's peers, and PAM itself when
// attempts were left out:
//
//	pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root
//	PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root
//	pam_access(sshd:account): access denied for user `root' from `192.0.2.1'
//
// (Linux-PAM, modules/pam_unix/support.c, modules/pam_access/pam_access.c; the
// same first form is pam_sss's and others'.) Both ruser in front of the address
// and user behind it are a client's to choose, so that the address counts where
// nothing or the user follows it, and alone.
func pamProse(msg string) prose {
	if strings.HasPrefix(msg, "pam_access(") {
		if _, rest, ok := strings.Cut(msg, "): access denied for user `"); ok {
			return pamAccess(rest)
		}
		return prose{}
	}
	_, pairs, ok := strings.Cut(msg, "authentication failure; ")
	if !ok {
		if _, pairs, ok = strings.Cut(msg, "authentication failures; "); !ok {
			return prose{}
		}
	}
	p := prose{kind: "login_pam"}
	found := 0
	for {
		if _, pairs, ok = strings.Cut(pairs, " rhost="); !ok {
			break
		}
		addr, tail, _ := strings.Cut(pairs, " ")
		if tail = strings.TrimLeft(tail, " "); tail == "" || strings.HasPrefix(tail, "user=") {
			p.addr = addr
			found++
		}
	}
	p.ambiguous = found > 1
	p.named = isHostName(p.addr)
	return p
}

// ofOldPAM says whether a message is one of a module that Linux-PAM before 0.99
// named behind the program, as sshd(pam_unix)[42]: authentication failure; …
func ofOldPAM(msg string) bool {
	n, _, more := strings.Cut(msg, " more authentication failure")
	return strings.HasPrefix(msg, "authentication failure; ") || more && isNumber(n)
}

// pamAccess reads "NAME' from `ADDRESS'".
func pamAccess(s string) prose {
	p := prose{kind: "refused"}
	if s, closed := strings.CutSuffix(s, "'"); closed {
		if at := strings.LastIndex(s, "' from `"); at >= 0 {
			p.user, p.addr = s[:at], s[at+len("' from `"):]
		}
	}
	p.named = isHostName(p.addr)
	return p
}

// isHostName says whether s is the name of a host, which is no address of its
// own: whoever serves its zone says where it points.
func isHostName(s string) bool {
	if _, ok := event.ParseAddress(s); ok || s == "" || len(s) > event.MaxName {
		return false
	}
	letters := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
		letters = letters || c > '9'
	}
	return letters
}
