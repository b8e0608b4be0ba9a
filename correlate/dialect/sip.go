package dialect

import (
	"strings"

	"dossier/correlate/event"
)

// sipRequest adds what a request of SIP's shows, whose target is a URI or a
// number: a call, a message or a registration as a command line; what only asks
// whether somebody is there (OPTIONS) as a fingerprint.
func (x *scratch) sipRequest(method, target string) {
	if method == "" {
		return
	}
	line := x.join(method, x.webPath(target))
	if sipWork(method) {
		x.command(line)
		return
	}
	x.fingerprint("sip_request", line)
}

// sipWork says whether a method makes a server do something (RFC 3261, 3428,
// 3515, 3903, 6665).
func sipWork(method string) bool {
	switch strings.ToUpper(method) {
	case "INVITE", "REGISTER", "MESSAGE", "REFER", "PUBLISH", "SUBSCRIBE", "NOTIFY", "INFO", "UPDATE":
		return true
	default:
		return false
	}
}

// sipClass returns the class of a request with a method.
func sipClass(method string) class {
	switch {
	case sipWork(method) && !strings.EqualFold(method, "REGISTER"):
		return use
	default:
		return recon
	}
}

// canarySIP adds what OpenCanary tells of a request: its headers, in lower case,
// each a list (opencanary/modules/sip.py, Twisted's sip.py).
func (x *scratch) canarySIP() {
	const headers = "logdata.HEADERS."
	method := x.canaryMethod()
	x.put("method", method)
	x.put("from", x.webPath(x.get(headers+"from.0")))
	x.fingerprint("sip_useragent", x.first(headers+"user-agent.0", headers+"server.0"))
	x.payload = x.payload[:0]
	x.sipRequest(method, sipTarget(x.get(headers+"to.0")))
	for _, name := range [...]string{headers + "authorization.0", headers + "proxy-authorization.0"} {
		if value := x.get(name); value != "" {
			x.authorization(value, credential{outcome: event.Failure})
		}
	}
}

// canaryMethod returns the method of a request of SIP's.
func (x *scratch) canaryMethod() string {
	_, method, _ := strings.Cut(x.get("logdata.HEADERS.cseq.0"), " ")
	return strings.TrimSpace(method)
}

// sipTarget returns the URI in a To header: "name" <sip:100@192.0.2.1>;tag=1.
func sipTarget(to string) string {
	if _, rest, ok := strings.Cut(to, "<"); ok {
		to, _, _ = strings.Cut(rest, ">")
	}
	return strings.TrimSpace(to)
}
