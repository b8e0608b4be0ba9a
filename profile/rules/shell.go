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

// sink takes the simple commands of a command line: the program's base name
// in lower case, and all of its words. Both are valid only during the call.
type sink interface {
	part(program string, words []string)
}

// shell takes a command line apart into simple commands, about as a POSIX
// shell does: quotes, escapes, lists (; & && || | and new lines), groups,
// substitutions, redirections. Nothing is expanded. What stands behind sudo,
// busybox, env and the like, and what is given to sh -c, is taken apart too.
type shell struct {
	sink  sink
	text  [maxText]byte
	used  int
	words [maxDepth][maxWords]string
	name  [64]byte
	parts int
	depth int
	// targets has a bit for each word of the part at hand that it writes to
	// (> and >>); piped says that the part reads what the one before says.
	targets uint64
	piped   bool
}

// read takes line apart.
func (s *shell) read(line string) {
	s.used, s.parts, s.depth = 0, 0, 0
	s.targets, s.piped = 0, false
	s.split(line)
}

// lexer is the command being read on one level.
type lexer struct {
	*shell
	words *[maxWords]string
	n     int  // words
	start int  // the beginning of the word at hand
	open  bool // whether there is a word at hand
	// mask has the words that stand behind > so far; writes says that the next
	// one will, piped that the part stands behind a pipe.
	mask          uint64
	writes, piped bool
}

func (l *lexer) put(c byte) {
	if l.used < maxText {
		l.text[l.used] = c
		l.used++
	}
	l.open = true
}

// windowsPath says whether the word at hand began as a path or a registry key of
// Windows, in which \ escapes nothing.
func (l *lexer) windowsPath() bool {
	w := event.View(l.text[l.start:l.used])
	return len(w) >= 2 && (w[1] == ':' || w[0] == '%') || len(w) >= 4 && strings.EqualFold(w[:2], "HK")
}

func (l *lexer) endWord() {
	if l.open && l.n < maxWords {
		l.words[l.n] = event.View(l.text[l.start:l.used])
		if l.writes {
			l.mask |= 1 << l.n
		}
		l.n++
	}
	l.writes = l.writes && !l.open
	l.start, l.open = l.used, false
}

func (l *lexer) endPart() {
	l.endWord()
	if l.n > 0 && l.parts < maxParts {
		l.parts++
		l.shell.targets, l.shell.piped = l.mask, l.piped
		l.command(l.words[:l.n])
	}
	l.n, l.mask, l.writes = 0, 0, false
}

func (s *shell) split(line string) {
	if s.depth == maxDepth {
		return
	}
	used := s.used
	l := lexer{shell: s, words: &s.words[s.depth], start: used}
	s.depth++
	for i := 0; i < len(line) && s.parts < maxParts; i++ {
		switch c := line[i]; c {
		case '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				end = len(line) - i - 1
			}
			l.open = true
			for j := i + 1; j < i+1+end; j++ {
				l.put(line[j])
			}
			i += end + 1
		case '"':
			l.open = true
			for i++; i < len(line) && line[i] != '"'; i++ {
				switch {
				case line[i] == '\\' && i+1 < len(line) && strings.IndexByte("$`\"\\\n", line[i+1]) >= 0:
					i++
					l.put(line[i])
				case line[i] == '`' || line[i] == '$' && i+1 < len(line) && line[i+1] == '(':
					i += s.substitution(line[i:])
				default:
					l.put(line[i])
				}
			}
		case '\\':
			if l.windowsPath() && i+1 < len(line) && line[i+1] > ' ' {
				l.put(c)
				continue
			}
			if i++; i < len(line) && line[i] != '\n' {
				l.put(line[i])
			}
		case '`':
			l.open = true
			i += s.substitution(line[i:])
		case '$':
			if i+1 < len(line) && line[i+1] == '(' {
				l.open = true
				i += s.substitution(line[i:])
				continue
			}
			l.put(c)
		case ' ', '\t', '\r':
			l.endWord()
		case ';', '|', '\n', '(', ')':
			l.endPart()
			if c != '(' {
				l.piped = c == '|' && (i == 0 || line[i-1] != '|') && (i+1 == len(line) || line[i+1] != '|')
			}
		case '&':
			// 2>&1 and &> are redirections, not the end of a command.
			if i > 0 && (line[i-1] == '>' || line[i-1] == '<') {
				continue
			}
			if i+1 < len(line) && line[i+1] == '>' {
				l.endWord()
				continue
			}
			l.endPart()
			l.piped = false
		case '<', '>':
			// A digit before it names the stream.
			if l.open && s.used-l.start == 1 && s.text[l.start] >= '0' && s.text[l.start] <= '9' {
				s.used, l.open = l.start, false
			}
			l.endWord()
			l.writes = c == '>'
		case '#':
			if l.open {
				l.put(c)
				continue
			}
			end := strings.IndexByte(line[i:], '\n')
			if end < 0 {
				end = len(line) - i
			}
			i += end - 1
		default:
			l.put(c)
		}
	}
	l.endPart()
	s.depth--
	s.used = used
}

