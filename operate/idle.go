package operate

import "time"

// idleAfter is how long a sensor may be without a record before that is said.
const idleAfter = 5 * time.Minute

// idle tells of a sensor that has had no record since it started: Fluent Bit
// says nothing of a match that fits no tag, and little of a file that isn't
// there.
func (k *checker) idle(name string, h heartbeat) {
	if up := h.At.Sub(h.Started); h.RecordsIn == 0 && !h.Started.IsZero() && up >= idleAfter {
		k.say(Note, name, "unless it is just quiet, look whether the file of its input is there and readable, and whether the output's match fits its tag",
			"no record has come in the %s since it started", up.Round(time.Second))
	}
}
