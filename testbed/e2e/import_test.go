package e2e

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dossier/operate"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// TestImportIsWhatFluentBitGives: logs of several dialects that are imported give
// the documents that chunks of Fluent Bit's give of the same records.
func TestImportIsWhatFluentBitGives(t *testing.T) {
	node := esnode.Shared(t)
	logs := []string{
		Data("decnet", "raw_20k.log"), Data("cowrie", "cowrie.json"), Data("opencanary", "opencanary.log"),
		Data("suricata", "eve.json"), Data("syslog", "rsyslog-file.log"), Data("syslog", "openssh-9.2-file.log"),
	}
	read := time.Now().Truncate(time.Second) // import takes no later one
	dir, files, chunks := t.TempDir(), []string(nil), []Chunk(nil)
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			t.Fatal(err)
		}
		// That is the time by which their lines are read.
		if err := os.Chtimes(copied, read, read); err != nil {
			t.Fatal(err)
		}
		files = append(files, copied)
		// One chunk, for what records tell of others of their session.
		chunks = append(chunks, Chunk{filepath.Base(path), chunktest.Lines(read, "log", Lines(t, path)...)})
	}
	reference := Prefix(t) + "-ref"
	h := StartHost(t, host.Options{Properties: Properties(t, node.URL, reference, nil)})
	Deliver(t, h, chunks, 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}

	prefix := Prefix(t)
	p := Properties(t, node.URL, prefix, nil)
	o, err := options.Parse(func(key string) string { return p[key] }, func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	to, err := operate.Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	im := operate.Importing{Files: files, Final: true, Journal: t.TempDir(), Anew: true}
	stats, err := to.Import(t.Context(), im, slog.New(slog.DiscardHandler), func(operate.ImportStatus) {},
		func(done operate.Imported) { t.Log(done) }, func(text string) { t.Error(text) })
	if err != nil || stats.Events < 20000 {
		t.Fatalf("%+v, %v", stats, err)
	}
	for _, kind := range []string{"-attackers", "-indicators"} {
		Equal(t, kind, Documents(t, node, reference+kind), Documents(t, node, prefix+kind))
	}
	Equal(t, "targets", Documents(t, node, reference+"-smtp-targets"), Documents(t, node, prefix+"-smtp-targets"), OfAttacker...)
	Equal(t, "hours", Documents(t, node, reference+"-activity-*"), Documents(t, node, prefix+"-activity-*"), OfHour...)
}
