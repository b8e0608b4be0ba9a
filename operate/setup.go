package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"dossier/analyst"
	"dossier/conf/roles"
	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex"
)

// Setup says what to set up beside the indices.
type Setup struct {
	// Chosen are those of the options shards, replicas and refresh_interval
	// that somebody asks for: they are set in what is there too. The others
	// are for templates that aren't there yet.
	Chosen []esindex.Choice
	// Months is how many months after this one get their indices, at most
	// MaxMonths; zero is one. Sensors with the role writer make none.
	Months int
	// Also are further months whose indices are made, as ParseMonth returns
	// them: those of old logs that are read now.
	Also []time.Time
	// Roles says whether the roles <prefix>-writer and so on are made: "on",
	// "off", or "auto" for wherever the cluster has security and this user
	// may.
	Roles string
	// Keys are API keys to make: the role of each and the file its secret
	// goes to. A file that holds a working key is left as it is.
	Keys []Key
	// KeyLife is how long a new key lives, and one that is there from now on.
	// Zero: a new key for ever, one that is there as it was; Forever is allowed.
	KeyLife time.Duration
	// KeyFile is whose the keys' files are, and who may read them.
	KeyFile KeyFile
	// DryRun changes nothing: steps say what would be done. What Elasticsearch would
	// refuse only the change itself shows.
	DryRun bool
}

// DefaultMonths is how many months ahead dossier setup makes indices,
// MaxMonths the most it makes: each costs three shards and their copies.
const (
	DefaultMonths = 13
	MaxMonths     = 36
)

// ParseMonth reads a month that indices are named after: "2026.11".
func ParseMonth(s string) (time.Time, error) {
	at, err := time.Parse("2006.01", s)
	if err != nil || !correlate.HasMonth(at) {
		return time.Time{}, fmt.Errorf("got %q, want a month such as 2026.11, from 2015.01 to 2099.12", line(s))
	}
	return at, nil
}

// Setup brings templates, indices and alias into the cluster, the indices of
// this month, the months ahead and of stray times, roles and API keys. What is
// there is compared with what it is to be, and changed where it can be. It may run at
// any time and again. step is told of each thing when it is looked after.
func (t *Target) Setup(ctx context.Context, s Setup, step func(esindex.Step)) error {
	if err := s.validate(); err != nil {
		return err
	}
	if s.DryRun {
		looks, err := t.looking()
		if err != nil {
			return err
		}
		tell := step
		t, step = looks, func(s esindex.Step) { tell(s.Ahead()) }
	}
	for _, k := range s.Keys {
		if s.DryRun {
			break
		}
		if err := k.tryFile(s.KeyFile); err != nil {
			return err
		}
	}
	if err := t.allowMajor(ctx, commit.Major); err != nil {
		return err
	}
	steps, err := t.client.Reconcile(ctx, t.templates, s.Chosen)
	for _, done := range steps {
		step(done)
	}
	if err != nil {
		return err
	}
	if err := t.setUpMonths(ctx, s, step); err != nil {
		return err
	}
	there := false
	if s.DryRun {
		if there, err = t.isThere(ctx, analyst.NotesIndex(t.o.IndexPrefix)); err != nil {
			return err
		}
	}
	if !there {
		if err := t.setUpNotes(ctx, step); err != nil {
			return err
		}
	}
	if err := t.setUpRoles(ctx, s, step); err != nil {
		return err
	}
	for _, k := range s.Keys {
		var done esindex.Step
		if s.DryRun {
			done, err = t.wouldSetUpKey(k)
		} else {
			done, err = t.setUpKey(ctx, k, s.KeyLife, s.KeyFile)
		}
		if err != nil {
			return err
		}
		step(done)
	}
	return nil
}

// validate fills in what isn't set.
func (s *Setup) validate() error {
	switch s.Roles = cmp.Or(s.Roles, "auto"); s.Roles {
	case "auto", "on", "off":
	default:
		return fmt.Errorf("--roles: got %q, want auto, on or off", s.Roles)
	}
	if s.Months = cmp.Or(s.Months, 1); s.Months < 1 || s.Months > MaxMonths {
		return fmt.Errorf("--months: got %d, want 1 to %d", s.Months, MaxMonths)
	}
	return nil
}

