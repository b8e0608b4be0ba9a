//go:build mutation

package commit

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var mutateFlag = flag.Bool("mutate", false, "run all tests of the package against each weakened rule (an hour), not only the one that must notice")

func init() {
	flag.StringVar(&weak, "weaken", "", "weaken the rule of that name")
}

// TestMutations checks that each rule is needed: weakened, its test fails, and
// so does the exploration of its scope. Each runs in a process of its own, since
// a weakened rule may never come to an end.
func TestMutations(t *testing.T) {
	if weak != "" {
		t.Skip("a rule is weakened already")
	}
	for _, m := range mutations {
		t.Run(m.rule+" "+m.what, func(t *testing.T) {
			t.Parallel()
			if *mutateFlag {
				red := runWeakened(t, m.what, "-test.timeout=300s", "-test.skip=^TestMutations|^TestExplore$", "-seeds=1000")
				t.Logf("| %s | %s | %s |", m.rule, m.what, strings.Join(red, ", "))
				if !slices.Contains(red, m.red) {
					t.Errorf("%s is not among the failures: %v", m.red, red)
				}
				return
			}
			if red := runWeakened(t, m.what, "-test.run=^"+m.red+"$", "-test.timeout=60s"); len(red) == 0 {
				t.Errorf("%s doesn't notice", m.red)
			}
			if m.scope == "" {
				return
			}
			// As far as it takes: most are found in some hundred states.
			if red := runWeakened(t, m.what, "-test.run=^TestExplore$", "-explore-scope="+m.scope, "-explore=100000", "-test.timeout=300s"); len(red) == 0 {
				t.Errorf("the exploration of %q doesn't notice", m.scope)
			}
		})
	}
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\w+)|^(panic): |^(fatal error): `)

// runWeakened runs tests with a weakened rule and returns those that failed.
func runWeakened(t *testing.T, rule string, args ...string) (red []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, exe, append(args, "-weaken="+rule, "-test.count=1")...).CombinedOutput()
	for _, found := range failure.FindAllStringSubmatch(string(out), -1) {
		red = append(red, found[1]+found[2]+found[3])
	}
	switch {
	case err == nil && (len(red) > 0 || strings.Contains(string(out), "no tests to run")), err != nil && len(red) == 0:
		t.Fatalf("%v: %s", err, out)
	}
	return red
}
