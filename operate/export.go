package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dossier/analyst"
	"dossier/conf/roles"
	"dossier/esindex"
)

// Export writes what Setup makes on a cluster of this kind where there is nothing of the
// prefix yet into a folder: of each template, index and role the body of its PUT, in a file
// named after its path, and apply.sh, which sends them. It sends nothing that changes anything.
// The folder must be empty or not there. API keys are left out: Elasticsearch makes their secrets.
func (t *Target) Export(ctx context.Context, s Setup, dir string, step func(esindex.Step)) error {
	if err := s.validate(); err != nil {
		return err
	}
	if err := emptyFolder(dir); err != nil {
		return fmt.Errorf("--export: %w", err)
	}
	names := t.others()
	for n := range s.Months + 1 {
		names = append(names, t.months(t.ahead(n))...)
	}
	for _, at := range s.Also {
		names = append(names, t.months(at)...)
	}
	bodies, err := t.client.Bodies(ctx, t.templates, names)
	if err != nil {
		return err
	}
	notes := analyst.NotesBody()
	product, err := t.client.Product(ctx)
	if err == nil && product == esindex.Serverless {
		notes, err = withoutSettings(notes)
	}
	if err != nil {
		return err
	}
	bodies = append(bodies, esindex.Body{Path: "/" + analyst.NotesIndex(t.o.IndexPrefix), JSON: notes})
	secured := s.Roles == "on"
	if s.Roles == "auto" && product != esindex.OpenSearch {
		if secured, err = t.secured(ctx); err != nil {
			return err
		}
	}
	if secured && product != esindex.OpenSearch {
		for _, name := range roles.Names() {
			role, err := roles.Get(name, t.o.IndexPrefix)
			if err != nil {
				return err
			}
			body, err := json.Marshal(role)
			if err != nil {
				return err
			}
			bodies = append(bodies, esindex.Body{Path: "/_security/role/" + t.roleName(name), JSON: body})
		}
	}
	for _, b := range bodies {
		path := strings.TrimPrefix(b.Path, "/")
		if err := writeBody(filepath.Join(dir, filepath.FromSlash(path)+".json"), b.JSON); err != nil {
			return fmt.Errorf("--export: %w", err)
		}
		step(esindex.Step{Object: "file", Name: path + ".json", Done: "created"})
	}
	if err := os.WriteFile(filepath.Join(dir, applyName), []byte(t.apply(bodies)), 0o700); err != nil {
		return fmt.Errorf("--export: %w", err)
	}
	step(esindex.Step{Object: "file", Name: applyName, Done: "created, it sends the others by curl"})
	return nil
}

const applyName = "apply.sh"

// emptyFolder refuses a folder that isn't empty.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(entries) > 0:
		return fmt.Errorf("%s isn't empty: give another folder", line(dir))
	}
	return err
}

// writeBody writes a file for this user only: one of them holds the prefix's list key.
func writeBody(path string, body []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// apply is the script. Names in it are made of letters, digits and .-_@/ alone.
func (t *Target) apply(bodies []esindex.Body) string {
	var s strings.Builder
	fmt.Fprintf(&s, `#!/bin/sh
# Made by dossier setup --export, for the index prefix %s. It sends each file to the
# path that it is named after, in an order that works, and leaves indices alone that are there.
#
#   ./apply.sh https://elastic-1:9200 --netrc-file FILE --cacert ca.pem     # what follows the address goes to curl
#
# FILE has the line "machine elastic-1 login elastic password …"; with --user elastic curl asks for the password each time.
#
# The file of the attackers' index holds the list key, which is a secret (docs/security.md).
set -eu
to=${1:?give the address of a node, such as https://elastic-1:9200}
shift
here=$(dirname "$0")
put() {
	path=$1
	shift
	echo "PUT $path"
	curl --silent --show-error --fail --output /dev/null "$@" --request PUT --header 'Content-Type: application/json' --data-binary "@$here/$path.json" "$to/$path"
}
index() {
	path=$1
	name=$2
	shift 2
	if curl --silent --fail --head --output /dev/null "$@" "$to/$name"; then
		echo "$name is there, and left as it is"
	else
		put "$path" "$@"
	fi
}
`, t.o.IndexPrefix)
	for _, b := range bodies {
		path := strings.TrimPrefix(b.Path, "/")
		do := "put " + path
		if !strings.HasPrefix(path, "_") {
			do = "index " + path + " " + t.link.NameOf(path)
		}
		fmt.Fprintf(&s, "%s \"$@\"\n", do)
	}
	return s.String()
}
