package profile

import (
	"encoding/hex"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
)

// credential is a credential's key, taken apart.
type credential struct{ service, principal, kind, digest string }

func credentialOf(key string) (c credential) {
	c.service, key, _ = strings.Cut(key, "\x00")
	c.principal, key, _ = strings.Cut(key, "\x00")
	c.kind, c.digest, _ = strings.Cut(key, "\x00")
	return c
}

// password returns the secret as it may be shown flat.
func (r *Renderer) password(c credential, e *law.Entry) (string, bool) {
	switch r.o.Secrets {
	case Plain:
		return e.Payload, true
	case Digest:
		return hex.EncodeToString(event.Bytes(c.digest)), true
	default:
		return "", false
	}
}

// orderedCredentials returns the credentials kept in the order in which they
// matter: in turn one that a decoy let in and one of the others. They are valid
// until the next call.
func (r *Renderer) orderedCredentials(s *state.Attacker) []law.Entry {
	others, admitted := s.Credentials.Ordered(), s.Admitted.Ordered()
	r.shown = r.shown[:0]
	for len(others)+len(admitted) > 0 {
		if len(admitted) > 0 {
			r.shown, admitted = append(r.shown, credentialEntry(s, admitted[0])), admitted[1:]
		}
		for len(others) > 0 {
			e := others[0]
			others = others[1:]
			if s.Admitted.Get(e.Key) == nil {
				r.shown = append(r.shown, credentialEntry(s, e))
				break
			}
		}
	}
	return r.shown
}

// credentialEntry returns all that is known of a credential: what the list of
// all says of it, if that counts it, else what the list of those says that
// were let in.
func credentialEntry(s *state.Attacker, e law.Entry) law.Entry {
	known := e
	for _, list := range []*law.Bottom{&s.Credentials, &s.Admitted} {
		if other := list.Get(e.Key); other != nil {
			if !other.FirstOnly() && known.FirstOnly() {
				known = *other
			}
			known.First = law.Earliest(known.First, other.First)
			if known.Payload == "" {
				known.Payload = other.Payload
			}
			known.Rank = max(known.Rank, other.Rank)
			if other.Count > known.Count {
				known.Count = other.Count
			}
		}
	}
	if s.Admitted.Get(e.Key) != nil {
		known.Rank = uint8(event.Success)
	}
	return known
}

// firstCredentials returns the n credentials that matter most, in any order.
func (r *Renderer) firstCredentials(s *state.Attacker, n int) []law.Entry {
	if n >= s.Credentials.Len() && !s.Credentials.Truncated() {
		return s.Credentials.Entries()
	}
	all := r.orderedCredentials(s)
	return all[:min(n, len(all))]
}

func (r *Renderer) credentials(d *document, s *state.Attacker, p *plan) {
	kept := r.sortByFirst(r.firstCredentials(s, p.keep[listCredentials]))
	if len(kept) > 0 {
		elements(d, "credentials", kept, func(e *law.Entry) { r.credential(d, e) })
		d.object("credential")
		d.someStrings("username", r.each(kept, principalOf))
		d.someStrings("password", r.each(kept, func(e *law.Entry) (string, bool) {
			return r.password(credentialOf(e.Key), e)
		}))
		d.someStrings("pair", r.each(kept, func(e *law.Entry) (string, bool) {
			c := credentialOf(e.Key)
			secret, ok := r.password(c, e)
			if !ok {
				return "", false
			}
			return r.arena.Join(c.principal, ":", secret), true
		}))
		d.end()
	}
	d.int("credential_count", s.CredentialCount())
	d.int("login_attempts", s.Attempts+s.Claimed.Attempts)
	d.int("login_successes", s.Successes+s.Claimed.Successes)
}

// principalOf returns who a credential names, where it names somebody.
func principalOf(e *law.Entry) (string, bool) {
	name := credentialOf(e.Key).principal
	return name, name != ""
}

func (r *Renderer) credential(d *document, e *law.Entry) {
	c := credentialOf(e.Key)
	d.element()
	d.some("service", c.service)
	d.string("principal", c.principal)
	d.string("secret_kind", c.kind)
	r.secret(d, c, e)
	d.counted(e)
	d.some("outcome", event.Outcome(e.Rank).String())
	d.end()
}

// secret appends what store_secrets shows of a credential's secret.
func (r *Renderer) secret(d *document, c credential, e *law.Entry) {
	if r.o.Secrets == Plain {
		d.string("secret", e.Payload)
	}
	if r.o.Secrets != Hidden {
		d.key("secret_sha256")
		d.b = append(d.b, '"')
		d.b = hex.AppendEncode(d.b, event.Bytes(c.digest))
		d.b = append(d.b, '"')
	}
}
