package commit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mutation is a rule of the package's documentation that weakened can weaken, to
// see that the tests notice. Built with the tag mutation, TestMutations does so.
type mutation struct {
	rule, what string
	// red names a test that must fail then.
	red string
	// scope is one that TestExplore finds it in; where there is none, why says so.
	scope, why string
}

// Why TestExplore can't find a weakened rule.
const (
	costs         = "it costs requests, time or memory; nothing is lost or doubled"
	compareAndSet = "nothing is lost: what the cache has is written with its token, which a write that did arrive has used up"
	room          = "it needs more ids in a document than a scope has chunks"
	weeks         = "it takes days"
	readable      = "the documents of the scopes can be read"
	deleted       = "nobody deletes a document in the scopes"
	folds         = "no fold panics in the scopes"
	outage16      = "in the scopes too little fails for an outage; what it costs is counted elsewhere"
	deep          = "it takes more faults and chunks than a scope that comes to its end has"
)

var mutations = []mutation{
	{rule: "Rule 3", what: "write over whatever is there", red: "TestSimulation", scope: "two whole"},
	{rule: "Rule 3", what: "open a document over one that is there", red: "TestSimulation", scope: "unread"},
	{rule: "Rule 3", what: "a pause after a conflict", red: "TestConflict", why: costs},
	{rule: "Rule 3", what: "contended documents written with the others", red: "TestConflict", why: costs},
	{rule: "Rule 3", what: "a conflict taken as done", red: "TestSimulation", scope: "two whole"},
	{rule: "Rule 4", what: "a fixed ring of the newest 16 ids, and no ledger", red: "TestF1AcknowledgementLost", why: room},
	{rule: "Rule 4", what: "a fixed ring of the newest 16 ids", red: "TestF3MoreOutstandingThanKept", why: room},
	{rule: "Rule 4", what: "membership tested over the newest 8 ids", red: "TestSimulation", why: room},
	{rule: "Rule 5", what: "marker after the first document", red: "TestSimulation", scope: "one whole"},
	{rule: "Rule 5", what: "an id leaves on a marker merely seen", red: "TestSeenMarkerIsRewrittenFirst", scope: "seen"},
	{rule: "Rule 5", what: "an id leaves when its marker is sent", red: "TestSimulation", scope: "refused"},
	{rule: "Rule 5", what: "a failed marker counts as acknowledged", red: "TestSimulation", scope: "refused"},
	{rule: "Rule 6", what: "no look-up", red: "TestSimulation", scope: "overtaken"},
	{rule: "Rule 6", what: "markers read before the states", red: "TestCloneFinishesInBetween", scope: "overtaken"},
	{rule: "Rule 6", what: "markers read once for each delivery", red: "TestCloneFinishesInBetween", scope: "overtaken"},
	{rule: "Rule 6", what: "fold while a marker's answer is missing", red: "TestLookUp", scope: "unread"},
	{rule: "Rule 7", what: "no limit", red: "TestFullDocument", why: room},
	{rule: "Rule 7", what: "other documents of a refused chunk are written", red: "TestFullDocument", why: room},
	{rule: "Rule 7", what: "no room kept for what is half done", red: "TestFullDocumentsDontWaitForEachOther", why: room},
	{rule: "Rule 7", what: "ids of any age stay", red: "TestF4OutstandingForWeeks", why: weeks},
	{rule: "Rule 7", what: "ids age out after an hour", red: "TestF4OutstandingForWeeks", why: weeks},
	{rule: "Rule 7", what: "OK before the marker even where a document fills up", red: "TestCrashLoopDoesntFillTheDocument", why: room},
	{rule: "Rule 8", what: "no confirming write", red: "TestF8DirtyReadRolledBack", scope: "one whole"},
	{rule: "Rule 8", what: "what is read counts as acknowledged", red: "TestSimulation", scope: "one whole"},
	{rule: "Rule 9", what: "the cached copy survives an unknown outcome", red: "TestUnknownOutcome", why: compareAndSet},
	{rule: "Rule 9", what: "an unknown outcome counts as done", red: "TestSimulation", scope: "one whole"},
	{rule: "Rule 10", what: "the cache keeps more than it may", red: "TestCache", why: costs},
	{rule: "Rule 11", what: "the same chunk in flight twice is folded twice", red: "TestSameChunkTwice", scope: "twice"},
	{rule: "Rule 11", what: "one chunk for each write", red: "TestGroupCommit", why: costs},
	{rule: "Rule 12", what: "OK when all but one document are durable", red: "TestSimulation", scope: "twice"},
	{rule: "Rule 12", what: "a chunk stays beyond its deadline", red: "TestDeadline", scope: "twice"},
	{rule: "Answers", what: "all chunks of a rejected document are buried", red: "TestPoison", scope: "letter together"},
	{rule: "Answers", what: "a newer major version is overwritten", red: "TestNewerMajor", why: readable},
	{rule: "Answers", what: "a newer major version is dead-lettered", red: "TestNewerMajor", why: readable},
	{rule: "Answers", what: "a corrupt state stalls its chunks", red: "TestUnreadable", why: readable},
	{rule: "Answers", what: "a chunk that is done leaves a letter for an unreadable document", red: "TestUnreadable", why: readable},
	{rule: "Answers", what: "a newer version's document holds up the rest of its chunk", red: "TestNewerMajor", why: readable},
	{rule: "Answers", what: "a panic of the fold is retried for ever", red: "TestPanic", why: folds},
	{rule: "Answers", what: "a panic of the fold is dead-lettered at once", red: "TestPanic", why: folds},
	{rule: "Answers", what: "attempts that panic are forgotten when the chunk is given back", red: "TestPanicIsCountedAcrossDeliveries", why: folds},
	{rule: "Answers", what: "a newer minor version's elements are dropped", red: "TestNewerMinor", why: readable},
	{rule: "Dead letters", what: "not written, and OK all the same", red: "TestBury", scope: "letter whole"},
	{rule: "Dead letters", what: "before the rest of the chunk is durable", red: "TestLettersComeLast", scope: "letter"},
	{rule: "Dead letters", what: "given back while a letter is written", red: "TestBury", scope: "letter whole"},
	{rule: "Dead letters", what: "the marker vouches for what was buried", red: "TestReplay", scope: "letter whole"},
	{rule: "Dead letters", what: "a marker with exceptions replaces one without", red: "TestMarkersWithExceptions", why: deep},
	{rule: "Dead letters", what: "an exception is never lifted", red: "TestExceptionIsLifted", why: room},
	{rule: "Dead letters", what: "a replay doesn't ask for its chunk's marker", red: "TestMarkersWithExceptions", why: deep},
	{rule: "Dead letters", what: "ids are taken out before a replay looks for its chunk's", red: "TestExceptionIsLiftedUnderALetter", why: deep},
	{rule: "Dead letters", what: "a full document whose exceptions can be lifted takes nothing", red: "TestFullOfWhatCanBeLifted", why: room},
	{rule: "Dead letters", what: "the last place of a document is given away like any other", red: "TestLastPlaceIsForLifting", why: room},
	{rule: "Dead letters", what: "one whose chunk is held in spite of it brings nothing", red: "TestLetterOfAChunkThatIsHeld", why: deep},
	{rule: "Dead letters", what: "one whose chunk is held opens a document that was deleted", red: "TestLetterOfAChunkThatIsHeld", why: deleted},
	{rule: "Dead letters", what: "a replay relies on a marker merely seen", red: "TestReplayOnMarkerThatIsTakenBack", scope: "letter dirty"},
	{rule: "Dead letters", what: "a replay never takes its chunk's id", red: "TestReplayOfUnfinishedChunk", scope: "letter whole"},
	{rule: "Dead letters", what: "a replay doesn't look for its chunk in the document", red: "TestReplayBesideItsChunk", scope: "letter whole"},
	{rule: "Dead letters", what: "a replay waits until its chunk's marker is there", red: "TestSimulation", why: deep},
	{rule: "Dead letters", what: "a replay writes its chunk's marker", red: "TestSimulation", why: deep},
	{rule: "Rule 16", what: "no outage of everything", red: "TestOutageCostsNothing", why: outage16},
	{rule: "Rule 16", what: "no outage of an index", red: "TestOutageCostsNothing", why: outage16},
	{rule: "Rule 16", what: "what a read answers opens to writes", red: "TestOutageCostsNothing", why: outage16},
	{rule: "Rule 16", what: "the pauses don't grow", red: "TestOneProbeAtATime", why: outage16},
	{rule: "Rule 16", what: "one lost request is an outage", red: "TestNoOutage", why: outage16},
	{rule: "Rule 16", what: "any number of probes at a time", red: "TestOutageCostsNothing", why: outage16},
	{rule: "Rule 16", what: "those behind a gate that opens are left there", red: "TestOutageCostsNothing", why: outage16},
	{rule: "Rule 16", what: "what is folded already when a gate closes goes on", red: "TestFoldedNoMoreWhileAway", why: outage16},
	{rule: "Rule 16", what: "chunks are brought while it is away", red: "TestOutageCostsNothing", why: outage16},
	{rule: "Rule 13", what: "a chunk is told of its end while a fold uses its deltas", red: "TestGivenBackWhileFolded", scope: "slow fold"},
	{rule: "Rule 13", what: "two folds at a time", red: "TestOneFoldAtATime", scope: "slow fold"},
	{rule: "Rule 13", what: "an incident for each document", red: "TestIncidentsAreOne", why: costs},
	{rule: "Leaders", what: "a document is opened before what leads it is folded", red: "TestSimulation", scope: "led"},
	{rule: "Leaders", what: "a document waits for what leads it although that was rejected", red: "TestLeaderThatIsNeverFolded", why: readable},
	{rule: "Leaders", what: "a document is opened although the fold of what leads it failed", red: "TestLeaderWhoseFoldFails", why: folds},
	{rule: "Leaders", what: "those whose leader was folded are left where they wait", red: "TestLeaderComesLate", why: costs},
	{rule: "Effects", what: "one that may be missing counts as there", red: "TestEffects", why: deep},
}

