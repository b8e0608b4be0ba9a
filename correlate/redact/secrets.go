package redact

import (
	"fmt"
	"strings"
)

// Secrets says how much is shown of the secrets that attackers tried. It never
// decides which of them are distinct: what identifies one is its SHA-256.
type Secrets uint8

const (
	// Plain shows the secret, repaired for display, and its SHA-256.
	Plain Secrets = iota
	// SHA256 shows the SHA-256 only, in hex.
	SHA256
	// None shows neither.
	None
)

var secretsNames = [...]string{"plain", "sha256", "none"}

// String returns the name that the option store_secrets takes.
func (s Secrets) String() string {
	if s.Valid() {
		return secretsNames[s]
	}
	return fmt.Sprintf("Secrets(%d)", uint8(s))
}

// Valid says whether it is one of the three.
func (s Secrets) Valid() bool { return s <= None }

// ParseSecrets reads what String returns, in any case.
func ParseSecrets(name string) (s Secrets, ok bool) {
	for i, n := range secretsNames {
		if strings.EqualFold(name, n) {
			return Secrets(i), true
		}
	}
	return 0, false
}
