// Package shared keeps values that several users have in common, by a key: the
// first user makes one, the last ends it.
//
// Making and ending may take seconds. Neither holds the lock: whoever wants
// another key's value, or only to look, doesn't wait for it.
package shared

import "sync"

// Pool holds values by key. The zero value is ready; it is safe for concurrent
// use. Its lock is a leaf: nothing is called while it is held.
type Pool[T any] struct {
	mu sync.Mutex
	by map[string]*entry[T]
}

// entry is one value, from before it is made until it has ended.
type entry[T any] struct {
	made  chan struct{} // closed when making it has succeeded or failed
	ended chan struct{} // closed when it has ended, or was never made
	value T
	users int // 0 where it isn't made, or is ending
}

// Acquire returns the value of the key, made by create where there is none.
// Whoever comes while it is being made waits for that, and so does who comes
// while the one before is ending. Each Acquire without an error wants a
// Release.
func (p *Pool[T]) Acquire(key string, create func() (T, error)) (T, error) {
	for {
		e, mine := p.entry(key)
		if mine {
			return p.create(key, e, create)
		}
		<-e.made
		if p.join(e) {
			return e.value, nil
		}
		<-e.ended
	}
}

// entry returns that of the key, and whether the caller has to make its value.
func (p *Pool[T]) entry(key string) (e *entry[T], mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e = p.by[key]; e != nil {
		return e, false
	}
	if p.by == nil {
		p.by = make(map[string]*entry[T])
	}
	e = &entry[T]{made: make(chan struct{}), ended: make(chan struct{})}
	p.by[key] = e
	return e, true
}

func (p *Pool[T]) create(key string, e *entry[T], create func() (T, error)) (value T, err error) {
	ok := false
	defer func() { // also where create panics
		if ok {
			p.made(e, value)
		} else {
			p.remove(key, e)
		}
		close(e.made)
	}()
	value, err = create()
	ok = err == nil
	return value, err
}

func (p *Pool[T]) made(e *entry[T], value T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.value, e.users = value, 1
}

// join adds a user; false where there is nothing to share any more.
func (p *Pool[T]) join(e *entry[T]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.users == 0 {
		return false
	}
	e.users++
	return true
}

func (p *Pool[T]) remove(key string, e *entry[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, key)
	close(e.ended)
}

// Release takes a user from the key's value. The last one's call ends it with
// end, and returns when that has.
func (p *Pool[T]) Release(key string, end func(T)) {
	e := p.leave(key)
	if e == nil {
		return
	}
	defer p.remove(key, e)
	end(e.value)
}

// leave takes a user, and returns the entry whose last it was.
func (p *Pool[T]) leave(key string) *entry[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.by[key]
	if e == nil || e.users == 0 {
		return nil
	}
	if e.users--; e.users > 0 {
		return nil
	}
	return e
}

// Values returns those that are in use or still ending, in no order.
func (p *Pool[T]) Values() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []T
	for _, e := range p.by {
		select {
		case <-e.made:
			out = append(out, e.value)
		default:
			if e.users > 0 {
				out = append(out, e.value)
			}
		}
	}
	return out
}
