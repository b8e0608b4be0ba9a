//go:build mutation

package commit

// weak is the name of the one rule that is weakened, set before anything runs.
var weak string

func weakened(rule string) bool { return rule == weak }
