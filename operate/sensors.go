package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

const (
	// silence is how old a heartbeat may be: three of them.
	silence = 90 * time.Second
	// errorStays is for how long a sensor's last error is a warning: until its
	// heartbeats are so much younger.
	errorStays = 10 * time.Minute
	// longLag is from when on a sensor is said to be behind.
	longLag = 10 * time.Minute
	// maxSensors is how many heartbeats are read: as many hits as a search gives
	// by default (index.max_result_window).
	maxSensors = 10_000
)

// heartbeat is what is read of a sensor's document.
type heartbeat struct {
	At          time.Time   `json:"@timestamp"`
	Sensor      string      `json:"sensor"`
	Version     string      `json:"version"`
	States      int         `json:"state_version"`
	DeadLetters int64       `json:"dead_letters"`
	AtRisk      int64       `json:"exactness_at_risk"`
	Unparsed    int64       `json:"unparsed"`
	Gateway     string      `json:"gateway"`
	Behind      int64       `json:"gateway_events"`
	RecordsIn   int64       `json:"records_in"`
	Rate        float64     `json:"records_per_second"`
	LagS        int64       `json:"lag_s"`
	Retries     int64       `json:"retries"`
	Started     time.Time   `json:"started_at"`
	Programs    []dropped   `json:"dropped_programs"`
	Ownerless   []ownerless `json:"ownerless_commands"`
	LastError   string      `json:"last_error"`
	LastErrorAt time.Time   `json:"last_error_at"`
	unreadable  bool
}

