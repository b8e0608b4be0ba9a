package rules

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// maxFound bounds what is added to one event.
const maxFound = 64

// longestValue is how much of a fingerprint is looked at.
const longestValue = 512

// finding is evidence to be added.
type finding struct {
	kind     event.EvidenceKind
	what, by string
	n, m     int64
}

// annotation is the work on one event.
type annotation struct {
	set   *Set
	event *event.Event
	arena *event.Arena
	// told is the text at hand as it was sent.
	told string
	// door says that what is asked for may not have been done.
	door  bool
	found [maxFound]finding
	n     int
	shell shell
	low   [event.MaxCommand]byte
	value []byte // the fingerprint at hand in lower case, in low
	hits  []uint16
	unfolder
	// things are those that the event names, use how the text at hand uses them.
	things things
	use    string

	// What the command at hand is part of: its line in lower case, whether it
	// was taken out of something else, and what the part before it says to it.
	line   []byte
	inner  bool
	echoed string
	// program, words and targets are the simple command at hand.
	program string
	words   []string
	targets uint64

	// said is the text at hand by field, in lower case, all of it in text.
	channel channel
	said    [fields][]byte
	// filled says that said has more than text.
	filled bool
	raw    [maxText]byte
	text   [maxText]byte
	tool   string
	login  *event.Evidence
	// knows says that a rule knows the command at hand, not one of those that
	// hold for any.
	knows bool
}

func (w *annotation) add(kind event.EvidenceKind, what, by string) bool {
	for i := range w.found[:w.n] {
		if w.found[i].what == what && w.found[i].kind == kind {
			return false
		}
	}
	if w.n == maxFound {
		return false
	}
	w.found[w.n] = finding{kind, what, by, 0, 0}
	w.n++
	return true
}

// conclude takes what a rule says.
func (w *annotation) conclude(r *Rule) {
	if w.add(event.Conclusion, r.ID, "") {
		f := &w.found[w.n-1]
		f.by, f.n = w.proof(), int64(r.rank)
		if w.inner && w.door {
			f.m = 1
		}
	}
	if r.Technique != "" {
		w.add(event.Technique, r.Technique, r.Name)
	}
	if r.Software != nil {
		w.named(r.Software.Name, r.Name)
	}
}

// Annotate adds to ev the tools and techniques it shows, as evidence. Most
// events show none and are left as they are; nothing is allocated beyond the
// arena. What the decoy opened itself shows nothing of the other side's.
func (s *Set) Annotate(a *event.Arena, ev *event.Event) {
	if ev.Role == event.Contact {
		s.fetched(a, ev)
		return
	}
	rules := s.index.types[ev.Type]
	if len(rules) == 0 && !s.telling(ev) {
		return
	}
	w := s.worker()
	w.event, w.arena, w.n = ev, a, 0
	w.door = doors.has(channelOf(ev.Service))
	w.unfolder.reset()
	w.judge(rules)
	ev.Evidence = slices.DeleteFunc(ev.Evidence, func(e event.Evidence) bool { return e.Kind == event.Said })
	if w.n > 0 {
		known := len(ev.Evidence)
		ev.Evidence = a.MoreEvidence(ev.Evidence, w.n)
		for i, f := range w.found[:w.n] {
			e := &ev.Evidence[known+i]
			e.Kind, e.A, e.B, e.N, e.M = f.kind, f.what, f.by, f.n, f.m
		}
	}
	w.tell(ev)
	w.forget()
	s.work.Put(w)
}

// fetched adds what a decoy fetched from the other side.
func (s *Set) fetched(a *event.Arena, ev *event.Event) {
	if !slices.ContainsFunc(ev.Evidence, func(e event.Evidence) bool { return namesThings(&e) }) {
		return
	}
	w := s.worker()
	w.event, w.arena = ev, a
	for i := range ev.Evidence {
		if e := &ev.Evidence[i]; e.Kind == event.Fingerprint {
			w.fingerprinted(e)
		}
	}
	w.tell(ev)
	w.forget()
	s.work.Put(w)
}

