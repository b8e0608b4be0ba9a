package esindex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// ErrNoSecurity: the cluster knows no users, roles and API keys.
var ErrNoSecurity = errors.New("this cluster has no security")

// Identity is who Elasticsearch takes a client for.
type Identity struct {
	User string
	// Roles are the user's, as far as OpenSearch tells.
	Roles []string
	// Key is the API key that the client shows, nil for none.
	Key *KeyIdentity
}

// KeyIdentity is what Elasticsearch tells of an API key.
type KeyIdentity struct {
	ID, Name string
	// Prefix and Role are what dossier setup made it for, "" where it did
	// not.
	Prefix, Role string
	// Expires is zero for a key that lives for ever.
	Expires time.Time
}

// ErrNotToldOfPrivileges: OpenSearch doesn't say what somebody may.
var ErrNotToldOfPrivileges = errors.New("OpenSearch doesn't tell what these credentials may")

// Identity asks who this is. It needs no privilege: a key may always look at
// itself. Without security it is ErrNoSecurity.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	switch p, err := c.Product(ctx); {
	case err != nil:
		return Identity{}, err
	case p == OpenSearch:
		return c.openSearchIdentity(ctx)
	}
	const op = whoOp
	var who struct {
		User string `json:"username"`
		Key  struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"api_key"`
	}
	err := c.call(ctx, op, request{http.MethodGet, "/_security/_authenticate", nil}, &who)
	if e, ok := errors.AsType[*Error](err); ok && e.Status >= 400 && e.Status < 500 && e.Type == "" {
		e.cause = ErrNoSecurity // there is no such call
	}
	if err != nil || who.Key.ID == "" {
		return Identity{User: oneLine(who.User)}, err
	}
	key := &KeyIdentity{ID: who.Key.ID, Name: oneLine(who.Key.Name)}
	var found struct {
		Keys []struct {
			Expiration int64                      `json:"expiration"`
			Metadata   map[string]json.RawMessage `json:"metadata"`
		} `json:"api_keys"`
	}
	err = c.call(ctx, op, request{http.MethodGet, "/_security/api_key?id=" + url.QueryEscape(key.ID), nil}, &found)
	if err == nil && len(found.Keys) == 1 {
		var made struct{ Prefix, Role string }
		json.Unmarshal(found.Keys[0].Metadata[metaKey], &made) // what is of another form is not ours
		key.Prefix, key.Role = oneLine(made.Prefix), oneLine(made.Role)
		if end := found.Keys[0].Expiration; end != 0 {
			key.Expires = time.UnixMilli(end).UTC()
		}
	}
	return Identity{User: oneLine(who.User), Key: key}, nil
}

const whoOp = "ask who this is"

// openSearchIdentity asks OpenSearch's security plugin: Elasticsearch's call is
// unknown there whether or not there is security.
func (c *Client) openSearchIdentity(ctx context.Context) (Identity, error) {
	var who struct {
		User  string   `json:"user_name"`
		Roles []string `json:"roles"`
	}
	err := c.call(ctx, whoOp, request{http.MethodGet, "/_plugins/_security/authinfo", nil}, &who)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusBadRequest && e.Type == "" {
		e.cause = ErrNoSecurity // there is no such call
	}
	for i := range who.Roles {
		who.Roles[i] = oneLine(who.Roles[i])
	}
	return Identity{User: oneLine(who.User), Roles: who.Roles}, err
}

func (i Identity) String() string {
	if i.Key == nil {
		return "user " + i.User
	}
	return "API key " + i.Key.Name
}

// Misused says what the key was made for where that is neither of the roles of
// the prefix, "" for a key that is right or of somebody else's making.
func (i Identity) Misused(prefix string, roles ...string) string {
	k := i.Key
	if k == nil || k.Role == "" || k.Prefix == prefix && slices.Contains(roles, k.Role) {
		return ""
	}
	return fmt.Sprintf("API key %s is that of the role %s of the prefix %s", k.Name, k.Role, k.Prefix)
}
