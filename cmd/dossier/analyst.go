package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"dossier/analyst"
	"dossier/analyst/export"
	"dossier/analyst/report"
	"dossier/analyst/top"
	"dossier/operate"
)

// onReader has do read the profiles that the flags and the environment name,
// for as long as the whole may take.
func onReader(c *cobra.Command, timeout time.Duration, do func(context.Context, *analyst.Reader) error) error {
	o, err := parse(c)
	if err != nil {
		return err
	}
	r, err := analyst.Open(o, version)
	if err != nil {
		return err
	}
	defer r.Close()
	ctx := c.Context()
	if timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return do(ctx, r)
}

// terminal returns where text goes, which takes out the colours where that is
// no terminal or NO_COLOR is set, and how many cells wide it is; 0 where it is
// no terminal.
func terminal(c *cobra.Command) (io.Writer, int) {
	w := c.OutOrStdout()
	width := 0
	if f, ok := w.(*os.File); ok && term.IsTerminal(f.Fd()) {
		if n, _, err := term.GetSize(f.Fd()); err == nil {
			width = n
		}
	}
	return colorprofile.NewWriter(w, os.Environ()), width
}

// format is how a command's result is written.
type format string

// The formats.
const (
	asTable  format = "table"
	asJSON   format = "json"
	asNDJSON format = "ndjson"
	asYAML   format = "yaml"
)

var formats = []string{string(asTable), string(asJSON), string(asNDJSON), string(asYAML)}

func (f *format) Set(s string) error {
	if !slices.Contains(formats, s) {
		return fmt.Errorf("want one of %s", strings.Join(formats, ", "))
	}
	*f = format(s)
	return nil
}

func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

func addFormat(c *cobra.Command, f *format) {
	*f = asTable
	c.Flags().VarP(f, "output", "o", "How it is written: "+strings.Join(formats, ", "))
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) //nolint:errcheck // the flag is there
}

// addLines gives the command the flag --json, which came before --output and says
// ndjson.
func addLines(c *cobra.Command, lines *bool) {
	c.Flags().BoolVar(lines, "json", false, "One JSON object a line, as --output ndjson")
}

// or returns the format, or ndjson where lines were asked for.
func (f format) or(lines bool) format {
	if lines {
		return asNDJSON
	}
	return f
}

// listing writes values one by one in a format, or all at the end where that
// wants them together.
type listing struct {
	w   io.Writer
	as  format
	all []any
	err error
}

// add writes a value, which is text in a table.
func (l *listing) add(v any, text string) {
	switch {
	case l.err != nil:
	case l.as == asTable:
		_, l.err = fmt.Fprintln(l.w, text)
	case l.as == asNDJSON:
		l.err = l.as.write(l.w, v)
	default:
		l.all = append(l.all, v)
	}
}

// end writes what was kept for the end, and returns the first error.
func (l *listing) end() error {
	if l.err != nil || l.as == asTable || l.as == asNDJSON {
		return l.err
	}
	if l.all == nil {
		l.all = []any{}
	}
	return l.as.write(l.w, l.all)
}

// write writes one value in a format for programs.
func (f format) write(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if f == asJSON {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return err
	}
	if f == asYAML {
		// By way of JSON, so that names and numbers are those of the documents.
		var node yaml.Node
		if err := yaml.Unmarshal(b.Bytes(), &node); err != nil {
			return err
		}
		block(&node)
		y := yaml.NewEncoder(w)
		y.SetIndent(2)
		return errors.Join(y.Encode(&node), y.Close())
	}
	_, err := w.Write(b.Bytes())
	return err
}

// block has a YAML document written in block style, whatever it was read from.
func block(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	} else if n.Tag == "!!str" {
		n.Style = yaml.DoubleQuotedStyle
	}
	for i, below := range n.Content {
		if block(below); n.Kind == yaml.MappingNode && i%2 == 0 {
			below.Style = 0 // a name of ours
		}
	}
}