// worker returns memory for the work on an event.
func (s *Set) worker() *annotation {
	w, _ := s.work.Get().(*annotation)
	if w == nil {
		w = &annotation{set: s}
		w.shell.sink = w
	}
	return w
}

// tell adds the things that the event names.
func (w *annotation) tell(ev *event.Event) {
	n := w.things.n
	if w.things.forward != "" {
		n++
	}
	if n == 0 {
		return
	}
	known := len(ev.Evidence)
	ev.Evidence = w.arena.MoreEvidence(ev.Evidence, n)
	for i, t := range w.things.found[:w.things.n] {
		e := &ev.Evidence[known+i]
		e.Kind, e.A, e.B, e.C = event.Indicator, t.kind, t.value, t.use
	}
	if w.things.forward != "" {
		e := &ev.Evidence[len(ev.Evidence)-1]
		e.Kind, e.A, e.B = event.Forward, w.things.forward, w.things.way
	}
}

// forget drops what points into the event.
func (w *annotation) forget() {
	w.event, w.arena, w.login, w.line, w.words, w.echoed, w.program, w.told = nil, nil, nil, nil, nil, "", "", ""
	clear(w.queue[:w.queued])
	w.wipe()
	w.said[textField] = nil
	w.things.forget()
}

// wipe drops the parts of the text before.
func (w *annotation) wipe() {
	if w.filled {
		clear(w.said[:])
		w.filled = false
	}
}

// telling says whether any evidence could meet a rule.
func (s *Set) telling(ev *event.Event) bool {
	for i := range ev.Evidence {
		switch e := &ev.Evidence[i]; e.Kind {
		case event.Command, event.Said:
			return true
		case event.Fingerprint:
			if s.signatures[e.A] != nil || e.A == userAgent || namesThings(e) {
				return true
			}
		case event.Artifact:
			return true
		default:
			if c, ok := evidenceChannel(e.Kind); ok && s.index.texted.has(c) {
				return true
			}
		}
	}
	return false
}

func evidenceChannel(k event.EvidenceKind) (channel, bool) {
	switch k {
	case event.Login:
		return loginChannel, true
	case event.Artifact:
		return artifactChannel, true
	case event.Recipient:
		return recipientChannel, true
	case event.Message:
		return messageChannel, true
	case event.Alert:
		return alertChannel, true
	}
	return 0, false
}

// userAgent is the type of the fingerprint that is a part of a request.
const userAgent = "http_useragent"

func (w *annotation) judge(rules []*Rule) {
	if w.event.Role != event.Prober {
		w.channel, w.told = eventChannel, w.event.Type
		w.tryAll(rules)
	}
	request := false
	for i := range w.event.Evidence {
		e := &w.event.Evidence[i]
		switch e.Kind {
		case event.Command:
			queued := w.queued
			w.knows = false
			w.command(e.A)
			// What has a command inside is worth as much as a known one.
			if w.knows || w.queued > queued {
				e.N = 1
			}
		case event.Said:
			request = true
		case event.Fingerprint:
			w.value = lower(w.low[:0:longestValue], e.B)
			w.fingerprint(e)
			w.fingerprinted(e)
			request = request || e.A == userAgent
		default:
			if e.Kind == event.Artifact {
				w.brought(e)
				if Nothing(e.A) && e.B == "" {
					continue // nobody's payload
				}
			}
			if c, ok := evidenceChannel(e.Kind); ok && w.set.index.texted.has(c) {
				w.evident(c, e)
			}
		}
	}
	if request {
		w.request()
	}
	w.inner = true
	if w.use != event.UsedRequest {
		w.use = event.UsedCommand
	}
	for i := 0; i < w.queued; i++ {
		w.commandLine(w.queue[i])
	}
	w.inner = false
}

// evident judges evidence that is no text, or one alone.
func (w *annotation) evident(c channel, e *event.Evidence) {
	w.channel, w.login, w.told = c, e, cmp.Or(e.B, e.A)
	if e.Kind != event.Artifact {
		w.told = e.A
	}
	w.wipe()
	text := w.text[:0]
	switch e.Kind {
	case event.Alert, event.Login:
		text = lower(text, e.A)
	case event.Artifact:
		text = lower(text, e.B)
		for _, key := range [...]string{"destfile", "filename", "orig_path"} {
			text = lower(append(text, '\n'), e.Get(key))
		}
	}
	w.said[textField] = text
	w.tryText(text)
	w.login = nil
}

