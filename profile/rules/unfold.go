package rules

import (
	"bytes"
	"encoding/base64"
	"slices"
	"unicode/utf16"

	"dossier/correlate/event"
)

// The bounds of what is taken out of one event.
const (
	// maxUnfolded is the size of all that is decoded, in bytes.
	maxUnfolded = 32 << 10
	// maxNested is how many commands are taken out, those inside others
	// included.
	maxNested = 24
	// maxSaid is how much of one text is looked at, in bytes.
	maxSaid = event.MaxCommand
)

// unfolder decodes texts and takes the commands out of them. Its memory is
// bounded and kept from one event to the next.
type unfolder struct {
	memory [maxUnfolded]byte
	used   int
	queue  [maxNested]string
	queued int
}

func (u *unfolder) reset() { u.used, u.queued = 0, 0 }

// room returns what is left of the memory, to append to.
func (u *unfolder) room() []byte { return u.memory[u.used:u.used:maxUnfolded] }

// keep makes b, which was appended to room, a text.
func (u *unfolder) keep(b []byte) string {
	u.used += len(b)
	return event.View(b)
}

// push takes a command to be read later.
func (u *unfolder) push(command string) {
	if u.queued < maxNested && command != "" && !slices.Contains(u.queue[:u.queued], command) {
		u.queue[u.queued] = command
		u.queued++
	}
}

// fit appends b as far as there is room.
func fit(dst, b []byte) []byte { return append(dst, b[:min(len(b), cap(dst)-len(dst))]...) }

// web appends a text of a request as the server would take it: %41 and + are
// decoded, twice where needed, and so is what hides letters from filters.
func (u *unfolder) web(dst []byte, s string, plus bool) []byte {
	start := len(dst)
	dst = fit(dst, event.Bytes(s[:min(len(s), maxSaid)]))
	for range 2 {
		if bytes.IndexByte(dst[start:], '%') < 0 {
			break
		}
		dst = dst[:start+percent(dst[start:])]
	}
	if plus {
		for i := start; i < len(dst); i++ {
			if dst[i] == '+' {
				dst[i] = ' '
			}
		}
	}
	if bytes.IndexByte(dst[start:], '\\') >= 0 {
		dst = dst[:start+unicodeEscapes(dst[start:])]
	}
	if bytes.IndexByte(dst[start:], '$') >= 0 {
		dst = dst[:start+lookups(dst[start:])]
	}
	return dst
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// percent decodes b in place and returns its length.
func percent(b []byte) int {
	n := 0
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			high, ok1 := hexDigit(b[i+1])
			low, ok2 := hexDigit(b[i+2])
			if ok1 && ok2 {
				b[n] = high<<4 | low
				n++
				i += 2
				continue
			}
		}
		b[n] = b[i]
		n++
	}
	return n
}

// unicodeEscapes decodes \u0027 and \x27 in place, as far as they are ASCII.
func unicodeEscapes(b []byte) int {
	n := 0
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) && b[i+1] == 'x' {
			high, ok1 := hexDigit(b[i+2])
			low, ok2 := hexDigit(b[i+3])
			if ok1 && ok2 && high < 8 {
				b[n] = high<<4 | low
				n++
				i += 3
				continue
			}
		}
		if b[i] == '\\' && i+5 < len(b) && b[i+1] == 'u' && b[i+2] == '0' && b[i+3] == '0' {
			high, ok1 := hexDigit(b[i+4])
			low, ok2 := hexDigit(b[i+5])
			if ok1 && ok2 && high < 8 {
				b[n] = high<<4 | low
				n++
				i += 5
				continue
			}
		}
		b[n] = b[i]
		n++
	}
	return n
}

