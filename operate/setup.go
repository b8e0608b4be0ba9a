package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/plugin/instance"
	"dossier/plugin/options"
)

// Setup says what to set up beside the indices.
type Setup struct {
	// Chosen are those of the options shards, replicas and refresh_interval
	// that somebody asks for: they are set in what is there too. The others
	// are for templates that aren't there yet.
	Chosen []esindex.Choice
	// Roles says whether the roles <prefix>-writer and so on are made: "on",
	// "off", or "auto" for wherever the cluster has security and this user
	// may.
	Roles string
	// Keys are API keys to make: the role of each and the file its secret
	// goes to. A file that holds a working key is left as it is.
	Keys []Key
	// KeyLife is when a new key expires; zero for never.
	KeyLife time.Duration
}

// Key is an API key to make.
type Key struct {
	Role, File string
}

// ParseKey reads ROLE=FILE.
func ParseKey(s string) (Key, error) {
	role, file, ok := strings.Cut(s, "=")
	if !ok || file == "" || !slices.Contains(roles.Names(), role) {
		return Key{}, fmt.Errorf("key: got %q, want ROLE=FILE with a role of %s", s, strings.Join(roles.Names(), ", "))
	}
	return Key{role, file}, nil
}

// Setup brings templates, indices and alias into the cluster, the month
// indices of this month and the next, roles and API keys. What is there is
// compared with what it is to be, and changed where it can be. It may run at
// any time and again. step is told of each thing when it is looked after.
func (t *Target) Setup(ctx context.Context, s Setup, step func(esindex.Step)) error {
	switch s.Roles = cmp.Or(s.Roles, "auto"); s.Roles {
	case "auto", "on", "off":
	default:
		return fmt.Errorf("roles: got %q, want auto, on or off", s.Roles)
	}
	steps, err := t.client.Reconcile(ctx, t.templates, s.Chosen)
	for _, done := range steps {
		step(done)
	}
	if err != nil {
		return err
	}
	now := t.now().UTC()
	next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{now, next} {
		for _, index := range t.months(at) {
			done, err := t.store.EnsureIndex(ctx, index)
			if err != nil {
				return err
			}
			step(done)
		}
	}
	if err := t.setUpRoles(ctx, s, step); err != nil {
		return err
	}
	for _, k := range s.Keys {
		done, err := t.setUpKey(ctx, k, s.KeyLife)
		if err != nil {
			return err
		}
		step(done)
	}
	return nil
}

// secured says whether the cluster has security.
func (t *Target) secured(ctx context.Context) (bool, error) {
	err := t.client.Call(ctx, "ask who this is", http.MethodGet, "/_security/_authenticate", nil, nil)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status >= 400 && e.Status < 500 && e.Type == "" {
		return false, nil // there is no such call
	}
	return err == nil, err
}

func (t *Target) setUpRoles(ctx context.Context, s Setup, step func(esindex.Step)) error {
	all := esindex.Step{Object: "roles", Name: t.roleName("*")}
	if s.Roles == "off" {
		return nil
	}
	secured, err := t.secured(ctx)
	if err != nil {
		return err
	}
	if !secured {
		if s.Roles == "on" || len(s.Keys) > 0 {
			return errors.New("this cluster has no security, so neither roles nor API keys: set xpack.security.enabled, or leave out --roles on and --key")
		}
		all.Done = "left out: this cluster has no security; anybody who reaches it can read and delete everything"
		step(all)
		return nil
	}
	for _, name := range roles.Names() {
		role, err := roles.Get(name, t.o.IndexPrefix)
		if err != nil {
			return err
		}
		done, err := t.setUpRole(ctx, t.roleName(name), role)
		if isForbidden(err) && s.Roles == "auto" {
			all.Done = "left out: this user lacks the cluster privilege manage_security"
			step(all)
			return nil
		}
		if err != nil {
			return err
		}
		step(done)
	}
	return nil
}

func (t *Target) roleName(role string) string { return t.o.IndexPrefix + "-" + role }

func isForbidden(err error) bool {
	e, ok := errors.AsType[*esindex.Error](err)
	return ok && e.Status == http.StatusForbidden
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*esindex.Error](err)
	return ok && e.Status == http.StatusNotFound
}

