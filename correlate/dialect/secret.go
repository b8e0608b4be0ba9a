package dialect

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// Secrets says how much of a secret is shown.
type Secrets = redact.Secrets

// The ways of showing a secret.
const (
	Plain  = redact.Plain
	SHA256 = redact.SHA256
	Hidden = redact.None
)

// maxSecret is the longest secret that is decoded; a longer one is none.
const maxSecret = 64 << 10

// credential is an attempt to log in.
type credential struct {
	principal string
	// kind is the kind of secret, "" where none was shown.
	kind    string
	secret  string
	outcome event.Outcome
}

// login adds an attempt to log in.
func (x *scratch) login(c credential) {
	e := x.found(event.Login)
	e.Outcome, e.A = c.outcome, x.value(c.principal)
	if c.kind != "" {
		e.B = x.arena.Name(c.kind, event.MaxService)
		e.Digest = *x.sum(c.secret)
		e.C = x.show(c.kind, c.secret, &e.Digest)
	}
}

// show returns a secret as it may be shown. Bytes that are no text are shown
// in hex: repaired, different ones would look alike.
func (x *scratch) show(kind, secret string, digest *[sha256.Size]byte) string {
	switch {
	case x.secrets == SHA256:
		return x.arena.Keep(hex.AppendEncode(x.arena.Grab(2*len(digest)), digest[:]))
	case x.secrets == Hidden:
		return ""
	case kind != plaintext && !printable(secret):
		b := event.Bytes(secret[:min(len(secret), event.MaxValue/2)])
		return x.arena.Keep(hex.AppendEncode(x.arena.Grab(2*len(b)), b))
	default:
		return x.value(secret)
	}
}

const plaintext = "plaintext"

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// decodeBase64 decodes s, with or without padding.
func (x *scratch) decodeBase64(s string) (string, bool) {
	s = strings.TrimRight(s, "=")
	if len(s) > base64.RawStdEncoding.EncodedLen(maxSecret) {
		return "", false
	}
	n := base64.RawStdEncoding.DecodedLen(len(s))
	b := x.arena.Grab(n)
	n, err := base64.RawStdEncoding.Decode(b[:n], event.Bytes(s))
	if err != nil {
		return "", false
	}
	return x.arena.Keep(b[:n]), true
}

// outcomeOf reads how an attempt ended.
func outcomeOf(s string) event.Outcome {
	switch {
	case s == "":
		return event.Unknown
	case strings.EqualFold(s, "success"), strings.EqualFold(s, "succeeded"), strings.EqualFold(s, "accepted"),
		strings.EqualFold(s, "ok"), strings.EqualFold(s, "true"), strings.EqualFold(s, "allowed"):
		return event.Success
	case strings.EqualFold(s, "failure"), strings.EqualFold(s, "failed"), strings.EqualFold(s, "fail"),
		strings.EqualFold(s, "rejected"), strings.EqualFold(s, "denied"), strings.EqualFold(s, "false"):
		return event.Failure
	default:
		return event.Unknown
	}
}