// lookups resolves ${IFS}, and the lookups of Log4j that stand for letters:
// ${lower:j}, ${::-j}, ${env:x:-j}. It works in place.
func lookups(b []byte) int {
	for range 64 {
		// The innermost first.
		end := -1
		start := -1
		for i := range b {
			if b[i] == '{' && i > 0 && b[i-1] == '$' {
				start = i - 1
			} else if b[i] == '}' && start >= 0 {
				inner := b[start+2 : i]
				if _, ok := resolve(inner); ok {
					end = i
					break
				}
				start = -1
			}
		}
		if end < 0 {
			break
		}
		value, _ := resolve(b[start+2 : end])
		n := start + copy(b[start:], value)
		b = b[:n+copy(b[n:], b[end+1:])]
	}
	return len(b)
}

func resolve(inner []byte) ([]byte, bool) {
	if string(inner) == "IFS" {
		return []byte{' '}, true
	}
	low := func(prefix string) bool {
		return len(inner) >= len(prefix) && bytes.EqualFold(inner[:len(prefix)], event.Bytes(prefix))
	}
	switch {
	case low("lower:"), low("upper:"):
		return inner[len("lower:"):], true
	default:
		if i := bytes.Index(inner, event.Bytes(":-")); i >= 0 {
			return inner[i+2:], true
		}
	}
	return nil, false
}

// fetchers are programs that a command which was put into something else most
// often starts with.
var fetchers = [...]string{"wget", "curl", "tftp", "ftpget", "certutil", "lwp-download", "powershell"}

// fetcher returns where a program that fetches stands in b with an address
// behind it, -1 without one.
func fetcher(b []byte) int {
	best := -1
	for _, name := range fetchers {
		for at := 0; ; {
			i := bytes.Index(b[at:], event.Bytes(name))
			if i < 0 {
				break
			}
			i += at
			at = i + len(name)
			if i > 0 && wordByte(b[i-1]) || at >= len(b) || b[at] != ' ' && b[at] != '\t' || !addressed(b[at:]) {
				continue
			}
			if best < 0 || i < best {
				best = i
			}
			break
		}
	}
	return best
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// addressed says whether an URL or an IPv4 address begins shortly behind.
func addressed(b []byte) bool {
	b = b[:min(len(b), 256)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if bytes.Contains(b, event.Bytes("://")) {
		return true
	}
	dots, digits := 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && digits > 0 && digits <= 3:
			if dots++; dots == 3 {
				return true
			}
			digits = 0
		default:
			dots, digits = 0, 0
		}
	}
	return false
}

// inside returns what stands in the quotes around b[at], all of b where there
// are none.
func inside(b []byte, at int) []byte {
	open, quote := -1, byte(0)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\':
			// An escaped quote is one of the language around.
			if i+1 < len(b) && b[i+1] != '"' && b[i+1] != '\'' {
				i++
			}
		case quote == 0 && (c == '"' || c == '\'' || c == '`'):
			if i >= at {
				return b
			}
			open, quote = i, c
		case quote != 0 && c == quote && b[i-1] != '\\':
			if i > at {
				return b[open+1 : i]
			}
			quote = 0
		}
	}
	if quote != 0 && open < at {
		return b[open+1:]
	}
	return b
}

// carried are the texts without which a request carries no command.
var carried = append(slices.Clone(fetchers[:]), runnerTexts...)

// runners are what stands before a command that a language or a parameter
// hands to a shell; those that end in " or = are followed by a JSON value and a
// parameter's.
var runners = newMatcher(runnerTexts)

var runnerTexts = []string{
	"exec(", "system(", "passthru(", "popen(", `"cmd":`, `"command":`, `"entrypoint":`, `"args":`, "cmd=", "command=", "exec=", "base64_decode(", "/base64/",
}

// nested takes the commands out of a text of a request, decoded and without
// change of case. low is the same in lower case.
func (u *unfolder) nested(raw, low []byte) {
	for start := 0; start < len(raw); {
		end := len(raw)
		if i := bytes.IndexByte(raw[start:], '\n'); i >= 0 {
			end = start + i
		}
		line, lower := raw[start:end], low[start:end]
		start = end + 1
		if at := fetcher(line); at >= 0 {
			inner := inside(line, at)
			u.push(u.unescaped(inner))
			if len(inner) == len(line) && at > 0 && (line[at-1] == '=' || line[at-1] == ':') {
				u.push(u.unescaped(line[at:]))
			}
		}
		u.handed(line, lower)
	}
}

