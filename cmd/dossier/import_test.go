package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
)

// importer runs dossier import on a prefix.
type importer struct {
	node   *esnode.Node
	prefix string
	dir    string
}

func newImporter(t *testing.T) *importer {
	t.Helper()
	i := &importer{node: esnode.Shared(t), prefix: e2e.Prefix(t), dir: t.TempDir()}
	if out, errs, status := dossier(t, nil, "setup", "--months=1", "--es-hosts", i.node.URL, "--index-prefix", i.prefix); status != 0 {
		t.Fatal(out, errs)
	}
	return i
}

func (i *importer) args(journal string, more ...string) []string {
	return append([]string{
		"import", "--es-hosts", i.node.URL, "--index-prefix", i.prefix, "--sensor-id=s1",
		"--dead-letter-path", filepath.Join(i.dir, "letters"), "--journal", filepath.Join(i.dir, journal),
	}, more...)
}

// run imports, and wants it to be well. On a busy machine chunks are tried
// again, which is told.
func (i *importer) run(t *testing.T, journal string, more ...string) string {
	t.Helper()
	out, errs, status := dossier(t, nil, i.args(journal, more...)...)
	if status != 0 {
		t.Fatalf("%q: status %d, %s\n%s", more, status, errs, out)
	}
	return out
}

// killed imports, and kills it with SIGKILL after a while. It returns whether it
// had ended by itself.
func (i *importer) killed(t *testing.T, journal string, after time.Duration, more ...string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	err := exec.CommandContext(ctx, program, i.args(journal, more...)...).Run()
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return err == nil
}

// events is the sum of the attackers' events.
func (i *importer) events(t *testing.T) int {
	t.Helper()
	i.node.Must(t, "POST", i.prefix+"-attackers/_refresh", nil)
	found := i.node.Must(t, "POST", i.prefix+"-attackers/_search?size=0", `{"aggs":{"n":{"sum":{"field":"event_count"}}}}`)
	return int(found["aggregations"].(map[string]any)["n"].(map[string]any)["value"].(float64))
}

func (i *importer) file(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	return path
}

// ofRaw20k are the events that the attackers of testbed/data/decnet/raw_20k.log
// have: of its 19,570 the others are a prober's.
const ofRaw20k = 19514

