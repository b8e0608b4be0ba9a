package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/plugin/options"
)

// Key is an API key to make.
type Key struct {
	Role, File string
	// Name tells the keys of a role apart: that of a sensor or a host. Where
	// it is empty it is made of this host's name and the file's.
	Name string
}

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// ParseKey reads ROLE=FILE or ROLE:NAME=FILE.
func ParseKey(s string) (Key, error) {
	role, file, ok := strings.Cut(s, "=")
	role, name, named := strings.Cut(role, ":")
	if !ok || file == "" || !slices.Contains(roles.Names(), role) || named && !keyName.MatchString(name) {
		return Key{}, fmt.Errorf("--key: got %q, want ROLE=FILE or ROLE:NAME=FILE with a role of %s and a name of letters, digits, '.', '_' and '-'",
			s, strings.Join(roles.Names(), ", "))
	}
	return Key{Role: role, File: file, Name: name}, nil
}

// name returns the key's own name.
func (k Key) name() string {
	if k.Name != "" {
		return k.Name
	}
	file := filepath.Base(k.File)
	file = strings.TrimSuffix(file, filepath.Ext(file))
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return unusual.ReplaceAllString(host+"-"+file, "-")
}

var unusual = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// APIKey is a key of one prefix as Elasticsearch has it.
type APIKey struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Role string `json:"role"`
	// MadeBy is the user who made it.
	MadeBy  string    `json:"made_by"`
	Created time.Time `json:"created"`
	// Expires is zero for a key that lives for ever, Revoked for one that was
	// not invalidated.
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	// Privileges are what the key may do. Current says that it is what its
	// role has today.
	Privileges []roles.Role `json:"privileges"`
	Current    bool         `json:"current"`

	own  string        // the name without prefix and role, "" for one from before keys had any
	life time.Duration // as it was given, zero for none
}

// valid says whether the key works at that time.
func (k *APIKey) valid(at time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || k.Expires.After(at))
}

// keyMeta is what a key's metadata says under "dossier".
type keyMeta struct {
	Prefix string `json:"prefix"`
	Role   string `json:"role"`
	Name   string `json:"name,omitempty"`
	// Life is in seconds, 0 for ever.
	Life int64 `json:"life,omitempty"`
	// Replaces is the id of the key it was made for.
	Replaces string `json:"replaces,omitempty"`
}

// maxKeys bounds the keys that are looked at; Elasticsearch gives no more
// without a scroll.
const maxKeys = 10_000

// keys returns the keys that match a query, those of other prefixes included,
// newest first.
func (t *Target) keys(ctx context.Context, query map[string]any) ([]APIKey, []keyMeta, error) {
	body, err := json.Marshal(map[string]any{"query": query, "size": maxKeys, "sort": []any{map[string]any{"creation": map[string]any{"order": "desc"}}}})
	if err != nil {
		return nil, nil, err
	}
	var found struct {
		Total int `json:"total"`
		Keys  []struct {
			ID           string                `json:"id"`
			Name         string                `json:"name"`
			Creation     int64                 `json:"creation"`
			Expiration   int64                 `json:"expiration"`
			Invalidated  bool                  `json:"invalidated"`
			Invalidation int64                 `json:"invalidation"`
			User         string                `json:"username"`
			Roles        map[string]roles.Role `json:"role_descriptors"`
			Metadata     struct {
				Dossier json.RawMessage `json:"dossier"`
			} `json:"metadata"`
		} `json:"api_keys"`
	}
	if err := t.client.Call(ctx, "list the API keys", http.MethodPost, "/_security/_query/api_key", body, &found); err != nil {
		return nil, nil, err
	}
	if found.Total > len(found.Keys) {
		return nil, nil, fmt.Errorf("there are %d API keys, at most %d can be looked at: revoke what is not needed", found.Total, maxKeys)
	}
	var keys []APIKey
	var metas []keyMeta
	for _, f := range found.Keys {
		var m keyMeta
		json.Unmarshal(f.Metadata.Dossier, &m) // what is of another form is not ours
		k := APIKey{
			Name: f.Name, ID: f.ID, Role: m.Role, MadeBy: f.User, Created: time.UnixMilli(f.Creation).UTC(),
			own: m.Name, life: time.Duration(m.Life) * time.Second,
		}
		if f.Expiration != 0 {
			k.Expires = time.UnixMilli(f.Expiration).UTC()
			if k.life == 0 {
				k.life = k.Expires.Sub(k.Created)
			}
		}
		if f.Invalidated {
			// Before 8.12 there is no time of it.
			if k.Revoked = k.Created; f.Invalidation != 0 {
				k.Revoked = time.UnixMilli(f.Invalidation).UTC()
			}
		}
		want, err := roles.Get(m.Role, t.o.IndexPrefix)
		for _, r := range f.Roles {
			k.Privileges = append(k.Privileges, r)
			k.Current = err == nil && len(f.Roles) == 1 && same(r, want)
		}
		keys, metas = append(keys, k), append(metas, m)
	}
	return keys, metas, nil
}

