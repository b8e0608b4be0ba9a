// Package port finds ports for what tests start.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports are below those that the kernel gives to connections: one of those may
// be taken before it is listened on, or while what listened there is down.
const (
	least = 20000
	end   = 32000
)

var (
	mu   sync.Mutex
	used = map[int]bool{}
)

// Free returns a port of 127.0.0.1 that nobody listens on, in a process each once.
func Free() (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range 1000 {
		at := least + rand.IntN(end-least)
		if used[at] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", at))
		if err != nil {
			continue
		}
		used[at] = true
		return at, l.Close()
	}
	return 0, errors.New("port: none is free between 20000 and 32000")
}

// Text is Free as it is written.
func Text(t testing.TB) string {
	t.Helper()
	at, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(at)
}

// Address is Free with the host, for what is to listen, or to find nobody, there.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", Text(t))
}
