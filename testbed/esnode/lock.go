package esnode

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockFile waits for the exclusive lock on the file. Closing the file, or the
// end of the process however it comes, gives the lock back.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	for {
		f, ok, err := tryLock(path, syscall.LOCK_EX)
		if err != nil || ok {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tryLock takes the lock (syscall.LOCK_EX or LOCK_SH) if nobody is in the way.
func tryLock(path string, how int) (*os.File, bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, false, nil
		}
		return nil, false, &os.PathError{Op: "flock", Path: path, Err: err}
	}
	return f, true, nil
}
