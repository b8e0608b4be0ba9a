package dialect

import (
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// The bounds of what one event of Suricata's can name of a kind.
const (
	maxQueries = 16
	maxCVEs    = 8
)

// mailboxWord adds what POP3 and IMAP clients ask for: a login, or a command.
// Suricata tells the verb and its arguments apart (rust/src/pop3/logger.rs).
func (x *scratch) mailboxWord(protocol string) {
	verb := x.get(x.joined(protocol, ".request.command"))
	if verb == "" {
		return
	}
	args := x.arguments(protocol)
	c := credential{outcome: outcomeOf(x.get(x.joined(protocol, ".response.success")))}
	switch {
	case strings.EqualFold(verb, "PASS"):
		c.kind, c.secret = plaintext, args.whole(x)
	case strings.EqualFold(verb, "APOP"):
		c.principal, c.kind, c.secret = args.at(0), "apop_md5", args.at(1)
	case strings.EqualFold(verb, "LOGIN"):
		c.principal, c.kind, c.secret = args.at(0), plaintext, args.at(1)
	case strings.EqualFold(verb, "AUTH"), strings.EqualFold(verb, "AUTHENTICATE"):
		if !strings.EqualFold(args.at(0), "PLAIN") || !x.saslPlain(args.at(1), &c) {
			return
		}
	case strings.EqualFold(verb, "USER"), strings.EqualFold(verb, "CAPA"), strings.EqualFold(verb, "QUIT"),
		strings.EqualFold(verb, "STLS"), strings.EqualFold(verb, "NOOP"):
		return // the name comes again with nothing, the rest is how clients get along
	default:
		x.command(x.join(verb, args.whole(x)))
		return
	}
	x.login(c)
}

// mailboxWork says whether a command does something to the mails there.
func mailboxWork(verb string) bool {
	switch strings.ToUpper(verb[:min(len(verb), 8)]) {
	case "RETR", "TOP", "DELE", "LIST", "UIDL", "STAT", "FETCH", "STORE", "SELECT", "EXAMINE", "SEARCH", "APPEND", "COPY", "UID":
		return true
	default:
		return false
	}
}

// arguments are the words behind a verb: an array, or one text.
type arguments struct {
	words [4]string
	n     int
}

func (a *arguments) at(i int) string {
	if i < a.n {
		return a.words[i]
	}
	return ""
}

// whole returns the words as they were sent. A password may have spaces.
func (a *arguments) whole(x *scratch) string {
	line := ""
	for i, word := range a.words[:a.n] {
		if line = word; i > 0 {
			line = x.arena.Join(a.words[0], " ", word)
			a.words[0] = line
		}
	}
	return line
}

func (x *scratch) arguments(protocol string) (a arguments) {
	if text, ok := x.lookup(x.joined(protocol, ".request.args")); ok {
		for a.n < len(a.words)-1 {
			word, rest, more := strings.Cut(text, " ")
			a.words[a.n], a.n, text = word, a.n+1, rest
			if !more {
				return a
			}
		}
		a.words[a.n], a.n = text, a.n+1
		return a
	}
	for ; a.n < len(a.words); a.n++ {
		word, ok := x.lookup(x.numbered(protocol, ".request.args.", a.n, ""))
		if !ok {
			return a
		}
		a.words[a.n] = word
	}
	return a
}

// numbered puts the name of an array's element together, to look up alone.
func (x *scratch) numbered(prefix, name string, number int, rest string) string {
	x.name = append(append(x.name[:0], prefix...), name...)
	x.name = append(append(x.name, x.decimal(int64(number))...), rest...)
	return event.View(x.name)
}

// saslPlain reads the name and the password of SASL's PLAIN (RFC 4616) into c.
func (x *scratch) saslPlain(encoded string, c *credential) bool {
	message, ok := x.decodeBase64(encoded)
	if !ok {
		return false
	}
	_, message, ok = strings.Cut(message, "\x00")
	if !ok {
		return false
	}
	c.principal, c.secret, ok = strings.Cut(message, "\x00")
	c.kind = plaintext
	return ok
}

// mqtt adds a login, and the topics of an attacker who is a client: what the
// broker sends is the decoy's.
func (x *scratch) mqtt(f *flow) {
	if !f.sent {
		return
	}
	user, named := x.lookup("mqtt.connect.username")
	secret, shown := x.lookup("mqtt.connect.password")
	if named || shown {
		c := credential{principal: user}
		if shown {
			c.kind, c.secret = plaintext, secret
		}
		if code, ok := x.int("mqtt.connack.return_code"); ok {
			c.outcome = event.Failure
			if code == 0 {
				c.outcome = event.Success
			}
		}
		x.login(c)
	}
	if id := x.get("mqtt.connect.client_id"); id != "" {
		x.fingerprint("mqtt_client_id", id)
	}
	if topic := x.get("mqtt.publish.topic"); topic != "" {
		x.command(x.join(x.arena.Join("PUBLISH ", topic), x.get("mqtt.publish.message")))
	}
	for i := range maxQueries {
		topic := x.get(x.numbered("mqtt", ".subscribe.topics.", i, ".topic"))
		if topic == "" {
			return
		}
		x.command(x.arena.Join("SUBSCRIBE ", topic))
	}
}

// pgsql adds a login or a query. The name comes in a message of its own
// (rust/src/pgsql/logger.rs).
func (x *scratch) pgsql() {
	user := x.get("pgsql.request.startup_parameters.user")
	secret, shown := x.lookup("pgsql.request.password")
	kind := plaintext
	if strings.HasPrefix(secret, "md5") && len(secret) == len("md5")+32 {
		kind = "postgres_md5"
	}
	switch {
	case shown:
		c := credential{principal: user, kind: kind, secret: secret}
		switch {
		case strings.EqualFold(x.get("pgsql.response.message"), "authentication_ok"):
			c.outcome = event.Success
		case x.get("pgsql.response.code") == "28P01", x.get("pgsql.response.code") == "28000":
			c.outcome = event.Failure
		}
		x.login(c)
	case user != "":
		x.put("database", x.first("pgsql.request.startup_parameters.optional_parameters.0.database", "pgsql.request.startup_parameters.database"))
		x.fingerprint("postgres_user", user)
	}
	query, _ := x.lookup("pgsql.request.simple_query")
	x.command(query)
}

// ldap adds a bind with a name, or a search (rust/src/ldap/logger.rs).
func (x *scratch) ldap() {
	const bind = "ldap.request.bind_request."
	name := x.get(bind + "name")
	if mechanism := x.get(bind + "sasl.mechanism"); name != "" || mechanism != "" {
		c := credential{principal: name}
		if secret, ok := x.lookup(bind + "sasl.credentials"); ok && secret != "" {
			c.kind, c.secret = "sasl", secret
		}
		if secret, ok := x.lookup(bind + "password"); ok {
			c.kind, c.secret = plaintext, secret
		}
		switch result := x.get("ldap.responses.0.bind_response.result_code"); {
		case result == "":
		case strings.EqualFold(result, "success"), result == "0":
			c.outcome = event.Success
		case result != "sasl_bind_in_progress":
			c.outcome = event.Failure
		}
		x.login(c)
	}
	const search = "ldap.request.search_request."
	if _, ok := x.lookup(search + "scope"); ok || x.get(search+"base_object") != "" {
		x.command(x.join(x.join("search", x.get(search+"base_object")), x.join(x.get(search+"filter.type"), x.get(search+"filter.value"))))
	}
}

// controller adds what a controller was asked for: of Modbus the function's number
// first, as rules have it (rust/src/modbus/log.rs, output-json-dnp3.c,
// rust/src/enip/logger.rs).
func (x *scratch) controller(kind string) {
	switch kind {
	case "modbus":
		const request = "modbus.request."
		if n := x.get(request + "function_raw"); n != "" {
			where := x.first(request+"write.address", request+"read.address")
			x.command(x.join(x.join(n, x.get(request+"function_code")), where))
		}
	case "dnp3":
		// A word before the number: Modbus's mean other things.
		if n := x.first("dnp3.request.application.function_code", "dnp3.application.function_code"); n != "" && x.get("dnp3.type") != "response" && x.get("dnp3.type") != "unsolicited_response" {
			x.command(x.join("function", n))
		}
	case "enip":
		x.command(x.join(x.get("enip.request.command"), x.get("enip.request.cip.service")))
	}
}

// keyValue adds what a client of Redis asks for.
func (x *scratch) keyValue() {
	verb := x.first("redis.request.command", "redis.command")
	if verb == "" {
		return
	}
	args := x.arguments("redis")
	if strings.EqualFold(verb, "auth") {
		c := credential{kind: plaintext, secret: args.at(0)}
		if args.n > 1 {
			c.principal, c.secret = args.at(0), args.at(1)
		}
		x.login(c)
	}
	x.command(x.join(verb, args.whole(x)))
}

// kerberos adds a login: what is logged is the answer to it.
func (x *scratch) kerberos() {
	name := x.get("krb5.cname")
	if name == "" || name == "<empty>" {
		return
	}
	c := credential{principal: name}
	if realm := x.get("krb5.realm"); realm != "" && realm != "<empty>" {
		c.principal = x.arena.Join(name, "@", realm)
	}
	switch {
	case x.get("krb5.msg_type") == "KRB_AS_REP":
		c.outcome = event.Success
	case strings.Contains(x.get("krb5.error_code"), "PREAUTH_FAILED"), strings.Contains(x.get("krb5.error_code"), "C_PRINCIPAL_UNKNOWN"):
		c.outcome = event.Failure
	default:
		return
	}
	x.login(c)
}

// dnsQueries adds the names that were asked for. Version 3 of the format has
// them in an array, versions 1 and 2 the one in the event, an alert's in query.
func (x *scratch) dnsQueries() {
	if name := x.get("dns.rrname"); name != "" {
		x.put("rrtype", x.get("dns.rrtype"))
		x.fingerprint("dns_query", name)
		return
	}
	for _, list := range [...]string{".queries.", ".query."} {
		for i := range maxQueries {
			name := x.get(x.numbered("dns", list, i, ".rrname"))
			if name == "" {
				break
			}
			x.put("rrtype", x.get(x.numbered("dns", list, i, ".rrtype")))
			x.fingerprint("dns_query", name)
		}
	}
}

// webLogin adds the login in a request's headers, which Suricata has where
// they are asked for: by name, or all of them.
func (x *scratch) webLogin() {
	c := credential{}
	switch x.get("http.status") {
	case "401", "407":
		c.outcome = event.Failure
	}
	for _, key := range [...]string{"http.authorization", "http.proxy_authorization"} {
		if value := x.get(key); value != "" {
			x.authorization(value, c)
		}
	}
	for i := range maxHeaders {
		name := x.get(x.numbered("http", ".request_headers.", i, ".name"))
		if name == "" {
			return
		}
		if strings.EqualFold(name, "authorization") || strings.EqualFold(name, "proxy-authorization") {
			x.authorization(x.get(x.numbered("http", ".request_headers.", i, ".value")), c)
		}
	}
}

// authorization adds the login in the value of an Authorization header (RFC
// 7617, RFC 7616), whose outcome c has.
func (x *scratch) authorization(value string, c credential) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Basic"):
		pair, ok := x.decodeBase64(rest)
		if !ok {
			return
		}
		if c.principal, c.secret, ok = strings.Cut(pair, ":"); !ok {
			return
		}
		c.kind = plaintext
	case strings.EqualFold(scheme, "Digest"):
		_, name, ok := strings.Cut(rest, `username="`)
		if !ok {
			return
		}
		c.principal, _, _ = strings.Cut(name, `"`)
	default:
		return
	}
	x.login(c)
}

