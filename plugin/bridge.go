package main

import (
	"errors"
	"log/slog"
	"sync"

	"dossier/plugin/logging"
	"dossier/plugin/observe"
)

// bridge keeps an output's series within Fluent Bit's own metrics. They are
// made at Init: Fluent Bit reads the list without a lock later. A series that
// Fluent Bit can't make or set is told of once, and costs itself alone.
type bridge struct {
	mu     sync.Mutex // held while Fluent Bit sets a series, and for nothing else
	series []bridged
}

// bridged is one series.
type bridged struct {
	of      observe.Series
	host    hostSeries // nil where it could not be made
	now     float64
	refused bool
}

// hostSeries is a series as Fluent Bit has it.
type hostSeries interface {
	set(value float64) error
	free()
}

var (
	errNotMade = errors.New("Fluent Bit can't make it")
	errNotSet  = errors.New("Fluent Bit can't set it")
)

// begin makes all series, in their order.
func (b *bridge) begin(all []observe.Series, f observe.Figures, create func(observe.Series) (hostSeries, error), log *slog.Logger) {
	failed := make(map[string]error)
	series := make([]bridged, len(all))
	for i, s := range all {
		host, err := create(s)
		if err != nil {
			host, failed[s.Name] = nil, err
		}
		series[i] = bridged{of: s, host: host, now: -1} // no figure is negative
	}
	b.keep(series)
	tell(log, failed)
	b.set(f, log)
}

func (b *bridge) keep(series []bridged) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.series = series
}

// set brings the series up to date. Only callbacks call it: after the last one
// Fluent Bit frees them.
func (b *bridge) set(f observe.Figures, log *slog.Logger) {
	tell(log, b.update(&f))
}

// update returns what is refused for the first time, by name.
func (b *bridge) update(f *observe.Figures) map[string]error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var failed map[string]error
	for i := range b.series {
		s := &b.series[i]
		if s.host == nil {
			continue
		}
		value := s.of.Value(f)
		if value == s.now {
			continue
		}
		err := s.host.set(value)
		if err == nil {
			s.now = value
			continue
		}
		if !s.refused {
			s.refused = true
			if failed == nil {
				failed = make(map[string]error)
			}
			failed[s.of.Name] = err
		}
	}
	return failed
}

func tell(log *slog.Logger, failed map[string]error) {
	for name, err := range failed {
		log.Warn("a metric is missing among Fluent Bit's", logging.ReasonKey, name, "err", err)
	}
}

// free lets go of what the series keep.
func (b *bridge) free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.series {
		if s.host != nil {
			s.host.free()
		}
	}
	b.series = nil
}