// TestMutationsAreKnown: what the source asks weakened for is what is in the
// list, each once, so that a rule that moves keeps its mutation.
func TestMutationsAreKnown(t *testing.T) {
	asked, tests := map[string]int{}, map[string]bool{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					tests[f.Name.Name] = true
				}
			}
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "weakened" {
				return true
			}
			rule, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			asked[rule]++
			return true
		})
	}
	known := map[string]bool{}
	for _, m := range mutations {
		switch {
		case known[m.what]:
			t.Errorf("%q is in the list twice", m.what)
		case asked[m.what] == 0:
			t.Errorf("%q weakens nothing", m.what)
		case !tests[m.red]:
			t.Errorf("%q: there is no test %s", m.what, m.red)
		case (m.scope == "") == (m.why == ""):
			t.Errorf("%q needs a scope, or why there is none", m.what)
		case m.scope != "" && !slices.ContainsFunc(scopes, func(s *scope) bool { return s.name == m.scope }):
			t.Errorf("%q: there is no scope %q", m.what, m.scope)
		}
		known[m.what] = true
	}
	for _, rule := range slices.Sorted(maps.Keys(asked)) {
		if !known[rule] {
			t.Errorf("%q is not in the list", rule)
		}
	}
}

// TestDocumentation: the rules that mutations and tests cite stand in the
// package's documentation, and so do only files, tests and mutations that are there.
func TestDocumentation(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var doc string
	rules, tests := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if name == "doc.go" {
			doc = file.Doc.Text()
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				tests[f.Name.Name] = true
				for _, rule := range regexp.MustCompile(`Rule \d+`).FindAllString(f.Doc.Text(), -1) {
					rules[rule] = true
				}
			}
		}
	}
	known := map[string]bool{}
	for _, m := range mutations {
		rules[m.rule], known[m.what] = true, true
	}
	if len(rules) < 12 {
		t.Errorf("only %d rules are cited", len(rules))
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if !regexp.MustCompile(`(?m)^` + rule + `( \(|\.)`).MatchString(doc) {
			t.Errorf("%s is cited and not documented", rule)
		}
	}
	for _, name := range regexp.MustCompile(`\w+\.go\b`).FindAllString(doc, -1) {
		if !slices.Contains(names, name) {
			t.Errorf("the documentation names %s, which isn't there", name)
		}
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(doc, -1) {
		if !tests[name] && name != "TestMutations" {
			t.Errorf("the documentation names %s, which isn't there", name)
		}
	}
	for _, what := range regexp.MustCompile(`"a replay [^"]*"`).FindAllString(strings.Join(strings.Fields(doc), " "), -1) {
		if !known[strings.Trim(what, `"`)] {
			t.Errorf("the documentation names the mutation %s, which isn't there", what)
		}
	}
}
