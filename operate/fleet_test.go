package operate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dossier/profile"
)

// TestFleet: every sensor is there, however many there are, with its own
// figures; the silent ones come first, and a heartbeat that no sensor writes
// spoils nobody else's.
func TestFleet(t *testing.T) {
	target, node := plain(t, true, nil)
	if fleet, _, err := target.Fleet(t.Context()); err != nil || len(fleet) != 0 {
		t.Fatalf("an empty fleet: %v, %v", fleet, err)
	}
	now := time.Now().UTC()
	target.now = func() time.Time { return now }
	var bulk bytes.Buffer
	put := func(id string, doc []byte) {
		fmt.Fprintf(&bulk, "{\"index\":{\"_id\":%q}}\n%s\n", id, doc)
	}
	beat := func(name string, ago time.Duration, h profile.Heartbeat) {
		h.Sensor, h.Version, h.Started = name, "test", now.Add(-3*time.Hour)
		put(name, profile.AppendSensor(nil, now.Add(-ago), &h))
	}
	const many = 2007
	for n := range many {
		beat(fmt.Sprintf("many-%05d", n), time.Duration(n%60)*time.Second, profile.Heartbeat{RecordsIn: int64(n) + 1})
	}
	beat("z-silent", 2*time.Minute, profile.Heartbeat{})
	beat("a-ahead", -time.Minute, profile.Heartbeat{})
	beat("y-letters", time.Second, profile.Heartbeat{
		DeadLetters: 3, RecordsIn: 5000, RecordsPerSecond: 12.5, Lag: 90 * time.Second, Retries: 4, Reasons: []profile.RefusalCount{{Verdict: "unparsed", Reason: "x", Count: 1}},
		Unparsed: 7, LastError: "one\nline \x1b[31m", LastErrorAt: now,
	})
	put("b-odd", []byte(`{"sensor":"b-odd","last_error":["two","errors"]}`))
	var answer struct {
		Errors bool `json:"errors"`
	}
	body, err := json.Marshal(node.Must(t, "POST", "/"+target.indices.Sensors()+"/_bulk?refresh=true", bulk.String()))
	if err != nil || json.Unmarshal(body, &answer) != nil || answer.Errors {
		t.Fatalf("%v %.500s", err, body)
	}

	fleet, more, err := target.Fleet(t.Context())
	if err != nil || more {
		t.Fatal(err)
	}
	var names []string
	for _, s := range fleet[:5] {
		names = append(names, s.Name+" "+string(s.State))
	}
	if got, want := strings.Join(names, ", "), "b-odd silent, z-silent silent, a-ahead unwell, y-letters unwell, many-00000 well"; got != want {
		t.Errorf("first come %s, want %s", got, want)
	}
	if len(fleet) != many+4 {
		t.Errorf("%d sensors, want %d", len(fleet), many+4)
	}
	for i, s := range fleet[4:] {
		if want := fmt.Sprintf("many-%05d", i); s.Name != want || s.State != Well || s.Records != int64(i)+1 || len(s.Findings) != 0 {
			t.Fatalf("at %d is %+v, want %s", i, s, want)
		}
	}
	s := fleet[3]
	if s.Letters != 3 || s.Records != 5000 || s.Rate != 12.5 || s.Lag != Seconds(90*time.Second) || s.Retries != 4 || s.Unparsed != 7 ||
		s.LastError != "one?line ?[31m" || s.Version != "test" || s.At.Sub(s.Started).Round(time.Second) != 3*time.Hour-time.Second || len(s.Findings) != 2 {
		t.Errorf("got %+v", s)
	}
	if b, err := json.Marshal(s); err != nil || !strings.Contains(string(b), `"age_s":1,`) || !strings.Contains(string(b), `"lag_s":90,`) {
		t.Errorf("%v %s", err, b)
	}
	if f := fleet[0].Findings; len(f) != 1 || !strings.Contains(f[0].Text, "can't be read") {
		t.Errorf("got %v", f)
	}
	if got := findings(t, target, "setup", "sensors"); got != fmt.Sprintf("WARN sensors: %d of %d well", many, many+4) {
		t.Errorf("check says %s", got)
	}
}

// TestANewerMajorVersionWaitsForOlderSensors: only those that write count, and
// they are named.
func TestANewerMajorVersionWaitsForOlderSensors(t *testing.T) {
	target, node := plain(t, true, nil)
	beat := func(name string, ago time.Duration, states int) {
		h := profile.Heartbeat{Sensor: name, Version: "1.4", StateVersion: states}
		node.Must(t, "PUT", target.indices.Sensors()+"/_doc/"+name+"?refresh=true", json.RawMessage(profile.AppendSensor(nil, time.Now().Add(-ago), &h)))
	}
	beat("new", 0, 2)
	beat("gone", 2*time.Minute, 1)
	if err := target.allowMajor(t.Context(), 2); err != nil {
		t.Error(err)
	}
	beat("old", 0, 1)
	beat("older", 0, 0) // says nothing of it
	err := target.allowMajor(t.Context(), 2)
	if want := "states of version 2 are not for the sensors that write now: update them first, or stop them for 1m30s: old (version 1.4), older (version 1.4)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := target.allowMajor(t.Context(), 1); err != nil {
		t.Error(err)
	}
}