func newShow() *cobra.Command {
	var timeout time.Duration
	var out format
	var all bool
	c := &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show all that is known of an attacker",
		Long: `show prints the profile of an address, or of the network that it is in, for a terminal: risk with its reasons,
timeline, path, commands, credentials, fingerprints, techniques, files, what is only claimed, and analysts' notes. The
role PREFIX-reader is enough. Everything an attacker wrote is repaired: what can't be seen is spelled out (\x1b).

Colours are for terminals only, and NO_COLOR turns them off. --output json, ndjson and yaml print the document. The exit
status is 4 where there is no profile.`,
		Example: "  dossier show 203.0.113.9\n  dossier show --all 2001:db8::1\n  dossier show -o json 203.0.113.9 | jq .risk",
		Args:    exactly("an address: dossier show 203.0.113.9"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := analyst.ParseAddress(args[0]); err != nil {
				return err
			}
			return onReader(c, timeout, func(ctx context.Context, r *analyst.Reader) error {
				if out != asTable {
					p, err := r.Profile(ctx, args[0])
					if err != nil {
						return err
					}
					return out.write(c.OutOrStdout(), p)
				}
				s, err := r.Sheet(ctx, args[0])
				if err != nil {
					return err
				}
				w, _ := terminal(c)
				return s.Write(w, all)
			})
		},
	}
	addOptions(c)
	c.Flags().BoolVarP(&all, "all", "a", false, "Show whole lists, not the last 20 entries of each")
	addFormat(c, &out)
	addTimeout(c, &timeout, time.Minute)
	return c
}

// exactly refuses a command line without one argument, and says what is wanted.
func exactly(want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("got %d arguments, want %s", len(args), want)
		}
		return nil
	}
}

// since is a time as a flag: a date, a time, or how long ago.
type since struct{ from *time.Time }

func (s since) Set(text string) error {
	at, err := parseSince(text, time.Now())
	*s.from = at
	return err
}

func parseSince(text string, now time.Time) (time.Time, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days > 0 && days <= 36500 {
			return now.AddDate(0, 0, -days), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("want how long ago (90m, 24h, 7d), a date (2026-11-01) or a time (2026-11-01T12:00:00Z)")
}

func (s since) String() string {
	if s.from == nil || s.from.IsZero() {
		return ""
	}
	return s.from.UTC().Format(time.RFC3339)
}

// Type implements pflag.Value.
func (s since) Type() string { return "time" }

// filters are the flags by which attackers are chosen wherever some are.
type filters struct {
	risk    float64
	since   time.Time
	classes string
}

func (f *filters) add(c *cobra.Command) {
	c.Flags().Float64Var(&f.risk, "min-risk", 0, "Only those whose risk.score is at least that, 0 to 100")
	c.Flags().Var(since{&f.since}, "since", "Only those last seen since then: 24h, 7d, 2026-11-01")
	c.Flags().StringVar(&f.classes, "classification", "", "Only these, separated by commas: "+strings.Join(analyst.Classes(), ", ")+"; an analyst's verdict goes before the rules'")
}

func (f *filters) apply(q *analyst.Query) error {
	if !(f.risk >= 0 && f.risk <= 100) {
		return fmt.Errorf("--min-risk: got %v, want 0 to 100", f.risk)
	}
	q.MinRisk, q.Since = f.risk, f.since
	for class := range strings.SplitSeq(f.classes, ",") {
		if class = strings.TrimSpace(class); class == "" {
			continue
		}
		if !slices.Contains(analyst.Classes(), class) {
			return fmt.Errorf("--classification: got %q, want some of %s", oneLine(class), strings.Join(analyst.Classes(), ", "))
		}
		q.Classes = append(q.Classes, class)
	}
	return nil
}

// order is an order of attackers as a flag.
type order analyst.Sort

func orders() []string {
	var names []string
	for _, s := range analyst.Sorts() {
		names = append(names, string(s))
	}
	return names
}

func (o *order) Set(s string) error {
	if !slices.Contains(orders(), s) {
		return fmt.Errorf("want one of %s", strings.Join(orders(), ", "))
	}
	*o = order(s)
	return nil
}

func (o *order) String() string { return string(*o) }

// Type implements pflag.Value.
func (o *order) Type() string { return "order" }

func addOrder(c *cobra.Command, o *order) {
	*o = order(analyst.ByRisk)
	c.Flags().Var(o, "sort", "The order: "+strings.Join(orders(), ", "))
	c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(orders(), cobra.ShellCompDirectiveNoFileComp)) //nolint:errcheck // the flag is there
}

// maxRows is how many attackers a search shows unless --limit says otherwise.
const maxRows = 50

