// Package host drives an output plugin's shared object in processes of its
// own, the way Fluent Bit does: src/host.c loads it, calls it in Fluent Bit's
// order, from threads of the same names and on stacks as small. Tests feed it
// chunks, see each return code and log line, and kill it.
package host

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dossier/testbed/process"
)

// Code is what a flush returned.
type Code int

// Fluent Bit's return codes.
const (
	Error Code = iota
	OK
	Retry
)

// String returns Fluent Bit's name of the code.
func (c Code) String() string {
	switch c {
	case Error:
		return "FLB_ERROR"
	case OK:
		return "FLB_OK"
	case Retry:
		return "FLB_RETRY"
	default:
		return "code " + strconv.Itoa(int(c))
	}
}

// Instance is one [OUTPUT] section.
type Instance struct {
	// Properties are the section's keys. The core takes alias, workers,
	// log_level and others for itself, as Fluent Bit does.
	Properties map[string]string
}

// Options says what to load and how.
type Options struct {
	// Plugin is the path of the shared object.
	Plugin string
	// Properties are those of the first instance.
	Properties map[string]string
	// Workers is the first instance's number of worker threads. With 0, the
	// default, flushes run on the engine's own thread.
	Workers int
	// More are further instances.
	More []Instance
	// DefSize is the size of the registration structure: 32 (Fluent Bit up
	// to 4.2.2), 40 (up to 5.1.0) or 48. Default 48.
	DefSize int
	// CoroStack is the size of a flush's stack in bytes; default 65536, 24576
	// before Fluent Bit 5.1, negative for the thread's own.
	CoroStack int
	// DryRun loads and exits without a start.
	DryRun bool
	// FailSibling makes the instance of another plugin fail after our first
	// was initialised.
	FailSibling bool
	// HotReload is what PreRun is told.
	HotReload bool
	// Trap makes it as Fluent Bit 2.2.0 to 3.2.2: a reload that was refused
	// leaves it such that it answers each chunk with FLB_RETRY, and ignores
	// SIGTERM.
	Trap bool
	// Env is added to the environment.
	Env []string
	// Log, if set, gets a copy of the log.
	Log io.Writer
}

func (o *Options) args() []string {
	args := []string{"--plugin", o.Plugin}
	if o.DefSize != 0 {
		args = append(args, "--def-size", strconv.Itoa(o.DefSize))
	}
	if o.CoroStack != 0 {
		args = append(args, "--coro-stack", strconv.Itoa(max(0, o.CoroStack)))
	}
	if o.DryRun {
		args = append(args, "--dry-run")
	}
	if o.FailSibling {
		args = append(args, "--fail-sibling")
	}
	if o.HotReload {
		args = append(args, "--hot-reload")
	}
	args = append(args, "--instance")
	if o.Workers > 0 {
		args = append(args, "-p", "workers="+strconv.Itoa(o.Workers))
	}
	for i, ins := range append([]Instance{{Properties: o.Properties}}, o.More...) {
		if i > 0 {
			args = append(args, "--instance")
		}
		for _, k := range slices.Sorted(maps.Keys(ins.Properties)) {
			args = append(args, "-p", k+"="+ins.Properties[k])
		}
	}
	return args
}

// Event is one thing that happened in the host: register, init, running,
// flush, exit, reload, failed, end.
type Event struct {
	Op        string
	RC        int
	Instance  int
	Seq       uint64
	Thread    string
	Us        int64 // how long a flush took, in microseconds
	Overrun   bool  // the plugin wrote behind the registration structure
	Flags     int
	Name      string
	ConfigMap bool `json:"config_map"`
	Context   bool // an exit was given a context, not NULL
}

// ErrRefused is returned where the plugin, or a broken configuration, halted
// a reload. The old instances go on.
var ErrRefused = errors.New("host: the reload was refused")

// Host is a running process. Its methods may be called concurrently.
type Host struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process is gone and all is read

	writeMu sync.Mutex
	stdin   io.WriteCloser
	seq     uint64

	log     process.Log
	marks   *marks
	mu      sync.Mutex
	waiting map[uint64]chan Code
	reloads chan int
	events  []Event
	changed chan struct{} // closed and replaced at every event
	exit    error
}

