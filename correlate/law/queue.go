package law

import "slices"

// queue is a list that mostly grows at its end and shrinks at its front.
// Neither moves the other items: a list that is full would else be moved by
// one for each that comes. The zero value is empty.
type queue[T any] struct {
	all  []T
	head int // items before it are dropped
}

func (q *queue[T]) items() []T { return q.all[q.head:] }

func (q *queue[T]) len() int { return len(q.all) - q.head }

// reset empties q and keeps its memory.
func (q *queue[T]) reset() {
	clear(q.all)
	q.all, q.head = q.all[:0], 0
}

// reserve makes room for n items.
func (q *queue[T]) reserve(n int) { q.all = slices.Grow(q.all, n) }

// drop drops the first n items.
func (q *queue[T]) drop(n int) {
	clear(q.all[q.head : q.head+n])
	q.head += n
}

// push adds an item and returns its place, which has what was there before.
func (q *queue[T]) push() *T {
	n := len(q.all)
	if n == cap(q.all) {
		if q.head > n/4 {
			n = copy(q.all, q.items())
			clear(q.all[n:])
			q.head = 0
		} else {
			var none T
			q.all = append(q.all, none)
		}
	}
	q.all = q.all[:n+1]
	return &q.all[n]
}

// insert adds an item before the i-th and returns its place, which has what
// was there before.
func (q *queue[T]) insert(i int) *T {
	place := q.push()
	if list := q.items(); i < len(list)-1 {
		copy(list[i+1:], list[i:])
		place = &list[i]
	}
	return place
}

// remove takes out the i-th item.
func (q *queue[T]) remove(i int) {
	list := q.items()
	copy(list[i:], list[i+1:])
	clear(list[len(list)-1:])
	q.all = q.all[:len(q.all)-1]
}
