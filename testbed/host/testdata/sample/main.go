// A plugin that shows what the host does to it.
package main

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

struct def { int type, proxy, flags; char *name, *description; int event_type; };
struct context { void *remote_context; };
struct api {
	const char *(*output_get_property)(const char *, void *);
	void *a, *b, *c;
	void (*log_print)(int, const char *, int, const char *, ...);
	int (*input_log_check)(void *, int);
	int (*output_log_check)(void *, int);
};
struct plugin { void *a; struct api *api; void *o_ins; struct context *context; };

static const char *property(struct plugin *p, const char *k) { return p->api->output_get_property(k, p->o_ins); }
static void print(struct api *a, int level, const char *s) { a->log_print(level, NULL, 0, "%s", s); }
static int check(struct api *a, void *ins, int level) { return a->output_log_check(ins, level); }
static const char *name(void *ins) {
	const char *(*f)(void *) = dlsym(RTLD_DEFAULT, "flb_output_name");
	return f ? f(ins) : "?";
}
static void thread(char *out) { prctl(PR_GET_NAME, out, 0, 0, 0); }
static void set_context(struct plugin *p, size_t n) { p->context->remote_context = (void *)n; }
*/
import "C"

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"
)

type state struct {
	api  *C.struct_api
	ins  unsafe.Pointer
	mode string
	kept string
}

var (
	mu     sync.Mutex
	states []*state
	busy   bool
)

func thread() string {
	var b [17]C.char
	C.thread(&b[0])
	return C.GoString(&b[0])
}

func (s *state) print(format string, args ...any) {
	text := C.CString(fmt.Sprintf(format, args...))
	defer C.free(unsafe.Pointer(text))
	C.print(s.api, 3, text)
}

//export FLBPluginPreRegister
func FLBPluginPreRegister(hot C.int) C.int {
	mu.Lock()
	defer mu.Unlock()
	if hot == 1 && len(states) > 0 && states[len(states)-1].mode == "veto" {
		return -1
	}
	return 0
}

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) C.int {
	d := (*C.struct_def)(def)
	d._type, d.proxy, d.flags = 2, 11, 0
	d.name, d.description = C.CString("sample"), C.CString("shows what the host does")
	if busy {
		d.event_type = 1 // behind the end where the structure is the old one
	}
	busy = true
	return 0
}

//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) {
	d := (*C.struct_def)(def)
	C.free(unsafe.Pointer(d.name))
	C.free(unsafe.Pointer(d.description))
}

//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) C.int {
	p := (*C.struct_plugin)(plugin)
	get := func(key string) string {
		k := C.CString(key)
		defer C.free(unsafe.Pointer(k))
		return C.GoString(C.property(p, k))
	}
	s := &state{api: p.api, ins: p.o_ins, mode: get("Mode")}
	s.print("init %s host=%q mode=%q debug=%d on %s", C.GoString(C.name(p.o_ins)), get("host"), s.mode, C.check(p.api, p.o_ins, 4), thread())
	if s.mode == "fail" {
		return 0
	}
	mu.Lock()
	states = append(states, s)
	C.set_context(p, C.size_t(len(states)))
	mu.Unlock()
	return 1
}

//export FLBPluginOutputPreRun
func FLBPluginOutputPreRun(hot C.int) C.int { return 0 }

//export FLBPluginFlushCtx
func FLBPluginFlushCtx(ctx, data unsafe.Pointer, n C.size_t, tag *C.char) C.int {
	s := states[uintptr(ctx)-1]
	view := unsafe.String((*byte)(data), int(n))
	name := C.GoString(tag)
	switch {
	case strings.HasPrefix(name, "keep"):
		s.kept = view
	case strings.HasPrefix(name, "show"):
		s.print("kept %x", s.kept)
	case strings.HasPrefix(name, "slow"):
		time.Sleep(300 * time.Millisecond)
	case strings.HasPrefix(name, "retry"):
		return 2
	case strings.HasPrefix(name, "error"):
		return 0
	case strings.HasPrefix(name, "late"):
		go func() {
			time.Sleep(200 * time.Millisecond)
			C.name(s.ins)
		}()
	default:
		s.print("flush %s %q on %s", name, view, thread())
	}
	return 1
}

//export FLBPluginOutputPreExit
func FLBPluginOutputPreExit(hot C.int) {}

//export FLBPluginExitCtx
func FLBPluginExitCtx(ctx unsafe.Pointer) C.int {
	if ctx != nil && states[uintptr(ctx)-1].mode == "linger" {
		time.Sleep(400 * time.Millisecond)
	}
	return 1
}

func main() {}