func newSearch() *cobra.Command {
	var timeout time.Duration
	var out format
	var q analyst.Query
	var f filters
	var by order
	var campaign string
	c := &cobra.Command{
		Use:   "search",
		Short: "Find who else did this",
		Long: `search lists the attackers of whom all holds that the flags ask for, those of highest risk first. The role
PREFIX-reader is enough. --command and --file take * and ? as wildcards; without one the text may stand anywhere. Secrets
can be searched for as far as option store_secrets keeps them. --campaign takes an address for all that share a campaign
key with it.

With --output ndjson the whole documents come as they are found, however many there are (--limit 0). The exit status is 0
also where nobody is found.`,
		Example: "  dossier search --command 'wget http*'\n  dossier search --credential root:admin --since 7d\n  dossier search --campaign 203.0.113.9\n  dossier search --technique T1496 --min-risk 70 -o ndjson --limit 0",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.apply(&q); err != nil {
				return err
			}
			if q.Sort = analyst.Sort(by); q.Limit < 0 {
				return fmt.Errorf("--limit: got %d, want a number of attackers, or 0 for all", q.Limit)
			}
			if campaign != "" {
				q.Campaign = []string{campaign}
			}
			if err := q.Validate(); err != nil {
				return err
			}
			return onReader(c, timeout, func(ctx context.Context, r *analyst.Reader) error {
				if campaign != "" {
					keys, err := campaignKeys(ctx, r, campaign)
					if err != nil {
						return err
					}
					q.Campaign = keys
				}
				return list(ctx, c, r, q, out)
			})
		},
	}
	addOptions(c)
	for _, s := range []struct {
		to          *string
		name, usage string
	}{
		{&q.Command, "command", "Who typed or sent this"},
		{&q.Credential, "credential", "Who tried USER:SECRET, USER: or :SECRET"},
		{&q.Fingerprint, "fingerprint", "Who has this JA3, JA4, HASSH, JARM, user agent, SSH banner or certificate"},
		{&q.File, "file", "Who brought or fetched the file with this SHA-256, or from this URL"},
		{&campaign, "campaign", "Who has this campaign key, or one of this address"},
		{&q.Technique, "technique", "Of whom this technique of ATT&CK was concluded, or one below it"},
		{&q.Port, "port", "Who connected to this port: 22, tcp/22"},
		{&q.Country, "country", "Who comes from there: DE"},
		{&q.Network, "network", "Whose address is in there: 203.0.113.0/24"},
		{&q.NetworkType, "network-type", "Whose network is of this kind: cloud, hosting, vpn, or what network_types tells"},
		{&q.Service, "service", "Who touched this service: ssh"},
		{&q.Decky, "decky", "Who touched this decoy"},
		{&q.Tool, "tool", "Who uses this tool: nmap"},
	} {
		c.Flags().StringVar(s.to, s.name, "", s.usage)
	}
	f.add(c)
	addOrder(c, &by)
	c.Flags().IntVar(&q.Limit, "limit", maxRows, "At most so many; 0 for all")
	addFormat(c, &out)
	addTimeout(c, &timeout, 10*time.Minute)
	return c
}

// campaignKeys returns the key that was given, or those of an address.
func campaignKeys(ctx context.Context, r *analyst.Reader, given string) ([]string, error) {
	if _, err := analyst.ParseAddress(given); err != nil {
		return []string{given}, nil //nolint:nilerr // then it is a key
	}
	p, err := r.Profile(ctx, given)
	if err != nil {
		return nil, err
	}
	if len(p.Campaign.Keys) == 0 {
		return nil, fmt.Errorf("--campaign: %s has no campaign key: it brought no file, tried too few credentials and typed too little", p.ID)
	}
	return p.Campaign.Keys.Strings(), nil
}

// list writes what a query finds.
func list(ctx context.Context, c *cobra.Command, r *analyst.Reader, q analyst.Query, out format) error {
	odd := func(id analyst.Text, err error) { fmt.Fprintf(c.ErrOrStderr(), "dossier: warning: %s: %v\n", id, err) }
	w, width := terminal(c)
	if out == asNDJSON {
		return r.Each(ctx, q, odd, func(p *analyst.Profile) error { return out.write(w, p) })
	}
	var found []*analyst.Profile
	if err := r.Each(ctx, q, odd, func(p *analyst.Profile) error {
		found = append(found, p)
		return nil
	}); err != nil {
		return err
	}
	if out != asTable {
		if found == nil {
			found = []*analyst.Profile{}
		}
		return out.write(w, found)
	}
	if len(found) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "nobody")
		return nil
	}
	columns, widths := analyst.Fit(analyst.Columns(), width, found)
	lines := []string{analyst.Titles(columns, widths)}
	for _, p := range found {
		lines = append(lines, analyst.Level(string(p.Risk.Level), p.Row(columns, widths)))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	if len(found) == q.Limit {
		fmt.Fprintf(c.ErrOrStderr(), "the first %d; --limit 0 shows all\n", q.Limit)
	}
	return err
}

