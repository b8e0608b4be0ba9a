package enrich

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dossier/panics"
)

// panickyZone panics over the first question.
type panickyZone struct{ asked atomic.Int32 }

func (z *panickyZone) LookupAddr(context.Context, string) ([]string, error) {
	if z.asked.Add(1) == 1 {
		panic("a resolver")
	}
	return []string{"host.example."}, nil
}

// TestPanicOverAName costs that name alone.
func TestPanicOverAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []*panics.Panic
		n := NewNames(NamesOptions{Resolver: new(panickyZone), Workers: 1, OnPanic: func(p *panics.Panic) { told = append(told, p) }})
		defer n.Close()
		first, second := netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("1.2.3.5")
		n.Name(first)
		synctest.Wait()
		n.Name(second)
		synctest.Wait()
		if a, b := n.Name(first), n.Name(second); a != "" || b != "host.example" {
			t.Errorf("got %q and %q", a, b)
		}
		if len(told) != 1 || told[0].During != "names" || !strings.Contains(told[0].Stack, "panickyZone") {
			t.Errorf("told %v", told)
		}
	})
}

// TestPanicWhileReloading: the files are looked at again after it.
func TestPanicWhileReloading(t *testing.T) {
	path := t.TempDir() + "/x.mmdb"
	if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		errs, told := 0, 0
		f := &Files{stop: make(chan struct{}), o: Options{
			Check: time.Second,
			OnError: func(error) {
				if errs++; errs == 1 {
					panic(errors.New("who is told"))
				}
			},
			OnPanic: func(p *panics.Panic) {
				if told++; p.During != "databases" {
					t.Errorf("during %q", p.During)
				}
			},
		}}
		f.country = &file{path: path, info: &past{}}
		f.done.Add(1)
		go f.watch()
		time.Sleep(3500 * time.Millisecond)
		close(f.stop)
		f.done.Wait()
		if errs != 3 || told != 1 {
			t.Errorf("%d errors and %d panics are told", errs, told)
		}
	})
}

// past is about another file.
type past struct{ os.FileInfo }
