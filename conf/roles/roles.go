// Package roles holds the roles of Elasticsearch that Dossier is used with,
// as PUT _security/role takes them. The files are for the index prefix
// dossier; Get returns them for any.
package roles

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed *.json
var files embed.FS

// prefix is what index names in the files begin with, alias what aliases do.
const (
	prefix = "dossier-"
	alias  = "logs-ti_dossier."
)

// The roles of sensors. CreatingWriter is Writer with the privilege to make
// month indices, and with it the power over their mappings and settings.
const (
	Writer         = "writer"
	CreatingWriter = "creating-writer"
)

// The roles of dossier rejudge and dossier forget.
const (
	Rejudge = "rejudge"
	Forget  = "forget"
)

// Reshard is the role of dossier reshard.
const Reshard = "reshard"

// Names returns the roles' names.
func Names() []string {
	return []string{Writer, CreatingWriter, "setup", "retention", "reader", "analyst", Rejudge, Reshard, Forget}
}

// Role is a role of Elasticsearch, or what an API key may do.
type Role struct {
	Cluster  []string          `json:"cluster"`
	Indices  []Indices         `json:"indices"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Indices are privileges on indices.
type Indices struct {
	Names      []string `json:"names"`
	Privileges []string `json:"privileges"`
}

// Get returns the role for the indices of the prefix. Name is one of Names.
func Get(name, indexPrefix string) (Role, error) {
	var r Role
	b, err := files.ReadFile(name + ".json")
	if err != nil {
		return r, fmt.Errorf("there is no role %q; use %s", name, strings.Join(Names(), ", "))
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("role %s: %w", name, err)
	}
	for i := range r.Indices {
		for j, n := range r.Indices[i].Names {
			if rest, ok := strings.CutPrefix(n, prefix); ok {
				r.Indices[i].Names[j] = indexPrefix + "-" + rest
			} else if rest, ok := strings.CutPrefix(n, alias); ok {
				r.Indices[i].Names[j] = "logs-ti_" + indexPrefix + "." + rest
			} else {
				return r, fmt.Errorf("role %s: index %q begins with another prefix", name, n)
			}
		}
	}
	return r, nil
}

// KeyCommand is the command that makes a key of the role for the prefix.
func KeyCommand(role, indexPrefix string) string {
	command := "dossier setup --key " + role + "=FILE"
	if indexPrefix != "dossier" {
		command += " --index-prefix " + indexPrefix
	}
	return command
}
