package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/analyst"
	"dossier/analyst/export"
	"dossier/testbed/validators"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const days = 24 * time.Hour

// attacker returns a profile of which only what matters here is set.
func attacker(id string, change func(*analyst.Profile)) *analyst.Profile {
	p := &analyst.Profile{ID: id, Classification: "malicious", Scope: "external", EventCount: 7}
	p.FirstSeen.Time, p.LastSeen.Time = now.Add(-3*days), now.Add(-2*days)
	p.Risk.Score, p.Risk.Level, p.Risk.Stage, p.Risk.Confidence = 82, "High", "inside", "High"
	p.Threat.Indicator.Description = analyst.Text(id + ", interactive: 7 events")
	p.Threat.Technique.ID, p.Threat.Technique.Name = analyst.Texts{"T1059.004", "T9x"}, analyst.Texts{"Unix Shell", "none"}
	if change != nil {
		change(p)
	}
	return p
}

func write(t testing.TB, o export.Options, of ...*analyst.Profile) (string, *export.Writer) {
	t.Helper()
	var b bytes.Buffer
	w, err := export.NewWriter(&b, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range of {
		if err := w.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w
}

// Who gets out, and why not, in every form.
func TestJudge(t *testing.T) {
	benign := func(basis analyst.Text) func(*analyst.Profile) {
		return func(p *analyst.Profile) { p.Classification, p.Basis = "benign", basis }
	}
	said := func(class, verdict analyst.Text) func(*analyst.Profile) {
		return func(p *analyst.Profile) { p.Classification, p.Verdict = class, &analyst.Verdict{Verdict: verdict} }
	}
	const always, lists, never = 0, 1, 2 // left out never, by what isn't a table, always
	for _, c := range []struct {
		name   string
		p      *analyst.Profile
		change func(*export.Options)
		why    export.Verdict
		out    int
	}{
		{"anybody", attacker("9.9.9.9", nil), nil, "", always},
		{"a network", attacker("2a00:1::/64", nil), nil, "", always},
		{"private", attacker("192.168.1.1", nil), nil, export.Private, never},
		{"loopback", attacker("::1", nil), nil, export.Private, never},
		{"mapped and private", attacker("::ffff:10.1.1.1", nil), nil, export.Private, never},
		{"shared", attacker("100.64.3.4", nil), nil, export.Private, never},
		{"a private network", attacker("fd00::/64", nil), nil, export.Private, never},
		{"internal", attacker("9.9.9.9", func(p *analyst.Profile) { p.Scope = "internal" }), nil, export.Internal, never},
		{"excluded", attacker("9.9.9.9", nil), func(o *export.Options) { o.Excluded = []netip.Prefix{netip.MustParsePrefix("9.9.0.0/16")} }, export.Excluded, never},
		{"a network with an excluded one in it", attacker("2a00:1::/64", nil), func(o *export.Options) { o.Excluded = []netip.Prefix{netip.MustParsePrefix("2a00:1::1/128")} }, export.Excluded, never},
		{"benign by network", attacker("9.9.9.9", benign("network")), nil, export.Benign, never},
		{"benign by name", attacker("9.9.9.9", benign("dns")), nil, export.Benign, never},
		{"benign by verdict", attacker("9.9.9.9", said("malicious", "benign")), nil, export.Benign, never},
		{"benign by its own word", attacker("9.9.9.9", benign("announced")), nil, "", always},
		{"benign by its own word, none asked for", attacker("9.9.9.9", benign("announced")), func(o *export.Options) { o.NoBenign = true }, export.Benign, never},
		{"benign by network, asked for", attacker("9.9.9.9", benign("network")), func(o *export.Options) { o.Benign = true }, "", always},
		{"malicious by verdict", attacker("9.9.9.9", said("benign", "malicious")), nil, "", always},
		{"unproven", attacker("9.9.9.9", func(p *analyst.Profile) { p.Spoofable = true }), nil, export.Unproven, lists},
		{"expired", attacker("9.9.9.9", func(p *analyst.Profile) { p.LastSeen.Time = now.Add(-30 * days) }), nil, export.Expired, lists},
		{"not yet", attacker("9.9.9.9", func(p *analyst.Profile) { p.LastSeen.Time = now.Add(-30*days + time.Second) }), nil, "", always},
		{"never", attacker("9.9.9.9", func(p *analyst.Profile) { p.LastSeen.Time = now.Add(-3000 * days) }), func(o *export.Options) { o.Expires = export.Forever }, "", always},
		{"no address", attacker("example.com", nil), nil, export.Private, never},
	} {
		for _, form := range export.Forms() {
			o := export.Options{Form: form, Now: now, Expires: 30 * days}
			if c.change != nil {
				c.change(&o)
			}
			want := c.why
			if table := form == export.NDJSON || form == export.CSV; c.out == lists && table {
				want = ""
			}
			if got := o.Judge(c.p); got != want {
				t.Errorf("%s, %s: left out for %q, want %q", c.name, form, got, want)
			}
		}
	}
	if err := (export.Options{Form: "xml"}).Validate(); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Error(err)
	}
	if err := (export.Options{Form: export.CSV, Benign: true, NoBenign: true}).Validate(); err == nil {
		t.Error("asked for and left out")
	}
}

// many are attackers of both families, each its own, more than one command of
// nft adds.
func many(n int) (of []*analyst.Profile) {
	for i := range n {
		of = append(of, attacker(fmt.Sprintf("9.%d.%d.1", i/256, i%256), nil))
		if i%10 == 0 {
			of = append(of, attacker(fmt.Sprintf("2a00:%x::/64", i+1), nil))
		}
	}
	return of
}

// The same entries come out of every form, and a difference says what changed.
func TestDiff(t *testing.T) {
	all := many(600)
	for _, form := range export.Forms() {
		if form == export.NDJSON {
			continue // of documents: the demo's, in the analyst's tests
		}
		o := export.Options{Form: form, Now: now, Expires: 30 * days, Prefix: "dossier"}
		before, _ := write(t, o, all[2:]...)
		after, w := write(t, o, all[:len(all)-1]...)
		d, err := export.Diff(form, strings.NewReader(before), strings.NewReader(after))
		if err != nil {
			t.Fatal(err)
		}
		added, removed := []string{all[0].ID, all[1].ID}, []string{all[len(all)-1].ID}
		slices.Sort(added)
		if !slices.Equal(d.Added, added) || !slices.Equal(d.Removed, removed) || w.Written != len(all)-1 {
			t.Errorf("%s: added %v, want %v; removed %v, want %v", form, d.Added, added, d.Removed, removed)
		}
		if d, err = export.Diff(form, strings.NewReader(""), strings.NewReader(after)); err != nil || len(d.Added) != len(all)-1 {
			t.Errorf("%s: from nothing %d added, %v", form, len(d.Added), err)
		}
	}
}

// An export of nobody is a file that whoever polls it can read.
func TestEmpty(t *testing.T) {
	empty := ""
	for _, form := range export.Forms() {
		text, w := write(t, export.Options{Form: form, Now: now, Expires: 30 * days, Prefix: "dossier"}, attacker("10.0.0.1", nil))
		if w.Written != 0 || w.Summary() != "0 written; left out: 1 not on the Internet" || form != export.NDJSON && text == "" {
			t.Errorf("%s: %s\n%s", form, w.Summary(), text)
		}
		if form == export.STIX {
			empty = text
		}
	}
	stixIsValid(t, empty)
}

const checkSTIX = `
import sys
from stix2validator import ValidationOptions, validate_string, print_results
options = ValidationOptions(version="2.1", strict=True, strict_types=True, strict_properties=True, enforce_refs=True)
for path in sys.argv[1:]:
    results = validate_string(open(path).read(), options)
    if not results.is_valid or results.warnings:
        print_results(results)
        sys.exit(1)
print("valid", len(sys.argv) - 1)
`

func stixIsValid(t *testing.T, texts ...string) {
	t.Helper()
	var paths []string
	for i, text := range texts {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if out := validators.Run(t, checkSTIX, paths...); !strings.Contains(out, fmt.Sprintf("valid %d", len(texts))) {
		t.Error(out)
	}
}

// kinds are attackers of every kind that an export distinguishes.
func kinds() []*analyst.Profile {
	return []*analyst.Profile{
		attacker("9.9.9.9", nil),
		attacker("2a00:1::1", func(p *analyst.Profile) { p.Threat.Indicator.Marking.TLP = "CLEAR" }),
		attacker("2a00:2::/64", func(p *analyst.Profile) { p.Threat.Indicator.Marking.TLP = "AMBER+STRICT" }),
		attacker("9.9.9.8", func(p *analyst.Profile) {
			p.Classification, p.Risk.Confidence, p.Risk.Level = "suspicious", "Low", ""
			p.Threat.Technique.ID = nil
		}),
		attacker("9.9.9.7", func(p *analyst.Profile) {
			p.Verdict = &analyst.Verdict{Verdict: "benign", Author: "anna"}
			p.Threat.Indicator.FirstSeen.Time = p.LastSeen.Add(time.Hour) // a document that somebody spoilt
			p.Threat.Indicator.Description = `"}],'] <b> \ é`
		}),
		attacker("9.9.9.6", func(p *analyst.Profile) { p.FirstSeen = p.LastSeen; p.Threat.Indicator.Marking.TLP = "GREEN" }),
	}
}

// The validator of OASIS, strictly and without the network: of every kind of
// attacker, with and without an end, and of the demo's.
func TestSTIX(t *testing.T) {
	demo, err := os.ReadFile("../testdata/export.stix")
	if err != nil {
		t.Fatal(err)
	}
	o := export.Options{Form: export.STIX, Now: now, Expires: 30 * days, Prefix: "dossier", Benign: true}
	one, w := write(t, o, kinds()...)
	if w.Written != len(kinds()) {
		t.Error(w.Summary())
	}
	again, _ := write(t, o, kinds()...)
	if one != again {
		t.Error("the same attackers give other ids")
	}
	o.Expires, o.TLP = export.Forever, "RED"
	two, _ := write(t, o, kinds()...)
	if strings.Contains(two, "valid_until") || strings.Contains(two, "TLP:AMBER") {
		t.Error("it ends, or has another marking than the one that was asked for")
	}
	// The validator takes a tenth of a second an object: the first hundred.
	lines := strings.SplitAfter(string(demo), "\n")
	part := strings.TrimSuffix(strings.Join(lines[:100], ""), ",\n") + "\n]}\n"
	if strings.Count(part, `"type":"indicator"`) < 3 {
		t.Error("few indicators among them")
	}
	stixIsValid(t, part, one, two)
	broken := strings.ReplaceAll(one, `"pattern_type":"stix"`, `"pattern_type":"what"`)
	if out := validators.Run(t, strings.Replace(checkSTIX, "sys.exit(1)", "sys.exit(0)", 1), writeTemp(t, broken)); !strings.Contains(out, "Invalid") {
		t.Error("the validator finds nothing")
	}
}

func writeTemp(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const checkMISP = `
import json, sys, uuid
from pymisp import MISPEvent
for path, count in zip(sys.argv[1::2], sys.argv[2::2]):
    event = MISPEvent()
    event.load_file(path)
    assert len(event.attributes) == int(count), (len(event.attributes), count)
    assert not event.published and int(event.distribution) == 0, event
    for a in event.attributes:
        assert a.type == "ip-src" and a.category == "Network activity" and a.comment, a
        assert a.first_seen <= a.last_seen, a
        uuid.UUID(a.uuid)
        assert a.tags, a
    # What pymisp knows of types and categories is the same as what is written.
    assert json.loads(event.to_json())["Attribute"], event
print("valid")
`

// MISP's own library reads the events, and finds in them what was written.
func TestMISP(t *testing.T) {
	one, _ := write(t, export.Options{Form: export.MISP, Now: now, Expires: 30 * days, Prefix: "dossier", Benign: true}, kinds()...)
	demo, err := os.ReadFile("../testdata/export.misp")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := export.Entries(export.MISP, bytes.NewReader(demo))
	if err != nil {
		t.Fatal(err)
	}
	out := validators.Run(t, checkMISP, writeTemp(t, one), fmt.Sprint(len(kinds())), writeTemp(t, string(demo)), fmt.Sprint(len(entries)))
	if !strings.Contains(out, "valid") {
		t.Error(out)
	}
	if !strings.Contains(one, `"to_ids":false`) || !strings.Contains(one, `"to_ids":true`) {
		t.Error("who is benign is for intrusion detection, or who isn't is not")
	}
}

// inNamespace runs a command in a network of its own, twice, so that what the
// first left there is met by the second.
func inNamespace(t *testing.T, tool, script string) string {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("SKIP: no %s: what is written for it isn't tried", tool)
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-n", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIP: no network namespace of its own (%v, %.100s): %s isn't tried", err, out, tool)
	}
	out, err := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	return string(out)
}

// The kernel takes the lists, and takes them again when they changed.
func TestFirewalls(t *testing.T) {
	all := many(600)
	for _, expires := range []time.Duration{30 * days, export.Forever} {
		o := export.Options{Form: export.NFTables, Now: now, Expires: expires, Prefix: "dossier"}
		first, _ := write(t, o, all...)
		second, _ := write(t, o, all[100:]...)
		t.Run("nftables", func(t *testing.T) {
			out := inNamespace(t, "nft", fmt.Sprintf("nft -f %s; nft -f %s; nft list ruleset", writeTemp(t, first), writeTemp(t, second)))
			// Neighbours are one interval only where they are; these are not.
			if !strings.Contains(out, "9.2.87.1") || strings.Contains(out, "9.0.50.1 ") || !strings.Contains(out, "2a00:1f5::/64") {
				t.Errorf("%.1000s", out)
			}
			if strings.Contains(out, "timeout") != (expires != export.Forever) {
				t.Error("the entries end, or don't")
			}
		})
		o.Form = export.IPSet
		first, _ = write(t, o, all...)
		second, _ = write(t, o, all[100:]...)
		t.Run("ipset", func(t *testing.T) {
			out := inNamespace(t, "ipset", fmt.Sprintf("ipset restore <%s; ipset restore <%s; ipset list", writeTemp(t, first), writeTemp(t, second)))
			if !strings.Contains(out, "9.2.87.1") || strings.Contains(out, "9.0.50.1 ") || !strings.Contains(out, "2a00:1f5::/64") || strings.Contains(out, "-new") {
				t.Errorf("%.1000s", out)
			}
		})
	}
}

// A file is replaced whole, or not at all.
func TestToFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "feed.txt")
	put := func(text string, fail error) error {
		return export.ToFile(path, func(w io.Writer) error {
			io.WriteString(w, text)
			// Whoever reads it meanwhile sees the old one.
			if b, err := os.ReadFile(path); err == nil && string(b) == text {
				t.Errorf("%q is there before it is whole", text)
			}
			return fail
		})
	}
	content := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := put("one", nil); err != nil || content() != "one" {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Error(info.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := put("two", nil); err != nil || content() != "two" {
		t.Error(err, content())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Error(info.Mode(), err)
	}
	failed := errors.New("the cluster went away")
	if err := put("thr", failed); !errors.Is(err, failed) || content() != "two" {
		t.Error(err, content())
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := export.ToFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "four"); return err }); err != nil || content() != "four" {
		t.Error(err, content())
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is none any more")
	}
	if err := export.ToFile(dir, func(io.Writer) error { return nil }); err == nil {
		t.Error("a folder was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// Nothing that an attacker wrote is worked out by a spreadsheet.
func TestNoFormulas(t *testing.T) {
	text, _ := write(t, export.Options{Form: export.CSV, Now: now}, attacker("9.9.9.9", func(p *analyst.Profile) {
		p.Actor, p.ASName, p.Behavior.Tools = `=HYPERLINK("http://evil")`, "@SUM(1)", analyst.Texts{"-1+1"}
	}))
	for _, want := range []string{`"'=HYPERLINK(""http://evil"")"`, ",'@SUM(1),", ",'-1+1,"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
