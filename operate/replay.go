package operate

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/correlate/event"
	"dossier/esindex/deadletter"
	"dossier/target"
)

// Replayed is what Replay did.
type Replayed struct {
	target.Replayed
	// Foreign counts the letters that are for indices of another prefix, in
	// files that were left as they are. Prefixes are those, in order.
	Foreign  int
	Prefixes []string
	// RawKept and DamagedKept count what is kept in the folder because nobody could
	// read it, by this replay and by earlier ones; KeptIn the files.
	RawKept, DamagedKept, KeptIn int
}

// Replay brings the dead letters of a folder or file back to their documents,
// each once. It begins only where these credentials may write, and leaves
// files alone whose letters are for another prefix.
func (t *Target) Replay(ctx context.Context, path string, log *slog.Logger) (Replayed, error) {
	var r Replayed
	foreign, letters, err := r.sort(t, path)
	if err != nil {
		return r, err
	}
	if letters > 0 {
		if err := t.mayWrite(ctx); err != nil {
			return r, err
		}
	}
	folder := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		folder = filepath.Dir(path)
	}
	o := t.o
	o.ManageTemplates = false // what setup is for
	o.DeadLetterPath = folder
	ours := func(file string) bool { return !foreign[file] }
	if letters > 0 {
		r.Replayed, err = target.Replay(ctx, o, target.Host{Version: t.version, Logger: log}, path, ours)
	} else { // nothing is for a document
		r.Result, err = deadletter.ReplayOnly(path, ours, func(deadletter.Letter) error { return deadletter.ErrKeep })
	}
	return r, errors.Join(err, r.countKept(folder))
}

// sort returns the files with letters that are for another prefix, and how
// many letters in the others are for documents.
func (r *Replayed) sort(t *Target, path string) (foreign map[string]bool, letters int, err error) {
	foreign = map[string]bool{}
	own := map[string]int{}
	_, err = deadletter.Each(path, func(file string, l deadletter.Letter) error {
		if l.IsRaw() {
			return nil
		}
		prefix, ours := t.prefixOf(l.Index)
		if ours {
			own[file]++
			return nil
		}
		foreign[file] = true
		r.Foreign++
		if !slices.Contains(r.Prefixes, prefix) && len(r.Prefixes) < maxPrefixes {
			r.Prefixes = append(r.Prefixes, prefix)
		}
		return nil
	})
	for file, n := range own {
		if !foreign[file] {
			letters += n
		}
	}
	slices.Sort(r.Prefixes)
	return foreign, letters, err
}

// maxPrefixes bounds the prefixes that are named.
const maxPrefixes = 10

// prefixOf returns the index prefix of an index, fit for a line, and whether
// it is this target's.
func (t *Target) prefixOf(index string) (prefix string, ours bool) {
	prefix = index
	for _, tt := range t.templates {
		stem, monthly := strings.CutSuffix(tt.Pattern, "*")
		if index == stem || monthly && strings.HasPrefix(index, stem) {
			return t.o.IndexPrefix, true
		}
		kind := strings.TrimPrefix(stem, t.o.IndexPrefix)
		if before, after, ok := cutLast(index, kind); ok && (monthly || after == "") {
			prefix = before
		}
	}
	return line(prefix), false
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i > 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// mayWrite returns an error where these credentials can't write as a sensor
// does: each letter would be tried for as long as commit_timeout.
func (t *Target) mayWrite(ctx context.Context) error { return t.mustHold(ctx, roles.Writer) }

// countKept counts what earlier replays kept too.
func (r *Replayed) countKept(folder string) error {
	found, err := deadletter.EachKept(folder, func(string, deadletter.Letter) error { return nil })
	r.RawKept, r.DamagedKept, r.KeptIn = found.Letters, found.Damaged, found.Files
	return err
}

// Raw is a dead letter that nobody could read.
type Raw struct {
	// File is where it stands, Time when it was buried.
	File string
	Time time.Time
	// Reason, Chunk and Tag are one line each.
	Reason, Chunk, Tag string
	// Piece of Pieces is which part of the chunk's bytes it is.
	Piece, Pieces int
	// Text is the bytes, repaired and in one line, and More how many of them
	// are not in it.
	Text string
	More int
}

// maxRawText bounds the text of one raw letter.
const maxRawText = 4096

// ShowRaw tells f of each raw letter of a folder or file, those that wait and
// those that were kept. It needs no cluster.
func ShowRaw(path string, f func(Raw)) error {
	show := func(file string, l deadletter.Letter) error {
		if l.IsRaw() {
			f(showRaw(file, &l))
		}
		return nil
	}
	if _, err := deadletter.EachKept(path, show); err != nil {
		return err
	}
	_, err := deadletter.Each(path, show)
	return err
}

func showRaw(name string, l *deadletter.Letter) Raw {
	var arena event.Arena
	clean := func(s string, limit int) string {
		text, _ := arena.Clean(s, limit)
		return strings.Clone(text)
	}
	// What is shown is counted in bytes of the letter: repair makes up to ten
	// of one.
	data := l.Data[:min(len(l.Data), maxRawText)]
	return Raw{
		File: name, Time: l.Time, Reason: clean(l.Reason, 300), Chunk: clean(l.Chunk, 32), Tag: clean(l.Tag, 100),
		Piece: l.Piece, Pieces: l.Pieces, Text: clean(string(data), 16*maxRawText), More: len(l.Data) - len(data),
	}
}
