package operate

import (
	"bytes"
	"net/netip"
	"strings"

	"dossier/correlate"
	"dossier/esindex/deadletter"
)

// ForgottenLetters is what ForgetLetters did with dead letters.
type ForgottenLetters struct {
	deadletter.Erasure
	// Raw counts letters with bytes of a chunk that nobody could read in which the
	// address stands, RawIn the files: other attackers' records are in them too, and
	// they stay.
	Raw   int
	RawIn []string
	// Foreign counts letters for another prefix: that is another address space.
	Foreign int
}

// ForgetLetters erases the attacker of that id (analyst.ParseAddress) from the dead
// letters in DeadLetterPath, whether they wait, were replayed or are kept. It needs no
// cluster. What only quotes the address within other attackers' events stays, as it
// does in their documents.
func (t *Target) ForgetLetters(id string) (ForgottenLetters, error) {
	var r ForgottenLetters
	of, err := prefixOf(id)
	if err != nil {
		return r, err
	}
	names := func(b []byte) bool { return quotes(b, of) }
	r.Erasure, err = deadletter.Erase(t.DeadLetterPath(), func(file string, l *deadletter.Letter) (deadletter.Fate, error) {
		switch {
		case l.IsRaw() && !names(l.Data):
			return deadletter.Stays, nil
		case l.IsRaw() && l.Unparsed: // kept for a look only
			return deadletter.Erased, nil
		case l.IsRaw():
			r.Raw++
			if len(r.RawIn) == 0 || r.RawIn[len(r.RawIn)-1] != file {
				r.RawIn = append(r.RawIn, file)
			}
			return deadletter.Stays, nil
		}
		if _, ours := t.prefixOf(l.Index); !ours {
			r.Foreign++
			return deadletter.Stays, nil
		}
		if l.Class != correlate.ClassIndicator {
			if correlate.AttackerOf(l.ID) == id {
				return deadletter.Erased, nil
			}
			return deadletter.Stays, nil
		}
		rest, err := correlate.ForgetInLetter(l.Events, id)
		switch {
		case err != nil && names(l.Events): // a replay would keep it as well
			return deadletter.Erased, nil
		case err != nil:
			return deadletter.Stays, nil
		case rest == nil:
			return deadletter.Erased, nil
		case len(rest) == len(l.Events):
			return deadletter.Stays, nil
		}
		l.Events = rest
		return deadletter.Changed, nil
	}, names)
	return r, err
}

// DeadLetterPath returns the folder of dead letters on this host.
func (t *Target) DeadLetterPath() string { return t.o.DeadLetterPath }

func prefixOf(id string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(id); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(id)
}

// quotes says whether an address, or one of a network, stands somewhere in a text: as
// text, in any of its forms, and not as a part of a longer one.
func quotes(text []byte, of netip.Prefix) bool {
	for len(text) > 0 {
		from := bytes.IndexFunc(text, inAddress)
		if from < 0 {
			return false
		}
		text = text[from:]
		to := bytes.IndexFunc(text, func(r rune) bool { return !inAddress(r) })
		if to < 0 {
			to = len(text)
		}
		if to >= len("::") && to <= maxAddress && isOf(strings.Trim(string(text[:to]), "."), of) {
			return true
		}
		text = text[to:]
	}
	return false
}

// maxAddress bounds an address with a port and what may be glued to it.
const maxAddress = 64

func isOf(word string, of netip.Prefix) bool {
	// In MessagePack the byte in front, a length, may look like a digit.
	for _, s := range []string{word, word[min(1, len(word)):], strings.TrimRight(word, ":")} {
		a, err := netip.ParseAddr(s)
		if host, _, ok := strings.Cut(s, ":"); err != nil && ok {
			a, err = netip.ParseAddr(host)
		}
		if err == nil && of.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

func inAddress(r rune) bool {
	return r < 0x80 && strings.IndexByte("0123456789abcdefABCDEF.:", byte(r)) >= 0
}
