package commit

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var mutateFlag = flag.Bool("mutate", false, "run the tests against each weakened rule (minutes)")

// mutation weakens one rule by editing the source. red names a test that must
// fail then.
type mutation struct {
	rule, what string
	red        string
	edits      []edit
}

type edit struct{ file, old, new string }

var mutations = []mutation{
	{"3", "write over whatever is there", "TestSimulation", []edit{
		{"fold.go", "op.Kind, op.Version = Replace, it.version", "op.Kind = Put"},
	}},
	{"3", "open a document over one that is there", "TestSimulation", []edit{
		{"fold.go", "op := Op{Kind: Create, Key: it.key, Body: body}", "op := Op{Kind: Put, Key: it.key, Body: body}"},
	}},
	{"3", "a pause after a conflict", "TestConflict", []edit{
		{"round.go", "m.heat[d.key] = hotFor\n\t\tm.release(d)", "m.heat[d.key] = hotFor\n\t\tm.delay(d)"},
	}},
	{"3", "contended documents written with the others", "TestConflict", []edit{
		{"round.go", "m.heat[d.key] = hotFor\n", "\n"},
	}},
	{"3", "a conflict taken as done", "TestSimulation", []edit{
		{"round.go", "\tcase Done:\n\t\tif d.state != nil {", "\tcase Done, Conflict:\n\t\tif d.state != nil {"},
		{"round.go", "\tcase Conflict:\n\t\t// Somebody", "\tcase 99:\n\t\t// Somebody"},
	}},
	{"4", "a fixed ring of the newest 16 ids, and no ledger", "TestF1AcknowledgementLost", []edit{
		{"round.go", "\td.aged = 0\n", "\td.aged = 0\n\td.env.applied = d.env.applied[max(0, len(d.env.applied)-16):]\n"},
		{"round.go", "case m.ledger.vouches(a.id, d.key):\n\t\t\treturn true", "case m.ledger.vouches(a.id, d.key):\n\t\t\treturn false"},
		{"round.go", "\t\tcase own.Exists:\n", "\t\tcase false:\n"},
	}},
	{"4", "a fixed ring of the newest 16 ids", "TestF3MoreOutstandingThanKept", []edit{
		{"round.go", "\td.aged = 0\n", "\td.aged = 0\n\td.env.applied = d.env.applied[max(0, len(d.env.applied)-16):]\n"},
	}},
	{"4", "membership tested over the newest 8 ids", "TestSimulation", []edit{
		{"envelope.go", "bool { return e.find(id, 0) >= 0 }", "bool { return e.find(id, 0) >= max(0, len(e.applied)-8) }"},
	}},
	{"5", "marker after the first document", "TestSimulation", []edit{
		{"machine.go", "\tp.stage = settled\n\tp.chunk.open--\n", "\tp.stage = settled\n\tp.chunk.open--\n\tm.mark(marker{applied: applied{id: p.chunk.id, minute: p.chunk.minute}})\n"},
	}},
	{"5", "an id leaves on a marker merely seen", "TestSeenMarkerIsRewrittenFirst", []edit{
		{"round.go", "is acknowledged.\n\t\tm.mark(a)", "is acknowledged.\n\t\tm.ledger.add(a.id, a.except)"},
	}},
	{"5", "an id leaves when its marker is sent", "TestSimulation", []edit{
		{"round.go", "case m.ledger.vouches(a.id, d.key):", "case m.ledger.vouches(a.id, d.key) || m.queued[a.id]:"},
	}},
	{"5", "a failed marker counts as acknowledged", "TestSimulation", []edit{
		{"machine.go", "\tdefault:\n\t\tm.mark(a)\n", "\tdefault:\n\t\tm.ledger.add(a.id, a.except)\n"},
	}},
	{"6", "no look-up", "TestSimulation", []edit{
		{"round.go", "\t\tcase own.Exists:\n", "\t\tcase false:\n"},
	}},
	{"6", "markers read before the states", "TestCloneFinishesInBetween", []edit{
		{"machine.go", "\tforeign  []applied\n", "\tforeign  []applied\n\tfirst    []Key\n"},
		{"round.go", "\tif len(keys) == 0 {\n\t\tm.look(t)\n\t\treturn\n\t}\n\tt.phase = reading\n", "\tif t.first = keys; t != nil {\n\t\tm.look(t)\n\t\treturn\n\t}\n"},
		{"round.go", "version: s.Version})\n\t\t}\n\t}\n\tm.fold(t)\n", "version: s.Version})\n\t\t}\n\t}\n\tif k := t.first; len(k) > 0 {\n\t\tt.first, t.phase = nil, reading\n\t\tm.send(t, &Request{Kind: Read, Keys: k})\n\t\treturn\n\t}\n\tm.fold(t)\n"},
		{"round.go", "d.env, d.exists, d.version, d.confirmed, d.unreadable = env, true, s.Version, false, err\n\t\t}\n\t}\n\tm.look(t)\n", "d.env, d.exists, d.version, d.confirmed, d.unreadable = env, true, s.Version, false, err\n\t\t}\n\t}\n\tt.docs = slices.DeleteFunc(t.docs, func(d *document) bool { return d.owner != t })\n\tm.fold(t)\n"},
	}},
	{"6", "markers read once for each delivery", "TestCloneFinishesInBetween", []edit{
		{"machine.go", "\tmarkFirst bool\n", "\tmarkFirst bool\n\tabsent bool\n"},
		{"round.go", "\t\tcase own.Exists:\n", "\t\tcase own.Exists && !c.absent:\n"},
		{"round.go", "\t\tcase c.replay && !m.enters(c, origin):", "\t\tcase !c.replay:\n\t\t\tc.absent = true\n\t\tcase c.replay && !m.enters(c, origin):"},
	}},
	{"6", "fold while a marker's answer is missing", "TestLookUp", []edit{
		{"round.go", "c.blind[t.lane] = t.round\n\t\tcase own", "\n\t\tcase own"},
	}},
	{"7", "no limit", "TestFullDocument", []edit{
		{"round.go", "if taken < limit {", "if taken < limit || true {"},
	}},
	{"7", "other documents of a refused chunk are written", "TestFullDocument", []edit{
		{"round.go", "\tm.refuse(t)\n", ""},
		{"fold.go", "\t\tif m.prepareDocument(t,", "\t\tall := t.docs\n\t\tt.docs = t.left[i : i+1]\n\t\tm.refuse(t)\n\t\tt.docs = all\n\t\tif m.prepareDocument(t,"},
	}},
	{"7", "no room kept for what is half done", "TestFullDocumentsDontWaitForEachOther", []edit{
		{"round.go", "limit -= m.o.MaxApplied / reserve", "limit -= 0"},
	}},
	{"7", "ids of any age stay", "TestF4OutstandingForWeeks", []edit{
		{"round.go", "case int64(a.since) >= oldest:", "case int64(a.since) >= oldest || true:"},
	}},
	{"7", "ids age out after an hour", "TestF4OutstandingForWeeks", []edit{
		{"round.go", "int64(m.o.Retention/time.Minute)", "60"},
	}},
	{"7", "OK before the marker even where a document fills up", "TestCrashLoopDoesntFillTheDocument", []edit{
		{"machine.go", "case !c.markFirst || m.ledger.has(c.id):", "case true:"},
	}},
	{"8", "no confirming write", "TestF8DirtyReadRolledBack", []edit{
		{"fold.go", "it.write = it.write || !p.held || !d.confirmed", "it.write = it.write || !p.held"},
	}},
	{"8", "what is read counts as acknowledged", "TestSimulation", []edit{
		{"round.go", "env, true, s.Version, false", "env, true, s.Version, true"},
	}},
	{"9", "the cached copy survives an unknown outcome", "TestUnknownOutcome", []edit{
		{"round.go", "func (m *Machine) delay(d *document) {\n\tm.cache.drop(d.key)\n", "func (m *Machine) delay(d *document) {\n"},
	}},
	{"9", "an unknown outcome counts as done", "TestSimulation", []edit{
		{"round.go", "\t\tcase !o.effect:\n\t\t\to.doc.answer = w\n", "\t\tcase !o.effect:\n\t\t\tif o.doc.answer = w; w.Status == Unknown {\n\t\t\t\to.doc.answer.Status = Done\n\t\t\t}\n"},
	}},
	{"10", "the cache keeps more than it may", "TestCache", []edit{
		{"cache.go", "for c.bytes > c.maxBytes && c.order.Len() > 0 {", "for c.bytes > 2*c.maxBytes && c.order.Len() > 0 {"},
	}},
	{"11", "the same chunk in flight twice is folded twice", "TestSameChunkTwice", []edit{
		{"machine.go", "if under := m.chunks[c.ID]; under != nil {", "if under := m.chunks[c.ID]; under != nil && under.over {"},
	}},
	{"11", "one chunk for each write", "TestGroupCommit", []edit{
		{"fold.go", "if p.chunk == first.chunk || !first.suspect && !p.suspect {", "if p.chunk == first.chunk {"},
	}},
	{"12", "OK when all but one document are durable", "TestSimulation", []edit{
		{"machine.go", "case c.open > 0 || c.over:", "case c.open > 1 || c.over:"},
	}},
	{"12", "a chunk stays beyond its deadline", "TestDeadline", []edit{
		{"machine.go", "if !now.Before(c.deadline) {", "if !now.Before(c.deadline.Add(time.Second)) {"},
	}},
	{"table", "all chunks of a rejected document are buried", "TestPoison", []edit{
		{"fold.go", "\tif d.writing[0].chunk == d.writing[len(d.writing)-1].chunk {\n", "\tif true {\n"},
	}},
	{"table", "a newer major version is overwritten", "TestNewerMajor", []edit{
		{"round.go", "env, err := parseEnvelope(s.State)\n", "env, err := parseEnvelope(s.State)\n\t\t\tif err != nil {\n\t\t\t\tenv, err = envelope{payload: []byte{0}}, nil\n\t\t\t}\n"},
	}},
	{"table", "a newer major version is dead-lettered", "TestNewerMajor", []edit{
		{"round.go", "if errors.Is(err, ErrNewer) {", "if false {"},
	}},
	{"table", "a corrupt state stalls its chunks", "TestUnreadable", []edit{
		{"round.go", "if errors.Is(err, ErrNewer) {", "if true {"},
	}},
	{"table", "a chunk that is done leaves a letter for an unreadable document", "TestUnreadable", []edit{
		{"round.go", "\t\tcase own.Exists:\n\t\t\tm.stats.Skipped++", "\t\tcase own.Exists && !slices.ContainsFunc(t.docs, func(d *document) bool { return d.unreadable != nil }):\n\t\t\tm.stats.Skipped++"},
	}},
	{"table", "a newer version's document holds up the rest of its chunk", "TestNewerMajor", []edit{
		{"round.go", "\t\t\tm.stall(p)\n", "\t\t\tm.giveBack(p.chunk)\n"},
	}},
	{"table", "a panic of the fold is retried for ever", "TestPanic", []edit{
		{"fold.go", "if m.panics[id] < maxPanics {", "if true {"},
	}},
	{"table", "a panic of the fold is dead-lettered at once", "TestPanic", []edit{
		{"fold.go", "if m.panics[id] < maxPanics {", "if false {"},
	}},
	{"table", "attempts that panic are forgotten when the chunk is given back", "TestPanicIsCountedAcrossDeliveries", []edit{
		{"machine.go", "	delete(m.chunks, c.id)\n", "	delete(m.chunks, c.id)\n\tclear(m.panics)\n"},
	}},
	{"table", "a newer minor version's elements are dropped", "TestNewerMinor", []edit{
		{"envelope.go", "e.extraN, e.extra = n-5, b\n\tfor range e.extraN {", "for range n - 5 {"},
	}},
	{"letters", "not written, and OK all the same", "TestBury", []edit{
		{"round.go", "\tif a.Err != nil {\n\t\tm.giveBack(c)\n\t\treturn\n\t}\n\tm.stats.Buried", "\tm.stats.Buried"},
	}},
	{"letters", "before the rest of the chunk is durable", "TestLettersComeLast", []edit{
		{"machine.go", "case c.open > 0 || c.over:", "case c.open > 0 && c.letters == 0 || c.over || c.burying:"},
	}},
	{"letters", "given back while a letter is written", "TestBury", []edit{
		{"machine.go", "if !c.over && !c.burying {", "if !c.over {"},
	}},
	{"letters", "the marker vouches for what was buried", "TestReplay", []edit{
		{"round.go", "except += exception(p.doc.key)", "except += \"\""},
	}},
	{"letters", "a marker with exceptions replaces one without", "TestMarkersWithExceptions", []edit{
		{"ledger.go", "if a.except != \"\" {\n\t\top.Kind = Create", "if a.except == \"?\" {\n\t\top.Kind = Create"},
	}},
	{"letters", "an exception is never lifted", "TestExceptionIsLifted", []edit{
		{"round.go", "a.except = without(a.except, d.key)\n", ""},
	}},
	{"letters", "a replay doesn't ask for its chunk's marker", "TestMarkersWithExceptions", []edit{
		{"round.go", "c.vouched = true", "c.vouched = false"},
	}},
	{"letters", "ids are taken out before a replay looks for its chunk's", "TestExceptionIsLiftedUnderALetter", []edit{
		{"round.go", "\tfor _, d := range t.docs {\n\t\t// Before", "\tfor _, d := range t.docs {\n\t\tm.prune(d)\n\t\t// Before"},
	}},
	{"letters", "a full document whose exceptions can be lifted takes nothing", "TestFullOfWhatCanBeLifted", []edit{
		{"round.go", "len(d.lifts) > 0 && taken == len(d.env.applied)", "false"},
	}},
	{"letters", "the last place of a document is given away like any other", "TestSimulation", []edit{
		{"round.go", "\t\t\t\tlimit-- //", "\t\t\t\t//"},
	}},
	{"letters", "one whose chunk is held in spite of it brings nothing", "TestLetterOfAChunkThatIsHeld", []edit{
		{"round.go", "\t\tcase own.Exists:\n", "\t\tcase own.Exists || origin.Exists && !excepts(string(origin.State), c.parts[0].doc.key):\n"},
	}},
	{"letters", "one whose chunk is held opens a document that was deleted", "TestLetterOfAChunkThatIsHeld", []edit{
		{"round.go", "case c.vouched && !d.exists:", "case false:"},
	}},
	{"letters", "a replay relies on a marker merely seen", "TestReplayOnMarkerThatIsTakenBack", []edit{
		{"round.go", "case !m.ledger.has(c.origin):", "case false:"},
	}},
	{"letters", "a replay never takes its chunk's id", "TestReplayOfUnfinishedChunk", []edit{
		{"round.go", "c.entry = c.origin", "c.entry = c.id"},
	}},
	{"letters", "a replay doesn't look for its chunk in the document", "TestReplayBesideItsChunk", []edit{
		{"round.go", "c.vouched || d.env.has(c.origin)", "c.vouched"},
	}},
	{"16", "no outage of everything", "TestOutageCostsNothing", []edit{
		{"round.go", "m.failed(&m.all, asked, write)", "_ = asked"},
	}},
	{"16", "no outage of an index", "TestOutageCostsNothing", []edit{
		{"away.go", "m.failed(m.gate(i.index), i.items, write)", "_ = i"},
	}},
	{"16", "what a read answers opens to writes", "TestOutageCostsNothing", []edit{
		{"away.go", "if g.writes && !write {", "if false {"},
	}},
	{"16", "the pauses don't grow", "TestOneProbeAtATime", []edit{
		{"away.go", "	g.level = min(g.level+1, 10)\n", ""},
	}},
	{"16", "one lost request is an outage", "TestNoOutage", []edit{
		{"away.go", "closeAfter = 2", "closeAfter = 1"},
	}},
	{"16", "any number of probes at a time", "TestOutageCostsNothing", []edit{
		{"away.go", "return g.closed && g.probe == nil && !g.marker && !now.Before(g.until)", "return g.closed && !now.Before(g.until)"},
	}},
	{"16", "those behind a gate that opens are left there", "TestOutageCostsNothing", []edit{
		{"away.go", "		m.unpark(d)\n", "		_ = d\n"},
	}},
	{"16", "what is folded already when a gate closes goes on", "TestFoldedNoMoreWhileAway", []edit{
		{"fold.go", "if d.owner != t || m.barred(d) {", "if d.owner != t {"},
	}},
	{"16", "chunks are brought while it is away", "TestOutageCostsNothing", []edit{
		{"away.go", "	if coming > 0 || g.probe != nil {", "	if true {\n\t\treturn true, false\n\t}\n\tif coming > 0 || g.probe != nil {"},
	}},
	{"13", "a chunk is told of its end while a fold uses its deltas", "TestGivenBackWhileFolded", []edit{
		{"machine.go", "	if !c.lent {\n", "	if true {\n"},
	}},
	{"13", "two folds at a time", "TestOneFoldAtATime", []edit{
		{"fold.go", "|| m.folds != nil ||", "||"},
	}},
	{"13", "an incident for each document", "TestIncidentsAreOne", []edit{
		{"told.go", "i, known := s.by[k]\n\tif !known &&", "i, known := 0, false\n\tif !known &&"},
	}},
	{"effects", "one that may be missing counts as there", "TestEffects", []edit{
		{"round.go", "\t\t\t// The document is written; what it stands for comes again.\n\t\t\to.doc.answer = w\n", ""},
	}},
}

