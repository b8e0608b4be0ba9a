package correlate

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/exclude"
)

// Stats counts what came in and what became of it. Records are counted once,
// when their chunk is done.
type Stats struct {
	ChunksOK, ChunksRetry, ChunksError int64
	Bytes                              int64
	Records, Events                    int64
	Malformed, Broken                  int64
	// Cut counts the records, and the documents in their texts, that had more
	// fields, depth or longer names than are read, and lost the rest.
	Cut                 int64
	ClockSkew, Excluded int64
	// OutOfBounds counts the events that Options.Stored leaves out.
	OutOfBounds int64
	// ExcludedBy counts the events left out by rule (Options.Exclude).
	ExcludedBy []int64
	// ServiceGuessed counts the events whose service no record of their chunk
	// tells: of most another chunk does.
	ServiceGuessed int64
	// Lag is how old the first record of the chunk was that was done last, by the
	// time that Fluent Bit gives it, when the chunk was done; 0 before the first.
	Lag time.Duration
	// Gateway is the private address that most events come from, nil while
	// nothing is known.
	Gateway *Gateway
	// Refused counts the records without an event by reason
	// (dialect.Reasons).
	Refused [dialect.ReasonCount]int64
	// Dropped counts the lines left out by program, with DropApp: as many
	// programs as drop_apps names.
	Dropped map[string]int64
	// Ownerless counts the commands that can't be told whose they are by decoy,
	// those of more than maxOwnerless decoys under OtherDecoys.
	Ownerless map[string]int64
	// Samples describe the last chunk's first record of each reason that may be
	// a gap (dialect.Reason.Gap, dialect.Describe).
	Samples [dialect.ReasonCount]string
}

func (s *Stats) refuse(v dialect.Verdict, r *event.Record) {
	s.Refused[v.Reason]++
	if v.Program != "" {
		if s.Dropped == nil {
			s.Dropped = make(map[string]int64)
		}
		s.Dropped[v.Program]++
	}
	if v.Decoy != "" {
		s.Ownerless = countOwnerless(s.Ownerless, v.Decoy, 1)
	}
	if v.Reason.Gap() && s.Samples[v.Reason] == "" {
		s.Samples[v.Reason] = v.Describe(r)
	}
}

// OtherDecoys stands for the decoys that Ownerless doesn't name.
const OtherDecoys = "other"

// maxOwnerless bounds the decoys that Ownerless names: names stand in the
// lines, and whoever owns a decoy writes those.
const maxOwnerless = 64

// countOwnerless adds n commands on a decoy.
func countOwnerless(to map[string]int64, decoy string, n int64) map[string]int64 {
	if to == nil {
		to = make(map[string]int64)
	}
	if _, known := to[decoy]; !known && len(to) >= maxOwnerless {
		decoy = OtherDecoys
	}
	// The name is a view of the chunk, and an assignment to a key that is there
	// has the map keep the newest string of it.
	to[strings.Clone(decoy)] += n
	return to
}

// exclude counts an event that is left out, and the rule that it meets.
func (s *Stats) exclude(o *Options, ev *event.Event) {
	s.Excluded++
	if o.excludedNet(ev) {
		return
	}
	if s.ExcludedBy == nil {
		s.ExcludedBy = make([]int64, len(o.Exclude))
	}
	if i := exclude.Find(o.Exclude, ev); i >= 0 {
		s.ExcludedBy[i]++
	}
}

// counters is Stats that several flushes add to.
type counters struct {
	mu sync.Mutex
	s  Stats
}

func (c *counters) read() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.Dropped = maps.Clone(c.s.Dropped)
	s.Ownerless = maps.Clone(c.s.Ownerless)
	s.ExcludedBy = slices.Clone(c.s.ExcludedBy)
	if s.Gateway != nil {
		g := *s.Gateway
		s.Gateway = &g
	}
	return s
}

func (c *counters) chunk(r Result, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r {
	case OK:
		c.s.ChunksOK++
		c.s.Bytes += int64(bytes)
	case Retry:
		c.s.ChunksRetry++
	default:
		c.s.ChunksError++
	}
}

func (c *counters) add(s *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Records += s.Records
	c.s.Events += s.Events
	c.s.Malformed += s.Malformed
	c.s.Cut += s.Cut
	c.s.Broken += s.Broken
	c.s.ClockSkew += s.ClockSkew
	c.s.Excluded += s.Excluded
	c.s.OutOfBounds += s.OutOfBounds
	c.s.ServiceGuessed += s.ServiceGuessed
	c.s.Lag = s.Lag
	if g := s.Gateway; g != nil {
		if c.s.Gateway == nil {
			c.s.Gateway = new(Gateway)
		}
		c.s.Gateway.add(g.Addr, g.Events, g.Of)
	}
	for i, n := range s.ExcludedBy {
		if c.s.ExcludedBy == nil {
			c.s.ExcludedBy = make([]int64, len(s.ExcludedBy))
		}
		c.s.ExcludedBy[i] += n
	}
	for program, n := range s.Dropped {
		if c.s.Dropped == nil {
			c.s.Dropped = make(map[string]int64)
		}
		c.s.Dropped[program] += n
	}
	for _, decoy := range slices.Sorted(maps.Keys(s.Ownerless)) {
		c.s.Ownerless = countOwnerless(c.s.Ownerless, decoy, s.Ownerless[decoy])
	}
	for i, n := range s.Refused {
		c.s.Refused[i] += n
		if s.Samples[i] != "" {
			c.s.Samples[i] = s.Samples[i]
		}
	}
}
