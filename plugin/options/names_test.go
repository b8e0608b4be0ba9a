package options

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckNames(t *testing.T) {
	var said []string
	CheckNames([]string{"es_hosts", "Es_Hosts", "exclude_nets", "es_host", "workers", "storage.total_limit_size", "bogus\x01", "bogus\x01", "tlp", "TLP", "tlp"}, func(s string) { said = append(said, s) })
	want := []string{"option es_hosts is a list or is there 2 times", `option "bogus\x01" does not exist and has no effect`, "option tlp is there 3 times, and Fluent Bit hands over the first value alone: leave one"}
	if !slices.EqualFunc(said, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", said, want)
	}
}
