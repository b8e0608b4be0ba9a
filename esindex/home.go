package esindex

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"dossier/correlate/commit"
)

// homes knows where the documents of each month are: in the month's own index,
// or in their kind's index for others, under an id with the month behind it.
//
// A sensor's key makes no index, and who writes a log chooses its times; so a
// month that set-up made no index for must not keep its documents waiting. They
// go to the index for others then, and stay there whatever is made later: a
// document in two places would count apart. So that all writers choose the same
// although an index may come or go while they look, the choice is itself a
// document, one for each month of each kind, made by compare-and-set in the
// index for others of the kind with Template.Homes. Nobody writes the first
// document of a month before this process has an acknowledged write of its
// choice: a choice that was merely read may be taken back by a failover.
//
// The machine's clock only says what is done about a month without an index:
// this month and the next one are waited for, as set-up makes them.
type homes struct {
	s     *Store
	index string // that keeps the choices, "" where no kind is monthly
	now   func() time.Time

	mu    sync.Mutex
	known map[string]*month // nil: its name is no month's
}

// month is one month of one kind.
type month struct {
	index, other string
	// suffix stands behind the ids of its documents in other.
	suffix string
	at     time.Time

	mu     sync.Mutex
	choice choice
	// gone says that there was no index of its own when others was chosen.
	gone bool
	// lost is since when this process has not found the index that was chosen.
	lost time.Time
}

// choice says where new documents of a month go.
type choice string

const (
	// unsettled: this process has no acknowledged write of the choice.
	unsettled choice = ""
	// own: to the index of its own, where all are.
	own choice = "month"
	// others: to the index for others, for ever.
	others choice = "other"
	// early: it was far ahead when the first came. They go to the index for
	// others until it is near, and to its own from then on; each stays where it
	// is. Else whoever claims a year to come would choose for everybody then.
	early choice = "early"
)

// maxMade is how many months of a kind there may be for a sensor to make one
// that is past; set-up makes more.
const maxMade = 48

// lostFor is how long an index that was chosen must be gone before the choice is
// changed: a node may not know yet of one that was just made. What the choice
// says of its own age is not asked, as who holds a sensor's key can write it.
const lostFor = 2 * time.Minute

func newHomes(s *Store) *homes {
	h := &homes{s: s, now: time.Now, known: map[string]*month{}}
	for _, k := range s.guard.kinds {
		if k.Homes {
			h.index = strings.TrimSuffix(k.Pattern, "*") + "other"
		}
	}
	return h
}

// of returns the month that an index is named after, nil where it is none.
func (h *homes) of(index string) *month {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, ok := h.known[index]
	if ok {
		return m
	}
	if len(h.known) >= maxGood {
		clear(h.known)
	}
	if k, err := h.s.guard.kind(index); err == nil && k.Monthly {
		stem := strings.TrimSuffix(k.Pattern, "*")
		if at, err := time.Parse("2006.01", index[len(stem):]); err == nil {
			m = &month{index: index, other: stem + "other", suffix: "@" + index[len(stem):], at: at}
		}
	}
	h.known[strings.Clone(index)] = m
	return m
}

// ahead returns how many months after this one m is.
func (h *homes) ahead(m *month) int {
	now := h.now().UTC()
	return (m.at.Year()-now.Year())*12 + int(m.at.Month()) - int(now.Month())
}

// near says whether set-up makes the month in any case, so that it is waited
// for.
func (h *homes) near(m *month) bool { n := h.ahead(m); return n == 0 || n == 1 }

// places says in which of the two indices documents of a month may be.
func (m *month) places() (here, other bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.choice == own:
		return true, false
	case m.choice == others && m.gone:
		return false, true
	}
	return true, true
}

// unsettle forgets the choice: the month's index is not there, or no longer.
func (m *month) unsettle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.choice = unsettled
}

func (m *month) chosen() choice {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.choice
}

