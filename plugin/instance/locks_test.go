package instance

import (
	"context"
	"strings"
	"testing"

	"dossier/plugin/options"
)

// TestNobodyWaitsForATarget: while one target is being made and another ends,
// which takes seconds, other outputs start, flush, say how they are and end.
func TestNobodyWaitsForATarget(t *testing.T) {
	var targets Targets
	running, _ := start(t, &targets, nil)
	begun, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	wait := func() { begun <- struct{}{}; <-goOn }
	go func() {
		defer close(done)
		targets.pool.Acquire("made", func() (*target, error) { wait(); return &target{}, nil })
	}()
	<-begun
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		targets.pool.Acquire("ending", func() (*target, error) { return &target{}, nil })
		targets.pool.Release("ending", func(*target) { wait() })
	}()
	<-begun
	other, _ := start(t, &targets, map[string]string{"index_prefix": "other"})
	for range 3 { // each more at a time than before
		targets.begin()
	}
	if n := targets.most.Load(); n != 3 {
		t.Errorf("%d chunks at a time are known of", n)
	}
	other.Metrics()
	other.Histograms()
	other.Health()
	running.target.heartbeats(running.target.begun, running.target.begun)
	other.Flush("a", nil, true)
	other.Close()
	running.Close()
	close(goOn)
	<-done
	<-ended
}

// TestLastTry: an output that joins one which can't start doesn't start either,
// and one that disagrees is told of that before anything else.
func TestLastTry(t *testing.T) {
	var targets Targets
	a, _ := start(t, &targets, nil)
	defer a.Close()
	<-a.target.tried
	if _, err := targets.acquire(change(a.o, func(o *options.Options) { o.TLP = "RED" }), a.host); err == nil || !strings.Contains(err.Error(), "option tlp: differs") {
		t.Errorf("got %v", err)
	}
	tg, err := targets.acquire(a.o, a.host)
	if err != nil || tg != a.target {
		t.Fatalf("got %p, %v", tg, err)
	}
	targets.release(context.Background(), tg)
	if a.target.committer == nil || len(targets.pool.Values()) != 1 {
		t.Error("it ended under another's feet")
	}
}

func change(o options.Options, how func(*options.Options)) options.Options {
	how(&o)
	return o
}
