package esnode

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Names returns the names of all indices, aliases, templates, roles and live
// API keys of the node, sorted, but for those that begin with a dot: those are
// Elasticsearch's own.
func (n *Node) Names(ctx context.Context) ([]string, error) {
	l, err := n.left(ctx, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for kind, of := range map[string][]string{
		"index": l.Indices, "index template": l.IndexTemplates, "component template": l.ComponentTemplates,
		"alias": l.Aliases, "role": l.Roles, "API key": l.Keys,
	} {
		for _, name := range of {
			if !strings.HasPrefix(name, ".") {
				names = append(names, kind+" "+name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// Left is what stands on a node under names that begin with a prefix.
type Left struct {
	Indices, IndexTemplates, ComponentTemplates, Aliases, Roles []string
	// Keys are the ids of API keys.
	Keys []string
}

// Count is how much there is of everything.
func (l *Left) Count() int {
	return len(l.Indices) + len(l.IndexTemplates) + len(l.ComponentTemplates) + len(l.Aliases) + len(l.Roles) + len(l.Keys)
}

// Left returns what stands there under names that begin with the prefix, or,
// of aliases of threat indicators, with logs-ti_ and the prefix.
func (n *Node) Left(ctx context.Context, prefix string) (Left, error) {
	if prefix == "" || strings.ContainsAny(prefix, "*,?/") {
		return Left{}, fmt.Errorf("esnode: %q is no prefix to look for", prefix)
	}
	return n.left(ctx, prefix)
}

func (n *Node) left(ctx context.Context, prefix string) (l Left, err error) {
	get := func(path string, into any) error {
		code, answer, err := n.Do(ctx, "GET", path, nil)
		switch {
		case err != nil:
			return err
		case code == 404:
			return nil
		case code != 200:
			return fmt.Errorf("esnode: GET %s: HTTP %d: %.300v", path, code, answer)
		}
		b, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, into)
	}
	begins := func(name string) bool { return strings.HasPrefix(name, prefix) }
	var indices map[string]struct{ Aliases map[string]any }
	if err := get("/"+prefix+"*/_alias?expand_wildcards=all", &indices); err != nil {
		return l, err
	}
	for name, index := range indices {
		l.Indices = append(l.Indices, name)
		for alias := range index.Aliases {
			if begins(alias) || strings.HasPrefix(alias, "logs-ti_"+prefix) {
				l.Aliases = append(l.Aliases, alias)
			}
		}
	}
	type named struct{ Name string }
	var templates struct {
		Index     []named `json:"index_templates"`
		Component []named `json:"component_templates"`
	}
	if err := get("/_index_template/"+prefix+"*", &templates); err != nil {
		return l, err
	}
	if err := get("/_component_template/"+prefix+"*", &templates); err != nil {
		return l, err
	}
	for _, t := range templates.Index {
		l.IndexTemplates = append(l.IndexTemplates, t.Name)
	}
	for _, t := range templates.Component {
		l.ComponentTemplates = append(l.ComponentTemplates, t.Name)
	}
	if n.User != "" {
		var roles map[string]any
		if err := get("/_security/role", &roles); err != nil {
			return l, err
		}
		for name := range roles {
			if begins(name) {
				l.Roles = append(l.Roles, name)
			}
		}
		var keys struct {
			Keys []struct {
				ID, Name    string
				Invalidated bool
			} `json:"api_keys"`
		}
		if err := get("/_security/api_key", &keys); err != nil {
			return l, err
		}
		for _, k := range keys.Keys {
			if begins(k.Name) && !k.Invalidated {
				l.Keys = append(l.Keys, k.ID)
			}
		}
	}
	return l, nil
}

// Clean removes what Left returns, until that is nothing: a request of a
// process that was killed may still be carried out meanwhile.
func (n *Node) Clean(ctx context.Context, prefix string) error {
	for {
		l, err := n.Left(ctx, prefix)
		if err == nil && l.Count() == 0 {
			return nil
		}
		if err == nil {
			err = n.remove(ctx, l)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("esnode: %+v is left: %w (%v)", l, ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// remove removes what stands there once. Aliases go with their indices.
func (n *Node) remove(ctx context.Context, l Left) error {
	remove := func(path string, body any) error {
		code, answer, err := n.Do(ctx, "DELETE", path, body)
		if err == nil && code != 404 && code/100 != 2 {
			err = fmt.Errorf("esnode: DELETE %s: HTTP %d: %.300v", path, code, answer)
		}
		return err
	}
	// By name: a cluster may refuse to delete by pattern.
	for part := range slices.Chunk(l.Indices, 50) {
		if err := remove("/"+strings.Join(part, ","), nil); err != nil {
			return err
		}
	}
	for _, name := range l.IndexTemplates {
		if err := remove("/_index_template/"+name, nil); err != nil {
			return err
		}
	}
	for _, name := range l.ComponentTemplates {
		if err := remove("/_component_template/"+name, nil); err != nil {
			return err
		}
	}
	for _, name := range l.Roles {
		if err := remove("/_security/role/"+name, nil); err != nil {
			return err
		}
	}
	if len(l.Keys) > 0 {
		return remove("/_security/api_key", map[string]any{"ids": l.Keys})
	}
	return nil
}

// cleanLimit bounds how long a test's end may take for it.
const cleanLimit = 2 * time.Minute

// CleanUp removes at the end of the test what it left on the shared node under
// names that begin with the prefix. Call it before whatever writes there is
// started: what is started later ends before. It does nothing where the
// process has used no shared node, and tells where the node has gone.
func CleanUp(t testing.TB, prefix string) {
	t.Helper()
	t.Cleanup(func() {
		n := opened.Load()
		if n == nil {
			return
		}
		// The test's own context has ended.
		ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
		defer cancel()
		if err := n.Clean(ctx, prefix); err != nil {
			t.Errorf("what the test left is still there: %v", err)
		}
	})
}
