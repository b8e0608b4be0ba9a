//go:build !mutation

package commit

// weakened says whether the rule of that name is weakened, to see that the tests
// notice: never but in tests built with the tag mutation. It costs nothing: the
// compiler takes out what depends on it.
func weakened(string) bool { return false }
