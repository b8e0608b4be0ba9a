package rules

import (
	"slices"
	"strings"

	"dossier/correlate/event"
)

// The bounds of what is read of one command line. What goes beyond is not
// looked at.
const (
	maxParts = 64
	maxWords = 48
	maxDepth = 4
	maxText  = 2 * event.MaxCommand
)

// shell takes a command line apart into simple commands, about as a POSIX
// shell does: quotes, escapes, lists (; & && || | and new lines), groups,
// substitutions, redirections. Nothing is expanded. What stands behind sudo,
// busybox, env and the like, and what is given to sh -c, is taken apart too.
type shell struct {
	text  [maxText]byte
	used  int
	parts int
	depth int
}

// split calls yield for each simple command in line: the program's base name
// in lower case, and all of its words. Both are valid only during the call.
func (s *shell) split(line string, yield func(program string, words []string)) {
	if s.depth == maxDepth {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	n := 0          // words of the command at hand
	start := s.used // the beginning of the word at hand
	open := false   // whether there is a word at hand
	put := func(c byte) {
		if s.used < maxText {
			s.text[s.used] = c
			s.used++
		}
		open = true
	}
	// Commands within one another share the words: each level has its own
	// only while it calls yield.
	var words [maxWords]string
	endWord := func() {
		if open && n < maxWords {
			words[n] = event.View(s.text[start:s.used])
			n++
		}
		start, open = s.used, false
	}
	endPart := func() {
		endWord()
		if n > 0 && s.parts < maxParts {
			s.parts++
			s.command(words[:n], yield)
		}
		n = 0
	}
	for i := 0; i < len(line) && s.parts < maxParts; i++ {
		switch c := line[i]; c {
		case '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				end = len(line) - i - 1
			}
			open = true
			for _, q := range []byte(line[i+1 : i+1+end]) {
				put(q)
			}
			i += end + 1
		case '"':
			open = true
			for i++; i < len(line) && line[i] != '"'; i++ {
				switch {
				case line[i] == '\\' && i+1 < len(line) && strings.IndexByte("$`\"\\\n", line[i+1]) >= 0:
					i++
					put(line[i])
				case line[i] == '`' || line[i] == '$' && i+1 < len(line) && line[i+1] == '(':
					i += s.substitution(line[i:], yield)
				default:
					put(line[i])
				}
			}
		case '\\':
			if i++; i < len(line) && line[i] != '\n' {
				put(line[i])
			}
		case '`':
			open = true
			i += s.substitution(line[i:], yield)
		case '$':
			if i+1 < len(line) && line[i+1] == '(' {
				open = true
				i += s.substitution(line[i:], yield)
				continue
			}
			put(c)
		case ' ', '\t', '\r':
			endWord()
		case ';', '|', '\n', '(', ')':
			endPart()
		case '&':
			// 2>&1 is a redirection, not the end of a command.
			if i > 0 && (line[i-1] == '>' || line[i-1] == '<') {
				continue
			}
			if i+1 < len(line) && line[i+1] == '>' {
				endWord()
				continue
			}
			endPart()
		case '<', '>':
			// A digit before it names the stream.
			if open && s.used-start == 1 && s.text[start] >= '0' && s.text[start] <= '9' {
				s.used, open = start, false
			}
			endWord()
		case '#':
			if open {
				put(c)
				continue
			}
			end := strings.IndexByte(line[i:], '\n')
			if end < 0 {
				end = len(line) - i
			}
			i += end - 1
		default:
			put(c)
		}
	}
	endPart()
}