// TestImport: a log that is imported over and over, interrupted by SIGKILL, with
// its journal lost, by two at once, renamed, compressed and grown counts once,
// and gives what one import gives.
func TestImport(t *testing.T) {
	text, err := os.ReadFile(e2e.Data("decnet", "raw_20k.log"))
	if err != nil {
		t.Fatal(err)
	}
	once := newImporter(t)
	whole := once.file(t, "decnet.log", text)
	contains(t, once.run(t, "journal", "--final", whole), "decnet.log: 20000 records imported\n20000 records read, 19570 events")
	want := e2e.Documents(t, once.node, once.prefix+"-attackers")
	if n := once.events(t); n != ofRaw20k {
		t.Fatalf("%d events", n)
	}

	i := newImporter(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	// It grows meanwhile, and its last line is never whole.
	path, killed := "", 0
	for _, part := range []int{len(text) / 3, len(text) * 2 / 3, len(text) - 1} {
		path = i.file(t, "decnet.log", text[:part])
		for round := range 6 {
			// Every other time nobody remembers what was imported.
			journal := "journal"
			if round%2 == 1 {
				journal = fmt.Sprint("lost", part, round)
			}
			if !i.killed(t, journal, time.Duration(50+r.IntN(400))*time.Millisecond, path) {
				killed++
			}
		}
	}
	if killed < 6 {
		t.Errorf("only %d of 18 imports were interrupted", killed)
	}
	out := i.run(t, "journal", path)
	contains(t, out, "the last 2000 wait until there are 2000, or for --final")
	// Two at once, with a journal each and with one.
	var group sync.WaitGroup
	for n := range 2 {
		group.Go(func() {
			if out, errs, status := dossier(t, nil, i.args(fmt.Sprint("beside", n), "--final", path)...); status != 0 {
				t.Errorf("status %d, %s\n%s", status, errs, out)
			}
		})
	}
	group.Wait()
	if n := i.events(t); n != ofRaw20k {
		t.Errorf("%d events after interruptions, want %d", n, ofRaw20k)
	}
	// A rotated and a compressed copy; the last line feed makes no other line.
	contains(t, i.run(t, "journal", "--final", i.file(t, "decnet.log.1", text)), "decnet.log.1: 2000 records imported, 18000 were before")
	contains(t, i.run(t, "journal", "--final", i.file(t, "decnet.log.1", text)), "decnet.log.1: 0 records imported, 20000 were before")
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(text)
	w.Close()
	packed := i.file(t, "other", gz.Bytes())
	contains(t, i.run(t, "journal", "--final", packed, path, packed), "other: 0 records imported, 20000 were before")
	i.run(t, "another", "--final", packed)
	if n := i.events(t); n != ofRaw20k {
		t.Errorf("%d events after copies, want %d", n, ofRaw20k)
	}
	e2e.Equal(t, "attackers", want, e2e.Documents(t, i.node, i.prefix+"-attackers"))
	// Replaced by another log under the same name.
	contains(t, i.run(t, "journal", "--final", i.file(t, "decnet.log", []byte(sshdLine+"\n"))), "decnet.log: 1 records imported\n1 records read, 1 events")
	if n := i.events(t); n != ofRaw20k+1 {
		t.Errorf("%d events after another log, want %d", n, ofRaw20k+1)
	}
	// Indices that are deleted and made again hold nothing.
	if contains(t, once.run(t, "journal", whole), "20000 were before"); t.Failed() {
		return
	}
	for _, index := range []string{"attackers", "smtp-targets", "indicators"} {
		once.node.Must(t, "DELETE", once.prefix+"-"+index+"-000001", nil)
	}
	for _, index := range []string{"chunks-*", "activity-*", "transitions-*"} {
		once.node.Must(t, "POST", once.prefix+"-"+index+"/_delete_by_query?refresh=true", `{"query":{"match_all":{}}}`)
	}
	if out, errs, status := dossier(t, nil, "setup", "--months=1", "--es-hosts", once.node.URL, "--index-prefix", once.prefix); status != 0 {
		t.Fatal(out, errs)
	}
	contains(t, once.run(t, "journal", whole), "20000 records imported")
}

// TestImportBounds: what is out of bounds is left out, once; with other bounds
// nothing is left out or doubled without a word.
func TestImportBounds(t *testing.T) {
	i := newImporter(t)
	var b strings.Builder
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for n := range 6000 {
		fmt.Fprintf(&b, "<38>1 %s decoy1 sshd 42 - - Failed password for root from 185.0.2.1 port %d ssh2\n", at.Add(time.Duration(n)*time.Second).Format(time.RFC3339), n+1)
	}
	path := i.file(t, "a.log", []byte(b.String()))
	until := at.Add(3000 * time.Second).Format(time.RFC3339)
	for range 2 {
		i.run(t, "journal", "--drop-apps=cron", "--since=2026-01-05T00:00:10Z", "--until="+until, path)
		if n := i.events(t); n != 2990 {
			t.Fatalf("%d events, want 2990", n)
		}
	}
	_, errs, status := dossier(t, nil, i.args("journal", "--drop-apps=cron", path)...)
	if contains(t, errs, "it was imported with --since 2026-01-05T00:00:10Z --until "+until+" before, and now without bounds or a year"); status != 1 {
		t.Errorf("status %d", status)
	}
	// Who wants the rest all the same gets the chunks that were wholly out of
	// bounds.
	i.run(t, "anew", "--drop-apps=cron", path)
	if n := i.events(t); n != 2990+2000 {
		t.Errorf("%d events, want 4990", n)
	}
}

// TestImportYears: a time without a year is of the year that the file's own time
// tells, or of the one that is said, and stays there when the file is touched.
func TestImportYears(t *testing.T) {
	i := newImporter(t)
	lines := "<38>Dec 31 23:59:59 decoy1 sshd[42]: Failed password for root from 185.0.2.1 port 40000 ssh2\n" +
		"<38>Jan  1 00:00:01 decoy1 sshd[42]: Failed password for root from 185.0.2.1 port 40001 ssh2\n"
	of := func(ip string) string {
		doc := i.node.Must(t, "GET", i.prefix+"-attackers/_doc/"+ip, nil)["_source"].(map[string]any)
		return fmt.Sprint(doc["event_count"], " ", doc["first_seen"], " ", doc["last_seen"])
	}
	path := i.file(t, "a.log", []byte(lines)) // of 2026-01-08
	i.run(t, "journal", "--final", "--syslog-timezone=UTC", path)
	if got, want := of("185.0.2.1"), "2 2025-12-31T23:59:59.000000Z 2026-01-01T00:00:01.000000Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	other := i.file(t, "b.log", []byte(strings.ReplaceAll(lines, "185.0.2.1", "185.0.2.2")))
	i.run(t, "journal", "--final", "--syslog-timezone=UTC", "--year=2024", other)
	if got, want := of("185.0.2.2"), "2 2024-01-01T00:00:01.000000Z 2024-12-31T23:59:59.000000Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, errs, _ := dossier(t, nil, i.args("journal", "--final", "--year=2023", other)...)
	contains(t, errs, "it was imported with --year 2024 before, and now with --year 2023")
	// A file's time that is before its lines' own tells nothing of those.
	early := i.file(t, "c.log", []byte(strings.ReplaceAll(decnetLine, "192.0.2.1", "185.0.2.4")+"\n"))
	if err := os.Chtimes(early, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	i.run(t, "journal", "--final", early)
	if got, want := of("185.0.2.4"), "1 2026-01-01T10:00:00.000000Z 2026-01-01T10:00:00.000000Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// Nor does one that some archives give all their files: the lines are of the last year that is over.
	unset := i.file(t, "d.log", []byte(strings.ReplaceAll(lines, "185.0.2.1", "185.0.2.5")))
	if err := os.Chtimes(unset, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	i.run(t, "journal", "--final", "--syslog-timezone=UTC", unset)
	latest := func(month time.Month, day, hour, minute, second int) time.Time {
		tomorrow := time.Now().UTC().Add(24 * time.Hour)
		at := time.Date(tomorrow.Year(), month, day, hour, minute, second, 0, time.UTC)
		if at.After(tomorrow) {
			at = at.AddDate(-1, 0, 0)
		}
		return at
	}
	times := []time.Time{latest(12, 31, 23, 59, 59), latest(1, 1, 0, 0, 1)}
	slices.SortFunc(times, time.Time.Compare)
	const form = "2006-01-02T15:04:05.000000Z"
	if got, want := of("185.0.2.5"), "2 "+times[0].Format(form)+" "+times[1].Format(form); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// The year is remembered for what comes later.
	grown := i.file(t, "b.log", []byte(strings.ReplaceAll(lines, "185.0.2.1", "185.0.2.2")+strings.ReplaceAll(lines, "185.0.2.1", "185.0.2.3")))
	i.run(t, "journal", "--final", "--syslog-timezone=UTC", grown)
	if got, want := of("185.0.2.3"), "2 2024-01-01T00:00:01.000000Z 2024-12-31T23:59:59.000000Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestImportTells: lines that nobody can read are told of, and dead-lettered as
// the plugin does; sensors beside are warned of, and never beside --into.
func TestImportTells(t *testing.T) {
	i := newImporter(t)
	path := i.file(t, "a.log", []byte("nonsense\n\x00\xff\n"+decnetLine+"\n{\"eventid\":\"cowrie.x\"\n"+strings.Repeat("y", 5<<20)+"\n"))
	out := i.run(t, "journal", "--final", "--unparsed-dead-letters=on", path)
	contains(t, out, "a.log: 5 records imported", "5 records read, 1 events", "unknown_shape 2", "bad_json 1", "too_large 1")
	raw, _, _ := dossier(t, nil, "replay", "--show-raw", filepath.Join(i.dir, "letters"))
	contains(t, raw, "tag import", "nonsense")

	i.node.Must(t, "PUT", i.prefix+"-sensors/_doc/decoy-7?refresh=true", `{"@timestamp":"2026-01-08T00:00:00Z"}`)
	_, errs, status := dossier(t, nil, i.args("journal", path)...)
	if contains(t, errs, "dossier: warning: sensors write to "+i.prefix+"-* (decoy-7)", "--until TIME", "--into PREFIX"); status != 0 {
		t.Errorf("status %d", status)
	}
	i.run(t, "until", "--until=2026-01-01", path)
}

// TestImportInto makes indices of their own, and leaves the others alone.
func TestImportInto(t *testing.T) {
	i := newImporter(t)
	anew := e2e.Prefix(t)
	path := i.file(t, "a.log", []byte(decnetLine+"\n"))
	i.run(t, "journal", "--final", "--into="+anew, path)
	if n := i.events(t); n != 0 {
		t.Errorf("%d events in the prefix beside", n)
	}
	made := importer{node: i.node, prefix: anew, dir: i.dir}
	if n := made.events(t); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	contains(t, i.run(t, "journal", "--final", "--into="+anew, path), "1 were before")
	i.node.Must(t, "PUT", anew+"-sensors/_doc/decoy-7?refresh=true", `{"@timestamp":"2026-01-08T00:00:00Z"}`)
	if _, errs, status := dossier(t, nil, i.args("journal", "--into="+anew, path)...); status != 1 || !strings.Contains(errs, "sensors write to "+anew+"-* (decoy-7); import into a prefix of its own") {
		t.Errorf("status %d, %s", status, errs)
	}
	if _, errs, status := dossier(t, nil, i.args("journal", "--into="+i.prefix, path)...); status != 1 || !strings.Contains(errs, "which is the index_prefix") {
		t.Errorf("status %d, %s", status, errs)
	}
}

// TestImportShowsHowFarItIs on a terminal, with rate and time left, whatever the
// file's name is.
func TestImportShowsHowFarItIs(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("needs script of util-linux: ", err)
	}
	i := newImporter(t)
	text, err := os.ReadFile(e2e.Data("decnet", "raw_20k.log"))
	if err != nil {
		t.Fatal(err)
	}
	path := i.file(t, "a\x1b[31mb.log", text)
	c := exec.CommandContext(t.Context(), script, "-qec", `"$@"`, "/dev/null")
	c.Env = append(os.Environ(), "SHELL=/bin/sh")
	var quoted []string
	for _, a := range append([]string{program}, i.args("journal", "--final", path)...) {
		quoted = append(quoted, "'"+a+"'")
	}
	c.Args[2] = strings.Join(quoted, " ")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contains(t, string(out), "a?[31mb.log, ", " records", "B/s", "100%", "20000 records imported")
	if strings.Contains(string(out), "\x1b[31m") {
		t.Errorf("an escape of the file's name: %q", out)
	}
}

// importRows are the rows of import's own flags, by what came of a log.
var importRows = map[string]row{
	"import --dead-letter-path": option("dead_letter_path", "relative", func(u use) {
		dir := filepath.Join(u.TempDir(), "letters")
		u.imports(decnetLine, dir)
		if _, err := os.Stat(dir); err != nil {
			u.Error(err)
		}
	}),
	"import --unparsed-dead-letters": option("unparsed_dead_letters", "maybe", func(u use) {
		dir := filepath.Join(u.TempDir(), "letters")
		u.imports("nonsense", "on", "--dead-letter-path", dir)
		raw, _, _ := dossier(u.T, nil, "replay", "--show-raw", dir)
		contains(u.T, raw, "nonsense")
	}),
	"import --activity": option("activity", "daily", func(u use) {
		hours := func() float64 {
			u.w.node.Must(u.T, "POST", u.w.prefix+"-activity-*/_refresh", nil)
			return u.w.node.Must(u.T, "POST", u.w.prefix+"-activity-*/_count", nil)["count"].(float64)
		}
		before := hours()
		u.imports(fmt.Sprintf("<134>1 2026-01-01T10:00:%02d.%06dZ decky-01 ssh - connection [relay@55555 src_ip=\"185.9.%d.%d\" event_type=\"connection\"] x", u.w.n%60, u.w.n, u.w.n/250, u.w.n%250+1), "off")
		if after := hours(); after != before {
			u.Errorf("%v hours more", after-before)
		}
	}),
	"import --since": {"7d", "want a date (2026-11-01) or a time", func(u use) {
		contains(u.T, u.imports(decnetLine, "2026-01-02"), "0 events, out of bounds 1")
	}},
	"import --until": {"yesterday", "want a date (2026-11-01) or a time", func(u use) {
		contains(u.T, u.imports(decnetLine, "2026-01-01"), "0 events, out of bounds 1")
	}},
	"import --year": {"1999", "--year: got 1999, want 2000 to 2099", func(u use) {
		u.imports(strings.Replace(sshdLine, "185.0.2.1", "185.0.9.9", 1), "2019", "--syslog-timezone=UTC")
		doc := u.w.node.Must(u.T, "GET", u.w.prefix+"-attackers/_doc/185.0.9.9", nil)
		contains(u.T, fmt.Sprint(doc["_source"]), "first_seen:2019-11-26T10:00:00")
	}},
	"import --final": {"maybe", `"maybe" for "--final"`, func(u use) {
		contains(u.T, u.imports(decnetLine, "false"), "0 records imported, the last 1 wait until there are 2000")
		contains(u.T, u.imports(decnetLine, "true"), "1 records imported")
	}},
	"import --into": {"dossier", "which is the index_prefix", func(u use) {
		into := e2e.Prefix(u.T)
		u.imports(decnetLine, into)
		u.w.node.Must(u.T, "GET", into+"-attackers/_doc/192.0.2.1", nil)
	}},
	"import --journal": {"/dev/null/x", "--journal: got \"/dev/null/x\", want a folder that can be written to", func(u use) {
		dir := filepath.Join(u.TempDir(), "journal")
		u.imports(decnetLine, dir)
		if found, err := os.ReadDir(dir); err != nil || len(found) != 1 || !strings.HasPrefix(found[0].Name(), u.w.prefix+"-") {
			u.Errorf("%v, %v", found, err)
		}
	}},
}

// imports imports a log of one line with the flag, and returns what was said.
func (u use) imports(line, value string, more ...string) string {
	u.Helper()
	u.w.n++
	path := filepath.Join(u.TempDir(), "log")
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		u.Fatal(err)
	}
	for flag, value := range map[string]string{"final": "true", "dead-letter-path": filepath.Join(u.TempDir(), "letters"), "journal": u.TempDir(), "until": "2090-01-01"} {
		if flag != u.flag && !slices.Contains(more, "--"+flag) {
			more = append(more, "--"+flag+"="+value)
		}
	}
	out, errs, status := u.run(value, u.w.real(append(more, path)...)...)
	if status != 0 {
		u.Fatalf("status %d, %s\n%s", status, errs, out)
	}
	return out
}
