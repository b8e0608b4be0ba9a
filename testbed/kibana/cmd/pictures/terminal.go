package main

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The terminal's measures: columns and lines that are shown, and a cell in
// pixels.
const (
	columns    = 118
	lines      = 52
	cellWidth  = 8
	cellHeight = 18
)

// escape is one that chooses how letters look; the command writes no others.
var escape = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// palette are the sixteen colours of a terminal.
var palette = []string{
	"#1d1f21", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4",
	"#7f848e", "#ff7b86", "#b5e08f", "#ffd68a", "#7cc0ff", "#dd96f0", "#6fd3de", "#ffffff",
}

// terminal draws what a command prints, as a terminal shows its beginning.
func terminal(ctx context.Context, out, said string, printed []byte) error {
	text := bytes.Split(bytes.TrimRight(printed, "\n"), []byte("\n"))
	if len(text) > lines {
		text = append(text[:lines-1], []byte("\x1b[90m…\x1b[0m"))
	}
	var b strings.Builder
	b.WriteString(`<!doctype html><meta charset="utf-8"><style>
body{margin:0;background:#1d1f21;color:#c8ccd4}
pre{margin:14px 16px;font:13px/18px "DejaVu Sans Mono",monospace}
.p{color:#98c379}</style><pre><span class="p">$</span> ` + html.EscapeString(said) + "\n")
	for _, line := range text {
		b.WriteString(styled(string(line)) + "\n")
	}
	b.WriteString("</pre>")
	if err := os.WriteFile(filepath.Join(out, "show.html"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	if err := shoot(ctx, out, "show.html", "show.png", columns*cellWidth+32, (len(text)+1)*cellHeight+28); err != nil {
		return err
	}
	return shrink(filepath.Join(out, "show.png"))
}

// styled is a line as HTML, cut where the terminal ends.
func styled(line string) string {
	var b strings.Builder
	left, style := columns, ""
	write := func(s string) {
		r := []rune(s)
		if len(r) > left {
			r = append(r[:max(left-1, 0)], '…')
		}
		if left -= len(r); len(r) > 0 && left >= 0 {
			fmt.Fprintf(&b, `<span style="%s">%s</span>`, style, html.EscapeString(string(r)))
		}
	}
	at := 0
	for _, m := range escape.FindAllStringSubmatchIndex(line, -1) {
		write(line[at:m[0]])
		style = after(style, line[m[2]:m[3]])
		at = m[1]
	}
	write(line[at:])
	return b.String()
}

// after is the style after an escape.
func after(style, codes string) string {
	list := strings.Split(codes, ";")
	for i := 0; i < len(list); i++ {
		switch n, _ := strconv.Atoi(list[i]); {
		case n == 0:
			style = ""
		case n == 1:
			style += "font-weight:bold;"
		case n == 2:
			style += "opacity:.65;"
		case n == 4:
			style += "text-decoration:underline;"
		case n >= 30 && n <= 37:
			style += "color:" + palette[n-30] + ";"
		case n >= 90 && n <= 97:
			style += "color:" + palette[n-90+8] + ";"
		case n == 39:
			style += "color:inherit;"
		case n == 38 && i+2 < len(list) && list[i+1] == "5":
			c, _ := strconv.Atoi(list[i+2])
			style += "color:" + indexed(c) + ";"
			i += 2
		case n == 38 && i+4 < len(list) && list[i+1] == "2":
			style += fmt.Sprintf("color:rgb(%s,%s,%s);", list[i+2], list[i+3], list[i+4])
			i += 4
		}
	}
	return style
}

// indexed is one of a terminal's 256 colours.
func indexed(c int) string {
	switch {
	case c < 16:
		return palette[max(c, 0)]
	case c < 232:
		level := func(n int) int { return []int{0, 95, 135, 175, 215, 255}[n%6] }
		c -= 16
		return fmt.Sprintf("rgb(%d,%d,%d)", level(c/36), level(c/6), level(c))
	default:
		g := 8 + 10*(c-232)
		return fmt.Sprintf("rgb(%d,%d,%d)", g, g, g)
	}
}
