package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"dossier/plugin/instance"
	"dossier/plugin/logging"
	prom "dossier/plugin/metrics"
)

// fluentBit is Fluent Bit as this process has it. It outlives hot reloads: the
// library stays loaded.
var fluentBit process

type process struct {
	once  sync.Once
	queue *logging.Queue
	// log is for what no instance says.
	log   *slog.Logger
	print atomic.Pointer[C.host_log_print]
	// onWorkers says that flushes run on threads of their own.
	onWorkers atomic.Bool
	warned    atomic.Bool
	targets   instance.Targets
	servers   prom.Servers

	mu      sync.Mutex
	last    handle
	running map[handle]*hosted
}

// handle is what Fluent Bit keeps for an instance. fluent-bit-go never lets
// go of what it is given, so it gets a number and not the instance.
type handle uint64

// start makes what needs Fluent Bit's log; plugin may be nil.
func (p *process) start(plugin unsafe.Pointer) {
	p.once.Do(func() {
		p.queue = logging.NewQueue(p.printLine)
		p.running = make(map[handle]*hosted)
		p.log = slog.New(logging.NewHandler(p.queue, "dossier", logging.Info))
	})
	if plugin != nil || p.print.Load() == nil {
		print := C.host_log(plugin)
		p.print.Store(&print)
	}
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

// hosted is one output instance and what Fluent Bit keeps beside it.
type hosted struct {
	*instance.Instance
	log     *slog.Logger
	name    string
	metrics metrics
	// unserve ends the metrics endpoint, nil without one.
	unserve func()
}

// newHosted reads what Fluent Bit tells of the instance it is starting.
func newHosted(plugin unsafe.Pointer) *hosted {
	name := C.GoString(C.host_name(plugin))
	if name == "" {
		fluentBit.mu.Lock()
		name = fmt.Sprintf("dossier.%d", len(fluentBit.running))
		fluentBit.mu.Unlock()
	}
	level := logging.Level(C.host_log_level(plugin))
	return &hosted{name: name, log: slog.New(logging.NewHandler(fluentBit.queue, name, level))}
}

// flush commits one chunk and meanwhile prints what is to be logged: this
// thread is Fluent Bit's.
func (h *hosted) flush(tag string, data []byte, onWorker bool) C.int {
	ended := make(chan instance.Code, 1)
	go func() {
		code := instance.Retry
		defer func() {
			if p := recover(); p != nil {
				h.log.Error("panic: this is a defect of Dossier, please report it", slog.String(logging.ReasonKey, "flush"), slog.String("panic", fmt.Sprint(p)), slog.String(logging.StackKey, string(debug.Stack())))
			}
			ended <- code
		}()
		code = h.Flush(tag, data, onWorker)
	}()
	for {
		select {
		case code := <-ended:
			h.metrics.set(h.Metrics())
			fluentBit.emit()
			return result(code)
		case <-fluentBit.queue.Wake():
			fluentBit.emit()
		}
	}
}

func result(c instance.Code) C.int {
	switch c {
	case instance.OK:
		return C.HOST_OK
	case instance.Error:
		return C.HOST_ERROR
	default:
		return C.HOST_RETRY
	}
}

// serveMetrics serves the instance's metrics at the address, if there is one.
func (h *hosted) serveMetrics(address string) (err error) {
	if address == "" {
		return nil
	}
	h.unserve, err = fluentBit.servers.Serve(address, h.name, version, h.Instance)
	if err != nil {
		return fmt.Errorf("dossier: option metrics_listen: got %q, want an address that can be listened on (%w)", address, err)
	}
	return nil
}

// close ends the instance.
func (h *hosted) close() {
	if h.unserve != nil {
		h.unserve()
	}
	h.Close()
	h.metrics.free()
}

// metrics are the instance's series within Fluent Bit's own metrics. They are
// made at Init: Fluent Bit reads the list without a lock later.
type metrics struct {
	mu     sync.Mutex
	series []series
}

type series struct {
	metric unsafe.Pointer
	gauge  bool
	values []*C.char
	now    float64
}

// createMetrics makes all series; without Fluent Bit's help there are none.
func (h *hosted) createMetrics(plugin unsafe.Pointer) {
	cmt := C.host_metrics(plugin)
	if cmt == nil {
		return
	}
	made := make(map[string]unsafe.Pointer)
	for _, m := range h.Metrics() {
		metric, ok := made[m.Name]
		if !ok {
			metric = create(cmt, m)
			made[m.Name] = metric
		}
		if metric == nil {
			continue
		}
		s := series{metric: metric, gauge: m.Gauge, values: []*C.char{C.CString(h.name)}, now: -1}
		for _, l := range m.Labels {
			s.values = append(s.values, C.CString(l.Value))
		}
		h.metrics.series = append(h.metrics.series, s)
	}
	h.metrics.set(h.Metrics())
}

func create(cmt unsafe.Pointer, m instance.Metric) unsafe.Pointer {
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

// set brings the series up to date. Only callbacks call it: after the last
// one Fluent Bit frees them.
func (m *metrics) set(values []instance.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.series) != len(values) {
		return
	}
	now := C.uint64_t(time.Now().UnixNano())
	for i := range m.series {
		s := &m.series[i]
		if s.now == values[i].Value {
			continue
		}
		s.now = values[i].Value
		if s.gauge {
			C.host_gauge_set(s.metric, now, C.double(s.now), C.int(len(s.values)), &s.values[0])
		} else {
			C.host_counter_set(s.metric, now, C.double(s.now), C.int(len(s.values)), &s.values[0])
		}
	}
}

// free lets go of what the series keep.
func (m *metrics) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.series {
		for _, v := range s.values {
			C.free(unsafe.Pointer(v))
		}
	}
	m.series = nil
}
