package esindex

import "testing"

// CloudHost is where a cloud id leads to.
func CloudHost(t *testing.T, id string) string {
	t.Helper()
	u, err := cloudHost(id)
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}
