package faultproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dossier/testbed/faultproxy"

	"go.uber.org/goleak"
)

func TestFaults(t *testing.T) {
	defer goleak.VerifyNone(t)
	const whole = `{"items":[1,2,3]}`
	var applied atomic.Int32
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		applied.Add(1)
		io.WriteString(w, whole)
	}))
	defer node.Close()
	p, err := faultproxy.New(node.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 300 * time.Millisecond}
	for _, c := range []struct {
		fault   faultproxy.Fault
		status  int // 0: no answer
		body    string
		broken  bool // while the answer is read
		applied int32
	}{
		{fault: faultproxy.Fault{Kind: faultproxy.Pass}, status: 200, body: whole, applied: 1},
		{fault: faultproxy.Fault{Kind: faultproxy.Pass, Delay: time.Millisecond}, status: 200, body: whole, applied: 1},
		{fault: faultproxy.Fault{Kind: faultproxy.Pass, Delay: time.Minute}},
		{fault: faultproxy.Fault{Kind: faultproxy.Reset}},
		{fault: faultproxy.Fault{Kind: faultproxy.Swallow}, applied: 1},
		{fault: faultproxy.Fault{Kind: faultproxy.Late, Delay: 50 * time.Millisecond}, applied: 1},
		{fault: faultproxy.Fault{Kind: faultproxy.Cut}, status: 200, body: whole[:len(whole)/2], broken: true, applied: 1},
		{fault: faultproxy.Fault{Kind: faultproxy.Garbage}, status: 200, body: "<html><body>It works!</body></html>", applied: 1},
		{fault: faultproxy.Fault{Kind: faultproxy.Status}, status: 503, body: "no master"},
		{fault: faultproxy.Fault{Kind: faultproxy.Status, Status: 418, Body: "{}"}, status: 418, body: "{}"},
		{fault: faultproxy.Fault{Kind: faultproxy.Hang}},
	} {
		t.Run(fmt.Sprint(c.fault), func(t *testing.T) {
			applied.Store(0)
			p.SetPlan(func(r *faultproxy.Request) faultproxy.Fault {
				if !r.IsBulk() || string(r.Body) != "body" {
					t.Errorf("%+v", r)
				}
				return c.fault
			})
			before := p.Counts()[c.fault.Kind]
			res, err := client.Post(p.URL+"/_bulk?x=y", "text/plain", strings.NewReader("body"))
			switch {
			case err == nil:
				b, err := io.ReadAll(res.Body)
				res.Body.Close()
				if res.StatusCode != c.status || !strings.Contains(string(b), c.body) || (err != nil) != c.broken {
					t.Errorf("HTTP %d %q, %v", res.StatusCode, b, err)
				}
			case c.status != 0:
				t.Error(err)
			}
			deadline := time.Now().Add(time.Second)
			for applied.Load() != c.applied && time.Now().Before(deadline) {
				time.Sleep(5 * time.Millisecond)
			}
			if applied.Load() != c.applied {
				t.Errorf("applied %d times", applied.Load())
			}
			if got := p.Counts()[c.fault.Kind]; got != before+1 {
				t.Errorf("counted %d", got-before)
			}
		})
	}
}

func TestRandomIsTheSameForASeed(t *testing.T) {
	weights := map[faultproxy.Fault]float64{{Kind: faultproxy.Pass}: 5, {Kind: faultproxy.Reset}: 3, {Kind: faultproxy.Cut}: 2}
	a, b := faultproxy.Random(7, weights), faultproxy.Random(7, weights)
	counts := map[faultproxy.Kind]int{}
	for range 1000 {
		f := a(nil)
		if f != b(nil) {
			t.Fatal("differs")
		}
		counts[f.Kind]++
	}
	if counts[faultproxy.Pass] < 400 || counts[faultproxy.Reset] < 200 || counts[faultproxy.Cut] < 120 {
		t.Error(counts)
	}
}