// Keys returns the API keys that were made for this prefix, newest first, as
// far as these credentials may see them: all with manage_security or
// read_security, else the user's own.
func (t *Target) Keys(ctx context.Context) ([]APIKey, error) {
	if err := t.hasKeys(ctx); err != nil {
		return nil, err
	}
	found, _, err := t.keys(ctx, map[string]any{"term": map[string]any{"metadata.dossier.prefix": t.o.IndexPrefix}})
	return found, err
}

// hasKeys returns an error where the cluster has no API keys of ours.
func (t *Target) hasKeys(ctx context.Context) error {
	switch product, err := t.client.Product(ctx); {
	case err != nil:
		return err
	case product == esindex.OpenSearch:
		return errNoKeys
	}
	secured, err := t.secured(ctx)
	if err == nil && !secured {
		err = errNoSecurity
	}
	return err
}

var errNoSecurity = errors.New("this cluster has no security, so no API keys: set xpack.security.enabled")

// JudgeKeys tells of each key what it is and what is wrong with it.
func (t *Target) JudgeKeys(keys []APIKey, out func(APIKey, Finding)) {
	now := t.now()
	for i, k := range keys {
		f := Finding{Subject: "key " + line(k.Name)}
		text := fmt.Sprintf("role %s, id %s, made %s by %s", line(k.Role), line(k.ID), k.Created.Format(time.DateOnly), line(k.MadeBy))
		successor := slices.IndexFunc(keys[:i], func(other APIKey) bool { return k.own != "" && other.Name == k.Name && other.valid(now) })
		wrong := func(fix, what string) {
			text += ", " + what
			if f.Level = Warning; successor >= 0 {
				f.Level = Note
				return
			}
			f.Fix = fix
		}
		const renew = "make a new one: dossier keys rotate FILE"
		switch left := k.Expires.Sub(now); {
		case !k.Revoked.IsZero():
			f.Level = Note
			text += ", revoked"
			if k.Revoked.After(k.Created) {
				text += " on " + k.Revoked.Format(time.DateOnly)
			}
		case k.Expires.IsZero():
			text += ", never expires"
		case left <= 0:
			wrong(renew, "expired on "+k.Expires.Format(time.DateOnly))
		case left < expiry:
			wrong(renew, fmt.Sprintf("expires in %d days, on %s", int(left/day), k.Expires.Format(time.DateOnly)))
		default:
			text += ", expires on " + k.Expires.Format(time.DateOnly)
		}
		if k.valid(now) {
			if successor >= 0 {
				text += ", replaced by id " + line(keys[successor].ID)
				if k.Expires.IsZero() {
					f.Level, f.Fix = Warning, "dossier keys revoke "+line(k.ID)
				}
			} else if !k.Current {
				f.Level = Warning
				text += ", with other privileges than the role has today"
				f.Fix = strings.TrimPrefix(f.Fix+"; bring it up to date: dossier setup --key "+line(k.Role)+"=FILE, as the user who made it", "; ")
			}
		}
		f.Text = text
		out(k, f)
	}
}

