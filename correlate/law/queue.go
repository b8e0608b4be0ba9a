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

// emptied returns an empty queue that takes over the memory of q.
func (q *queue[T]) emptied() queue[T] {
	clear(q.all)
	return queue[T]{all: q.all[:0]}
}

// reserve makes room for n items.
func (q *queue[T]) reserve(n int) { q.all = slices.Grow(q.all, n) }

// drop drops the first n items.
func (q *queue[T]) drop(n int) {
	clear(q.all[q.head : q.head+n])
	q.head += n
}

func (q *queue[T]) push(item T) {
	if len(q.all) == cap(q.all) && q.head > len(q.all)/4 {
		n := copy(q.all, q.items())
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, item)
}

// insert puts item before the i-th.
func (q *queue[T]) insert(i int, item T) {
	q.push(item)
	list := q.items()
	copy(list[i+1:], list[i:])
	list[i] = item
}

// remove takes out the i-th item.
func (q *queue[T]) remove(i int) {
	list := q.items()
	copy(list[i:], list[i+1:])
	clear(list[len(list)-1:])
	q.all = q.all[:len(q.all)-1]
}