// TestMutations checks that each rule is needed: weakened, its test fails.
// Without -mutate it only checks that the edits still apply.
func TestMutations(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 2)
	for _, m := range mutations {
		t.Run(m.rule+" "+m.what, func(t *testing.T) {
			mutated := map[string]string{}
			for _, e := range m.edits {
				text, ok := mutated[e.file]
				if !ok {
					b, err := os.ReadFile(e.file)
					if err != nil {
						t.Fatal(err)
					}
					text = string(b)
				}
				if n := strings.Count(text, e.old); n != 1 {
					t.Fatalf("%s holds %d times\n%s", e.file, n, e.old)
				}
				mutated[e.file] = strings.Replace(text, e.old, e.new, 1)
			}
			if !*mutateFlag {
				return
			}
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			red := runMutated(t, sources, mutated)
			t.Logf("| %s | %s | %s |", m.rule, m.what, strings.Join(red, ", "))
			if !slices.Contains(red, m.red) {
				t.Errorf("%s is not among the failures: %v", m.red, red)
			}
		})
	}
	if !*mutateFlag {
		t.Log("the mutants were not run: that takes go test -run TestMutations -mutate, and some minutes")
	}
}

// runMutated runs the package's tests in a copy with the changed files and
// returns those that failed.
func runMutated(t *testing.T, sources []string, mutated map[string]string) []string {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		write(name, b)
	}
	for _, name := range sources {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := mutated[name]; ok {
			b = []byte(text)
		}
		if bytes.Contains(b, []byte(`"dossier/`)) {
			continue // a test of this package with others: they aren't in the copy
		}
		write(filepath.Join("commit", name), b)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "./commit", "-vet=off", "-count=1", "-timeout=150s", "-skip=TestMutations", "-seeds=400")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	var red []string
	for _, found := range regexp.MustCompile(`(?m)^--- FAIL: (\w+)|^panic: (test timed out)`).FindAllStringSubmatch(string(out), -1) {
		red = append(red, found[1]+found[2])
	}
	if len(red) == 0 {
		t.Fatal(fmt.Errorf("no test ran: %w\n%s", err, out))
	}
	return red
}
