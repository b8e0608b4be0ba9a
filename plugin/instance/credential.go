package instance

import "dossier/plugin/logging"

// fileFault tells of a file of a credential or certificate that changed and
// can't be used.
func (t *target) fileFault(err error) {
	t.erred(err.Error())
	t.log.Error("a file of a credential or certificate changed and can't be used", logging.ReasonKey, "credential_file", "err", err)
}

// tellDefaults says what is used where nothing was set. Fluent Bit keeps the
// properties host, port and tls.* to itself: whoever set only those must learn
// that they were not seen.
func (t *target) tellDefaults() {
	if t.o.HostsDefaulted {
		t.log.Info("es_hosts is not set; host, port and tls of the output have no effect", "used", t.o.Hosts[0])
	}
}
