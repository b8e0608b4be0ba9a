package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"dossier/operate"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/options"
)

// The years that times without one may be said to be of.
const firstYear, lastYear = 2000, 2099

// instant is a date or a time as a flag.
type instant struct{ at *time.Time }

// Set implements pflag.Value.
func (i instant) Set(text string) error {
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil && at.Year() >= firstYear && at.Year() <= lastYear {
			*i.at = at.UTC()
			return nil
		}
	}
	return fmt.Errorf("want a date (2026-11-01) or a time (2026-11-01T12:00:00Z) from %d to %d", firstYear, lastYear)
}

// String implements pflag.Value.
func (i instant) String() string {
	if i.at == nil || i.at.IsZero() {
		return ""
	}
	return i.at.UTC().Format(time.RFC3339)
}

// Type implements pflag.Value.
func (instant) Type() string { return "instant" }

// journalFolder is where the journal of imports is unless it is said.
func journalFolder() string {
	if os.Getuid() == 0 {
		return "/var/lib/dossier/import"
	}
	state := os.Getenv("XDG_STATE_HOME")
	if home, err := os.UserHomeDir(); state == "" && err == nil {
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "dossier", "import")
}

func newImport() *cobra.Command {
	var timeout time.Duration
	var o operate.Importing
	var into string
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Read stored logs into the profiles, each record once",
		Long: `import reads stored logs with the engine of the plugin, without Fluent Bit: plain files, gzip, xz and Zstandard, of one sensor
or of several. Each record counts once, however often its log is imported, under whatever name, compressed or not, and whatever
stopped it: run the same command again and it goes on. A log that has grown goes on where it was. Its last chunk waits until it
is full, 2000 records; --final imports it as it is, for logs that get no more. A record's time is that of its line; a time
without a year is of the latest one possible when the file was modified last, or of --year.

What Fluent Bit delivers of the same logs is other chunks and counts again: leave it out with --until, or import into indices of
their own with --into. The options of the output that decide what becomes of records are flags here: use those that the output
has. With a key of the role writer run dossier setup --also-month before, for months long past.`,
		Example: "  dossier import --final /var/log/cowrie/cowrie.json.2026-*\n  dossier import --until 2026-11-01T12:00:00Z /var/log/decnet.log\n  dossier import --into rebuilt --final archive/*.zst",
		Args:    several(1, "files: dossier import FILE..."),
		RunE: func(c *cobra.Command, args []string) error {
			if o.Terms.Year != 0 && (o.Terms.Year < firstYear || o.Terms.Year > lastYear) {
				return fmt.Errorf("--year: got %d, want %d to %d", o.Terms.Year, firstYear, lastYear)
			}
			if !o.Terms.Until.IsZero() && !o.Terms.Since.Before(o.Terms.Until) {
				return errors.New("--since: want a time before that of --until")
			}
			out, err := parse(c)
			if err != nil {
				return err
			}
			if into != "" {
				if into == out.IndexPrefix {
					return fmt.Errorf("--into: got %q, which is the index_prefix; want one that no sensor writes to", oneLine(into))
				}
				o.Anew = true
				if out, err = parseInto(c, into); err != nil {
					return err
				}
			}
			if o.Files = args; o.Journal == "" {
				o.Journal = journalFolder()
			}
			return importInto(c, out, timeout, o)
		},
	}
	keys := []string{"dead_letter_path", "unparsed_dead_letters", "activity"}
	for _, d := range options.Describe() {
		if reads(d.Key) {
			keys = append(keys, d.Key)
		}
	}
	addOptions(c, keys...)
	c.Flags().Var(instant{&o.Terms.Since}, "since", "Only events from then on: 2026-11-01, 2026-11-01T12:00:00Z")
	c.Flags().Var(instant{&o.Terms.Until}, "until", "Only events before then")
	c.Flags().IntVar(&o.Terms.Year, "year", 0, "The year of times without one (default the latest possible when the file was modified last)")
	c.Flags().BoolVar(&o.Final, "final", false, "The logs get no more: import their last, open chunks too")
	c.Flags().StringVar(&into, "into", "", "Import into indices of this prefix, made anew, instead of index_prefix")
	c.Flags().StringVar(&o.Journal, "journal", "", "Folder that keeps how far logs were imported (default /var/lib/dossier/import for root, else dossier/import below ~/.local/state)")
	addTimeout(c, &timeout, 30*24*time.Hour)
	return c
}

// parseInto is parse for another index prefix.
func parseInto(c *cobra.Command, prefix string) (options.Options, error) {
	return options.Parse(func(key string) string {
		switch {
		case key == "index_prefix":
			return prefix
		case !isOption(key):
			return ""
		}
		return value(c, key)
	}, func(string) {}) // parse has warned
}

func importInto(c *cobra.Command, out options.Options, timeout time.Duration, o operate.Importing) error {
	t, err := operate.Open(out, version)
	if err != nil {
		return err
	}
	defer t.Close()
	ctx, cancel := context.WithTimeout(c.Context(), timeout)
	defer cancel()
	p := newProgress(c.ErrOrStderr())
	say := func(l logging.Line) {
		_, text, _ := strings.Cut(l.Text, "] ") // behind the output's name
		p.say("dossier: " + text)
	}
	lines := logging.NewQueue(say, func(*panics.Panic) {})
	log := slog.New(logging.NewHandler(lines, "import", logging.Warn))
	stats, err := t.Import(ctx, o, log, p.status,
		func(done operate.Imported) { p.result(c.OutOrStdout(), done.String()) },
		func(text string) { p.say("dossier: warning: " + text) })
	p.end(err == nil)
	lines.Take(say)
	if stats.Records > 0 {
		fmt.Fprintln(c.OutOrStdout(), stats)
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped; run the same command again to go on")
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("--timeout: %s is over; run the same command again to go on (%w)", timeout, err)
	}
	return err
}

// progress shows how far an import is, on a terminal only.
type progress struct {
	w   io.Writer
	mu  sync.Mutex // held while something is written to w
	bar *progressbar.ProgressBar
	on  bool
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, on: ok && term.IsTerminal(f.Fd())}
}

// status shows how far it is.
func (p *progress) status(s operate.ImportStatus) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(s.Size, progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(true),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionFullWidth())
	}
	name := []rune(oneLine(filepath.Base(s.File)))
	if len(name) > maxName {
		name = append(name[:maxName-1], '…')
	}
	p.bar.Describe(fmt.Sprintf("%s, %d records", string(name), s.Records))
	// It is at its end when all is durable.
	p.bar.Set64(min(s.Read, s.Size-1)) //nolint:errcheck // a terminal that is gone shows nothing
}

// maxName is how much of a file's name the bar shows, in characters.
const maxName = 24

// say writes a line beside the bar.
func (p *progress) say(text string) { p.result(p.w, text) }

// result writes a line to w, which may be the same terminal.
func (p *progress) result(w io.Writer, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(w, oneLine(text))
}

func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Clear() //nolint:errcheck // as above
	}
}

// end leaves the bar as it was where all is done, and takes it away else.
func (p *progress) end(done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if done && p.bar != nil {
		p.bar.Finish() //nolint:errcheck // as above
		fmt.Fprintln(p.w)
	}
	p.bar, p.on = nil, false
}