// May describes in one line what the key may do.
func (k APIKey) May() string {
	var parts []string
	for _, r := range k.Privileges {
		if len(r.Cluster) > 0 {
			parts = append(parts, "on the cluster "+strings.Join(r.Cluster, ", "))
		}
		for _, i := range r.Indices {
			parts = append(parts, "on "+strings.Join(i.Names, ", ")+" "+strings.Join(i.Privileges, ", "))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	const most = 2000
	text := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, strings.Join(parts, "; "))
	return text[:min(len(text), most)]
}

// keyRequest is what is sent to make a key or to change one.
func (t *Target) keyRequest(m keyMeta) (map[string]any, error) {
	role, err := roles.Get(m.Role, t.o.IndexPrefix)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"role_descriptors": map[string]any{t.roleName(m.Role): role},
		"metadata":         map[string]any{"dossier": m},
	}, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int64(d.Seconds())) }

// madeKey is a key that was just made.
type madeKey struct {
	ID      string `json:"id"`
	Encoded string `json:"encoded"`
}

func (t *Target) makeKey(ctx context.Context, m keyMeta, life time.Duration) (madeKey, error) {
	var made madeKey
	if life > 0 {
		m.Life = int64(life.Seconds())
	}
	request, err := t.keyRequest(m)
	if err != nil {
		return made, err
	}
	request["name"] = t.fullName(m)
	if life > 0 {
		request["expiration"] = seconds(life)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return made, err
	}
	err = t.client.Call(ctx, "create an API key", http.MethodPost, "/_security/api_key", body, &made)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusBadRequest {
		e.Fix = "an API key can't make another: connect with es_user"
	}
	return made, err
}

func (t *Target) fullName(m keyMeta) string { return t.roleName(m.Role) + "-" + m.Name }

// invalidate ends a key at once.
func (t *Target) invalidate(ctx context.Context, id string) error {
	var err error
	// Without manage_security a user may end its own.
	for _, request := range []map[string]any{{"ids": []string{id}}, {"ids": []string{id}, "owner": true}} {
		var answer struct {
			Done   []string `json:"invalidated_api_keys"`
			Before []string `json:"previously_invalidated_api_keys"`
		}
		body, bad := json.Marshal(request)
		if bad != nil {
			return bad
		}
		err = t.client.Call(ctx, "invalidate the API key "+line(id), http.MethodDelete, "/_security/api_key", body, &answer)
		if err == nil && !slices.Contains(answer.Done, id) && !slices.Contains(answer.Before, id) {
			err = fmt.Errorf("Elasticsearch did not invalidate the API key %s", line(id))
		}
		if !isForbidden(err) {
			return err
		}
	}
	return err
}

