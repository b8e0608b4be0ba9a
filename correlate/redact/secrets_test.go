package redact

import "testing"

// TestSecretsNames: each name is read as what it is the name of, and nothing else is.
func TestSecretsNames(t *testing.T) {
	for name, want := range map[string]Secrets{"plain": Plain, "sha256": SHA256, "none": None} {
		if s, ok := ParseSecrets(name); !ok || s != want || s.String() != name || !s.Valid() {
			t.Errorf("%s: %v, %v", name, s, ok)
		}
	}
	if s, ok := ParseSecrets("NONE"); !ok || s != None {
		t.Errorf("NONE: %v, %v", s, ok)
	}
	for _, name := range []string{"", "off", "sha1", "Secrets(3)"} {
		if s, ok := ParseSecrets(name); ok {
			t.Errorf("%q is taken for %v", name, s)
		}
	}
	if s := Secrets(9); s.Valid() || s.String() != "Secrets(9)" {
		t.Errorf("got %v", s)
	}
}