// substitution takes apart the command that ` or $( begins in v and returns
// how far behind its first byte it ends.
func (s *shell) substitution(v string) int {
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
	s.split(inner)
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

// windowsShells run what is given behind one of windowsCommands.
var (
	windowsShells   = []string{"cmd", "powershell", "pwsh"}
	windowsCommands = []string{"/c", "/k", "-c", "-command"}
)

// command hands over one simple command, without what wraps it.
func (s *shell) command(words []string) {
	for range maxWords {
		set := 0
		for set < len(words) && isAssignment(words[set]) {
			set++
		}
		if set == len(words) {
			if set > 0 {
				s.sink.part("set", words)
			}
			return
		}
		words = words[set:]
		s.targets >>= set
		program := event.View(baseName(s.name[:0], words[0]))
		w, ok := wrappers[program]
		if !ok {
			s.sink.part(program, words)
			s.nested(program, words)
			return
		}
		rest := w.behind(words[1:])
		if program == "sudo" || program == "doas" || len(rest) == 0 {
			s.sink.part(program, words)
		}
		if len(rest) == 0 {
			return
		}
		s.targets >>= len(words) - len(rest)
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

// nested takes apart what is given to sh -c, cmd /c and the like, and to eval.
func (s *shell) nested(program string, words []string) {
	if program == "eval" {
		for _, w := range words[1:] {
			s.split(w)
		}
		return
	}
	if slices.Contains(windowsShells, program) {
		s.nestedWindows(words)
		return
	}
	if !slices.Contains(shells, program) {
		return
	}
	for i, w := range words[:len(words)-1] {
		if i > 0 && len(w) > 1 && w[0] == '-' && w[1] != '-' && w[len(w)-1] == 'c' {
			s.split(words[i+1])
			return
		}
	}
}

// nestedWindows takes apart what is given to cmd /c and to powershell -Command: one
// word in quotes, or all of the words behind it.
func (s *shell) nestedWindows(words []string) {
	for i, w := range words[:len(words)-1] {
		if i == 0 || !slices.ContainsFunc(windowsCommands, func(o string) bool { return strings.EqualFold(o, w) }) {
			continue
		}
		if rest := words[i+1:]; len(rest) > 1 {
			s.targets >>= i + 1
			s.command(rest)
		} else {
			s.split(rest[0])
		}
		return
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

// Shape collects the programs that command lines run, each once, in the order
// of their first run: base names in lower case, and "./" for what was brought
// along, whose names are often made up on the spot. The zero value is empty.
type Shape struct {
	shell    shell
	programs []string
}

// maxShape bounds the programs of a Shape.
const maxShape = 64

// Reset makes the shape empty.
func (s *Shape) Reset() { s.programs = s.programs[:0] }

// Programs returns what was collected. It is valid until Reset.
func (s *Shape) Programs() []string { return s.programs }

// Add adds the programs of a command line.
func (s *Shape) Add(line string) {
	s.shell.sink = s
	s.shell.read(line)
}

func (s *Shape) part(program string, words []string) {
	for _, path := range dropped {
		if strings.HasPrefix(words[0], path) {
			program = "./"
			break
		}
	}
	if len(s.programs) < maxShape && !slices.Contains(s.programs, program) {
		s.programs = append(s.programs, strings.Clone(program))
	}
}
