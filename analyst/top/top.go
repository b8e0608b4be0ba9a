// Package top shows the attackers as a table that renews itself, as top(1) does
// with processes. It asks for as many as the terminal has lines.
package top

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"dossier/analyst"
)

// Source is where attackers come from.
type Source interface {
	List(ctx context.Context, q analyst.Query) ([]*analyst.Profile, int64, error)
	Sheet(ctx context.Context, address string) (*analyst.Sheet, error)
}

// Options say what is shown.
type Options struct {
	// Query says who is shown, and in which order at first.
	Query analyst.Query
	// Every is how often the table is renewed; at least MinEvery.
	Every time.Duration
	// Where names the cluster and the prefix.
	Where string
	// Environment decides the colours (NO_COLOR, TERM), as os.Environ has it.
	Environment []string
	In          io.Reader
	Out         io.Writer
}

// MinEvery is the shortest time between two renewals.
const MinEvery = time.Second

// requestLimit is how long one look may take.
const requestLimit = 30 * time.Second

// Run shows the table until somebody ends it with q or Ctrl-C, or ctx ends.
func Run(ctx context.Context, s Source, o Options) error {
	if o.Every < MinEvery {
		return fmt.Errorf("got %s, want at least %s between two looks", o.Every, MinEvery)
	}
	m := &model{ctx: ctx, source: s, o: o, width: 80, height: 24}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Environment))
	_, err := p.Run()
	return err
}

// Fields are what the table needs of a profile.
func fields() []string {
	return []string{
		"ip", "network", "last_seen", "event_count", "decky_count", "command_count", "login_attempts", "country_code", "actor",
		"risk.score", "risk.level", "risk.stage", "behavior.class", "behavior.tools", "commands", "classification",
	}
}

type model struct {
	ctx    context.Context
	source Source
	o      Options

	width, height int
	rows          []*analyst.Profile
	total         int64
	selected      int
	asOf          time.Time
	err           error
	asking        bool
	paused        bool

	// sheet is the attacker that is looked at, in lines; nil while the table is
	// shown.
	sheet []string
	from  int
}

type (
	looked struct {
		rows  []*analyst.Profile
		total int64
		err   error
	}
	opened struct {
		lines []string
		err   error
	}
	tick struct{}
)

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return tea.Batch(m.look(), m.wait()) }

func (m *model) wait() tea.Cmd {
	return tea.Tick(m.o.Every, func(time.Time) tea.Msg { return tick{} })
}

// look asks for the attackers, unless an answer is still to come.
func (m *model) look() tea.Cmd {
	if m.asking {
		return nil
	}
	m.asking = true
	q := m.o.Query
	q.Fields = fields()
	q.Limit = max(1, m.room())
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, requestLimit)
		defer cancel()
		rows, total, err := m.source.List(ctx, q)
		return looked{rows, total, err}
	}
}

func (m *model) open(id string) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, requestLimit)
		defer cancel()
		s, err := m.source.Sheet(ctx, id)
		if err != nil {
			return opened{err: err}
		}
		var b bytes.Buffer
		err = s.Write(&b, true)
		return opened{strings.Split(strings.TrimRight(b.String(), "\n"), "\n"), err}
	}
}

// room is how many attackers fit: two lines are above them, one below.
func (m *model) room() int { return m.height - 3 }

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, m.look()
	case tick:
		if m.paused || m.sheet != nil {
			return m, m.wait()
		}
		return m, tea.Batch(m.look(), m.wait())
	case looked:
		m.asking = false
		if m.err = msg.err; msg.err == nil {
			m.rows, m.total, m.asOf = msg.rows, msg.total, time.Now()
			m.selected = min(m.selected, max(0, len(m.rows)-1))
		}
	case opened:
		if m.err = msg.err; msg.err == nil {
			m.sheet, m.from = msg.lines, 0
		}
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

func (m *model) key(key string) tea.Cmd {
	if key == "ctrl+c" {
		return tea.Quit
	}
	if m.sheet != nil {
		switch key {
		case "q", "esc", "left", "backspace":
			m.sheet = nil
			return m.look()
		case "down", "j":
			m.from++
		case "up", "k":
			m.from--
		case "pgdown", "space":
			m.from += m.height - 2
		case "pgup":
			m.from -= m.height - 2
		case "home", "g":
			m.from = 0
		case "end", "G":
			m.from = len(m.sheet)
		}
		m.from = max(0, min(m.from, len(m.sheet)-(m.height-1)))
		return nil
	}
	sorts := map[string]analyst.Sort{"r": analyst.ByRisk, "a": analyst.ByActivity, "n": analyst.ByNewest}
	if s, ok := sorts[key]; ok {
		m.o.Query.Sort = s
		m.selected = 0
		return m.look()
	}
	switch key {
	case "q", "esc":
		return tea.Quit
	case "p":
		m.paused = !m.paused
	case "down", "j":
		m.selected = min(m.selected+1, max(0, len(m.rows)-1))
	case "up", "k":
		m.selected = max(m.selected-1, 0)
	case "enter", "right":
		if m.selected < len(m.rows) {
			return m.open(m.rows[m.selected].ID)
		}
	}
	return nil
}

var (
	bar    = lipgloss.NewStyle().Reverse(true)
	bold   = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	danger = lipgloss.NewStyle().Foreground(lipgloss.BrightRed)
)

// View implements tea.Model.
func (m *model) View() tea.View {
	text := m.table()
	if m.sheet != nil {
		text = m.page()
	}
	v := tea.NewView(text)
	v.AltScreen = true
	v.WindowTitle = "dossier top"
	return v
}

func (m *model) table() string {
	lines := []string{m.status()}
	columns, widths := analyst.Fit(analyst.Columns(), m.width, m.rows)
	lines = append(lines, bold.Render(ansi.Truncate(analyst.Titles(columns, widths), m.width, "…")))
	for i, p := range m.rows[:max(0, min(len(m.rows), m.room()))] {
		row := ansi.Truncate(p.Row(columns, widths), m.width, "…")
		if i == m.selected {
			row = bar.Render(row + strings.Repeat(" ", max(0, m.width-ansi.StringWidth(row))))
		} else {
			row = analyst.Level(string(p.Risk.Level), row)
		}
		lines = append(lines, row)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, m.help("r risk  a activity  n newest  ↑↓ enter show  p pause  q quit"))
	return strings.Join(lines, "\n")
}

// status is the first line: how many there are, and what is wrong.
func (m *model) status() string {
	if m.err != nil {
		return danger.Render(ansi.Truncate(string(analyst.Repair(m.err.Error())), m.width, "…"))
	}
	if m.asOf.IsZero() {
		return ansi.Truncate("asking "+m.o.Where+" …", m.width, "…")
	}
	paused := ""
	if m.paused {
		paused = ", paused"
	}
	sort := m.o.Query.Sort
	if sort == "" {
		sort = analyst.ByRisk
	}
	return ansi.Truncate(fmt.Sprintf("%d attackers by %s at %s%s  %s", m.total, sort, m.asOf.UTC().Format("15:04:05"), paused, m.o.Where), m.width, "…")
}

func (m *model) help(text string) string { return faint.Render(ansi.Truncate(text, m.width, "…")) }

func (m *model) page() string {
	lines := make([]string, 0, m.height)
	for _, l := range m.sheet[m.from:min(len(m.sheet), m.from+max(1, m.height-1))] {
		lines = append(lines, ansi.Truncate(l, m.width, "…"))
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	return strings.Join(append(lines, m.help("↑↓ page  q back")), "\n")
}
