package target

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"dossier/correlate/commit"
	"dossier/plugin/logging"
	"dossier/profile"
)

// idleAfter is how long an output may be without a record before that is said
// once: its input may read a file that isn't there, or its match no tag.
const idleAfter = 10 * time.Minute

// watch looks with each heartbeat for what no chunk shows: outputs that no
// record comes to, and another process that writes heartbeats by the same
// name. Only the heartbeats' goroutine uses it.
type watch struct {
	t     *Target
	since map[*Member]time.Time
	told  map[*Member]bool
	wrote map[string]string // by sensor: started_at of the heartbeat written last
}

func newWatch(t *Target) *watch {
	return &watch{t: t, since: make(map[*Member]time.Time), told: make(map[*Member]bool), wrote: make(map[string]string)}
}

// look looks once.
func (w *watch) look(ctx context.Context, now time.Time) {
	w.idle(now)
	w.twins(ctx)
}

// idle tells once of each output to which no record has come.
func (w *watch) idle(now time.Time) {
	members := w.t.all()
	for m := range w.since {
		if !slices.Contains(members, m) {
			delete(w.since, m)
			delete(w.told, m)
		}
	}
	for _, m := range members {
		since, known := w.since[m]
		if !known {
			since = now
			w.since[m] = now
		}
		if w.told[m] || now.Sub(since) < idleAfter {
			continue
		}
		// One that had a record once is not looked at again.
		w.told[m] = true
		if m.Stats().Records == 0 {
			m.Logger.Warn("no record has come since the start: look whether the input's file is there and the output's match fits its tag", "for", now.Sub(since).Round(time.Second))
		}
	}
}

// twins reads the heartbeats that were written last. One that has another
// start was written since by another process with the same sensor_id: between
// two heartbeats of this process nobody else's has a place there.
func (w *watch) twins(ctx context.Context) {
	if len(w.wrote) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, Beat/4)
	defer cancel()
	var ids []string
	for id := range w.wrote {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	body, err := json.Marshal(map[string][]string{"ids": ids})
	if err != nil {
		return
	}
	var found struct {
		Docs []struct {
			ID     string `json:"_id"`
			Source struct {
				Started string `json:"started_at"`
			} `json:"_source"`
		} `json:"docs"`
	}
	path := "/" + w.t.indices.Sensors() + "/_mget?_source_includes=started_at&filter_path=docs._id,docs._source"
	if err := w.t.link.Client.Call(ctx, "read the heartbeats", http.MethodPost, path, body, &found); err != nil {
		return // whatever it is, the next write says it
	}
	for _, d := range found.Docs {
		mine := w.wrote[d.ID]
		w.t.setTwin(d.ID, mine != "" && d.Source.Started != "" && d.Source.Started != mine)
	}
}

// written keeps what the heartbeats that were written say.
func (w *watch) written(ops []commit.Op) {
	clear(w.wrote)
	for _, op := range ops {
		var h struct {
			Started string `json:"started_at"`
		}
		if json.Unmarshal(op.Body, &h) == nil {
			w.wrote[op.Key.ID] = h.Started
		}
	}
}

const twinText = "another process writes heartbeats with this sensor_id: give each sensor one of its own, or their counts replace each other here"

// setTwin keeps whether another process has the sensor's name, and says so
// when that begins.
func (t *Target) setTwin(sensor string, is bool) {
	t.mu.Lock()
	was := t.twins[sensor]
	if t.twins == nil {
		t.twins = make(map[string]bool)
	}
	t.twins[sensor] = is
	t.mu.Unlock()
	if is && !was {
		t.log.Warn("another process writes heartbeats with this sensor_id: give each sensor one of its own", logging.ReasonKey, "twin", "sensor", sensor)
	}
}

// tellTwin puts the twin into the heartbeat, unless an error of just now is
// there.
func (t *Target) tellTwin(h *profile.Heartbeat, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.twins[h.Sensor] && now.Sub(h.LastErrorAt) > 2*Beat {
		h.LastError, h.LastErrorAt = twinText, now
	}
}
