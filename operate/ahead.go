package operate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"

	"dossier/esindex"
)

// looking returns the target for a look: what would change something isn't sent.
func (t *Target) looking() (*Target, error) {
	looks := *t
	looks.client = t.client.Look()
	var err error
	looks.store, err = esindex.NewStore(looks.client, t.templates)
	return &looks, err
}

// wouldSetUpKey is what setUpKey would be about to do.
func (t *Target) wouldSetUpKey(k Key) (esindex.Step, error) {
	step := esindex.Step{Object: "API key", Name: k.File}
	switch _, err := os.Lstat(k.File); {
	case err == nil:
		step.Done = "brought up to date, if it works and its privileges are not those that the role " + k.Role + " has today"
	case errors.Is(err, fs.ErrNotExist):
		step.Done = fmt.Sprintf("created, %s, role %s", t.fullName(keyMeta{Prefix: t.o.IndexPrefix, Role: k.Role, Name: k.name()}), k.Role)
	default:
		return step, fmt.Errorf("key %s: %w", k.Role, err)
	}
	return step, nil
}

// isThere says whether there is an index of that name.
func (t *Target) isThere(ctx context.Context, name string) (bool, error) {
	err := t.client.Call(ctx, "look at index "+name, http.MethodGet, "/"+name+"?filter_path=*.aliases", nil, nil)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
