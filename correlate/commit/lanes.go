package commit

import (
	"slices"
	"time"
)

// lane separates contended documents, whose writes must follow their reads at
// once, from the many others. Each has one task at a time.
type lane uint8

const (
	calm lane = iota
	hot
	// ahead takes calm documents too, while the write of the calm lane is on its
	// way: where that left so much behind that it is another full write.
	ahead
	laneCount
)

// queue returns the lane whose documents l takes.
func (l lane) queue() lane {
	if l == ahead {
		return calm
	}
	return l
}

const (
	// hotFor is how many writes without a conflict make a document calm again.
	hotFor = 4
	// maxContended bounds the documents remembered as contended.
	maxContended = 1 << 14
	// patience is the part of its time that a chunk may wait for others.
	patience = 8
)

// lanes holds the documents that are ready for a task and the tasks under way.
type lanes struct {
	fullWrite int           // documents that are worth a write of their own
	gather    time.Duration // see MachineOptions.Gather

	ready [ahead][]*document // calm and hot
	busy  [laneCount]*task
	// expected is how many chunks will be submitted soon. What is calm waits for
	// them until gathered, but for the backlog that earlier tasks left.
	expected int
	gathered time.Time
	backlog  int
	// contended counts for each document the writes it has to go until it is calm.
	contended map[Key]int
}

// add makes d ready in the lane it belongs to.
func (s *lanes) add(d *document, now time.Time) {
	l := calm
	if s.contended[d.key] > 0 {
		l = hot
	}
	if l == calm && len(s.ready[l]) == 0 {
		s.gathered = now.Add(s.gather)
	}
	s.ready[l] = append(s.ready[l], d)
}

// hurry shortens the wait for others for the sake of a chunk with that
// deadline.
func (s *lanes) hurry(deadline, now time.Time) {
	if by := now.Add(deadline.Sub(now) / patience); by.Before(s.gathered) {
		s.gathered = by
	}
}

// taken takes out the first n documents that were ready for l.
func (s *lanes) taken(l lane, n int) {
	q := l.queue()
	s.ready[q] = slices.Delete(s.ready[q], 0, n)
	if q != calm {
		return
	}
	s.backlog = max(0, s.backlog-n)
	if s.busy[calm] == nil && s.busy[ahead] == nil {
		s.backlog = len(s.ready[calm])
	}
}

// canStart says whether the lane may take what is ready for it.
func (s *lanes) canStart(l lane, now time.Time) bool {
	return l == hot || s.isFree(l) && (s.expected == 0 || !now.Before(s.gathered))
}

// isFree says whether no task under way keeps a lane of calm documents from
// starting.
func (s *lanes) isFree(l lane) bool {
	other := s.busy[calm+ahead-l]
	if other == nil {
		return l == calm
	}
	// What has come since collects: it is written once when this is done.
	return other.phase >= writing && s.backlog >= s.fullWrite
}

// idle says whether no task is under way.
func (s *lanes) idle() bool { return s.busy == [laneCount]*task{} }

// waitsForOthers says whether what is ready waits for chunks that are expected.
func (s *lanes) waitsForOthers() bool {
	return len(s.ready[calm]) > 0 && (s.busy[calm] == nil && s.isFree(calm) || s.busy[ahead] == nil && s.isFree(ahead))
}

// conflicted notes that another process wrote the document.
func (s *lanes) conflicted(k Key) {
	if len(s.contended) >= maxContended {
		clear(s.contended)
	}
	if !weakened("contended documents written with the others") {
		s.contended[k] = hotFor
	}
}

// undisturbed notes a write without a conflict.
func (s *lanes) undisturbed(k Key) {
	if n := s.contended[k]; n > 1 {
		s.contended[k] = n - 1
	} else if n == 1 {
		delete(s.contended, k)
	}
}
