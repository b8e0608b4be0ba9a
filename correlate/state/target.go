package state

import (
	"dossier/correlate/event"
	"dossier/correlate/law"
)

// Target is one mail domain that one address aimed at.
type Target struct {
	First, Last event.Time
	// Count counts the events that name the domain, each once.
	Count int64
	// Accepted and Denied count recipients by what the decoy answered,
	// Messages the mails it took.
	Accepted, Denied, Messages int64
	Services, Deckies, Sensors law.Bottom
	// Summary is as an hour's.
	Summary law.Latest
	carried
}

// targetTable has the fields of a mail domain in the order in which they are
// written.
var targetTable = table[Target]{
	number("f", lawMin, "time of the oldest event that names the domain", func(s *Target) *int64 { return (*int64)(&s.First) }),
	number("l", lawMax, "time of the newest", func(s *Target) *int64 { return (*int64)(&s.Last) }),
	number("n", lawSum, "events that name it", func(s *Target) *int64 { return &s.Count }),
	number("a", lawSum, "recipients that a decoy took", func(s *Target) *int64 { return &s.Accepted }),
	number("r", lawSum, "recipients that one refused", func(s *Target) *int64 { return &s.Denied }),
	number("m", lawSum, "mails that a decoy took", func(s *Target) *int64 { return &s.Messages }),
	keys("s", "services", &LimitSmall, func(s *Target) *law.Bottom { return &s.Services }),
	keys("d", "decoys", &LimitDecoys, func(s *Target) *law.Bottom { return &s.Deckies }),
	keys("sn", "sensors", &LimitSensors, func(s *Target) *law.Bottom { return &s.Sensors }),
	latest("su", "the attacker as of the write with most events", maxSummary, func(s *Target) *law.Latest { return &s.Summary }),
}

// By has the lists of s rank keys by r. It is called before Reset or Decode.
func (s *Target) By(r law.Rank) { targetTable.by(s, &s.carried, r) }

// Reset empties s and keeps the memory of its lists.
func (s *Target) Reset() { targetTable.reset(s, &s.carried) }

// Append appends the encoded state.
func (s *Target) Append(dst []byte) []byte { return targetTable.append(dst, s, &s.carried) }

// Decode reads an encoded state in place of what s holds. The result is a view
// of src.
func (s *Target) Decode(src []byte) error {
	s.Reset()
	if err := targetTable.decode(src, s, &s.carried); err != nil {
		return err
	}
	targetTable.settle(s, &s.carried, s.Count)
	return nil
}

// Fold adds the events that name domain.
func (s *Target) Fold(sensor, domain string, events []*event.Event) {
	for _, ev := range events {
		if ev.Role == event.Prober || !ev.Proof.Proven() {
			continue
		}
		named := false
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			if e.Domain() != domain || e.Kind != event.Recipient && e.Kind != event.Message {
				continue
			}
			named = true
			switch {
			case e.Kind == event.Message:
				s.Messages++
			case e.Outcome == event.Success:
				s.Accepted++
			case e.Outcome == event.Failure:
				s.Denied++
			}
		}
		if !named {
			continue
		}
		s.Count++
		s.First = law.Earliest(s.First, ev.Time)
		s.Last = max(s.Last, ev.Time)
		if ev.Service != "" {
			s.Services.Add(law.Entry{Key: ev.Service, Count: 1}, LimitSmall)
		}
		if ev.Decky != "" {
			s.Deckies.Add(law.Entry{Key: ev.Decky, Count: 1}, LimitDecoys)
		}
		if sensor != "" {
			s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
		}
	}
}
