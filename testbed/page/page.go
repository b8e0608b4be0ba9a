// Package page holds pages of docs/ against the code that they are made from.
package page

import (
	"os"
	"testing"
)

// Check wants a file to say what it is made to say. Where update is set, it is
// written anew; else an error names the command that does so.
func Check(t testing.TB, file, want string, update bool, command string) {
	t.Helper()
	if update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: %s", file, command)
	}
}