// handed takes out what is handed to a shell by name.
func (u *unfolder) handed(line, low []byte) {
	state := 0
	for i, c := range low {
		state = int(runners.next[state*runners.columns+int(runners.class[c])])
		for _, which := range runners.found[state] {
			rest := line[i+1:]
			switch which {
			case 0, 1, 2, 3:
				if text, ok := quoted(rest); ok {
					u.push(u.unescaped(text))
				}
			case 4, 5, 6, 7:
				u.jsonCommand(rest)
			case 8, 9, 10:
				if before := i - len("cmd="); before < 0 || which != 8 || !wordByte(low[before]) {
					value, ok := quoted(rest)
					if !ok {
						value, _, _ = bytes.Cut(rest, event.Bytes("&"))
					}
					u.push(event.View(value))
				}
			case 11:
				if text, ok := quoted(rest); ok {
					u.push(u.decoded(event.View(text)))
				}
			case 12:
				u.push(u.decoded(event.View(base64Text(rest))))
			}
		}
		if u.queued == maxNested {
			return
		}
	}
}

// quoted returns the string that b begins with.
func quoted(b []byte) ([]byte, bool) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\\' || b[0] == '(') {
		b = b[1:]
	}
	if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
		return nil, false
	}
	quote := b[0]
	b = b[1:]
	for i := range b {
		if b[i] == quote {
			if i > 0 && b[i-1] == '\\' {
				// \" closes what \" opened, and is part of what " opened; both
				// ends are good for a command.
				return b[:i-1], true
			}
			return b[:i], true
		}
	}
	return b, true
}

// jsonCommand takes out a command given as a JSON string or as an array of its
// words.
func (u *unfolder) jsonCommand(b []byte) {
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 {
		return
	}
	if b[0] == '"' {
		if text, rest := jsonString(b); rest != nil {
			u.push(u.unescaped(text))
		}
		return
	}
	if b[0] != '[' {
		return
	}
	b = b[1:]
	joined := u.room()
	shell := false
	for range maxWords {
		b = bytes.TrimLeft(b, " ,")
		if len(b) == 0 || b[0] != '"' {
			break
		}
		var text []byte
		if text, b = jsonString(b); b == nil {
			break
		}
		if shell {
			u.push(u.unescaped(text))
			return
		}
		shell = len(text) > 1 && text[0] == '-' && text[len(text)-1] == 'c'
		joined = fit(fit(joined, text), []byte{' '})
	}
	u.push(u.keep(joined))
}

// jsonString returns what stands in the string that b begins with, escaped, and
// what is behind it; nil where it doesn't end.
func jsonString(b []byte) (text, rest []byte) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:]
		}
	}
	return b[1:], nil
}

// unescaped returns b without the escapes of the string that it stood in.
func (u *unfolder) unescaped(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return event.View(b)
	}
	dst := u.room()
	for i := 0; i < len(b) && len(dst) < cap(dst); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			switch b[i+1] {
			case '"', '\'', '/', '\\':
				i++
			case 'n', 'r':
				i++
				dst = append(dst, '\n')
				continue
			}
		}
		dst = append(dst, b[i])
	}
	return u.keep(dst)
}

// base64Text returns the beginning of b that can be base64.
func base64Text(b []byte) []byte {
	for i, c := range b {
		if !wordByte(c) && c != '+' && c != '/' && c != '=' {
			return b[:i]
		}
	}
	return b
}