// indicesAtOnce is how many indices are made at a time.
const indicesAtOnce = 8

// result is what came of one index.
type result struct {
	step esindex.Step
	err  error
}

// setUpMonths makes the month indices. Those that are there are told in one
// step.
func (t *Target) setUpMonths(ctx context.Context, s Setup, step func(esindex.Step)) error {
	names := t.others()
	for n := range s.Months + 1 {
		names = append(names, t.months(t.ahead(n))...)
	}
	// Where these credentials may not see that, an index is made that stays
	// empty.
	elsewhere, _ := t.store.Elsewhere(ctx)
	for _, at := range s.Also {
		for _, index := range t.months(at) {
			n := slices.IndexFunc(elsewhere, func(h esindex.Home) bool { return h.Stays && h.Index == index })
			if n < 0 {
				names = append(names, index)
				continue
			}
			step(esindex.Step{Object: "index", Name: index, Done: fmt.Sprintf("left out: what came since %s is in %s, and stays there with what is to come",
				elsewhere[n].At.Format(time.DateOnly), elsewhere[n].Other)})
		}
	}
	// Elasticsearch makes one after the other, but starts their shards meanwhile.
	results := make([]result, len(names))
	turns := make(chan struct{}, indicesAtOnce)
	var made sync.WaitGroup
	for i, index := range names {
		made.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			results[i].step, results[i].err = t.store.EnsureIndex(ctx, index)
		})
	}
	made.Wait()
	kept := 0
	var failed error
	for _, r := range results {
		switch {
		case r.err != nil:
			failed = cmp.Or(failed, r.err)
		case r.step.Changed():
			step(r.step)
		default:
			kept++
		}
	}
	if failed != nil {
		return failed
	}
	if kept > 0 {
		step(esindex.Step{Object: "month indices", Name: t.ahead(0).Format("2006.01") + " to " + t.ahead(s.Months).Format("2006.01"), Done: fmt.Sprintf("kept, %d of %d", kept, len(names))})
	}
	return nil
}

// setUpNotes makes the index of what analysts say, unless it is there. It has
// no template: one index, of one shard, whose documents are never changed.
func (t *Target) setUpNotes(ctx context.Context, step func(esindex.Step)) error {
	name := analyst.NotesIndex(t.o.IndexPrefix)
	body := analyst.NotesBody()
	product, err := t.client.Product(ctx)
	if err == nil && product == esindex.Serverless {
		body, err = withoutSettings(body)
	}
	if err != nil {
		return err
	}
	err = t.client.Call(ctx, "create index "+name, http.MethodPut, "/"+name, body, nil)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Type == "resource_already_exists_exception" {
		return nil
	}
	done := esindex.Step{Object: "index", Name: name, Done: "created"}
	if isForbidden(err) {
		// A key from before there were notes: all else goes on.
		done.Done, err = "left out: these credentials may not make it; run dossier setup once as a user such as elastic", nil
	}
	if err == nil {
		step(done)
	}
	return err
}

// withoutSettings returns an index's body without settings, all of which are
// about shards: Serverless refuses those.
func withoutSettings(body []byte) ([]byte, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		return nil, err
	}
	delete(parts, "settings")
	return json.Marshal(parts)
}

// secured says whether the cluster has security.
func (t *Target) secured(ctx context.Context) (bool, error) {
	_, err := t.client.Identity(ctx)
	if errors.Is(err, esindex.ErrNoSecurity) {
		return false, nil
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
	if product, err := t.client.Product(ctx); err != nil {
		return err
	} else if product == esindex.OpenSearch {
		if s.Roles == "on" || len(s.Keys) > 0 {
			return errNoKeys
		}
		all.Done = "left out: on OpenSearch they are made in its security plugin, as docs/security.md says"
		if !secured {
			all.Done = "left out: this cluster has no security; anybody who reaches it can read and delete everything"
		}
		step(all)
		return nil
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

// errNoKeys: roles and API keys are Elasticsearch's.
var errNoKeys = errors.New("Dossier makes no roles and API keys on OpenSearch: make a user and its role in the security plugin, as docs/security.md says, and leave out --roles on and --key")

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
