package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// RSS returns the process's resident memory in bytes.
func (h *Host) RSS() (int64, error) { return h.status("VmRSS:") }

// PeakRSS returns the most resident memory the process ever had, in bytes.
func (h *Host) PeakRSS() (int64, error) { return h.status("VmHWM:") }

func (h *Host) status(key string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.PID()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("host: no %s in the process's status", key)
}

// Threads returns the names of the process's threads, sorted.
func (h *Host) Threads() ([]string, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", h.PID()))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			names = append(names, strings.TrimSpace(string(b)))
		}
	}
	slices.Sort(names)
	return names, nil
}

// OpenFiles returns how many files and sockets the process has open.
func (h *Host) OpenFiles() (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.PID()))
	return len(entries), err
}