// setUpKey makes an API key, unless the file holds one that works: that one
// gets today's privileges.
func (t *Target) setUpKey(ctx context.Context, k Key, life time.Duration, owned KeyFile) (esindex.Step, error) {
	step := esindex.Step{Object: "API key", Name: k.File}
	switch _, err := os.Lstat(k.File); {
	case err == nil:
		if step.Done, err = t.updateKey(ctx, k, life); err != nil {
			return step, err
		}
		changed, err := adjust(k.File, owned)
		if err != nil {
			return step, fmt.Errorf("key %s: %s: %w", k.Role, k.File, err)
		}
		if changed {
			if info, err := os.Stat(k.File); err == nil {
				step.Done = changedKey(step.Done) + "; its file now has " + describeFile(info)
			}
		}
		return step, nil
	case !errors.Is(err, fs.ErrNotExist):
		return step, fmt.Errorf("key %s: %w", k.Role, err)
	}
	f, err := newKeyFile(k.File, owned, nil)
	if err != nil {
		return step, fmt.Errorf("key %s: %w", k.Role, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	m := keyMeta{Prefix: t.o.IndexPrefix, Role: k.Role, Name: k.name()}
	made, err := t.makeKey(ctx, m, life)
	if err != nil {
		return step, err
	}
	_, err = f.WriteString(made.Encoded + "\n")
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Link(f.Name(), k.File) // fails where somebody was faster
	}
	if err == nil {
		err = syncFolder(k.File)
	}
	if err != nil {
		undo := t.invalidate(context.WithoutCancel(ctx), made.ID)
		return step, errors.Join(fmt.Errorf("key %s: %w", k.Role, err), undo)
	}
	step.Done = fmt.Sprintf("created, %s, role %s, id %s; its secret is in the file", t.fullName(m), k.Role, made.ID)
	if life > 0 {
		step.Done += ", it expires on " + t.now().Add(life).UTC().Format(time.DateOnly)
	}
	step.Done += forRootOnly(k.Role, k.File) + t.namesakes(ctx, m, made.ID)
	return step, nil
}

// changedKey is what is said of a key that stays while something about it
// changes: what begins with "kept" is taken for no change at all.
func changedKey(said string) string {
	if strings.HasPrefix(said, "kept") {
		return "key " + said
	}
	return said
}

// namesakes says which other keys of that name work.
func (t *Target) namesakes(ctx context.Context, m keyMeta, id string) string {
	keys, err := t.Keys(ctx)
	if err != nil {
		return ""
	}
	var ids []string
	for _, k := range keys {
		if k.Name == t.fullName(m) && k.ID != id && k.valid(t.now()) {
			ids = append(ids, line(k.ID))
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return "; a key of that name was there already: where it is not in use any more, dossier keys revoke " + strings.Join(ids, " ")
}

// withKey returns a client that shows nothing but a key.
func (t *Target) withKey(key options.Secret, file string) (*esindex.Client, error) {
	return t.link.WithKey(key, file, t.version)
}

// whoIs returns the id of the key that the client shows.
func whoIs(ctx context.Context, c *esindex.Client) (string, error) {
	who, err := c.Identity(ctx)
	if err != nil || who.Key == nil {
		return "", err
	}
	return who.Key.ID, nil
}

// updateKey looks at the key in the file.
func (t *Target) updateKey(ctx context.Context, k Key, life time.Duration) (string, error) {
	unusable := func(err error) (string, error) {
		return "", fmt.Errorf("key %s: %s is there, but no key that works here: dossier keys rotate %s makes a new one of a key that expired or was revoked, else remove it (%w)",
			k.Role, k.File, k.File, err)
	}
	c, err := t.withKey("", k.File)
	if err != nil {
		return unusable(err)
	}
	defer c.Close()
	id, err := whoIs(ctx, c)
	if err != nil {
		return unusable(err)
	}
	m := keyMeta{Prefix: t.o.IndexPrefix, Role: k.Role, Name: k.Name}
	keys, metas, err := t.keys(ctx, map[string]any{"ids": map[string]any{"values": []string{id}}})
	if err != nil && !isForbidden(err) {
		return "", err
	}
	var now APIKey
	if len(keys) == 1 {
		now = keys[0]
		was := metas[0]
		if was.Prefix != "" && (was.Prefix != m.Prefix || was.Role != m.Role) {
			return "", fmt.Errorf("key %s: %s holds a key with the role %s of the prefix %s: give another file", k.Role, k.File, line(was.Role), line(was.Prefix))
		}
		m.Name, m.Life, m.Replaces = was.Name, was.Life, was.Replaces
	}
	if life > 0 {
		m.Life = int64(life.Seconds())
	}
	request, err := t.keyRequest(m)
	if err != nil {
		return "", err
	}
	if life > 0 {
		request["expiration"] = seconds(life)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	var done struct {
		Updated bool `json:"updated"`
	}
	err = t.client.Call(ctx, "update the API key", http.MethodPut, "/_security/api_key/"+id, body, &done)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusBadRequest && life > 0 {
		e.Fix = "before Elasticsearch 8.13 the end of a key can't be changed: dossier keys rotate " + k.File + " --key-expires makes a new one"
	}
	said := "kept, id " + id
	switch {
	case isForbidden(err), isNotFound(err):
		said = "kept; whether its privileges are today's only the user who made it can see to"
		if life != 0 {
			return "", fmt.Errorf("key %s: when the key in %s expires only the user who made it can change: dossier keys rotate %s makes a new one", k.Role, k.File, k.File)
		}
	case err != nil:
		return "", err
	case done.Updated && (life <= 0 || !now.Current):
		said = "brought up to date, id " + id
	}
	switch {
	case life > 0:
		said = changedKey(said) + ", it now expires on " + t.now().Add(life).UTC().Format(time.DateOnly)
	case life == Forever && !now.Expires.IsZero():
		return "", fmt.Errorf("key %s: a key that expires can't be made to live for ever: dossier keys rotate %s --key-expires forever makes one that does", k.Role, k.File)
	case !now.Expires.IsZero():
		said += ", it expires on " + now.Expires.Format(time.DateOnly)
	}
	return said, nil
}
