package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"dossier/panics"
	"dossier/plugin/configfile"
	"dossier/plugin/logging"
	"dossier/plugin/observe"
	"dossier/plugin/options"
	"dossier/plugin/output"
	"dossier/target"
)

// fluentBit is Fluent Bit as this process has it. It outlives hot reloads: the
// library stays loaded.
var fluentBit process

type process struct {
	once  sync.Once
	queue *logging.Queue
	// log is for what no output says.
	log   *slog.Logger
	print atomic.Pointer[C.host_log_print]
	// onWorkers says that flushes run on threads of their own.
	onWorkers atomic.Bool
	// ended says that the process was told to end, and why.
	ended   atomic.Bool
	warned  atomic.Bool
	targets target.Pool
	servers observe.Servers

	mu      sync.Mutex
	last    handle
	running map[handle]*hosted
}

// handle is what Fluent Bit keeps for an output. fluent-bit-go never lets
// go of what it is given, so it gets a number and not the output.
type handle uint64

// start makes what needs Fluent Bit's log; plugin may be nil.
func (p *process) start(plugin unsafe.Pointer) {
	p.once.Do(func() {
		p.queue = logging.NewQueue(p.printLine, p.panicked)
		p.running = make(map[handle]*hosted)
		p.log = slog.New(logging.NewHandler(p.queue, "dossier", logging.Info))
	})
	if plugin != nil || p.print.Load() == nil {
		print := C.host_log(plugin)
		p.print.Store(&print)
	}
}

// panicked is told of panics that are no output's.
func (p *process) panicked(caught *panics.Panic) {
	p.targets.Panicked(caught)
	logging.Panic(p.log, caught)
}

// emit prints what waits. It runs on a thread of Fluent Bit's, so that the
// lines go where its log goes.
func (p *process) emit() {
	if p.queue != nil {
		p.queue.Take(p.printLine)
	}
}

func (p *process) printLine(l logging.Line) {
	text := C.CString(l.Text)
	defer C.free(unsafe.Pointer(text))
	C.host_print(*p.print.Load(), C.int(l.Level), text)
}

func (p *process) add(h *hosted) handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	p.running[p.last] = h
	return p.last
}

func (p *process) find(context any) *hosted {
	id, ok := context.(handle)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[id]
}

func (p *process) remove(context any) *hosted {
	h := p.find(context)
	if h == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, context.(handle))
	return h
}

func (p *process) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.running)
}

// hosted is one output and what Fluent Bit keeps beside it.
type hosted struct {
	*output.Output
	log     *slog.Logger
	name    string
	metrics bridge
	// unserve ends the metrics endpoint, nil without one.
	unserve func()
}

// newHosted reads what Fluent Bit tells of the output it is starting.
func newHosted(plugin unsafe.Pointer) *hosted {
	name := C.GoString(C.host_name(plugin))
	if name == "" {
		name = fmt.Sprintf("dossier.%d", fluentBit.count())
	}
	level := logging.Level(C.host_log_level(plugin))
	return &hosted{name: name, log: slog.New(logging.NewHandler(fluentBit.queue, name, level))}
}

// tellConfiguration warns of what Fluent Bit's own configuration sets against
// the options, as far as it can be read.
func (h *hosted) tellConfiguration(o options.Options) {
	c, err := configfile.Running()
	if err != nil {
		return
	}
	for _, text := range c.Warnings(h.name, o.CommitTimeout, o.EngineCommitTimeout) {
		h.log.Warn(text)
	}
}

// flush commits one chunk and meanwhile prints what is to be logged: this
// thread is Fluent Bit's.
func (h *hosted) flush(tag string, data []byte, onWorker bool) C.int {
	ended := make(chan output.Code, 1)
	go func() {
		code := output.Retry
		defer func() { ended <- code }()
		defer panics.Catch("flush", func(p *panics.Panic) { h.Panicked(p) })
		code = h.Flush(tag, data, onWorker)
	}()
	for {
		select {
		case code := <-ended:
			// The chunk has ended as it has, whatever comes of the figures.
			panics.Do("metrics", func(p *panics.Panic) { h.Panicked(p) }, func() { h.metrics.set(h.Figures(), h.log) })
			fluentBit.emit()
			return result(code)
		case <-fluentBit.queue.Wake():
			fluentBit.emit()
		}
	}
}

func result(c output.Code) C.int {
	switch c {
	case output.OK:
		return C.HOST_OK
	case output.Error:
		return C.HOST_ERROR
	default:
		return C.HOST_RETRY
	}
}

// serveMetrics serves the output's metrics at the address, if there is one.
func (h *hosted) serveMetrics(address string) (err error) {
	if address == "" {
		return nil
	}
	h.unserve, err = fluentBit.servers.Serve(address, h.name, h.Output, observe.Options{
		Version: version, Log: fluentBit.log, Panicked: fluentBit.panicked,
	})
	if err != nil {
		return fmt.Errorf("dossier: option metrics_listen: got %q, want an address that can be listened on (%w)", address, err)
	}
	return nil
}

// close ends the output.
func (h *hosted) close() {
	if h.unserve != nil {
		h.unserve()
	}
	h.Close()
	h.metrics.free()
}

// createMetrics makes all series within Fluent Bit's own metrics; without its
// help there are none.
func (h *hosted) createMetrics(plugin unsafe.Pointer) {
	cmt := C.host_metrics(plugin)
	if cmt == nil {
		return
	}
	made := make(map[string]unsafe.Pointer)
	h.metrics.begin(h.Series(), h.Figures(), func(m observe.Series) (hostSeries, error) {
		metric, ok := made[m.Name]
		if !ok {
			metric = create(cmt, m)
			made[m.Name] = metric
		}
		if metric == nil {
			return nil, errNotMade
		}
		s := &series{metric: metric, gauge: m.Gauge, values: []*C.char{C.CString(h.name)}}
		for _, l := range m.Labels {
			s.values = append(s.values, C.CString(l.Value))
		}
		return s, nil
	}, h.log)
}

func create(cmt unsafe.Pointer, m observe.Series) unsafe.Pointer {
	keys := []*C.char{C.CString("name")}
	for _, l := range m.Labels {
		keys = append(keys, C.CString(l.Name))
	}
	name, help := C.CString(m.Name), C.CString(m.Help)
	defer func() {
		for _, s := range append(keys, name, help) {
			C.free(unsafe.Pointer(s))
		}
	}()
	if m.Gauge {
		return C.host_gauge(cmt, name, help, C.int(len(keys)), &keys[0])
	}
	return C.host_counter(cmt, name, help, C.int(len(keys)), &keys[0])
}

// series is one of Fluent Bit's.
type series struct {
	metric unsafe.Pointer
	gauge  bool
	values []*C.char
}

func (s *series) set(value float64) error {
	now := C.uint64_t(time.Now().UnixNano())
	var failed C.int
	if s.gauge {
		failed = C.host_gauge_set(s.metric, now, C.double(value), C.int(len(s.values)), &s.values[0])
	} else {
		failed = C.host_counter_set(s.metric, now, C.double(value), C.int(len(s.values)), &s.values[0])
	}
	if failed != 0 {
		return errNotSet
	}
	return nil
}

func (s *series) free() {
	for _, v := range s.values {
		C.free(unsafe.Pointer(v))
	}
}
