package target

import (
	"context"
	"strings"
	"testing"

	"dossier/plugin/options"
)

// TestNobodyWaitsForATarget: while one target is being made and another ends,
// which takes seconds, other outputs start, ask to write, say how they are and end.
func TestNobodyWaitsForATarget(t *testing.T) {
	var pool Pool
	running, _ := start(t, &pool, nil)
	begun, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	wait := func() { begun <- struct{}{}; <-goOn }
	go func() {
		defer close(done)
		pool.targets.Acquire("made", func() (*Target, error) { wait(); return &Target{}, nil })
	}()
	<-begun
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pool.targets.Acquire("ending", func() (*Target, error) { return &Target{}, nil })
		pool.targets.Release("ending", func(*Target) { wait() })
	}()
	<-begun
	other, _ := start(t, &pool, map[string]string{"index_prefix": "other"})
	for range 3 { // each more at a time than before
		pool.Begin()
	}
	if n := pool.most.Load(); n != 3 {
		t.Errorf("%d chunks at a time are known of", n)
	}
	other.target.Figures(other.Member)
	other.target.Requests(other.Member)
	other.target.Health()
	running.target.heartbeats(running.target.begun, running.target.begun)
	other.target.Wait(t.Context())
	other.Close()
	running.Close()
	close(goOn)
	<-done
	<-ended
}

// TestLastTry: an output that joins one which can't start doesn't start either,
// and one that disagrees is told of that before anything else.
func TestLastTry(t *testing.T) {
	var pool Pool
	a, _ := start(t, &pool, nil)
	defer a.Close()
	<-a.target.tried
	h := Host{Logger: a.Logger}
	if _, err := pool.Open(change(a.target.o, func(o *options.Options) { o.TLP = "RED" }), h); err == nil || !strings.Contains(err.Error(), "option tlp: differs") {
		t.Errorf("got %v", err)
	}
	tg, err := pool.Open(a.target.o, h)
	if err != nil || tg != a.target {
		t.Fatalf("got %p, %v", tg, err)
	}
	tg.Close(context.Background())
	if a.target.committer == nil || len(pool.targets.Values()) != 1 {
		t.Error("it ended under another's feet")
	}
}

func change(o options.Options, how func(*options.Options)) options.Options {
	how(&o)
	return o
}