// heartbeats reads the last heartbeat of each sensor, those that are oldest
// first, and says whether there are more than maxSensors. One search reads them
// all: pages by a name that a heartbeat claims could be made to skip others.
func (t *Target) heartbeats(ctx context.Context) (all []heartbeat, more bool, err error) {
	body, err := json.Marshal(map[string]any{
		"size": maxSensors, "track_total_hits": maxSensors + 1, "_source": heartbeatFields,
		"sort": []any{map[string]any{"@timestamp": map[string]any{"order": "asc", "missing": "_first", "unmapped_type": "date"}}},
	})
	if err != nil {
		return nil, false, err
	}
	var found struct {
		Hits struct {
			Total struct {
				Value int `json:"value"`
			} `json:"total"`
			Hits []struct {
				ID     string          `json:"_id"`
				Source json.RawMessage `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	path := fmt.Sprintf("/%s/_search?filter_path=hits.total,hits.hits._id,hits.hits._source", t.indices.Sensors())
	if err := t.client.Call(ctx, "read the heartbeats", http.MethodPost, path, body, &found); err != nil {
		return nil, false, err
	}
	for _, hit := range found.Hits.Hits {
		h := heartbeat{}
		if json.Unmarshal(hit.Source, &h) != nil { // one that no sensor writes spoils no other
			h = heartbeat{Sensor: hit.ID, unreadable: true}
		}
		all = append(all, h)
	}
	return all, found.Hits.Total.Value > len(all), nil
}

// heartbeatFields are what is read of a heartbeat: whoever has a sensor's key may
// write anything beside them.
var heartbeatFields = func() (names []string) {
	for field := range reflect.TypeFor[heartbeat]().Fields() {
		if name := field.Tag.Get("json"); name != "" {
			names = append(names, name)
		}
	}
	return names
}()

// sensors tells how the sensors are.
func (k *checker) sensors(ctx context.Context) {
	const subject = "sensors"
	found, more, err := k.heartbeats(ctx)
	if isMissing(err) {
		return // said before
	}
	if err != nil {
		k.failed(subject, err)
		return
	}
	if len(found) == 0 {
		k.say(Note, subject, "", "none has written a heartbeat yet")
		return
	}
	if more {
		k.say(Warning, subject, "let dossier retain delete those that are gone", "there are more than %d; the others, whose heartbeats are younger, are not looked at", maxSensors)
	}
	now := k.now()
	well := 0
	for _, h := range found {
		if k.sensor(h, now) {
			well++
		}
	}
	level := OK
	if well < len(found) {
		level = Warning
	}
	k.say(level, subject, "", "%d of %d well", well, len(found))
}

// sensor tells what is wrong with one sensor, and whether nothing is. What a
// heartbeat says may come from whoever owns that host.
func (k *checker) sensor(h heartbeat, now time.Time) bool {
	name := "sensor " + line(h.Sensor)
	if text := droppedText(h.Programs); text != "" {
		k.say(Note, name, "set drop_apps there where these are not DECNET's own", "lines left out by drop_apps: %s", text)
	}
	if text := ownerlessText(h.Ownerless); text != "" {
		k.say(Note, name, "SSH_CLIENT was unset there, or the hook of that shell doesn't tell it", "commands that nobody is known to have given: %s", text)
	}
	well := true
	wrong := func(l Level, fix, format string, args ...any) {
		well = false
		k.say(l, name, fix, format, args...)
	}
	const until = " (counted, and said here, until it starts again)"
	age := now.Sub(h.At)
	switch {
	case h.unreadable:
		wrong(Warning, "look who else has its key: dossier keys list; no sensor writes such a one", "its heartbeat can't be read")
	case h.At.IsZero():
		wrong(Warning, "", "its heartbeat has no time")
	case age > silence:
		wrong(Warning, "look at Fluent Bit's log there; a sensor that is gone for good is forgotten by dossier retain",
			"silent for %s", age.Round(time.Second))
	case age < -skew:
		wrong(Warning, "set up NTP there", "its clock is %s ahead of this host's", (-age).Round(time.Millisecond))
	}
	if h.DeadLetters > 0 {
		wrong(Warning, "fix the cause, then dossier replay on that host", "%d dead letters since it started%s", h.DeadLetters, until)
	}
	if h.AtRisk > 0 {
		wrong(Warning, "look at its log: documents could not be written for longer than the ledger is kept",
			"%d chunk ids aged out without a marker: a redelivery counts twice%s", h.AtRisk, until)
	}
	if h.RecordsIn > 1000 && h.Unparsed > h.RecordsIn/20 {
		wrong(Warning, "look at its input; field_map teaches further formats", "%d of %d records are in no known form", h.Unparsed, h.RecordsIn)
	}
	if lag := time.Duration(h.LagS) * time.Second; lag > longLag && age <= silence {
		k.say(Note, name, "unless it reads old logs, look whether it keeps up: docs/performance.md", "the chunk that it finished last was %s old", lag)
	}
	if h.Gateway != "" {
		wrong(Warning, "let the decoys see who connects: host networking or userland-proxy off for Docker, no SNAT in front of them, or a load balancer "+
			"that passes the address on; a decoy's or load balancer's own checks can be left out with exclude",
			"the private address %s is behind more than nine tenths of everything (%d events): a NAT or a container's bridge hides the attackers", line(h.Gateway), h.Behind)
	}
	if before := max(0, h.At.Sub(h.LastErrorAt)); h.LastError != "" && before < errorStays {
		wrong(Warning, "docs/log.md explains each", "last error %s before its heartbeat: %s; it stays here until %s if none follows",
			before.Round(time.Second), line(h.LastError), h.LastErrorAt.Add(errorStays).UTC().Format(time.RFC3339))
	}
	k.idle(name, h)
	if h.Version != "" && h.Version != k.version {
		k.say(Note, name, "", "runs version %s, this command is %s", line(h.Version), k.version)
	}
	return well
}

// State is how a sensor is.
type State string

// The states.
const (
	Silent State = "silent" // no heartbeat for 90 seconds
	Unwell State = "unwell" // dossier check warns of it
	Well   State = "well"
)

// Sensor is one sensor of a fleet, by its last heartbeat. Counts are those since
// it started. What a heartbeat says may come from whoever owns that host: text is
// one line of plain ASCII.
type Sensor struct {
	Name    string    `json:"sensor"`
	State   State     `json:"state"`
	Version string    `json:"version"`
	At      time.Time `json:"heartbeat_at"`
	Started time.Time `json:"started_at"`
	// Age is how old the heartbeat is by this host's clock; below zero where the
	// sensor's clock is ahead.
	Age       Seconds `json:"age_s"`
	Records   int64   `json:"records_in"`
	Rate      float64 `json:"records_per_second"`
	Lag       Seconds `json:"lag_s"`
	Retries   int64   `json:"retries"`
	Letters   int64   `json:"dead_letters"`
	Unparsed  int64   `json:"unparsed"`
	LastError string  `json:"last_error,omitempty"`
	// Findings are what dossier check says of it.
	Findings []Finding `json:"findings"`
}

// Seconds is a time as a number of seconds in JSON.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Round(100 * time.Millisecond).Seconds())
}

// Fleet returns all sensors: the silent ones first, then those that are unwell,
// each by name. Of more than 10,000 it returns those that are silent longest, and
// says that there are more.
func (t *Target) Fleet(ctx context.Context) (fleet []Sensor, more bool, err error) {
	found, more, err := t.heartbeats(ctx)
	if err != nil {
		return nil, false, err
	}
	now := t.now()
	fleet = make([]Sensor, 0, len(found))
	for _, h := range found {
		fleet = append(fleet, t.sensorOf(h, now))
	}
	rank := func(s State) int { return slices.Index([]State{Silent, Unwell, Well}, s) }
	slices.SortStableFunc(fleet, func(a, b Sensor) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), strings.Compare(a.Name, b.Name))
	})
	return fleet, more, nil
}

// sensorOf judges a heartbeat as Check does.
func (t *Target) sensorOf(h heartbeat, now time.Time) Sensor {
	s := Sensor{
		Name: line(h.Sensor), State: Well, Version: line(h.Version), At: h.At, Started: h.Started, Age: Seconds(now.Sub(h.At)),
		Records: h.RecordsIn, Rate: h.Rate, Lag: Seconds(time.Duration(h.LagS) * time.Second),
		Retries: h.Retries, Letters: h.DeadLetters, Unparsed: h.Unparsed, LastError: line(h.LastError), Findings: []Finding{},
	}
	k := checker{Target: t, out: func(f Finding) { s.Findings = append(s.Findings, f) }}
	if !k.sensor(h, now) {
		s.State = Unwell
	}
	if time.Duration(s.Age) > silence {
		s.State = Silent
	}
	return s
}

// allowMajor returns an error that names the sensors that write and know no
// states of that major version: they would give back every chunk that meets one.
func (t *Target) allowMajor(ctx context.Context, major int) error {
	if major <= 1 {
		return nil // every sensor knows those
	}
	found, _, err := t.heartbeats(ctx)
	if isMissing(err) {
		return nil // nothing is set up yet
	}
	if err != nil {
		return err
	}
	var old []string
	for _, h := range found {
		if age := t.now().Sub(h.At); age <= silence && max(h.States, 1) < major {
			old = append(old, fmt.Sprintf("%s (version %s)", line(h.Sensor), line(h.Version)))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return fmt.Errorf("states of version %d are not for the sensors that write now: update them first, or stop them for %s: %s", major, silence, some(old))
}
