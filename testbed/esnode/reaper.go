package esnode

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A node must not outlive the tests, even when they are killed. So each node
// that a test starts is watched by a reaper: the test's own program once
// more, in a session of its own. Whoever uses the node holds a shared lock on
// the file "use" in its folder, which the kernel gives back with the process.

// reapEnv carries the folder of the node that a reaper watches, idleEnv how
// long nobody may use it.
const (
	reapEnv = "DOSSIER_ESNODE_REAP"
	idleEnv = "DOSSIER_ESNODE_IDLE"
)

// sharedIdle is how long a shared node waits for the next test: longer than make
// test builds between two of its lines.
const sharedIdle = 2 * time.Minute

// init turns the program into a reaper where it was started as one. It is the
// only place that is reached before a test binary's own main.
func init() {
	dir := os.Getenv(reapEnv)
	if dir == "" {
		return
	}
	idle, err := time.ParseDuration(os.Getenv(idleEnv))
	if err != nil {
		os.Exit(2)
	}
	reap(dir, idle)
	os.Exit(0)
}

func startReaper(dir string, life lifetime) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	idle := time.Duration(0)
	if life == shared {
		idle = sharedIdle
	}
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), reapEnv+"="+dir, idleEnv+"="+idle.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("esnode: reaper: %w", err)
	}
	go cmd.Wait()
	return nil
}

// reap waits until nobody has used the node for the idle time, then ends and
// removes it. It returns when the node is gone, by whoever's hand.
func reap(dir string, idle time.Duration) {
	lastUse := time.Now()
	for {
		time.Sleep(500 * time.Millisecond)
		if _, err := os.Stat(filepath.Join(dir, "node.json")); err != nil {
			return
		}
		if inUse(dir) {
			lastUse = time.Now()
			continue
		}
		if time.Since(lastUse) < idle {
			continue
		}
		// Nobody can come to use it while the folder's lock is ours.
		lock, ok, err := tryLock(dir+".lock", syscall.LOCK_EX)
		if err != nil {
			return
		}
		if !ok {
			continue
		}
		if inUse(dir) {
			lock.Close()
			continue
		}
		if n, err := reopen(dir); err == nil {
			n.ours = true
			n.Close()
		}
		if idle == 0 {
			os.Remove(dir + ".lock") // nobody else knows it
		}
		lock.Close()
		return
	}
}

func inUse(dir string) bool {
	f, free, err := tryLock(filepath.Join(dir, "use"), syscall.LOCK_EX)
	if err != nil {
		return false
	}
	if free {
		f.Close()
	}
	return !free
}

// lockUse marks the node as used by this process.
func lockUse(ctx context.Context, dir string) (*os.File, error) {
	for {
		f, ok, err := tryLock(filepath.Join(dir, "use"), syscall.LOCK_SH)
		if err != nil || ok {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
