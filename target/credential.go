package target

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/plugin/logging"
)

// fileFault tells of a file of a credential or certificate that changed and
// can't be used.
func (t *Target) fileFault(err error) {
	t.Erred(err.Error())
	t.log.Error("a file of a credential or certificate changed and can't be used", logging.ReasonKey, "credential_file", "err", err)
}

// tellDefaults says what is used where nothing was set. Fluent Bit keeps the
// properties host, port and tls.* to itself: whoever set only those must learn
// that they were not seen.
func (t *Target) tellDefaults() {
	if t.o.HostsDefaulted {
		t.log.Info("es_hosts is not set; host, port and tls of the output have no effect", "used", t.o.Hosts[0])
	}
}

// wrongKey returns an error where the API key was made for another role or
// another prefix: said once and whole, instead of privilege by privilege as
// each request fails. Whose it is can't always be asked; then nothing is said.
func (t *Target) wrongKey(ctx context.Context) error {
	who, err := t.cluster.Identity(ctx)
	if err != nil {
		return nil //nolint:nilerr // it can't always be asked
	}
	other := who.Misused(t.o.IndexPrefix, roles.Writer, roles.CreatingWriter)
	if other == "" {
		return nil
	}
	where := "es_api_key"
	if t.o.APIKeyFile != "" {
		where = "es_api_key_file " + t.o.APIKeyFile
	}
	return &esindex.Error{
		Op: "look at the API key", Type: "wrong_key", Reason: fmt.Sprintf("%s: %s", where, other),
		Fix: fmt.Sprintf("give a key of the role %s of the prefix %s, which %s makes", roles.Writer, t.o.IndexPrefix, roles.KeyCommand(roles.Writer, t.o.IndexPrefix)),
	}
}

// mayNotInstall says in a refusal what it mostly is: templates are installed by
// dossier setup, and this is a sensor's key, which shall not be given more.
func mayNotInstall(err error) error {
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusForbidden {
		e.Fix = "set manage_templates off where dossier setup has been run: a sensor's key, of the role writer, may not look at templates, and needs not; " +
			"else run dossier setup, or use credentials that may"
	}
	return err
}
