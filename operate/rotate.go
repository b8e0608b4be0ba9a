package operate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/plugin/options"
)

// Rotation says how a key is replaced.
type Rotation struct {
	// File holds the key, and the new one after it.
	File string
	// Life is how long the new key lives: Forever, or zero for as long as the
	// one before was made for.
	Life time.Duration
	// KeepOld is for how long the key before goes on working. Elasticsearch
	// ends it then by itself. Zero ends it as soon as the new one works and
	// whoever reads the file had time to.
	KeepOld time.Duration
	// KeyFile is whose the file becomes; what is left out stays as it is.
	KeyFile KeyFile
}

const (
	// settle is how long a sensor may take to see that its file changed: it
	// looks once a second.
	settle = 3 * time.Second
	// maxKeepOld bounds KeepOld.
	maxKeepOld = 30 * day
)

// RotateKey replaces the key in a file by a new one with the same name and
// role and today's privileges. The new key is tried before it gets into the
// file and again from there; only then the old one ends. An error says which
// of the two is in the file.
func (t *Target) RotateKey(ctx context.Context, r Rotation, step func(esindex.Step)) error {
	if r.KeepOld < 0 || r.KeepOld > maxKeepOld {
		return fmt.Errorf("--keep-old: got %s, want a duration of up to %s, or 0s to end the old key at once", r.KeepOld, maxKeepOld)
	}
	if err := t.hasKeys(ctx); err != nil {
		return err
	}
	// Where the name is a link, what it names is replaced.
	file, err := filepath.EvalSymlinks(r.File)
	if err != nil {
		return fmt.Errorf("%w; dossier setup --key ROLE=FILE makes a first key", err)
	}
	wrong := func(err error) error { return fmt.Errorf("rotate %s: %w", r.File, err) }
	id, err := keyIDOf(file)
	if err != nil {
		return wrong(err)
	}
	keys, metas, err := t.keys(ctx, map[string]any{"ids": map[string]any{"values": []string{id}}})
	switch {
	case err != nil:
		return err
	case len(keys) != 1:
		return wrong(fmt.Errorf("Elasticsearch has no key of the id %s that these credentials may see: remove the file and make a new key with dossier setup --key", id))
	case metas[0].Prefix == "" || !slices.Contains(roles.Names(), metas[0].Role):
		return wrong(fmt.Errorf("the key %s was not made by dossier setup --key", line(keys[0].Name)))
	case metas[0].Prefix != t.o.IndexPrefix:
		return wrong(fmt.Errorf("its key is of the index_prefix %s, this is %s", line(metas[0].Prefix), t.o.IndexPrefix))
	}
	old, m := keys[0], metas[0]
	if m.Name == "" { // from before keys had names of their own
		m.Name = Key{Role: m.Role, File: file}.name()
	}
	m.Life, m.Replaces = 0, id
	life := r.Life
	if life == 0 {
		life = old.life
	}
	before, err := os.Stat(file)
	if err != nil {
		return wrong(err)
	}
	f, err := newKeyFile(file, r.KeyFile, before)
	if err != nil {
		return wrong(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	made, err := t.makeKey(ctx, m, life)
	if err != nil {
		return wrong(err)
	}
	undo := func(err error) error {
		return wrong(errors.Join(fmt.Errorf("%w; the key before is still in the file and works as it did", err), t.invalidate(context.WithoutCancel(ctx), made.ID)))
	}
	if err := t.tryKey(ctx, m.Role, made.ID, options.Secret(made.Encoded), ""); err != nil {
		return undo(err)
	}
	_, err = f.WriteString(made.Encoded + "\n")
	if err := errors.Join(err, f.Sync()); err != nil {
		return undo(err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return undo(err)
	}
	said := esindex.Step{Object: "API key", Name: t.fullName(m), Done: "created, role " + m.Role + ", id " + made.ID}
	if life > 0 {
		said.Done += ", expires on " + t.now().Add(life).UTC().Format(time.DateOnly)
	}
	step(said)
	kept := func(err error) error {
		return wrong(fmt.Errorf("%w; the new key is in the file, the old one, id %s, still works: dossier keys revoke %s ends it", err, id, id))
	}
	if err := errors.Join(syncFolder(file), t.tryKey(ctx, m.Role, made.ID, "", file)); err != nil {
		return kept(err)
	}
	after, err := os.Stat(file)
	if err != nil {
		return kept(err)
	}
	step(esindex.Step{Object: "file", Name: r.File, Done: "holds the new key, which works; " + describeFile(after)})
	ended := esindex.Step{Object: "API key", Name: old.Name + ", id " + id}
	switch {
	case !old.valid(t.now()):
		ended.Done = "did not work any more"
	case r.KeepOld > 0 && (old.Expires.IsZero() || old.Expires.After(t.now().Add(r.KeepOld))):
		body := []byte(fmt.Sprintf(`{"expiration":%q}`, seconds(r.KeepOld)))
		err := t.client.Call(ctx, "end the API key "+id, http.MethodPut, "/_security/api_key/"+id, body, nil)
		if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusBadRequest {
			e.Fix = "before Elasticsearch 8.13 a key can't be given an end"
		}
		if isNotFound(err) {
			err = fmt.Errorf("only %s, who made it, can give it an end", line(old.MadeBy))
		}
		if err != nil {
			return kept(err)
		}
		ended.Done = "works until " + t.now().Add(r.KeepOld).UTC().Format(time.RFC3339)
	case r.KeepOld > 0:
		ended.Done = "works until " + old.Expires.Format(time.RFC3339) + ", as before"
	default:
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return kept(ctx.Err())
		}
		if err := t.invalidate(ctx, id); err != nil {
			return kept(err)
		}
		ended.Done = "revoked"
	}
	step(ended)
	return nil
}

// tryKey says why a key doesn't do: it must be taken for the one that was
// made, and have what its role has.
func (t *Target) tryKey(ctx context.Context, role, id string, key options.Secret, file string) error {
	c, err := t.withKey(key, file)
	if err != nil {
		return err
	}
	defer c.Close()
	is, err := whoIs(ctx, c)
	if err != nil {
		return err
	}
	if is != id {
		return fmt.Errorf("the key that was made is taken for another, id %s", line(is))
	}
	want, err := roles.Get(role, t.o.IndexPrefix)
	if err != nil {
		return err
	}
	as := *t
	as.client = c
	_, lacking, err := as.privileges(ctx, want)
	if err == nil && len(lacking) > 0 {
		err = fmt.Errorf("the new key lacks %s, for whoever makes it lacks that: connect as a user such as elastic", strings.Join(lacking, ", "))
	}
	return err
}

// RevokeKeys ends keys of this prefix, each given by its name or its id. A
// name that several working keys have is an error unless all is set.
func (t *Target) RevokeKeys(ctx context.Context, which []string, all bool, step func(esindex.Step)) error {
	keys, err := t.Keys(ctx)
	if err != nil {
		return err
	}
	var ending []APIKey
	for _, name := range which {
		var found []APIKey
		revoked := false
		for _, k := range keys {
			if k.ID != name && k.Name != name {
				continue
			}
			if revoked = !k.Revoked.IsZero(); !revoked {
				found = append(found, k)
			}
		}
		switch {
		case len(found) == 0 && revoked:
			step(esindex.Step{Object: "API key", Name: line(name), Done: "was revoked before"})
		case len(found) == 0:
			return fmt.Errorf("revoke: the prefix %s has no key with the name or id %q; dossier keys list shows them all", t.o.IndexPrefix, line(name))
		case len(found) > 1 && !all:
			var ids []string
			for _, k := range found {
				ids = append(ids, line(k.ID)+" of "+k.Created.Format(time.DateTime))
			}
			return fmt.Errorf("revoke: %d keys have the name %s: give the id of one, or --all: %s", len(found), line(name), strings.Join(ids, ", "))
		}
		ending = append(ending, found...)
	}
	for _, k := range ending {
		if err := t.invalidate(ctx, k.ID); err != nil {
			return err
		}
		step(esindex.Step{Object: "API key", Name: line(k.Name) + ", id " + line(k.ID), Done: "revoked; whoever has it can't connect any more"})
	}
	return nil
}