// Start starts the process and waits until all instances run. Where that
// fails, the error carries the log.
func Start(ctx context.Context, o Options) (*Host, error) {
	h, err := launch(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := h.wait(ctx, func() bool { return h.has("running") }); err != nil {
		h.Kill()
		if errors.Is(err, process.ErrGone) {
			return h, fmt.Errorf("host: did not start (%v):\n%s", h.exit, h.log.String())
		}
		return nil, err
	}
	return h, nil
}

// DryRun loads the plugin and exits as fluent-bit --dry-run does. It returns
// the ended host, for its events and log.
func DryRun(ctx context.Context, o Options) (*Host, error) {
	o.DryRun = true
	h, err := launch(ctx, o)
	if err != nil {
		return nil, err
	}
	select {
	case <-h.done:
	case <-ctx.Done():
		h.Kill()
		return h, ctx.Err()
	}
	return h, h.exit
}

func launch(ctx context.Context, o Options) (*Host, error) {
	var macros []string
	if o.Trap {
		macros = []string{"TRAP"}
	}
	program, err := compile(ctx, macros...)
	if err != nil {
		return nil, err
	}
	h := &Host{
		done:    make(chan struct{}),
		waiting: map[uint64]chan Code{},
		reloads: make(chan int, 16),
		changed: make(chan struct{}),
	}
	h.cmd = exec.Command(program, o.args()...)
	h.cmd.Env = append(h.cmd.Environ(), o.Env...)
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.log.Copy = o.Log
	h.marks = &marks{log: &h.log, changed: make(chan struct{})}
	h.cmd.Stderr = h.marks
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		h.readEvents(stdout)
		err := h.cmd.Wait()
		h.mu.Lock()
		h.exit = err
		for seq, ch := range h.waiting {
			close(ch)
			delete(h.waiting, seq)
		}
		h.notify()
		h.mu.Unlock()
		close(h.done)
	}()
	return h, nil
}

// notify wakes all who wait. h.mu is held.
func (h *Host) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Host) readEvents(r io.Reader) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		var e Event
		number, object, _ := strings.Cut(s.Text(), " ")
		n, err := strconv.Atoi(strings.TrimPrefix(number, "@"))
		if err == nil {
			err = json.Unmarshal([]byte(object), &e)
		}
		if err != nil {
			// The plugin wrote to standard output.
			e = Event{Op: "noise", Name: s.Text()}
		} else {
			// What was logged before comes through another pipe.
			h.marks.wait(n)
		}
		h.mu.Lock()
		if e.Op == "flush" {
			if ch := h.waiting[e.Seq]; ch != nil {
				ch <- Code(e.RC)
				delete(h.waiting, e.Seq)
			}
		} else {
			h.events = append(h.events, e)
		}
		h.notify()
		h.mu.Unlock()
		if e.Op == "reload" {
			h.reloads <- e.RC
		}
	}
}

