package options

// Fault is an error about the value of an option, or about how options stand
// to each other.
type Fault struct {
	// Keys are the options it is about, the one to change first.
	Keys []string
	text string
}

// Error returns one line: the key, what was given, what is allowed.
func (f *Fault) Error() string { return f.text }
