// Package report writes profiles as pages that hold all they need: one HTML
// file without scripts, fonts, pictures or links, its charts drawn in it as SVG.
// Its policy (Content-Security-Policy) forbids everything but its own style, and
// what an attacker wrote stands in it as text alone.
package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"

	"dossier/analyst"
)

//go:embed page.html
var page string

//go:embed style.css
var style string

// policy lets the page load nothing, and be styled by its own style alone.
func policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

var pages = template.Must(template.New("page").Funcs(template.FuncMap{
	"short":    func(t analyst.Time) string { return t.Short() },
	"when":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"activity": activity,
	"bars":     bars,
	"stays":    stays,
	"gauge":    gauge,
	"fixed":    func(f float64) string { return fmt.Sprintf("%.1f", f) },
	"score":    func(f float64) string { return fmt.Sprintf("%.0f", f) },
}).Parse(page))

type data struct {
	Policy, Style any
	Title, Prefix string
	Version       string
	Now           time.Time
	Sheet         *analyst.Sheet
	Overview      *analyst.Overview
}

func write(w io.Writer, d data) error {
	d.Policy, d.Style = policy(), template.CSS(style) //nolint:gosec // our own file
	return pages.Execute(w, d)
}

// Attacker writes the page of one attacker. version is that of the command.
func Attacker(w io.Writer, s *analyst.Sheet, prefix, version string) error {
	return write(w, data{Title: "Attacker " + s.ID, Prefix: prefix, Version: version, Now: s.Now, Sheet: s})
}

// Overview writes the page of all attackers.
func Overview(w io.Writer, o *analyst.Overview, prefix, version string) error {
	return write(w, data{Title: "Attackers", Prefix: prefix, Version: version, Now: o.Now, Overview: o})
}