// vulnerabilities adds those that an alert's signature names, or metadata and
// references in the parameters whose names start with prefix: whoever sends what
// they match tries to exploit a service.
func (x *scratch) vulnerabilities(signature, prefix string) {
	var seen [maxCVEs]string
	n := 0
	add := func(text string) {
		for n < len(seen) {
			id, rest, ok := x.cve(text)
			if !ok {
				return
			}
			text = rest
			known := false
			for _, s := range seen[:n] {
				known = known || s == id
			}
			if known {
				continue
			}
			seen[n], n = id, n+1
			x.technique("T1190", id)
			x.fingerprint("cve", id)
		}
	}
	add(signature)
	for i := range x.params {
		if rest, ok := strings.CutPrefix(x.params[i].Key, prefix); ok && prefix != "" &&
			(strings.HasPrefix(rest, "metadata.cve") || strings.HasPrefix(rest, "references.") || strings.HasPrefix(rest, "cve_id")) {
			add(x.params[i].Value)
		}
	}
}

// cve finds the first CVE number in s, as CVE-2021-44228, CVE_2021_44228 or
// "cve,2021-44228", and returns what stands behind it.
func (x *scratch) cve(s string) (id, rest string, ok bool) {
	const year, shortest, longest = 4, 4, 7
	s = s[:min(len(s), event.MaxValue)]
	for i := 0; i+len("cve-2021-0000") <= len(s); i++ {
		if lowerByte(s[i]) != 'c' || !strings.EqualFold(s[i:i+3], "cve") || i > 0 && isWordByte(s[i-1]) {
			continue
		}
		at := i + len("cve")
		if c := s[at]; c != '-' && c != '_' && c != ',' && c != ' ' {
			continue
		}
		at++
		if _, ok := digits(s, at, year); !ok || s[at+year] != '-' && s[at+year] != '_' {
			continue
		}
		number := at + year + 1
		end := number
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		if end-number < shortest || end-number > longest {
			continue
		}
		return x.arena.Join("CVE-", s[at:at+year], "-", s[number:end]), s[end:], true
	}
	return "", "", false
}

