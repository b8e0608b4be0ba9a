package esindex

import (
	"testing"
	"time"
)

// Remembered is how many indices the store need not look at again.
func Remembered(s *Store) int { return len(s.guard.good) }

// MaxRemembered bounds Remembered.
const MaxRemembered = maxGood

// TransportError is how a request's error is told.
func TransportError(err error) string { return newTransportError("read", err).Error() }

// CloudHost is where a cloud id leads to.
func CloudHost(t *testing.T, id string) string {
	t.Helper()
	u, err := cloudHost(id)
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// SetClock sets the machine's clock as the store sees it.
func SetClock(s *Store, now func() time.Time) { s.homes.now = now }

// Before compares versions.
var Before = before
