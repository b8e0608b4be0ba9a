package enrich

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadHosts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	read := func(text string) (map[netip.Addr]string, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadHosts(file)
	}
	got, err := read("# own\n10.0.0.5\tfiles-1 files-1.example # the file server\n\n  ::ffff:10.0.0.6 web_2\r\n10.0.0.5 other\nfd00::1 v6\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := map[netip.Addr]string{netip.MustParseAddr("10.0.0.5"): "files-1", netip.MustParseAddr("10.0.0.6"): "web_2", netip.MustParseAddr("fd00::1"): "v6"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
	for text, want := range map[string]string{
		"10.0.0.5\n": "no name", "x y\n": "no address", "fe80::1%eth0 y": "no address", "10.0.0.5 a;b": "no host's name",
		"10.0.0.5 " + strings.Repeat("a", 254): "no host's name", strings.Repeat("#", 100<<10): "too long",
		strings.Repeat("# a comment of some length\n", 700_000): "more than 16 MiB",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadHosts(file + "x"); err == nil {
		t.Error("a file that isn't there")
	}
}
