package operate

import (
	"strings"
	"testing"
	"time"
)

func TestIdleSensor(t *testing.T) {
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		h    heartbeat
		want string
	}{
		"none in an hour": {heartbeat{At: at, Started: at.Add(-time.Hour)}, "note sensor s: no record has come in the 1h0m0s since it started; "},
		"just started":    {heartbeat{At: at, Started: at.Add(-time.Minute)}, ""},
		"one record":      {heartbeat{At: at, Started: at.Add(-time.Hour), RecordsIn: 1}, ""},
		"no start":        {heartbeat{At: at}, ""},
	} {
		var said []string
		k := checker{Target: &Target{version: "test"}, out: func(f Finding) { said = append(said, f.String()) }}
		test.h.Sensor = "s"
		if !k.sensor(test.h, at) {
			t.Errorf("%s: not well: %q", name, said)
		}
		if all := strings.Join(said, "\n"); (all == "") != (test.want == "") || !strings.HasPrefix(all, test.want) {
			t.Errorf("%s: got %q, want %q", name, all, test.want)
		}
	}
}
