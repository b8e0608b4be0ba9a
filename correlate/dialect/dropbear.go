package dialect

import (
	"strings"
	"unicode"

	"dossier/correlate/event"
)

// dropbearSentences are those of Dropbear's that name a peer, in the forms of
// versions 0.44 to 2025, from svr-main.c, svr-auth.c, svr-authpasswd.c,
// svr-authpam.c, svr-authpubkey.c and svr-session.c. Older versions begin them
// with a small letter.
var dropbearSentences = []sentence{
	{"connect", event.Unknown, []string{"Child connection from {p}"}},
	{"login_step", event.Success, []string{
		"Password auth succeeded for '{u}' from {p}, extra auth required", "PAM password auth succeeded for '{u}' from {p}, extra auth required",
		"Pubkey auth succeeded for '{u}' with {*} from {p}, extra auth required",
	}},
	{"login", event.Success, []string{
		"Password auth succeeded for '{u}' from {p}", "PAM password auth succeeded for '{u}' from {p}",
		"Pubkey auth succeeded for '{u}' with {*} from {p}", "Auth succeeded with blank password for '{u}' from {p}",
	}},
	{"login", event.Failure, []string{
		"Bad password attempt for '{u}' from {p}", "Bad PAM password attempt for '{u}' from {p}", "Too-long password attempt for '{u}' from {p}",
		"Pubkey auth bad signature for '{u}' with {*} from {p}",
	}},
	{"invalid_user", event.Unknown, []string{
		"Login attempt for nonexistent user from {p}", "Login attempt for nonexistent user '{u}' from {p}", "Login attempt with wrong user {u} from {p}",
	}},
	{"too_many_attempts", event.Unknown, []string{
		"Exit before auth from <{p}>: (user '{u}', {n} fails): Max auth tries reached - user '{*}'",
		"Exit before auth (user '{u}', {n} fails): Max auth tries reached - user '{*}' from {p}",
		"Exit before auth: Max auth tries reached - user '{u}' from {p}", "Exit before auth from <{p}>: Max auth tries reached - user '{u}'",
	}},
	{"disconnect", event.Unknown, []string{"Exit before auth from <{p}>: {*}", "Early exit from <{p}>: {*}", "Exit ({u}) from <{p}>: {*}"}},
}

var dropbearForms = formsOf(withSmallLetters(dropbearSentences))

// withSmallLetters adds to each form one that begins with a small letter.
func withSmallLetters(all []sentence) []sentence {
	for i := range all {
		for _, form := range all[i].forms {
			first := []rune(form)
			first[0] = unicode.ToLower(first[0])
			all[i].forms = append(all[i].forms, string(first))
		}
	}
	return all
}

// parseDropbear reads a sentence of Dropbear's, or PAM's about its peers.
func parseDropbear(msg string) prose {
	msg = strings.TrimRight(msg, " \x00")
	if strings.HasPrefix(msg, "pam_") {
		return pamProse(msg)
	}
	if msg == "" {
		return prose{}
	}
	var r readings
	r.try(dropbearForms[msg[0]], msg)
	return r.prose
}
