package instance

import (
	"dossier/esindex"
	"dossier/plugin/options"
)

// ClientOptions returns how to reach the cluster of o. version goes into the
// user agent.
func ClientOptions(o options.Options, version string) esindex.Options {
	return clientOptions(o, version)
}