func newExport() *cobra.Command {
	var timeout time.Duration
	var f filters
	var o export.Options
	var form, to, expires string
	var diff bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Write attackers for other programs: ndjson, csv, STIX, MISP, blocklist, nftables, ipset",
		Long: `export writes attackers as documents (ndjson), a table (csv), threat intelligence (stix: a STIX 2.1 bundle; misp: a
MISP event) or lists that block (blocklist: an address a line; nftables for nft -f, ipset for ipset restore). It reads from one
point in time and holds one page in memory, however many there are. The role PREFIX-reader is enough. TAXII is not offered:
put the file where others poll it.

Never written, in no form: addresses that are not reached over the Internet, those of internal_nets, and --exclude-nets. Who is
benign by network, by name or by an analyst's verdict is written only where --classification asks for benign; --no-benign leaves
out those as well who only say so themselves. Lists that block, STIX and MISP leave out whom anybody could have put there
(spoofable), and those whose entry has expired: --expires after the last event.

--to replaces a file at once, so that nobody reads half of one. With --diff it then says on standard output which
addresses came (+) and went (-).`,
		Example: "  dossier export --form blocklist --min-risk 70 --to /srv/feeds/dossier.txt\n  dossier export --form nftables --min-risk 40 --expires 7d --to /etc/nftables.d/dossier.nft && nft -f /etc/nftables.d/dossier.nft\n  dossier export --form stix --since 30d --to bundle.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var q analyst.Query
			if err := f.apply(&q); err != nil {
				return err
			}
			parsed, err := parse(c)
			if err != nil {
				return err
			}
			o.Form, o.Now, o.Prefix = export.Form(form), time.Now(), parsed.IndexPrefix
			o.Excluded, o.Benign = slices.Concat(parsed.ExcludeNets, parsed.InternalNets), slices.Contains(q.Classes, "benign")
			if value(c, "tlp") != "" {
				o.TLP = parsed.TLP
			}
			if o.Expires, err = operate.ParseAge(expires); err != nil {
				return fmt.Errorf("--expires: %w", err)
			}
			if err := canReplace(to); err != nil {
				return err
			}
			if diff && to == "" {
				return errors.New("--diff: got no file to compare with; say --to FILE")
			}
			if err := o.Validate(); err != nil {
				return fmt.Errorf("--form: %w", err)
			}
			q.Sort, q.Fields = analyst.ByAddress, o.Form.Fields()
			return onReader(c, timeout, func(ctx context.Context, r *analyst.Reader) error {
				return exportTo(ctx, c, r, q, o, to, diff)
			})
		},
	}
	addOptions(c, "exclude_nets", "internal_nets", "tlp")
	var forms []string
	for _, f := range export.Forms() {
		forms = append(forms, string(f))
	}
	c.Flags().StringVar(&form, "form", string(export.NDJSON), "What is written: "+strings.Join(forms, ", "))
	c.Flags().StringVar(&to, "to", "", "Replace this file at once, instead of writing to standard output")
	c.Flags().BoolVar(&diff, "diff", false, "With --to: say which addresses came and went")
	c.Flags().StringVar(&expires, "expires", "30d", "How long after its last event an entry of stix, misp and the lists that block ends: days, or forever")
	c.Flags().BoolVar(&o.NoBenign, "no-benign", false, "Leave out also who is benign only by its own word")
	f.add(c)
	addTimeout(c, &timeout, time.Hour)
	return c
}

// canReplace refuses a file that could not be replaced, before anything is read.
func canReplace(file string) error {
	if file == "" {
		return nil
	}
	dir := filepath.Dir(file)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("--to: there is no folder %s", oneLine(dir))
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("--to: %s is no file", oneLine(file))
	}
	return nil
}

