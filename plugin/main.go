// Command plugin is the shared object out_dossier.so, which Fluent Bit loads
// as its output "dossier". Build it with
//
//	go build -buildmode=c-shared -trimpath -tags netgo,osusergo -o build/out_dossier.so ./plugin
//
// It is glue: host.c holds the functions that Fluent Bit calls and what it is
// asked for in turn, this package translates, and dossier/plugin/output
// holds the life of an output. Nothing happens when the library is loaded: a
// dry run loads it too.
package main

/*
#cgo CFLAGS: -Wall -Wextra -fvisibility=default
#cgo LDFLAGS: -ldl
#include "host.h"
*/
import "C"

import (
	"log/slog"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"

	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	out "dossier/plugin/output"
)

// version is set when linking.
var version = "dev"

func main() {}

// caught is told of a panic where Fluent Bit called: C code can't be unwound,
// the process would end with it. answer sets what Fluent Bit is told instead.
func caught(answer func()) func(*panics.Panic) {
	return func(p *panics.Panic) {
		answer()
		fluentBit.start(nil)
		fluentBit.panicked(p)
		fluentBit.emit()
	}
}

//export dossierPreRegister
func dossierPreRegister(hotReloading C.int) (result C.int) {
	defer panics.Catch("pre_register", caught(func() { result = 0 }))
	if hotReloading == 0 || (!fluentBit.onWorkers.Load() && C.host_has_workers() == 0) {
		return 0
	}
	fluentBit.start(nil)
	fluentBit.log.Error("hot reload refused: with workers 1 or more Fluent Bit (up to 5.1.1 at least) crashes at the second or third; restart it instead, or set workers 0",
		slog.Bool(logging.AlwaysKey, true))
	fluentBit.emit()
	return -1
}

//export dossierRegister
func dossierRegister(def unsafe.Pointer) (result C.int) {
	defer panics.Catch("register", caught(func() { result = -1 }))
	return C.int(output.FLBPluginRegister(def, "dossier", "Profiles of attackers, kept in Elasticsearch"))
}

//export dossierUnregister
func dossierUnregister(def unsafe.Pointer) {
	defer panics.Catch("unregister", caught(func() {}))
	output.FLBPluginUnregister(def)
}

//export dossierInit
func dossierInit(plugin unsafe.Pointer) (result C.int) {
	defer panics.Catch("init", caught(func() { result = C.HOST_ERROR }))
	fluentBit.start(plugin)
	h := newHosted(plugin)
	defer fluentBit.emit()
	o, err := options.Parse(
		func(key string) string { return output.FLBPluginConfigKey(plugin, key) },
		func(s string) { h.log.Warn(s) })
	options.CheckNames(propertyNames(plugin), func(s string) { h.log.Warn(s) })
	if err == nil {
		h.tellConfiguration(o)
		h.Output, err = out.New(o, out.Host{Version: version, Logger: h.log, Targets: &fluentBit.targets})
	}
	if err != nil {
		h.log.Error(err.Error())
		return C.HOST_ERROR
	}
	if err := h.serveMetrics(o.MetricsListen); err != nil {
		h.log.Error(err.Error())
		h.Close()
		return C.HOST_ERROR
	}
	h.createMetrics(plugin)
	output.FLBPluginSetContext(plugin, fluentBit.add(h))
	return C.HOST_OK
}

//export dossierFlush
func dossierFlush(context, data unsafe.Pointer, size C.size_t, tag *C.char, onWorker C.int) (result C.int) {
	defer panics.Catch("flush", caught(func() { result = C.HOST_RETRY }))
	if onWorker != 0 {
		fluentBit.onWorkers.Store(true)
	}
	h := fluentBit.find(output.FLBPluginGetContext(context))
	if h == nil {
		fluentBit.log.Error("flush of an output that doesn't run")
		fluentBit.emit()
		return C.HOST_RETRY
	}
	// The chunk stays where Fluent Bit has it; nothing refers to it after.
	return h.flush(C.GoString(tag), unsafe.Slice((*byte)(data), int(size)), onWorker != 0)
}

//export dossierExit
func dossierExit(context unsafe.Pointer) (result C.int) {
	defer panics.Catch("exit", caught(func() { result = C.HOST_OK }))
	if h := fluentBit.remove(output.FLBPluginGetContext(context)); h != nil {
		h.close()
	}
	fluentBit.emit()
	return C.HOST_OK
}

//export dossierPreRun
func dossierPreRun(hotReload C.int) (result C.int) {
	defer panics.Catch("pre_run", caught(func() { result = 0 }))
	if hotReload != 0 && C.host_traps_reloads() != 0 {
		endOnTrap()
		return -1
	}
	fluentBit.onWorkers.Store(C.host_has_workers() != 0)
	if hotReload != 0 && !warnOfReload() {
		// Threads name themselves; on a busy host they may not have got to it.
		time.AfterFunc(time.Second, func() {
			defer panics.Catch("pre_run", caught(func() {}))
			warnOfReload()
		})
	}
	fluentBit.emit()
	return 0
}

// endLimit is how long Fluent Bit may take to stop, above any grace that makes
// sense.
const endLimit = 2 * time.Minute

// endOnTrap ends the process where a hot reload would leave it running without
// ever delivering anything. Nobody can end it after that but with kill -9, and
// what PreRun returns Fluent Bit doesn't look at.
func endOnTrap() {
	if fluentBit.ended.CompareAndSwap(false, true) {
		fluentBit.log.Error("hot reload is on, and this Fluent Bit (2.2.0 to 3.2.2, or a build that doesn't tell) never delivers again after a reload that is refused, nor ends at SIGTERM: " +
			"set hot_reload off, or use 3.2.3 or newer; ending now, before anything can be lost")
		C.host_end()
		time.AfterFunc(endLimit, func() { C.host_end_at_once() })
	}
	fluentBit.emit()
}

// warnOfReload says once that reloads will be refused, where there are worker
// threads, and whether there are.
func warnOfReload() bool {
	if C.host_has_workers() == 0 {
		return false
	}
	if fluentBit.warned.CompareAndSwap(false, true) {
		fluentBit.log.Warn("hot reload is on, but will be refused: with workers 1 or more Fluent Bit (up to 5.1.1 at least) crashes at the second or third; set hot_reload off or workers 0")
	}
	return true
}

//export dossierPreExit
func dossierPreExit(C.int) {
	defer panics.Catch("pre_exit", caught(func() {}))
	fluentBit.emit()
}
