package roles

import "testing"

func TestKeyCommand(t *testing.T) {
	for prefix, want := range map[string]string{
		"dossier": "dossier setup --key reader=FILE",
		"honey":   "dossier setup --key reader=FILE --index-prefix honey",
	} {
		if got := KeyCommand("reader", prefix); got != want {
			t.Errorf("%s: %q", prefix, got)
		}
	}
}