func exportTo(ctx context.Context, c *cobra.Command, r *analyst.Reader, q analyst.Query, o export.Options, to string, diff bool) error {
	var summary string
	write := func(w io.Writer) error {
		out, err := export.NewWriter(w, o)
		if err != nil {
			return err
		}
		odd := func(id analyst.Text, err error) { fmt.Fprintf(c.ErrOrStderr(), "dossier: warning: %s: %v\n", id, err) }
		if err = r.Each(ctx, q, odd, out.Add); err == nil {
			err = out.Close()
		}
		summary = out.Summary()
		return err
	}
	if to == "" {
		err := write(c.OutOrStdout())
		fmt.Fprintln(c.ErrOrStderr(), summary)
		return err
	}
	var before []byte
	if diff {
		var err error
		if before, err = os.ReadFile(to); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := export.ToFile(to, write); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", oneLine(to), summary)
	if !diff {
		return nil
	}
	after, err := os.Open(to)
	if err != nil {
		return err
	}
	defer after.Close()
	d, err := export.Diff(o.Form, bytes.NewReader(before), after)
	if err != nil {
		return err
	}
	for _, e := range d.Added {
		fmt.Fprintln(c.OutOrStdout(), "+", oneLine(e))
	}
	for _, e := range d.Removed {
		fmt.Fprintln(c.OutOrStdout(), "-", oneLine(e))
	}
	return nil
}

func newReport() *cobra.Command {
	var timeout time.Duration
	var from time.Time
	var to string
	c := &cobra.Command{
		Use:   "report [ADDRESS]",
		Short: "Write a page about an attacker, or about all",
		Long: `report writes one HTML page that holds all it needs: charts as SVG, no script, no font, no picture, no link, and a
policy that forbids to load anything. Everything an attacker wrote is text in it. It prints well (to PDF as well). Without
an address it is about all attackers that were seen since --since. The role PREFIX-reader is enough.`,
		Example: "  dossier report 203.0.113.9 --to case-17.html\n  dossier report --since 7d --to week.html",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if _, err := analyst.ParseAddress(args[0]); err != nil {
					return err
				}
			}
			if err := canReplace(to); err != nil {
				return err
			}
			return onReader(c, timeout, func(ctx context.Context, r *analyst.Reader) error {
				var page bytes.Buffer
				var err error
				if len(args) == 1 {
					var s *analyst.Sheet
					if s, err = r.Sheet(ctx, args[0]); err == nil {
						err = report.Attacker(&page, s, r.Prefix(), version)
					}
				} else {
					if from.IsZero() {
						from = time.Now().AddDate(0, 0, -30)
					}
					var all *analyst.Overview
					if all, err = r.Overview(ctx, from); err == nil {
						err = report.Overview(&page, all, r.Prefix(), version)
					}
				}
				if err != nil {
					return err
				}
				if to == "" {
					_, err = c.OutOrStdout().Write(page.Bytes())
					return err
				}
				return export.ToFile(to, func(w io.Writer) error {
					_, err := w.Write(page.Bytes())
					return err
				})
			})
		},
	}
	addOptions(c)
	c.Flags().Var(since{&from}, "since", "Without an address: of those last seen since then: 24h, 7d, 2026-11-01 (default 30d)")
	c.Flags().StringVar(&to, "to", "", "Replace this file at once, instead of writing to standard output")
	addTimeout(c, &timeout, 5*time.Minute)
	return c
}

func newTop() *cobra.Command {
	var f filters
	var by order
	every := 5 * time.Second
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch the attackers, those of highest risk first",
		Long: `top shows the attackers as a table that renews itself. The role PREFIX-reader is enough.

r, a and n sort by risk, activity and the newest; the arrows and enter show one; p stops the clock; q ends it. It wants a terminal.
NO_COLOR turns colours off.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var q analyst.Query
			if err := f.apply(&q); err != nil {
				return err
			}
			if q.Sort = analyst.Sort(by); every < top.MinEvery {
				return fmt.Errorf("--every: got %s, want at least %s", every, top.MinEvery)
			}
			out, ok := c.OutOrStdout().(*os.File)
			in, ok2 := c.InOrStdin().(*os.File)
			if !ok || !ok2 || !term.IsTerminal(out.Fd()) || !term.IsTerminal(in.Fd()) {
				if _, err := parse(c); err != nil {
					return err
				}
				return errors.New("top wants a terminal; dossier search lists the same once")
			}
			return onReader(c, 0, func(ctx context.Context, r *analyst.Reader) error {
				return top.Run(ctx, r, top.Options{Query: q, Every: every, Where: r.String(), Environment: os.Environ(), In: in, Out: out})
			})
		},
	}
	addOptions(c)
	f.add(c)
	addOrder(c, &by)
	c.Flags().DurationVar(&every, "every", every, "How often the table is renewed")
	return c
}
