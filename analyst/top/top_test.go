package top_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dossier/analyst"
	"dossier/analyst/top"
)

// TestMain is a table of made-up attackers where the tests run this program in
// a terminal.
func TestMain(m *testing.M) {
	if os.Getenv("DOSSIER_TOP_TEST") == "" {
		os.Exit(m.Run())
	}
	o := top.Options{Every: time.Second, Where: "a test", Environment: os.Environ(), In: os.Stdin, Out: os.Stdout}
	if err := top.Run(context.Background(), &made{}, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ended well")
}

// made are attackers that nobody saw; the second one wrote what he could.
type made struct{ asked int }

const evil = "\x1b[2J\x1b[31mred\x1b]0;owned\x07 \u202eesrever \u2066a\u2069 \t\n\r\u200b 漢字漢字 é"

func (m *made) List(_ context.Context, q analyst.Query) ([]*analyst.Profile, int64, error) {
	if m.asked++; m.asked == 4 {
		return nil, 0, errors.New("the cluster \x1b[31mwent away")
	}
	var rows []*analyst.Profile
	for i := range 50 {
		p := &analyst.Profile{ID: fmt.Sprintf("203.0.113.%d", i), EventCount: int64(1000 - i), DeckyCount: 3, CommandCount: 7}
		p.Risk.Score, p.Risk.Level, p.Risk.Stage = 95-float64(i), "Critical", "acting"
		p.Behavior.Class = "interactive"
		p.LastSeen.Time = time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC)
		if i == 1 {
			p.Actor, p.Behavior.Class, p.Country = analyst.Repair(evil), analyst.Repair(evil), analyst.Repair(evil)
		}
		rows = append(rows, p)
	}
	if q.Sort == analyst.ByNewest {
		slices.Reverse(rows)
	}
	return rows[:min(len(rows), q.Limit)], 50, nil
}

func (m *made) Sheet(_ context.Context, address string) (*analyst.Sheet, error) {
	p := &analyst.Profile{ID: address}
	for range 100 {
		p.Commands = append(p.Commands, analyst.Command{Command: analyst.Repair(evil), Service: "ssh"})
	}
	return &analyst.Sheet{Profile: p}, nil
}

// terminal is a tmux with this program in it.
type terminal struct {
	*testing.T
	socket string
}

func (t terminal) tmux(args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "tmux", append([]string{"-f", "/dev/null", "-S", t.socket}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func start(t *testing.T, width, height int, env ...string) terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIP: no tmux: dossier top isn't tried in a terminal")
	}
	dir, err := os.MkdirTemp("", "top") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	term := terminal{t, filepath.Join(dir, "s")}
	program, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	command := strings.Join(append(append([]string{"env", "DOSSIER_TOP_TEST=1", "LC_ALL=C.UTF-8", "TERM=tmux-256color"}, env...), program, "; sleep 60"), " ")
	term.tmux("-u", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), command)
	t.Cleanup(func() {
		exec.Command("tmux", "-S", term.socket, "kill-server").Run() //nolint:errcheck,noctx // it may have ended
		os.RemoveAll(dir)
	})
	return term
}

func (t terminal) keys(keys ...string) { t.tmux(append([]string{"send-keys"}, keys...)...) }

// shows waits until the screen holds all of the texts, and returns it.
func (t terminal) shows(texts ...string) string {
	t.Helper()
	screen := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		screen = t.tmux("capture-pane", "-p")
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(screen, s) }) {
			return screen
		}
	}
	t.Fatalf("no %q on the screen:\n%s", texts, screen)
	return ""
}

// fits wants no line to be wider than the terminal, and nothing on the screen
// that isn't text.
func (t terminal) fits(screen string, width, height int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
	if len(lines) > height {
		t.Errorf("%d lines, want %d at most", len(lines), height)
	}
	for _, l := range lines {
		if ansi.StringWidth(l) > width {
			t.Errorf("a line of %d cells: %q", ansi.StringWidth(l), l)
		}
		if strings.ContainsAny(l, "\u202e\u2066\u2069\u200b\x1b\x07") {
			t.Errorf("something that isn't seen: %q", l)
		}
	}
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)[0-9;]*m`)

// The table as people see it: whole, sorted, one attacker, and the end.
func TestTerminal(t *testing.T) {
	term := start(t, 110, 20)
	screen := term.shows("50 attackers by risk", "203.0.113.0 ", "95 Critical", "203.0.113.1 ", "q quit")
	term.fits(screen, 110, 20)
	if !strings.Contains(screen, `\x1b[2J`) {
		t.Errorf("what an attacker wrote isn't spelled out:\n%s", screen)
	}
	if title := term.tmux("display-message", "-p", "#{pane_title}"); strings.Contains(title, "owned") {
		t.Errorf("an attacker gave the terminal its title: %s", title)
	}
	if !colour.MatchString(term.tmux("capture-pane", "-p", "-e")) {
		t.Error("no colours in a terminal that has some")
	}
	term.keys("n")
	if screen = term.shows("by newest", "203.0.113.49 "); strings.Contains(screen, "203.0.113.1 ") {
		t.Errorf("not sorted:\n%s", screen)
	}
	term.keys("r")
	term.shows("by risk", "203.0.113.0 ")
	term.shows(`the cluster \x1b[31mwent away`) // the fourth look
	term.shows("50 attackers by risk")          // the fifth
	term.keys("Down", "Enter")
	term.fits(term.shows("203.0.113.1", "COMMANDS", `\x1b[31mred`, "q back"), 110, 20)
	term.keys("G")
	term.keys("q")
	term.shows("by risk", "q quit")
	term.keys("p")
	term.shows("paused")
	term.tmux("resize-window", "-x", "60", "-y", "8")
	term.fits(term.shows("attackers by risk", "203.0.113.0 "), 60, 8)
	term.keys("q")
	term.shows("ended well")
}

func TestNarrow(t *testing.T) {
	term := start(t, 30, 6)
	screen := term.shows("203.0.113.0", "95 Cr")
	term.fits(screen, 30, 6)
	term.keys("C-c")
	term.shows("ended well")
}

func TestNoColor(t *testing.T) {
	term := start(t, 90, 10, "NO_COLOR=1")
	term.fits(term.shows("203.0.113.0 ", "q quit"), 90, 10)
	if screen := term.tmux("capture-pane", "-p", "-e"); colour.MatchString(screen) {
		t.Errorf("colours: %q", screen)
	}
}

func TestEvery(t *testing.T) {
	if err := top.Run(t.Context(), &made{}, top.Options{Every: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "at least 1s") {
		t.Error(err)
	}
}
