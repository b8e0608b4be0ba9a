// Command pictures draws the dashboards: what each panel shows of the sample,
// with the library that Kibana itself draws with, in a headless Chromium. Its
// libraries are npm's and stay in the folder of the pictures.
//
//	pictures -plugin build/out_dossier.so [-out build/pictures] [-prefix pictures]
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
	out := flag.String("out", "build/pictures", "folder of the pictures")
	flag.Parse()
	if err := run(ctx, *plugin, *out); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, plugin, out string) (err error) {
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
	report, err := look(ctx, plugin, out)
	if err != nil {
		return err
	}
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

// look fills a node with the sample and returns what the panels show of it.
func look(ctx context.Context, plugin, dir string) (*prove.Report, error) {
	node, err := esnode.Open(ctx, esnode.Options{Name: "pictures"})
	if err != nil {
		return nil, err
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
		return nil, err
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
	return report, errors.Join(errs...)
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
	home, err := os.MkdirTemp("", "dossier-chromium-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return command(ctx, out, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--no-first-run", "--user-data-dir="+home, "--hide-scrollbars", "--allow-file-access-from-files", fmt.Sprintf("--window-size=%d,%d", pageWidth, headers+bottom*rowHeight),
		"--virtual-time-budget=8000", "--screenshot="+filepath.Join(out, id+".png"), "file://"+filepath.Join(out, "page.html"))
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
