package target

import (
	"strconv"

	"dossier/correlate"
	"dossier/esindex"
	"dossier/plugin/options"
	"dossier/profile"
)

// Connection is how one index prefix on one cluster is reached.
type Connection struct {
	Options   options.Options
	Indices   correlate.Indices
	Templates []esindex.Template
	Client    *esindex.Client
	Store     *esindex.Store
}

// Connect returns the connection that the options tell of. Nothing is sent, and
// nothing runs behind it. version goes into the user agent.
func Connect(o options.Options, version string) (*Connection, error) { return connect(o, version, nil) }

func connect(o options.Options, version string, onFault func(error)) (*Connection, error) {
	c := &Connection{Options: o, Indices: indices(o)}
	var err error
	if c.Templates, err = templates(o); err != nil {
		return nil, err
	}
	link := clientOptions(o, version)
	link.OnFault = onFault
	if c.Client, err = esindex.New(link); err != nil {
		return nil, err
	}
	if c.Store, err = esindex.NewStore(c.Client, c.Templates); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the connections.
func (c *Connection) Close() error { return c.Client.Close() }

// String names where it leads to: nodes and indices.
func (c *Connection) String() string { return name(c.Options) }

// WithKey returns a client for the same cluster that shows nothing but an API key, or
// that of a file.
func (c *Connection) WithKey(key options.Secret, file, version string) (*esindex.Client, error) {
	o := c.Options
	o.User, o.Password, o.PasswordFile, o.APIKey, o.APIKeyFile = "", "", "", key, file
	return esindex.New(clientOptions(o, version))
}

// templates returns the templates of all indices as esindex takes them.
func templates(o options.Options) ([]esindex.Template, error) {
	made, err := profile.Templates(templateOptions(o))
	if err != nil {
		return nil, err
	}
	out := make([]esindex.Template, len(made))
	for i, m := range made {
		out[i] = esindex.Template{
			Name: m.Name, Pattern: m.Pattern, Version: profile.SchemaVersion, Body: m.Body, Better: m.Better,
			Monthly: m.Kind.Monthly(), Homes: m.Kind == profile.Chunks,
		}
		switch m.Kind {
		case profile.Attackers, profile.Targets, profile.Activity, profile.Transitions:
			out[i].Fixed = map[string]string{"ipv6_prefix": strconv.Itoa(o.IPv6Prefix)}
		}
		switch m.Kind {
		case profile.Attackers, profile.Targets, profile.Indicators:
			out[i].Numbered = true
		}
		if m.Kind == profile.Attackers {
			out[i].ListKey = profile.ListKeyField
		}
		if old := profile.RetiredAlias(o.IndexPrefix); m.Kind == profile.Attackers && old != "" {
			out[i].Retired = []string{old}
		}
	}
	return out, nil
}
