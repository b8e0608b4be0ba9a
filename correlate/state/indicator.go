package state

import (
	"crypto/sha256"
	"encoding/hex"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// The bounds of an indicator. All writers of a prefix write the document of a
// URL that everybody uses, so that it is kept small.
var (
	LimitIndicatorAttackers = law.Limit{Keys: 128, Bytes: 9 << 10, Entry: 72, Firsts: 4}
	LimitIndicatorSmall     = law.Limit{Keys: 32, Bytes: 1664, Entry: 104}
	LimitIndicatorDeckies   = law.Limit{Keys: 32, Bytes: 4608, Entry: 288}
)

// Indicator is one thing that attackers used beyond the decoys.
type Indicator struct {
	First, Last event.Time
	// Count counts the events that name it, each once. Of these Claimed are
	// those whose address isn't proven, and Fetched what decoys did themselves.
	Count, Claimed, Fetched int64
	// Uses counts those events by how they use it.
	Uses law.Bottom
	// Attackers has the ids of the attackers' documents, proven.
	Attackers                  law.Bottom
	Services, Deckies, Sensors law.Bottom
	carried
}

// indicatorTable has the fields of an indicator in the order in which they are
// written.
var indicatorTable = table[Indicator]{
	number("f", lawMin, "time of the oldest event that names it", func(s *Indicator) *int64 { return (*int64)(&s.First) }),
	number("l", lawMax, "time of the newest", func(s *Indicator) *int64 { return (*int64)(&s.Last) }),
	number("n", lawSum, "events that name it", func(s *Indicator) *int64 { return &s.Count }),
	number("c", lawSum, "those whose address is not proven", func(s *Indicator) *int64 { return &s.Claimed }),
	number("x", lawSum, "those that are a decoy's own", func(s *Indicator) *int64 { return &s.Fetched }),
	keys("u", "how it is used", &LimitIndicatorSmall, func(s *Indicator) *law.Bottom { return &s.Uses }),
	keys("a", "attackers that are proven", &LimitIndicatorAttackers, func(s *Indicator) *law.Bottom { return &s.Attackers }),
	keys("s", "services", &LimitIndicatorSmall, func(s *Indicator) *law.Bottom { return &s.Services }),
	keys("d", "decoys", &LimitIndicatorDeckies, func(s *Indicator) *law.Bottom { return &s.Deckies }),
	keys("sn", "sensors", &LimitSensors, func(s *Indicator) *law.Bottom { return &s.Sensors }),
}

// IndicatorID returns the id of a thing's document: the SHA-256 of kind, NUL
// and value.
func IndicatorID(kind, value string) string {
	h := sha256.New()
	h.Write(event.Bytes(kind))
	h.Write([]byte{0})
	h.Write(event.Bytes(value))
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0]))
}

// By has the lists of s rank keys by r. It is called before Reset or Decode.
func (s *Indicator) By(r law.Rank) { indicatorTable.by(s, &s.carried, r) }

// Reset empties s and keeps the memory of its lists.
func (s *Indicator) Reset() { indicatorTable.reset(s, &s.carried) }

// Append appends the encoded state.
func (s *Indicator) Append(dst []byte) []byte { return indicatorTable.append(dst, s, &s.carried) }

// Decode reads an encoded state in place of what s holds. The result is a view
// of src.
func (s *Indicator) Decode(src []byte) error {
	s.Reset()
	if err := indicatorTable.decode(src, s, &s.carried); err != nil {
		return err
	}
	indicatorTable.settle(s, &s.carried, s.Count)
	return nil
}

// Fold adds an event of the attacker with that id that uses it so.
func (s *Indicator) Fold(sensor, attacker, use string, ev *event.Event) {
	s.Count++
	s.First = law.Earliest(s.First, ev.Time)
	s.Last = max(s.Last, ev.Time)
	s.Uses.Add(law.Entry{Key: use, Count: 1}, LimitIndicatorSmall)
	switch {
	case ev.Role == event.Contact:
		s.Fetched++
	case ev.Proof.Proven():
		s.Attackers.See(attacker, ev.Time, 0, "", &LimitIndicatorAttackers)
	default:
		s.Claimed++
	}
	if ev.Service != "" {
		s.Services.Add(law.Entry{Key: ev.Service, Count: 1}, LimitIndicatorSmall)
	}
	if ev.Decky != "" {
		s.Deckies.Add(law.Entry{Key: ev.Decky, Count: 1}, LimitIndicatorDeckies)
	}
	if sensor != "" {
		s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
	}
}

// Forget takes an attacker out and says whether it was there. What it did stays
// counted.
func (s *Indicator) Forget(attacker string) bool {
	return s.Attackers.Remove(attacker, &LimitIndicatorAttackers)
}

// OpensIndicators says whether an event tells of a thing beyond the decoy that has a
// document: what a session, a shell or a decoy itself shows. What anybody could
// say in another's name opens none.
func OpensIndicators(ev *event.Event) bool {
	return ev.Role != event.Prober && (ev.Role == event.Contact || ev.Proof >= event.ByShell)
}