// forNew returns the index to which a new document of the month goes.
func (h *homes) forNew(ctx context.Context, m *month) (string, error) {
	for range maxTries {
		c := m.chosen()
		if c == unsettled {
			var err error
			if c, err = h.settle(ctx, m); err != nil {
				return "", err
			}
		}
		switch {
		case c == others, c == early && h.ahead(m) > 1:
			return m.other, nil
		}
		err := h.s.guard.look(ctx, m.index)
		switch {
		case err == nil:
			return m.index, nil
		case errors.Is(err, ErrMissing), errors.Is(err, ErrForeign) && !h.near(m):
			m.unsettle()
		default:
			return "", err
		}
	}
	return "", &Error{Op: "choose the index of " + m.index, Reason: "others chose at the same time, over and over"}
}

// maxTries is how often a choice is tried again because somebody else made it
// meanwhile.
const maxTries = 8

// settle chooses where new documents of the month go, or finds out what was
// chosen, and returns when that is durable.
func (h *homes) settle(ctx context.Context, m *month) (choice, error) {
	if err := h.s.guard.admit(ctx, h.index); err != nil {
		return unsettled, err
	}
	for range maxTries {
		was, err := h.read(ctx, m)
		if err != nil {
			return unsettled, err
		}
		to, gone, err := h.choose(ctx, m, was)
		if err != nil {
			return unsettled, err
		}
		done, err := h.write(ctx, m, was, to)
		if err != nil {
			return unsettled, err
		}
		if done {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.choice, m.gone, m.lost = to, gone, time.Time{}
			return to, nil
		}
	}
	return unsettled, &Error{Op: "choose the index of " + m.index, Reason: "others chose at the same time, over and over"}
}

// choose says where new documents are to go, given what was chosen before, and
// whether the month has no index of its own. An error says that it is waited
// for.
func (h *homes) choose(ctx context.Context, m *month, was record) (to choice, gone bool, err error) {
	err = h.s.guard.look(ctx, m.index)
	if errors.Is(err, ErrMissing) && was.to != others && h.ahead(m) <= 1 {
		err = h.make(ctx, m, err)
	}
	switch n := h.ahead(m); {
	case err == nil && (was.to == others || was.to == early):
		return was.to, false, nil
	case err == nil:
		return own, false, nil
	case was.to == others && errors.Is(err, ErrMissing):
		return others, true, nil
	case h.near(m), !errors.Is(err, ErrMissing) && !errors.Is(err, ErrForeign):
		return unsettled, false, err
	case was.to == own && !m.lostLong(h.now()):
		return unsettled, false, err
	case n > 1:
		return early, true, nil
	default:
		return others, errors.Is(err, ErrMissing), nil
	}
}

// lostLong says whether the month's index, which is not there now, has been gone
// for long.
func (m *month) lostLong(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost.IsZero() {
		m.lost = now
	}
	return now.Sub(m.lost) >= lostFor
}

// make makes the month's index where these credentials may. missing says that
// they may not, or that there are enough.
func (h *homes) make(ctx context.Context, m *month, missing error) error {
	if !h.near(m) {
		k, err := h.s.guard.kind(m.index)
		if err != nil {
			return err
		}
		found, err := h.s.c.mappings(ctx, k.Pattern)
		if err != nil && !errors.Is(err, ErrMissing) {
			return err
		}
		if len(found) >= maxMade {
			return missing
		}
	}
	err := h.s.guard.make(ctx, m.index)
	if e, ok := errors.AsType[*Error](err); ok && !h.near(m) && (e.Status == http.StatusForbidden || e.Status == http.StatusBadRequest) {
		return missing // a month long past is not worth waiting for
	}
	return err
}

// record is a choice as it is stored.
type record struct {
	to      choice
	at      time.Time // when it was made
	exists  bool
	version commit.Version
}

// stored is the state of a choice's document.
type stored struct {
	To choice    `json:"to"`
	At time.Time `json:"at"`
}

func (h *homes) key(m *month) commit.Key { return commit.Key{Index: h.index, ID: "@" + m.index} }

