package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dossier/analyst"
	"dossier/analyst/report"
)

const hostile = `</code></script><script>document.title="ran"</script><img src="x" onerror="document.title='ran'"><a href="http://evil.example">x</a>{{.}}`

// sheet is the demo's attacker of highest risk, with what he could have typed.
func sheet(t *testing.T) *analyst.Sheet {
	t.Helper()
	b, err := os.ReadFile("../testdata/export.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	p := &analyst.Profile{}
	if err := json.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	p.ID = "185.33.108.234"
	at := p.Commands[0].Time
	p.Commands = append(p.Commands, analyst.Command{Time: at, Service: "ssh", Decky: analyst.Repair(hostile), Command: analyst.Repair(hostile)})
	p.Movement.Dwell[0].Decky = analyst.Repair(hostile)
	p.Risk.Level, p.Behavior.Tools = "Critical", append(p.Behavior.Tools, analyst.Repair(hostile))
	s := &analyst.Sheet{Profile: p, Now: time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)}
	s.Notes = []analyst.Note{{Time: at, Author: "anna", Text: hostile, Verdict: "malicious"}}
	for h := range 30 {
		s.Hours = append(s.Hours, analyst.Hour{Time: p.FirstSeen.Truncate(time.Hour).Add(time.Duration(h*h) * time.Hour), Events: int64(h * 17 % 40)})
	}
	return s
}

func overview(s *analyst.Sheet) *analyst.Overview {
	counts := []analyst.Count{{Name: hostile, Count: 70}, {Name: "ssh", Count: 12}, {Name: "http", Count: 1}}
	return &analyst.Overview{
		Since: s.FirstSeen.Time, Now: s.Now, Attackers: 83, Events: 4000, Days: s.Hours, Highest: []*analyst.Profile{s.Profile},
		Levels: counts, Stages: counts, Techniques: counts, Tools: counts, Services: counts, Deckies: counts, Ports: counts, Credentials: counts,
	}
}

func pages(t *testing.T) map[string]string {
	t.Helper()
	s := sheet(t)
	var one, all bytes.Buffer
	if err := report.Attacker(&one, s, "dossier", "test"); err != nil {
		t.Fatal(err)
	}
	if err := report.Overview(&all, overview(s), "dossier", "test"); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"attacker": one.String(), "overview": all.String()}
}

// A page holds all it needs, and nothing in it leads anywhere.
func TestPages(t *testing.T) {
	for name, page := range pages(t) {
		for _, bad := range []string{"<script", "<a ", "<img", ` href="`, ` src="`, "url(", "@import", "onerror=\"", "http://www", "ZgotmplZ"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: %s in it", name, bad)
			}
		}
		for _, want := range []string{`http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-`, "<svg ", `class="bar"`, "&lt;script&gt;document.title=&#34;ran&#34;"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s in it", name, want)
			}
		}
	}
	// A document that holds nothing is a page all the same.
	empty, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if err := report.Attacker(empty, &analyst.Sheet{Profile: &analyst.Profile{}}, "", ""); err != nil {
		t.Error(err)
	}
	if err := report.Overview(empty, &analyst.Overview{}, "", ""); err != nil {
		t.Error(err)
	}
}

// browse runs Chromium without a window and returns what it says.
func browse(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if testing.Short() {
		t.Skip("SKIP: -short: the report isn't opened in a browser")
	}
	name := "chromium"
	if _, err := exec.LookPath(name); err != nil {
		if name = "google-chrome"; exec.CommandContext(ctx, name, "--version").Run() != nil {
			t.Skip("SKIP: no chromium: the report isn't opened in a browser")
		}
	}
	c := exec.CommandContext(ctx, name, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--hide-scrollbars",
		"--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--v=0",
	}, args...)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%.2000s", err, errs.String())
	}
	return out.String(), errs.String()
}

// A real browser shows the pages as they are meant: styled, charts drawn,
// nothing refused by the policy, nothing run that an attacker wrote. And the
// policy stops a script even where one gets in.
func TestChromium(t *testing.T) {
	dir := t.TempDir()
	if kept := os.Getenv("DOSSIER_KEEP_REPORT"); kept != "" {
		dir = kept
	}
	for name, page := range pages(t) {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		shot := filepath.Join(dir, name+".png")
		_, said := browse(t, "--window-size=1000,1600", "--screenshot="+shot, "file://"+path)
		if strings.Contains(said, "CONSOLE") || strings.Contains(said, "Content Security Policy") {
			t.Errorf("%s: the browser complains:\n%s", name, said)
		}
		f, err := os.Open(shot)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[color.RGBA]int{}
		b := picture.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				r, g, bl, _ := picture.At(x, y).RGBA()
				seen[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), 255}]++
			}
		}
		for what, c := range map[string]color.RGBA{"bars": {0x31, 0x68, 0x8e, 255}, "the risk's red": {0xb3, 0x26, 0x1e, 255}} {
			if seen[c] < 300 {
				t.Errorf("%s: %s in %d pixels: the page's own style isn't applied", name, what, seen[c])
			}
		}
	}
	page := strings.Replace(pages(t)["attacker"], "</body>", `<script>document.title="ran"</script><img src="file:///etc/hostname"><p style="color:red">x</p></body>`, 1)
	path := filepath.Join(t.TempDir(), "broken.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	dom, said := browse(t, "--dump-dom", "file://"+path)
	if !strings.Contains(dom, "<title>Attacker 185.33.108.234</title>") || !strings.Contains(said, "Content Security Policy") {
		t.Errorf("the policy stops nothing:\n%.300s\n%s", dom, said)
	}
	pdf := filepath.Join(dir, "attacker.pdf")
	browse(t, "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+filepath.Join(dir, "attacker.html"))
	b, err := os.ReadFile(pdf)
	if err != nil || !bytes.HasPrefix(b, []byte("%PDF-")) {
		t.Fatalf("%v, %.20q", err, b)
	}
	if n := len(regexp.MustCompile(`/Type /Page\b[^s]`).FindAll(b, -1)); n > 6 {
		t.Errorf("%d pages", n)
	}
}
