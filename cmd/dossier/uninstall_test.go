package main

import (
	"strings"

	"dossier/testbed/e2e"
)

// installed sets up a prefix of its own, and returns the flags that lead there.
func (u use) installed() (prefix string, link []string) {
	u.Helper()
	prefix = e2e.Prefix(u.T)
	link = []string{"--es-hosts", u.w.node.URL, "--index-prefix", prefix}
	if out, errs, status := dossier(u.T, nil, append([]string{"setup", "--months=1"}, link...)...); status != 0 {
		u.Fatal(out, errs)
	}
	return prefix, link
}

var uninstallRows = map[string]row{
	"uninstall --yes": {"maybe", `"maybe" for "-y, --yes"`, func(u use) {
		prefix, link := u.installed()
		out, errs, status := u.run("false", link...)
		contains(u.T, out, "index "+prefix+"-attackers-000001: 0 documents, to delete", "index template "+prefix+"-sensors: to delete")
		if contains(u.T, errs, "nobody answered, and nothing was done; give --yes"); status != 1 {
			u.Errorf("status %d", status)
		}
		u.w.node.Must(u.T, "GET", prefix+"-attackers", nil)
		out, errs, status = u.run("true", link...)
		if contains(u.T, out, "index "+prefix+"-attackers-000001: 0 documents, deleted"); status != 0 {
			u.Errorf("status %d, %s", status, errs)
		}
		out, _, _ = u.run("true", link...)
		contains(u.T, out, "nothing to delete")
	}},
	"uninstall --keep-data": {"maybe", `"maybe" for "--keep-data"`, func(u use) {
		// What is listed is what is deleted, as operate's TestUninstall sees.
		out, errs, status := u.run("true", u.w.real()...)
		if contains(u.T, out, "index template "+u.w.prefix+"-attackers: to delete", " indices stay with their documents"); strings.Contains(out, "index "+u.w.prefix) {
			u.Errorf("indices are to be deleted:\n%s", out)
		}
		if contains(u.T, errs, "nobody answered, and nothing was done"); status != 1 {
			u.Errorf("status %d", status)
		}
	}},
}