// hexDigest returns the parameter named key if it is a digest of that many
// bytes in hex, in lower case.
func (x *scratch) hexDigest(key string, size int) string {
	v := x.get(key)
	if len(v) != 2*size {
		return ""
	}
	for i := 0; i < len(v); i++ {
		if _, ok := hexDigit(v[i]); !ok {
			return ""
		}
	}
	return x.lower(v)
}

// clientCertificate adds the certificate with which an attacker shows who he
// is.
func (x *scratch) clientCertificate() {
	if subject := x.get("tls.client.subject"); subject != "" {
		x.put("issuer", x.get("tls.client.issuerdn"))
		x.put("sha1", x.get("tls.client.fingerprint"))
		x.put("serial", x.get("tls.client.serial"))
		x.fingerprint("tls_client_certificate", subject)
	}
}

// keyStoreLogin adds the login in a line of Redis's protocol.
func (x *scratch) keyStoreLogin(line string) {
	verb, args, _ := strings.Cut(strings.TrimSpace(line), " ")
	if x.protocol != redact.Redis || !strings.EqualFold(verb, "auth") || args == "" {
		return
	}
	user, secret, named := strings.Cut(args, " ")
	if !named {
		user, secret = "", args
	}
	x.login(credential{principal: user, kind: plaintext, secret: secret})
}