// setUpRole makes the role what it should be.
func (t *Target) setUpRole(ctx context.Context, name string, want roles.Role) (esindex.Step, error) {
	step := esindex.Step{Object: "role", Name: name}
	path := "/_security/role/" + name
	var found map[string]roles.Role
	err := t.client.Call(ctx, "read role "+name, http.MethodGet, path, nil, &found)
	switch have, ok := found[name]; {
	case isNotFound(err):
		step.Done = "created"
	case err != nil:
		return step, err
	case ok && have.Metadata["dossier"] == "":
		return step, fmt.Errorf("role %s is there and Dossier did not make it: rename it, or use --roles off", name)
	case ok && same(have, want):
		step.Done = "kept"
		return step, nil
	default:
		step.Done = "brought up to date"
	}
	body, err := json.Marshal(want)
	if err != nil {
		return step, err
	}
	return step, t.client.Call(ctx, "write role "+name, http.MethodPut, path, body, nil)
}

func same(a, b roles.Role) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// setUpKey makes an API key, unless the file holds one that works: that one
// gets today's privileges.
func (t *Target) setUpKey(ctx context.Context, k Key, life time.Duration) (esindex.Step, error) {
	step := esindex.Step{Object: "API key", Name: k.File}
	role, err := roles.Get(k.Role, t.o.IndexPrefix)
	if err != nil {
		return step, err
	}
	request := map[string]any{
		"role_descriptors": map[string]any{t.roleName(k.Role): role},
		"metadata":         map[string]any{"dossier": map[string]any{"prefix": t.o.IndexPrefix, "role": k.Role}},
	}
	switch _, err := os.Lstat(k.File); {
	case err == nil:
		step.Done, err = t.updateKey(ctx, k, request)
		return step, err
	case !errors.Is(err, fs.ErrNotExist):
		return step, fmt.Errorf("key %s: %w", k.Role, err)
	}
	// The file comes first: a key whose secret can't be kept would live on.
	f, err := os.CreateTemp(filepath.Dir(k.File), ".dossier-key-*") // mode 0600
	if err != nil {
		return step, fmt.Errorf("key %s: %w", k.Role, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	request["name"] = t.roleName(k.Role)
	if life > 0 {
		request["expiration"] = fmt.Sprintf("%ds", int64(life.Seconds()))
	}
	body, err := json.Marshal(request)
	if err != nil {
		return step, err
	}
	var made struct {
		ID      string `json:"id"`
		Encoded string `json:"encoded"`
	}
	if err := t.client.Call(ctx, "create an API key", http.MethodPost, "/_security/api_key", body, &made); err != nil {
		if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusBadRequest {
			e.Fix = "an API key can't make another: connect with es_user"
		}
		return step, err
	}
	_, err = f.WriteString(made.Encoded + "\n")
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Link(f.Name(), k.File) // fails where somebody was faster
	}
	if err != nil {
		body, _ := json.Marshal(map[string]any{"ids": []string{made.ID}})
		undo := t.client.Call(context.WithoutCancel(ctx), "invalidate the API key", http.MethodDelete, "/_security/api_key", body, nil)
		return step, errors.Join(fmt.Errorf("key %s: %w", k.Role, err), undo)
	}
	step.Done = fmt.Sprintf("created, role %s, id %s; its secret is in the file", k.Role, made.ID)
	return step, nil
}

// updateKey looks at the key in the file.
func (t *Target) updateKey(ctx context.Context, k Key, request map[string]any) (string, error) {
	unusable := func(err error) (string, error) {
		return "", fmt.Errorf("key %s: %s is there, but no key that works here: remove it to get a new one (%w)", k.Role, k.File, err)
	}
	o := t.o
	o.User, o.Password, o.PasswordFile, o.APIKey, o.APIKeyFile = "", "", "", options.Secret(""), k.File
	c, err := esindex.New(instance.ClientOptions(o, t.version))
	if err != nil {
		return unusable(err)
	}
	defer c.Close()
	var who identity
	if err := c.Call(ctx, "ask who this is", http.MethodGet, "/_security/_authenticate", nil, &who); err != nil {
		return unusable(err)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	var done struct {
		Updated bool `json:"updated"`
	}
	err = t.client.Call(ctx, "update the API key", http.MethodPut, "/_security/api_key/"+who.Key.ID, body, &done)
	switch {
	case isForbidden(err), isNotFound(err):
		return "kept; whether its privileges are today's only the user who made it can see to", nil
	case err != nil:
		return "", err
	case done.Updated:
		return "brought up to date, id " + who.Key.ID, nil
	}
	return "kept, id " + who.Key.ID, nil
}

// identity is who Elasticsearch takes a client for.
type identity struct {
	User string `json:"username"`
	Key  struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"api_key"`
}