func (h *homes) read(ctx context.Context, m *month) (record, error) {
	out := make([]commit.Stored, 1)
	if _, err := h.s.readAll(ctx, []commit.Key{h.key(m)}, out); err != nil {
		return record{}, err
	}
	was := recordOf(out[0].State)
	was.exists, was.version = out[0].Exists, out[0].Version
	switch err := out[0].Err; {
	case errors.Is(err, commit.ErrCorrupt):
		was.exists = true // somebody spoilt it: it is chosen anew
		return was, nil
	case err != nil:
		return was, err
	}
	return was, nil
}

// A Home is where new documents of a month go that is not in its own index.
type Home struct {
	// Index is the month's own, Other the one for times that belong to none,
	// where its documents are.
	Index, Other string
	// Month is its first moment.
	Month time.Time
	// Stays says that they all go to Other, for good. Else it is only until the
	// month is near.
	Stays bool
	// At is when that was chosen.
	At time.Time
}

// maxHomes bounds the choices that Elsewhere reads: three kinds of all months
// from 2015 to 2099.
const maxHomes = 4000

// Elsewhere returns the months whose documents are not in indices of their own,
// as a search sees them: some seconds old. It needs the privilege search on the
// index that keeps them.
func (s *Store) Elsewhere(ctx context.Context) ([]Home, error) {
	var found struct {
		Hits struct {
			Hits []struct {
				ID     string `json:"_id"`
				Source struct {
					State []byte `json:"state"`
				} `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	path := "/" + s.homes.index + "/_search?filter_path=hits.hits._id,hits.hits._source&_source=state"
	body := fmt.Appendf(nil, `{"size":%d,"query":{"bool":{"must_not":{"exists":{"field":"@timestamp"}}}}}`, maxHomes)
	err := s.c.Call(ctx, "look for documents of months without an index", http.MethodPost, path, body, &found)
	if e, ok := errors.AsType[*Error](err); ok && e.Type == "index_not_found_exception" {
		return nil, nil
	}
	var out []Home
	for _, hit := range found.Hits.Hits {
		index, ok := strings.CutPrefix(hit.ID, "@")
		m := s.homes.of(index)
		if r := recordOf(hit.Source.State); ok && m != nil && (r.to == others || r.to == early) {
			out = append(out, Home{Index: m.index, Other: m.other, Month: m.at, Stays: r.to == others, At: r.at})
		}
	}
	slices.SortFunc(out, func(a, b Home) int { return strings.Compare(a.Index, b.Index) })
	return out, err
}

// recordOf reads a choice's state, the zero value where it is none.
func recordOf(state []byte) (r record) {
	var s stored
	if json.Unmarshal(state, &s) == nil && slices.Contains([]choice{own, others, early}, s.To) {
		r.to, r.at = s.To, s.At
	}
	return r
}

// write makes the choice durable. It returns false where somebody else wrote
// meanwhile.
func (h *homes) write(ctx context.Context, m *month, was record, to choice) (bool, error) {
	at := h.now().UTC().Truncate(time.Second)
	if was.to == to {
		at = was.at
	}
	state, err := json.Marshal(stored{to, at})
	if err != nil {
		return false, err
	}
	op := commit.Op{Kind: commit.Create, Key: h.key(m)}
	if was.exists {
		op.Kind, op.Version = commit.Replace, was.version
	}
	// Without @timestamp: dossier retain leaves it.
	op.Body = fmt.Appendf(nil, `{"home":%q,"of":%q,"state":%q}`, to, m.index, base64.StdEncoding.EncodeToString(state))
	out := make([]commit.Written, 1)
	sc := scratches.Get().(*scratch)
	defer sc.release()
	if err := h.s.bulk(ctx, sc, []commit.Op{op}, []int32{0}, out); err != nil {
		return false, err
	}
	switch out[0].Status {
	case commit.Done:
		return true, nil
	case commit.Conflict:
		return false, nil
	}
	return false, &Error{Op: "choose the index of " + m.index, Reason: out[0].Reason}
}

// ask returns where the documents may be: the keys themselves, but where that
// is not an index of their own, and behind them the other places of those that
// may be in two. also has the positions of these in keys.
func (h *homes) ask(keys []commit.Key) (asked []commit.Key, also []int) {
	asked = keys
	if h.index == "" {
		return asked, nil
	}
	var more []commit.Key
	last, m, here, other := "", (*month)(nil), true, false
	for i, k := range keys {
		if i == 0 || k.Index != last {
			last, here, other = k.Index, true, false
			if m = h.of(k.Index); m != nil {
				here, other = m.places()
			}
		}
		switch {
		case !other:
		case here:
			more, also = append(more, m.elsewhere(k)), append(also, i)
		default:
			if &asked[0] == &keys[0] {
				asked = slices.Clone(keys)
			}
			asked[i] = m.elsewhere(k)
		}
	}
	if more != nil {
		asked = append(slices.Clip(asked), more...)
	}
	return asked, also
}

// elsewhere returns the key of a document in the index for others.
func (m *month) elsewhere(k commit.Key) commit.Key {
	return commit.Key{Index: m.other, ID: k.ID + m.suffix}
}

// left says whether a month is gone in whose index alone its documents were
// looked for: they may be elsewhere by now. missing has the positions of what
// was not found for want of an index.
func (h *homes) left(keys []commit.Key, missing []int) (left bool) {
	for _, i := range missing {
		if i >= len(keys) {
			continue
		}
		if m := h.of(keys[i].Index); m != nil && m.chosen() == own {
			m.unsettle()
			left = true
		}
	}
	return left
}

// found puts the answers together. One that is in both places, which only an
// older version or somebody else can have done, is the one in the month's own.
func (h *homes) found(keys, asked []commit.Key, out []commit.Stored, also []int) {
	for n, i := range also {
		second := &out[len(keys)+n]
		if first := &out[i]; !first.Exists && first.Err == nil && (second.Exists || second.Err != nil) {
			*first = *second
			first.Version.Index = asked[len(keys)+n].Index
		}
	}
	for i, k := range keys {
		if at := asked[i].Index; at != k.Index && out[i].Exists {
			out[i].Version.Index = at
		}
	}
}

// way finds where the operations of one write go.
type way struct {
	s   *Store
	ctx context.Context
	to  map[wish]goal
	// The last one, as many follow each other.
	last  wish
	goal  goal
	begun bool
}

// wish is what an operation wants: the index that its key names, and with
// Replace that of its token.
type wish struct {
	index, token string
	replace      bool
}

// goal is where operations go, or why they don't.
type goal struct {
	index, suffix string
	conflict      string
	err           error
	reason        string
}

func (w *way) of(op *commit.Op) goal {
	want := wish{index: op.Key.Index}
	if op.Kind == commit.Replace {
		want.replace, want.token = true, op.Version.Index
	}
	if w.begun && want == w.last {
		return w.goal
	}
	to, known := w.to[want]
	if !known {
		if to = w.find(want); to.err != nil {
			to.reason = to.err.Error()
		}
		w.to[want] = to
	}
	w.last, w.goal, w.begun = want, to, true
	return to
}

func (w *way) find(want wish) goal {
	m := w.s.homes.of(want.index)
	to := goal{index: want.index}
	switch {
	case want.token != "" && want.token != want.index && (m == nil || want.token != m.other):
		return goal{conflict: "the version is that of another index"}
	case m == nil:
	case want.replace:
		if want.token == m.other {
			to.index = m.other
			break
		}
		err := w.s.guard.look(w.ctx, m.index)
		if errors.Is(err, ErrMissing) {
			m.unsettle()
			return goal{conflict: "the index of its version is gone"}
		}
		return goal{index: m.index, err: err}
	default:
		at, err := w.s.homes.forNew(w.ctx, m)
		if err != nil {
			return goal{err: err}
		}
		to.index = at
	}
	if m != nil && to.index == m.other {
		to.suffix = m.suffix
	}
	to.err = w.s.guard.admit(w.ctx, to.index)
	return to
}