func (w *annotation) fingerprint(e *event.Evidence) {
	g := w.set.signatures[e.A]
	if g == nil {
		return
	}
	if tool, ok := g.exact[e.B]; ok {
		w.named(tool, g.by)
	}
	if len(g.forms) == 0 {
		return
	}
	w.hits = g.matcher.appendFound(w.hits[:0], w.value)
	for _, i := range w.hits {
		if f := &g.forms[i]; !f.prefix || bytes.HasPrefix(w.value, event.Bytes(f.text)) {
			w.named(f.tool, g.by)
		}
	}
}

// named takes a tool and what its name alone tells.
func (w *annotation) named(tool, by string) {
	if !w.add(event.Tool, tool, by) {
		return
	}
	if rules := w.set.index.tools[tool]; len(rules) > 0 {
		was, channel, told := w.tool, w.channel, w.told
		w.tool, w.channel, w.told = tool, toolChannel, tool
		w.tryAll(rules)
		w.tool, w.channel, w.told = was, channel, told
	}
}

// lower appends the beginning of v in lower case (ASCII), as much as fits.
func lower(dst []byte, v string) []byte {
	v = v[:min(len(v), cap(dst)-len(dst))]
	for i := range len(v) {
		c := v[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// command concludes from what was typed or asked, by the channel it came on.
func (w *annotation) command(line string) {
	c := channelOf(w.event.Service)
	w.use = event.UsedCommand
	if c == shellChannel {
		w.commandLine(line)
		return
	}
	w.links(event.Bytes(line), w.use)
	w.written(line)
	w.channel, w.told = c, line
	w.wipe()
	w.filled = true
	text := lower(w.text[:0], line)
	w.said[textField] = text
	w.note(line, text)
	verb := firstWord(text)
	w.said[verbField] = verb
	if c == sqlChannel {
		w.said[statementField] = statements(w.raw[:0], line)
	}
	carries := w.tryText(text)
	if c == sqlChannel || c == redisChannel {
		w.database(line, text)
	}
	if c == redisChannel && (string(verb) == "set" || string(verb) == "eval") {
		w.cron(w.tail(line))
	}
	if c == dataChannel && carries {
		w.nested(event.Bytes(line[:min(len(line), len(text))]), text)
	}
}

func firstWord(text []byte) []byte {
	if i := bytes.IndexAny(text, " \t(;"); i >= 0 {
		return text[:i]
	}
	return text
}

// tail returns what stands behind a command's first two words.
func (w *annotation) tail(line string) string {
	for range 2 {
		_, rest, ok := strings.Cut(line, " ")
		if !ok {
			return line
		}
		line = rest
	}
	return line
}

// request concludes from the parts of a request, together.
func (w *annotation) request() {
	w.channel = channelOf(w.event.Service)
	if w.channel == shellChannel || w.channel == dataChannel {
		// Web requests come on any service; other words stay what was sent.
		if w.channel = dataChannel; w.asks() {
			w.channel = httpChannel
		}
	}
	w.door = w.door || doors.has(w.channel)
	w.told = ""
	w.wipe()
	w.filled = true
	raw := w.raw[:0]
	var marks [fields][2]int
	part := func(f field, text string, plus bool) {
		if text == "" {
			return
		}
		if len(raw) > 0 {
			raw = fit(raw, []byte{'\n'})
		}
		start := len(raw)
		raw = w.web(raw, text, plus)
		if marks[f][1] > 0 {
			start = marks[f][0] // several headers are one field
		}
		marks[f] = [2]int{start, len(raw)}
	}
	// In one order, whatever order they came in: headers stay together.
	for _, f := range [...]field{methodField, headerField, agentField, bodyField, textField} {
		for i := range w.event.Evidence {
			e := &w.event.Evidence[i]
			switch {
			case e.Kind == event.Fingerprint && e.A == userAgent && f == agentField:
				part(f, e.B, false)
			case e.Kind != event.Said:
			case f == methodField && e.B == event.SaidRequest:
				path, query, _ := strings.Cut(e.A, "?")
				part(methodField, e.C, false)
				part(pathField, path, true)
				part(queryField, query, true)
			case f == headerField && e.B == event.SaidHeader:
				part(f, e.C, false)
				raw = fit(raw, []byte{':'})
				raw = w.web(fit(raw, []byte{' '}), e.A, false)
				marks[f][1] = len(raw)
			case f == bodyField && e.B == event.SaidBody:
				part(f, e.A, !strings.HasPrefix(e.A, "{") && !strings.HasPrefix(e.A, "<"))
			case f == textField && e.B == event.SaidText:
				part(f, e.A, false)
			}
		}
	}
	text := lower(w.text[:0], event.View(raw))
	for f := range marks {
		if m := marks[f]; m[1] > 0 && f != int(textField) {
			w.said[f] = text[m[0]:m[1]]
		}
	}
	w.said[textField] = text
	w.said[verbField] = w.said[methodField]
	if len(w.said[verbField]) == 0 {
		w.said[verbField] = firstWord(text)
	}
	w.requested(raw, text, &marks)
	carries := w.tryText(text)
	if w.channel == httpChannel {
		// A sensor that names the protocol alone tells by the port whose API was asked.
		if api := apiAt(w.event.Port); api != httpChannel {
			w.channel = api
			w.tryText(text)
		}
	}
	if carries {
		w.nested(raw, text)
	}
}

// apiAt returns the channel of the API that is asked by web requests to a port.
func apiAt(port uint16) channel {
	switch port {
	case 2375, 2376:
		return dockerChannel
	case 6443, 10250:
		return kubernetesChannel
	case 9200:
		return elasticChannel
	}
	return httpChannel
}

// asks says whether what was said is a web request, or a part of one.
func (w *annotation) asks() bool {
	return slices.ContainsFunc(w.event.Evidence, func(e event.Evidence) bool {
		return e.Kind == event.Said && e.B != event.SaidText || e.Kind == event.Fingerprint && e.A == userAgent
	})
}

// requested takes the things that a request names. What headers name is mostly where
// somebody came from, unless a look-up is to fetch it.
func (w *annotation) requested(raw, low []byte, marks *[fields][2]int) {
	w.use = event.UsedRequest
	w.forwards(event.View(raw[marks[methodField][0]:marks[methodField][1]]), event.View(raw[marks[pathField][0]:marks[pathField][1]]))
	for _, f := range [...]field{pathField, queryField, headerField, agentField, bodyField, textField} {
		m := marks[f]
		if m[1] == 0 {
			continue
		}
		part := raw[m[0]:m[1]]
		switch f {
		case queryField, bodyField, textField:
			w.links(part, w.use)
			if f == bodyField {
				w.written(event.View(part))
				w.note(event.View(part), low[m[0]:m[1]])
			}
		default:
			for {
				i := bytes.Index(low[m[0]:m[1]], event.Bytes("jndi:"))
				if i < 0 {
					break
				}
				m[0] += i + len("jndi:")
				end := m[0]
				for end < m[1] && raw[end] != '}' && raw[end] != '\n' {
					end++
				}
				w.links(raw[m[0]:end], w.use)
				m[0] = end
			}
		}
	}
}

// tryText tries the rules that a text could meet. It returns whether the text
// may carry a command.
func (w *annotation) tryText(text []byte) (carries bool) {
	x := w.set.index
	if verb := w.said[verbField]; len(verb) > 0 {
		w.tryAll(x.verbs[w.channel][string(verb)])
	}
	if len(text) > 0 && len(x.textRules) > 0 {
		w.hits = x.texts.appendFound(w.hits[:0], text)
		for _, i := range w.hits {
			carries = carries || x.carriers[i]
			w.tryAll(x.textRules[i])
		}
	}
	w.tryAll(x.loose[w.channel])
	return carries
}

func (w *annotation) tryAll(rules []*Rule) {
	for _, r := range rules {
		if r.channels.has(w.channel) && w.holds(r) {
			w.knows = true
			w.conclude(r)
		}
	}
}

// commandLine concludes from a line for a shell.
func (w *annotation) commandLine(line string) {
	w.channel, w.told = shellChannel, line
	w.line = lower(w.low[:0], line)
	w.echoed = ""
	x := w.set.index
	if len(x.lineRules) > 0 {
		w.hits = x.lines.appendFound(w.hits[:0], w.line)
		w.program, w.words, w.targets = "", nil, 0
		for _, i := range w.hits {
			w.tryAll(x.lineRules[i])
		}
	}
	w.links(event.Bytes(line), w.use)
	w.written(line)
	w.shell.read(line)
	w.words = nil
}

// part concludes from one simple command.
func (w *annotation) part(program string, words []string) {
	w.program, w.words, w.targets = program, words, w.shell.targets
	x := w.set.index
	w.pipe()
	w.reaches(program, words)
	knew := w.knows
	w.tryAll(x.always) // they hold for any command
	w.knows = knew
	if asksOnly(program, words) {
		return
	}
	w.hits = w.hits[:0]
	says := program == "echo" || program == "printf"
	for i, word := range words {
		// What is only said does nothing.
		if !says || w.targets&(1<<i) != 0 {
			w.hits = x.words.appendFound(w.hits, event.Bytes(word))
		}
	}
	for _, i := range w.hits {
		w.tryAll(x.wordRules[i])
	}
	w.tryAll(x.programs[program])
}

// asksOnly says whether a command asks a program about itself.
func asksOnly(program string, words []string) bool {
	if len(words) != 2 {
		return false
	}
	switch words[1] {
	case "--help", "--version", "-V", "-help", "-version", "--usage":
		return true
	case "-h":
		return !slices.Contains(humanReadable[:], program)
	case "-v":
		return slices.Contains(versioned[:], program)
	}
	return false
}

// humanReadable are the programs to which -h says how to print sizes, versioned
// some of those to which -v says to print their version.
var (
	humanReadable = [...]string{"df", "du", "free", "ls", "lsblk", "last", "w"}
	versioned     = [...]string{"perl", "php", "ruby", "node", "java", "nginx", "docker", "gcc"}
)

// pipe follows what is handed from one command to the next: text that is
// echoed, decoded and given to a shell is a command.
func (w *annotation) pipe() {
	switch {
	case w.program == "echo" || w.program == "printf":
		w.echoed = w.echo()
		for i, word := range w.words {
			if w.targets&(1<<i) != 0 && (strings.Contains(word, "cron") || strings.HasSuffix(word, "/rc.local")) {
				w.cron(w.echoed)
				w.push(w.echoed)
				break
			}
		}
		return
	case w.program == "base64" || w.program == "openssl":
		if !slices.ContainsFunc(w.words, func(o string) bool { return o == "-d" || o == "-D" || o == "--decode" || o == "-di" }) {
			break
		}
		text := w.echoed
		if !w.shell.piped && len(w.words) > 1 {
			text = w.words[len(w.words)-1]
		}
		w.echoed = w.decoded(strings.TrimSpace(text))
		return
	case !w.shell.piped || w.echoed == "":
	case w.program == "crontab":
		w.cron(w.echoed)
	case slices.Contains(shells, w.program) || w.program == "at":
		w.push(w.echoed)
	case w.program == "tee" || w.program == "tr" || w.program == "rev" || w.program == "sed":
		return
	}
	if w.program == "powershell" || w.program == "pwsh" {
		for i, word := range w.words[:len(w.words)-1] {
			if len(word) > 1 && (word[0] == '-' || word[0] == '/') && (strings.EqualFold(word[1:], "enc") || strings.EqualFold(word[1:], "e") || strings.EqualFold(word[1:], "encodedcommand") || strings.EqualFold(word[1:], "ec")) {
				w.push(w.decoded(w.words[i+1]))
			}
		}
	}
	if !w.shell.piped {
		w.echoed = ""
	}
}

// echo returns what an echo or a printf says.
func (w *annotation) echo() string {
	dst := w.room()
	escapes := w.program == "printf"
	for i, word := range w.words {
		switch {
		case i == 0 || w.targets&(1<<i) != 0:
			continue
		case len(dst) == 0 && (word == "-e" || word == "-ne" || word == "-en" || word == "-n"):
			escapes = escapes || word != "-n"
			continue
		}
		if len(dst) > 0 {
			dst = fit(dst, []byte{' '})
		}
		if !escapes {
			dst = fit(dst, event.Bytes(word))
			continue
		}
		for j := 0; j < len(word) && len(dst) < cap(dst); j++ {
			if word[j] == '\\' && j+3 < len(word) && word[j+1] == 'x' {
				high, ok1 := hexDigit(word[j+2])
				low, ok2 := hexDigit(word[j+3])
				if ok1 && ok2 {
					dst = append(dst, high<<4|low)
					j += 3
					continue
				}
			}
			if word[j] == '\\' && j+1 < len(word) && word[j+1] == 'n' {
				dst = append(dst, '\n')
				j++
				continue
			}
			dst = append(dst, word[j])
		}
	}
	return w.keep(dst)
}

// holds says whether all that a rule asks for is there.
func (w *annotation) holds(r *Rule) bool {
	for i := range r.when {
		if !w.meets(&r.when[i]) {
			return false
		}
	}
next:
	for _, s := range r.unless {
		for i := range s {
			if !w.meets(&s[i]) {
				continue next
			}
		}
		return false
	}
	return true
}

func (w *annotation) meets(c *condition) bool {
	switch c.field {
	case programField:
		return c.fits(w.program)
	case wordField, writesField:
		if c.all {
			for _, v := range c.values {
				if !slices.ContainsFunc(w.words, func(word string) bool { return strings.Contains(word, v) }) {
					return false
				}
			}
			return true
		}
		for i, word := range w.words {
			if c.field == writesField && w.targets&(1<<i) == 0 {
				continue
			}
			if c.fits(word) {
				return true
			}
		}
		return false
	case lineField:
		return c.fits(event.View(w.line))
	case typeField:
		return c.fits(w.event.Type)
	case serviceField:
		return c.fits(w.event.Service)
	case kindField:
		if w.login != nil {
			if w.login.Kind == event.Artifact {
				return c.fits(w.login.C)
			}
			return c.fits(w.login.B)
		}
		return c.fits(w.event.Kind.String())
	case outcomeField:
		return w.login != nil && c.fits(w.login.Outcome.String())
	case triedField:
		return c.fits(yes(w.login != nil && tried(w.login, w.event.Service)))
	case scopeField:
		scope := "external"
		if w.set.isInternal(w.event.Addr) {
			scope = "internal"
		}
		return c.fits(scope)
	case nestedField:
		return c.fits(yes(w.inner))
	case quietField:
		return c.fits(yes(len(w.event.Evidence) == 0))
	case toolField:
		return c.fits(w.tool)
	default:
		return c.fits(event.View(w.said[c.field]))
	}
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// fits says whether a value is what the condition asks for.
func (c *condition) fits(value string) bool {
	for _, v := range c.values {
		var ok bool
		switch c.op {
		case exactly:
			ok = value == v
		case contains:
			ok = strings.Contains(value, v)
		case startsWith:
			ok = strings.HasPrefix(value, v)
		default:
			ok = strings.HasSuffix(value, v)
		}
		if ok != c.all {
			return ok
		}
	}
	return c.all
}

// publicSecrets are the SHA-256 of secrets that are none: nothing, and the
// community that SNMP is asked with for what is public.
var publicSecrets = [...][32]byte{sha256.Sum256(nil), sha256.Sum256([]byte("public"))}

// tried says whether a login shows a secret that was guessed or known. Nothing,
// a name alone and anonymous are how one asks for what is open.
func tried(e *event.Evidence, service string) bool {
	switch e.A {
	case "anonymous", "ftp":
		if service == "ftp" {
			return false
		}
	}
	if e.B == "" {
		return e.A != "" && e.Outcome == event.Failure
	}
	return e.Digest != publicSecrets[0] && (e.B != "snmp_community" || e.Digest != publicSecrets[1])
}
