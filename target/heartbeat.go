package target

import (
	"context"
	"maps"
	"slices"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/profile"
)

// Beat is how often a sensor says that it is there. One whose heartbeat is
// three times as old is silent.
const Beat = 30 * time.Second

// beat writes the heartbeats until ctx ends. One that fails, or panics, is left
// out: the next one says more.
func (t *Target) beat(ctx context.Context) {
	started := time.Now()
	select {
	case <-t.joined:
	case <-ctx.Done():
		return
	}
	watch := newWatch(t)
	ticker := time.NewTicker(Beat)
	defer ticker.Stop()
	for {
		panics.Do("heartbeat", t.panicked, func() { t.beatOnce(ctx, started, watch) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (t *Target) beatOnce(ctx context.Context, started time.Time, w *watch) {
	w.look(ctx, time.Now())
	ops := t.heartbeats(started, time.Now())
	switch {
	case len(ops) == 0:
	case t.writeHeartbeats(ctx, ops):
		w.written(ops)
	case t.o.APIKey != "": // another one may be in its file by now
		if err := t.wrongKey(ctx); err != nil {
			t.Erred(err.Error())
			t.log.Error("the API key is not for this output", logging.ReasonKey, Class(err), "err", err)
		}
	}
}

// writeHeartbeats says whether all were written.
func (t *Target) writeHeartbeats(ctx context.Context, ops []commit.Op) bool {
	ctx, cancel := context.WithTimeout(ctx, Beat/2)
	defer cancel()
	written, err := t.store.Write(ctx, ops)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		t.log.Warn("the heartbeat could not be written", logging.ReasonKey, Class(err), "err", err)
		return false
	}
	all := true
	for _, w := range written {
		if w.Status != commit.Done {
			t.log.Warn("the heartbeat could not be written", "detail", w.Reason)
			all = false
		}
	}
	return all
}

// heartbeats returns one document for each sensor of the target's members.
func (t *Target) heartbeats(started, now time.Time) []commit.Op {
	members := t.all()
	if len(members) == 0 {
		return nil
	}
	last, at := t.lastErred()
	beats := heartbeats(members, t, t.committer.Stats(), started)
	ops := make([]commit.Op, 0, len(beats))
	for _, h := range beats {
		h.LastError, h.LastErrorAt = last, at
		t.tellTwin(h, now)
		t.tellRate(h, now)
		ops = append(ops, commit.Op{
			Kind: commit.Put, Key: commit.Key{Index: t.indices.Sensors(), ID: h.Sensor},
			Body: profile.AppendSensor(nil, now, h),
		})
	}
	return ops
}

// told is how many records a heartbeat counted, and when.
type told struct {
	at      time.Time
	records int64
}

// tellRate puts the records a second since the sensor's heartbeat before into
// this one.
func (t *Target) tellRate(h *profile.Heartbeat, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, any := t.told[h.Sensor]
	if t.told == nil {
		t.told = make(map[string]told)
	}
	t.told[h.Sensor] = told{now, h.RecordsIn}
	// Fewer than before: an output of the sensor's has ended meanwhile.
	if d := now.Sub(before.at); any && d > 0 && h.RecordsIn > before.records {
		h.RecordsPerSecond = float64(h.RecordsIn-before.records) / d.Seconds()
	}
}

// heartbeats returns what each sensor of the members says. c, which they have in
// common, is said by the first.
func heartbeats(members []*Member, t *Target, c commit.Stats, started time.Time) []*profile.Heartbeat {
	var beats []*profile.Heartbeat
	bySensor := make(map[string]*profile.Heartbeat)
	refused := make(map[*profile.Heartbeat]*[dialect.ReasonCount]int64)
	dropped := make(map[*profile.Heartbeat]map[string]int64)
	ownerless := make(map[*profile.Heartbeat]map[string]int64)
	for _, m := range members {
		h := bySensor[m.Sensor]
		if h == nil {
			h = &profile.Heartbeat{Sensor: m.Sensor, Version: m.Version, StateVersion: commit.Major, Started: started}
			bySensor[m.Sensor] = h
			refused[h] = new([dialect.ReasonCount]int64)
			dropped[h] = make(map[string]int64)
			ownerless[h] = make(map[string]int64)
			beats = append(beats, h)
		}
		s := m.Stats()
		add(h, refused[h], &s)
		for program, n := range s.Dropped {
			dropped[h][program] += n
		}
		for decoy, n := range s.Ownerless {
			ownerless[h][decoy] += n
		}
		h.Panics += m.Panics() + t.panicsFor(m)
	}
	first := beats[0]
	first.ChunksSkipped, first.DocumentsWritten = c.Skipped, c.DocumentsWritten
	first.DeadLetters += c.Buried
	first.Panics += c.Panics
	first.Conflicts, first.ExactnessAtRisk = c.Conflicts, c.AtRisk
	first.CacheDocuments, first.CacheBytes = c.CacheEntries, c.CacheBytes
	for _, h := range beats {
		for _, r := range dialect.Reasons() {
			if n := refused[h][r]; n > 0 && r.Class() != dialect.Parsed {
				h.Reasons = append(h.Reasons, profile.RefusalCount{Verdict: r.Class().String(), Reason: r.String(), Count: n})
			}
		}
		for _, decoy := range slices.Sorted(maps.Keys(ownerless[h])) {
			h.Ownerless = append(h.Ownerless, profile.DecoyCount{Decky: decoy, Count: ownerless[h][decoy]})
		}
		for _, program := range slices.Sorted(maps.Keys(dropped[h])) {
			h.DroppedPrograms = append(h.DroppedPrograms, profile.ProgramCount{Program: program, Count: dropped[h][program]})
		}
	}
	return beats
}

// add adds what an engine counted.
func add(h *profile.Heartbeat, refused *[dialect.ReasonCount]int64, s *correlate.Stats) {
	h.RecordsIn += s.Records
	h.RecordsOut += s.Events
	h.ChunksIn += s.ChunksOK + s.ChunksRetry + s.ChunksError
	h.ChunksOut += s.ChunksOK
	h.BytesIn += s.Bytes
	h.Malformed += s.Malformed
	h.Retries += s.ChunksRetry
	h.ClockSkew += s.ClockSkew
	h.ServiceGuessed += s.ServiceGuessed
	h.Lag = max(h.Lag, s.Lag)
	if g := s.Gateway; g.Hides() && g.Events > h.GatewayEvents {
		h.Gateway, h.GatewayEvents = g.Addr.String(), g.Events
	}
	h.DeadLetters += s.ChunksError + s.Broken
	for i, n := range s.Refused {
		refused[i] += n
		switch dialect.Reason(i).Class() {
		case dialect.Unattributed:
			h.Unattributed += n
		case dialect.Unparsed:
			h.Unparsed += n
		case dialect.Dropped:
			h.Dropped += n
		}
	}
}
