// Package explain says what becomes of records: how each is read, by the code
// that the plugin reads it with, and what profiles come of them. It asks no
// cluster.
package explain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/event"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/target"
)

// Form says what a line of a file is.
type Form string

const (
	// Log lines stand under "log" in the record, as Fluent Bit's tail has them.
	Log Form = "log"
	// Record lines are the record, as JSON.
	Record Form = "record"
)

// The bounds of what is read at a time.
const (
	// maxLine is the longest line that is read, in bytes.
	maxLine = 16 << 20
	// chunkBytes is the size from which on a chunk is full, as Fluent Bit's is.
	chunkBytes = 2 << 20
)

// Options configures what is explained.
type Options struct {
	// Output are the options of the output that would get the records.
	Output options.Options
	// Form says what a line is.
	//
	// If Form is empty, Log will be used.
	Form Form
	// Time is the time that Fluent Bit would give the records.
	//
	// If Time is zero, now will be used.
	Time time.Time
}

func (o *Options) validate() error {
	switch o.Form {
	case "":
		o.Form = Log
	case Log, Record:
	default:
		return fmt.Errorf("form: got %q, want %s or %s", o.Form, Log, Record)
	}
	if o.Time.IsZero() {
		o.Time = time.Now()
	}
	return nil
}

// Records writes what each record of in is read as.
func Records(out io.Writer, in io.Reader, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	reading, err := target.NewReading(o.Output)
	if err != nil {
		return err
	}
	defer reading.Close()
	w := bufio.NewWriter(out)
	said := &report{w: w, internal: o.Output.InternalNets, told: o.Output.InternalNets != nil}
	if !said.told {
		said.internal = profile.PrivateNets()
	}
	var a event.Arena
	err = chunks(in, &o, func(data []byte, lines []int) error {
		a.Reset()
		// What a record lacks, others of its session may tell.
		others := reading.Engine.Decode(&a, data)
		for others.Next() {
			r := others.Record()
			var ev event.Event
			reading.Engine.Read(&a, &r, &ev)
		}
		records := reading.Engine.Decode(&a, data)
		for i, before := 0, 0; records.Next(); i++ {
			cut := records.Cut() > before
			before = records.Cut()
			r := records.Record()
			var ev event.Event
			v, excluded := reading.Engine.Read(&a, &r, &ev)
			if v.Missing != 0 {
				_, excluded = reading.Engine.Settle(&a, v, &ev)
			}
			said.record(lines[i], &a, &r, v, excluded, cut, &ev)
		}
		return records.Err()
	}, said.unread)
	said.sum()
	return errors.Join(err, w.Flush())
}

// Profiles writes a line "DOC {document}" for each attacker whom the records of
// in tell of, in the order of their ids, and one "RESULT" line with the counts.
func Profiles(ctx context.Context, out io.Writer, in io.Reader, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	reading, err := target.NewReading(o.Output)
	if err != nil {
		return err
	}
	defer reading.Close()
	store := &shelf{docs: map[commit.Key]document{}}
	machine := reading.Machine
	machine.Gather, machine.MarkerDelay = time.Nanosecond, time.Nanosecond
	committer, err := commit.New(commit.Options{
		MachineOptions: machine, Store: store, DeadLetters: store, Model: correlate.NewModel(reading.Model), Report: store.report,
	})
	if err != nil {
		return err
	}
	defer committer.Close(context.WithoutCancel(ctx))
	reading.Engine.Committer = committer
	reading.Engine.BuryBroken = func(context.Context, correlate.Broken) error { return nil }
	reading.Engine.CommitTimeout = 5 * time.Minute
	engine, err := correlate.New(reading.Engine)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	said := &report{w: w}
	n := 0
	err = chunks(in, &o, func(data []byte, _ []int) error {
		n++ // the same records may come twice in a file
		_, err := engine.Flush(ctx, fmt.Sprint("explain.", n), data)
		return errors.Join(err, store.failed())
	}, said.unread)
	index := reading.Engine.Indices.Attackers()
	for _, id := range slices.Sorted(maps.Keys(store.of(index))) {
		fmt.Fprintf(w, "DOC %s\n", withoutState(store.of(index)[id]))
	}
	said.result(engine.Stats())
	return errors.Join(err, w.Flush())
}

// withoutState cuts the state off a document, whose last member it is.
func withoutState(body []byte) []byte {
	if i := bytes.LastIndex(body, []byte(`,"state":"`)); i >= 0 {
		return append(slices.Clone(body[:i]), '}')
	}
	return body
}

// chunks hands on the records of in, some at a time, with the number of each
// one's line. unread is told of lines that are no record.
func chunks(in io.Reader, o *Options, do func(data []byte, lines []int) error, unread func(line int, why error)) error {
	var e encoder
	var lines []int
	flush := func() error {
		if len(lines) == 0 {
			return nil
		}
		err := do(e.data(), lines)
		e.reset()
		lines = lines[:0]
		return err
	}
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; sc.Scan(); n++ {
		line := sc.Bytes()
		if len(bytes.TrimSpace(line)) == 0 && o.Form == Record {
			continue
		}
		if err := e.add(o.Time, o.Form, line); err != nil {
			unread(n, err)
			continue
		}
		if lines = append(lines, n); e.size() >= chunkBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := sc.Err(); err != nil {
		return errors.Join(flush(), fmt.Errorf("a line is longer than %d bytes, or can't be read: %w", maxLine, err))
	}
	return flush()
}