// substitution takes apart the command that ` or $( begins in v and returns
// how far behind its first byte it ends.
func (s *shell) substitution(v string, yield func(string, []string)) int {
	inner, end := v[1:], len(v)-1
	if v[0] == '`' {
		if i := strings.IndexByte(inner, '`'); i >= 0 {
			inner, end = inner[:i], i+1
		}
	} else {
		inner = v[2:]
		depth := 1
		for i := range len(inner) {
			switch inner[i] {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth == 0 {
				inner, end = inner[:i], i+2
				break
			}
		}
	}
	// The word around it goes on where it was.
	used := s.used
	s.split(inner, yield)
	s.used = used
	return end
}

// wrapper is a program that runs another one given on its command line.
type wrapper struct {
	// valued are the options that take a value, by letter.
	valued string
	// arguments is the number of arguments before the command.
	arguments int
}

var wrappers = map[string]wrapper{
	"sudo": {valued: "ugpChrtTDRU"}, "doas": {valued: "uC"}, "busybox": {}, "env": {valued: "uCS"}, "nohup": {},
	"exec": {valued: "a"}, "command": {}, "builtin": {}, "nice": {valued: "n"}, "ionice": {valued: "cn"},
	"setsid": {}, "stdbuf": {valued: "ioe"}, "timeout": {valued: "ks", arguments: 1}, "time": {valued: "fo"},
	"xargs": {valued: "adEILnPs"}, "watch": {valued: "n"}, "chroot": {arguments: 1}, "unbuffer": {},
	"proxychains": {valued: "f"}, "proxychains4": {valued: "f"}, "torsocks": {}, "tsocks": {}, "toybox": {},
	"if": {}, "then": {}, "elif": {}, "else": {}, "do": {}, "while": {}, "until": {}, "!": {}, "{": {},
}

// shells run what is given behind -c.
var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "su"}

// command yields one simple command, without what wraps it.
func (s *shell) command(words []string, yield func(string, []string)) {
	for range maxWords {
		set := 0
		for set < len(words) && isAssignment(words[set]) {
			set++
		}
		if set == len(words) {
			if set > 0 {
				yield("set", words)
			}
			return
		}
		words = words[set:]
		var name [64]byte
		program := event.View(baseName(name[:0], words[0]))
		w, ok := wrappers[program]
		if !ok {
			yield(program, words)
			s.nested(program, words, yield)
			return
		}
		rest := w.behind(words[1:])
		if program == "sudo" || program == "doas" || len(rest) == 0 {
			yield(program, words)
		}
		if len(rest) == 0 {
			return
		}
		words = rest
	}
}

// behind returns the command behind a wrapper's options and arguments.
func (w wrapper) behind(words []string) []string {
	for len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' {
		option := words[0]
		words = words[1:]
		if option == "--" {
			break
		}
		if len(option) == 2 && strings.IndexByte(w.valued, option[1]) >= 0 && len(words) > 0 {
			words = words[1:]
		}
	}
	for len(words) > 0 && isAssignment(words[0]) {
		words = words[1:]
	}
	return words[min(w.arguments, len(words)):]
}

// nested takes apart what is given to sh -c and to eval.
func (s *shell) nested(program string, words []string, yield func(string, []string)) {
	if program == "eval" {
		for _, w := range words[1:] {
			s.split(w, yield)
		}
		return
	}
	if !slices.Contains(shells, program) {
		return
	}
	for i, w := range words[:len(words)-1] {
		if i > 0 && len(w) > 1 && w[0] == '-' && w[1] != '-' && w[len(w)-1] == 'c' {
			s.split(words[i+1], yield)
			return
		}
	}
}

// baseName appends the last part of a program's path, in lower case and
// without .exe.
func baseName(dst []byte, path string) []byte {
	if i := strings.LastIndexAny(path, `/\`); i >= 0 && i+1 < len(path) {
		path = path[i+1:]
	}
	dst = lower(dst, path)
	if n := len(dst) - len(".exe"); n > 0 && string(dst[n:]) == ".exe" {
		dst = dst[:n]
	}
	return dst
}

func isAssignment(w string) bool {
	i := strings.IndexByte(w, '=')
	if i <= 0 {
		return false
	}
	for j := range i {
		c := w[j]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (j == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// dropped are the beginnings of paths where attackers put what they bring.
var dropped = []string{"./", "/tmp/", "/var/tmp/", "/dev/shm/", "/var/run/"}

// Programs calls yield for each program that a command line runs: its base
// name in lower case, "./" for what was brought along, whose names are often
// made up on the spot. The name is valid only during the call.
func Programs(line string, yield func(program string)) {
	var s shell
	s.split(line, func(program string, words []string) {
		for _, path := range dropped {
			if strings.HasPrefix(words[0], path) {
				program = "./"
				break
			}
		}
		yield(program)
	})
}