// decoded returns what base64 stands for, "" where it isn't any or stands for
// no text. Spaces stand for the plus that a request's form made of them.
func (u *unfolder) decoded(s string) string {
	if len(s) < 8 || len(s) > maxSaid {
		return ""
	}
	src := fit(u.room(), event.Bytes(s))
	if len(src) < len(s) {
		return ""
	}
	for i, c := range src {
		switch c {
		case ' ', '-':
			src[i] = '+'
		case '_':
			src[i] = '/'
		}
	}
	src = bytes.TrimRight(src, "=\r\n+")
	n := len(src)
	if n%4 == 1 {
		n--
	}
	size := base64.RawStdEncoding.DecodedLen(n)
	if len(src)+size > maxUnfolded-u.used {
		return ""
	}
	dst := u.memory[u.used+len(s) : u.used+len(s)+min(size, maxUnfolded-u.used-len(s))]
	if len(dst) < size {
		return ""
	}
	got, err := base64.RawStdEncoding.Decode(dst, src[:n])
	if err != nil || got == 0 {
		return ""
	}
	dst = narrow(dst[:got])
	for _, c := range dst {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return ""
		}
	}
	u.used += len(s) + len(dst)
	return event.View(dst)
}

// narrow makes UTF-16 as PowerShell has it into bytes, in place; other text
// stays.
func narrow(b []byte) []byte {
	if len(b) < 4 || len(b)%2 != 0 || b[1] != 0 || b[3] != 0 {
		return b
	}
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(b[i]) | rune(b[i+1])<<8
		if utf16.IsSurrogate(r) || r > 0x7e {
			r = '?'
		}
		b[i/2] = byte(r)
	}
	return b[:len(b)/2]
}

// cron takes the command out of a line of a crontab, wherever in the text that
// line begins.
func (u *unfolder) cron(text string) {
	for start := 0; start < len(text); {
		end := len(text)
		for i := start; i < len(text); i++ {
			if text[i] == '\n' || text[i] == '\\' && i+1 < len(text) && text[i+1] == 'n' {
				end = i
				break
			}
		}
		if command, ok := crontabCommand(text[start:end]); ok {
			u.push(command)
		}
		start = end + 1
		if end < len(text) && text[end] == '\\' {
			start++
		}
	}
}

// crontabCommand returns the command of a line of a crontab.
func crontabCommand(line string) (string, bool) {
	at := 0
	for at < len(line) && line[at] != '*' && line[at] != '@' && (line[at] < '0' || line[at] > '9') {
		at++
	}
	line = line[at:]
	if line == "" {
		return "", false
	}
	n := 5
	if line[0] == '@' {
		n = 1
	}
	for range n {
		i := 0
		for i < len(line) && line[i] != ' ' && line[i] != '\t' {
			if n == 5 && !scheduleByte(line[i]) {
				return "", false
			}
			i++
		}
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		if line = line[i:]; line == "" {
			return "", false
		}
	}
	if len(line) > 5 && line[:5] == "root " {
		line = line[5:]
	}
	return line, true
}

func scheduleByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '*' || c == '/' || c == ',' || c == '-'
}

// statements appends an SQL text in lower case, with one space between words
// and nothing in its quotes: what stands there is data.
func statements(dst []byte, line string) []byte {
	quote := byte(0)
	for i := 0; i < len(line) && len(dst) < cap(dst); i++ {
		c := line[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
				dst = append(dst, c)
			} else if c == '\\' {
				i++
			}
			continue
		case c == '\'' || c == '"':
			quote = c
		case c == '\t' || c == '\n' || c == '\r':
			c = ' '
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if c == ' ' && len(dst) > 0 && dst[len(dst)-1] == ' ' {
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// databaseRunners are what hands a command from a database to a shell.
var databaseRunners = [...]string{"xp_cmdshell", "from program", "to program", "sys_exec", "sys_eval", "system.exec", "os.execute", "io.popen"}

// database takes the commands out of a statement; low is it in lower case.
func (u *unfolder) database(line string, low []byte) {
	for _, name := range databaseRunners {
		for at := 0; ; {
			i := bytes.Index(low[at:], event.Bytes(name))
			if i < 0 {
				break
			}
			at += i + len(name)
			if at > len(line) {
				break
			}
			rest := event.Bytes(line[at:])
			if len(rest) == 0 || rest[0] != ' ' && rest[0] != '(' {
				continue // it stands in a text
			}
			if text, ok := quoted(rest); ok {
				u.push(u.unescaped(text))
			} else if name == "system.exec" {
				u.push(event.View(bytes.TrimLeft(rest, " ")))
			}
		}
	}
}
