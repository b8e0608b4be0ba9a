package options

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckNames(t *testing.T) {
	var said []string
	CheckNames([]string{"es_hosts", "Es_Hosts", "exclude_nets", "es_host", "workers", "storage.total_limit_size", "bogus\x01", "bogus\x01", "tlp"}, func(s string) { said = append(said, s) })
	want := []string{"option es_hosts is a list or is there 2 times", `option "bogus\x01" does not exist and has no effect`}
	if !slices.EqualFunc(said, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", said, want)
	}
}