// wait waits until the condition, looked at with h.mu held, is true.
func (h *Host) wait(ctx context.Context, condition func() bool) error {
	for {
		h.mu.Lock()
		ok, changed := condition(), h.changed
		h.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-h.done:
			h.mu.Lock()
			ok := condition()
			h.mu.Unlock()
			if ok {
				return nil
			}
			return process.ErrGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *Host) has(op string) bool {
	return slices.ContainsFunc(h.events, func(e Event) bool { return e.Op == op })
}

// send writes one frame.
func (h *Host) send(op byte, instance int, tag string, data []byte) error {
	frame := make([]byte, 13, 13+len(tag)+len(data))
	frame[0] = op
	binary.BigEndian.PutUint32(frame[1:], uint32(instance))
	binary.BigEndian.PutUint32(frame[5:], uint32(len(tag)))
	binary.BigEndian.PutUint32(frame[9:], uint32(len(data)))
	frame = append(append(frame, tag...), data...)
	if _, err := h.stdin.Write(frame); err != nil {
		return process.ErrGone
	}
	return nil
}

// Flush delivers a chunk to the first instance and waits for its return code.
func (h *Host) Flush(ctx context.Context, tag string, data []byte) (Code, error) {
	return h.FlushTo(ctx, 0, tag, data)
}

// FlushTo delivers a chunk to an instance and waits for its return code. It
// returns process.ErrGone where the process ended before.
func (h *Host) FlushTo(ctx context.Context, instance int, tag string, data []byte) (Code, error) {
	ch := make(chan Code, 1)
	h.writeMu.Lock()
	h.seq++
	seq := h.seq
	h.mu.Lock()
	h.waiting[seq] = ch
	h.notify()
	h.mu.Unlock()
	err := h.send('F', instance, tag, data)
	h.writeMu.Unlock()
	if err != nil {
		return Error, err
	}
	select {
	case code, ok := <-ch:
		if !ok {
			return Error, process.ErrGone
		}
		return code, nil
	case <-h.done:
		// The code may have come just before the end.
		select {
		case code, ok := <-ch:
			if ok {
				return code, nil
			}
		default:
		}
		return Error, process.ErrGone
	case <-ctx.Done():
		return Error, ctx.Err()
	}
}

// Deliver delivers a chunk to the first instance until it is OK, as Fluent
// Bit does with retry_limit no_limits, with the pause between attempts. It
// returns how many attempts it took. FLB_ERROR ends it.
func (h *Host) Deliver(ctx context.Context, tag string, data []byte, pause time.Duration) (attempts int, err error) {
	for {
		code, err := h.Flush(ctx, tag, data)
		attempts++
		switch {
		case err != nil:
			return attempts, err
		case code == OK:
			return attempts, nil
		case code != Retry:
			return attempts, fmt.Errorf("host: the flush returned %v", code)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return attempts, ctx.Err()
		}
	}
}

// Reload does a hot reload. Properties, if not nil, replace those of the
// first instance. ErrRefused says that the plugin did not want it.
func (h *Host) Reload(ctx context.Context, properties map[string]string) error {
	var lines strings.Builder
	for _, k := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&lines, "%s=%s\n", k, properties[k])
	}
	return h.reload(ctx, 'R', lines.String())
}

// ReloadBroken does a hot reload whose configuration is wrong elsewhere: the
// new plugin is registered and dropped. It returns ErrRefused.
func (h *Host) ReloadBroken(ctx context.Context) error { return h.reload(ctx, 'B', "") }

func (h *Host) reload(ctx context.Context, op byte, lines string) error {
	h.writeMu.Lock()
	err := h.send(op, 0, "", []byte(lines))
	h.writeMu.Unlock()
	if err != nil {
		return err
	}
	select {
	case rc := <-h.reloads:
		if rc != 0 {
			return ErrRefused
		}
		return nil
	case <-h.done:
		return process.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ResetSignals does what a SIGCONT does to Fluent Bit: it installs its own
// SIGSEGV handler over Go's.
func (h *Host) ResetSignals() error {
	h.writeMu.Lock()
	defer h.writeMu.Unlock()
	return h.send('S', 0, "", nil)
}

// Exit shuts the host down in good order, after what is in flight, and waits
// for its end. An exit code other than 0 is an error.
func (h *Host) Exit(ctx context.Context) error {
	h.writeMu.Lock()
	h.send('X', 0, "", nil)
	h.writeMu.Unlock()
	select {
	case <-h.done:
		return h.exit
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Terminate sends SIGTERM.
func (h *Host) Terminate() error { return h.cmd.Process.Signal(syscall.SIGTERM) }

// Kill ends the process as kill -9 does and waits until it is gone.
func (h *Host) Kill() {
	h.cmd.Process.Kill()
	<-h.done
}

// Done is closed when the process has ended.
func (h *Host) Done() <-chan struct{} { return h.done }

// ExitErr returns how the process ended, once Done is closed: nil for exit
// code 0.
func (h *Host) ExitErr() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.exit
}

// PID returns the process.
func (h *Host) PID() process.PID { return process.PID(h.cmd.Process.Pid) }

// Events returns what happened so far, flushes left out.
func (h *Host) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// WaitFlushing waits until n flushes were handed over and have not returned.
func (h *Host) WaitFlushing(ctx context.Context, n int) error {
	return h.wait(ctx, func() bool { return len(h.waiting) >= n })
}

// Log returns the lines logged so far: all that were before what any other
// method has returned.
func (h *Host) Log() []string { return h.log.Lines() }

// WaitLog waits until a line that contains the text was logged and returns
// it.
func (h *Host) WaitLog(ctx context.Context, text string) (string, error) {
	return h.log.Wait(ctx, h.done, text)
}
