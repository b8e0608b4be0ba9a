package behavior

import (
	"slices"
	"testing"
)

// A slip is one letter too many, too few or wrong, or two that changed places, and
// no more.
func TestSlip(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"sl", "ls"}: true, {"whoaim", "whoami"}: true, {"unmae", "uname"}: true, {"lss", "ls"}: true, {"l", "ls"}: true, {"ld", "ls"}: true, {"cta", "cat"}: true,
		{"ls", "ls"}: false, {"abc", "cab"}: false, {"shell", "sh"}: false, {"cat", "tac"}: false, {"enable", "uname"}: false, {"", "w"}: true, {"aabb", "bbaa"}: false,
	} {
		if got := slip(pair[0], pair[1]); got != want || slip(pair[1], pair[0]) != want {
			t.Errorf("%q, %q: %v, want %v", pair[0], pair[1], got, want)
		}
	}
	if !slices.IsSorted(programs[:]) || len(slices.Compact(slices.Clone(programs[:]))) != len(programs) {
		t.Error("the programs are not sorted, each once")
	}
	for line, want := range map[string]string{"  /bin/ls -l": "ls", "w": "w", "": "", "cat</etc/passwd": "cat", "./x;y": "x"} {
		if got := program(line); got != want {
			t.Errorf("the program of %q is %q, want %q", line, got, want)
		}
	}
	for line, want := range map[string]bool{"wget x": true, "cd /tmp; /usr/bin/wget x": true, "sudo sleep 5": true, "echo wget": false, "ls -l": false, "busybox tftp -g x": true, "": false} {
		if got := waits(line); got != want {
			t.Errorf("%q waits: %v, want %v", line, got, want)
		}
	}
}
