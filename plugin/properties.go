package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"strings"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"

	"dossier/plugin/options"
)

// propertyNames returns the names of all properties of the instance that is being
// started, as often as each is there; nil where the host doesn't show them.
func propertyNames(plugin unsafe.Pointer) []string {
	buf := make([]byte, 32<<10)
	for _, d := range options.Describe() {
		if output.FLBPluginConfigKey(plugin, d.Key) == "" {
			continue
		}
		known := C.CString(d.Key)
		defer C.free(unsafe.Pointer(known))
		n := C.host_properties(plugin, known, (*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
		return strings.Fields(string(buf[:n]))
	}
	return nil
}
