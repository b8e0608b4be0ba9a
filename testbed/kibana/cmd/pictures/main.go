// Command pictures draws the dashboards: what each panel shows of the sample,
// with the library that Kibana itself draws with, in a headless Chromium; and
// what dossier show prints of one attacker. Its libraries are npm's and stay in
// the folder of the pictures.
//
//	pictures -plugin build/out_dossier.so -dossier build/dossier [-out build/pictures]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"dossier/kibana"
	"dossier/testbed/esnode"
	prove "dossier/testbed/kibana"
	"dossier/testbed/sample"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	plugin := flag.String("plugin", "build/out_dossier.so", "the plugin")
	dossier := flag.String("dossier", "build/dossier", "the command")
	out := flag.String("out", "build/pictures", "folder of the pictures")
	flag.Parse()
	if err := run(ctx, *plugin, *dossier, *out); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, plugin, dossier, out string) (err error) {
	for _, tool := range []string{"chromium", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Printf("SKIP: no %s: the pictures of the dashboards are left out (apt-get install %s)\n", tool, tool)
			return nil
		}
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	report, said, err := look(ctx, plugin, dossier, out)
	if err != nil {
		return err
	}
	if err := terminal(ctx, out, "dossier show "+sample.Visitor, said); err != nil {
		return err
	}
	fmt.Println(filepath.Join(out, "show.png"))
	source := filepath.Join("testbed", "kibana", "draw")
	for _, name := range []string{"package.json", "app.js", "page.html"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	if err := command(ctx, out, "npm", "install", "--no-audit", "--no-fund", "--silent"); err != nil {
		return err
	}
	if err := command(ctx, out, "node_modules/.bin/esbuild", "app.js", "--bundle", "--minify", `--define:process.env.NODE_ENV="production"`, "--outfile=bundle.js", "--log-level=error"); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"titles": report.Titles, "controls": report.Controls, "dashboards": report.Dashboards, "panels": report.Panels})
	if err != nil {
		return err
	}
	for _, id := range report.Dashboards {
		if err := draw(ctx, out, id, data, report); err != nil {
			return err
		}
		if err := shrink(filepath.Join(out, id+".png")); err != nil {
			return err
		}
		fmt.Println(filepath.Join(out, id+".png"))
	}
	return nil
}

// look fills a node with the sample and returns what the panels show of it, and
// what the command prints of one attacker, with colours.
func look(ctx context.Context, plugin, dossier, dir string) (*prove.Report, []byte, error) {
	node, err := esnode.Open(ctx, esnode.Options{Name: "pictures"})
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if os.Getenv("ELASTICSEARCH_URL") == "" {
			node.Stop(ctx)
			node.Purge()
		} else {
			node.Clean(ctx, kibana.DefaultPrefix)
		}
	}()
	if err := prove.Fill(ctx, node, plugin, kibana.DefaultPrefix, dir); err != nil {
		return nil, nil, err
	}
	show := exec.CommandContext(ctx, dossier, "show", sample.Visitor)
	show.Env = append(os.Environ(), "DOSSIER_ES_HOSTS="+node.URL, "CLICOLOR_FORCE=1", "TERM=xterm-256color")
	said, err := show.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", show, err)
	}
	prover := prove.NewProver(node, sample.Begin, sample.End)
	report := prover.Prove(ctx, kibana.Dashboards(kibana.DefaultPrefix), prove.Options{})
	// The dashboard of one attacker shows one.
	one := prover.Prove(ctx, kibana.Dashboards(kibana.DefaultPrefix), prove.Options{Filter: func(pattern string) map[string]any {
		if pattern == kibana.DefaultPrefix+"-sensors" {
			return nil
		}
		return map[string]any{"term": map[string]any{"ip": sample.Visitor}}
	}})
	for i, p := range one.Panels {
		if p.Dashboard == kibana.DefaultPrefix+"-attacker" {
			report.Panels[i] = p
		}
	}
	report.Controls[kibana.DefaultPrefix+"-attacker"][0] += " " + sample.Visitor
	var errs []error
	for _, p := range report.Problems {
		errs = append(errs, errors.New(p))
	}
	return report, said, errors.Join(errs...)
}

// The page's measures, which app.js has as well.
const (
	pageWidth = 1440
	rowHeight = 22
	headers   = 84
)

func draw(ctx context.Context, out, id string, data []byte, report *prove.Report) error {
	bottom := 0
	for _, p := range report.Panels {
		if p.Dashboard == id {
			bottom = max(bottom, p.Grid[1]+p.Grid[3])
		}
	}
	script := fmt.Sprintf("window.WHICH=%q;window.PICTURES=%s;\n", id, data)
	if err := os.WriteFile(filepath.Join(out, "pictures.js"), []byte(script), 0o644); err != nil {
		return err
	}
	return shoot(ctx, out, "page.html", id+".png", pageWidth, headers+bottom*rowHeight)
}

// shoot has Chromium take a picture of a page of the folder.
func shoot(ctx context.Context, out, page, picture string, width, height int) error {
	home, err := os.MkdirTemp("", "dossier-chromium-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return command(ctx, out, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--no-first-run", "--user-data-dir="+home, "--hide-scrollbars", "--allow-file-access-from-files", fmt.Sprintf("--window-size=%d,%d", width, height),
		"--virtual-time-budget=8000", "--screenshot="+filepath.Join(out, picture), "file://"+filepath.Join(out, page))
}

// command runs a program in a folder and shows what it says where it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.2000s", filepath.Base(name), err, said)
	}
	return nil
}
