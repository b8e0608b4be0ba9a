package dialect

import (
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// canaryType is what one of OpenCanary's log types stands for.
type canaryType struct {
	name, service string
	// forgeable says that the address may be forged: what came over UDP, or
	// what the kernel saw of a single packet.
	forgeable bool
}

// canaryTypes are OpenCanary's log types (opencanary/logger.py).
var canaryTypes = map[string]canaryType{
	"2000": {name: "login", service: "ftp"}, "2001": {name: "auth_initiated", service: "ftp"},
	"3000": {name: "request", service: "http"}, "3001": {name: "login", service: "http"},
	"3002": {name: "request", service: "http"}, "3003": {name: "request", service: "http"},
	"4000": {name: "connection", service: "ssh"}, "4001": {name: "client_version", service: "ssh"},
	"4002": {name: "login", service: "ssh"}, "5000": {name: "file_open", service: "smb"},
	"5001": {"port_syn", "portscan", true}, "5002": {"nmap_os", "portscan", true},
	"5003": {"nmap_null", "portscan", true}, "5004": {"nmap_xmas", "portscan", true},
	"5005": {"nmap_fin", "portscan", true},
	"6001": {name: "login", service: "telnet"}, "6002": {name: "connection", service: "telnet"},
	"7001": {name: "login", service: "httpproxy"}, "8001": {name: "login", service: "mysql"},
	"9001": {name: "login", service: "mssql"}, "9002": {name: "login", service: "mssql"},
	"9003": {name: "connection", service: "mysql"}, "10001": {"transfer", "tftp", true},
	"11001": {"monlist", "ntp", true}, "12001": {name: "login", service: "vnc"},
	"13001": {"query", "snmp", true}, "14001": {name: "connection", service: "rdp"},
	"15001": {"request", "sip", true}, "16001": {name: "clone", service: "git"},
	"17001": {name: "command", service: "redis"}, "18001": {name: "connection", service: "tcp"},
	"18002": {name: "connection", service: "tcp"}, "18003": {name: "data", service: "tcp"},
	"18004": {name: "data", service: "tcp"}, "18005": {name: "data", service: "tcp"},
	"19001": {"llmnr_response", "llmnr", true}, "20001": {service: "mongodb"},
}

// openCanary reads a document of OpenCanary's logger.
func (p *Parser) openCanary(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	x.document(fields)
	v := Verdict{Dialect: OpenCanary}
	code, _ := x.lookup("logtype")
	class := classify(OpenCanary, code)
	kind, known := canaryTypes[code]
	switch {
	case code == "20001":
		kind.name = strings.TrimPrefix(x.get("logdata.action"), "mongodb.")
		class = classify(OpenCanary, kind.name)
		switch {
		case kind.name == "":
			kind.name, class = "connection", scan // earlier than its actions
		case x.driverHello():
			class = scan
		}
	case !known && class.Kind == event.Noise:
		v.Reason = SensorReport
		return v
	case !known:
		kind = canaryType{name: x.arena.Join("logtype_", x.arena.Name(code, event.MaxService)), forgeable: true}
	}
	if code == "15001" {
		class = sipClass(x.canaryMethod())
	}
	if code == "17001" && x.get("logdata.ERROR") != "" {
		class = scan
	}
	text, named := x.lookup("src_host")
	addr, reason := p.peer(text, named, x.get("dst_host"))
	if reason != OK {
		v.Reason = reason
		return v
	}
	out.Addr = addr
	v.ClockSkew = x.when(out, r, x.canaryTime())
	out.Type = x.arena.Name(kind.name, event.MaxService)
	out.Kind, out.Phase = class.Kind, class.Phase
	out.Decky = p.decky(x, x.get("node_id"))
	out.Service = kind.service
	if kind.service == "http" && portService(x.get("dst_port")) == "https" {
		out.Service = "https"
	}
	if !kind.forgeable {
		out.Proof = event.ByConnection
	}
	x.protocol = redact.Named(kind.service)
	if kind.service == "tcp" {
		// The port is the only word on what was spoken.
		x.usual = redact.Named(portService(x.get("dst_port")))
	}
	x.canaryEvidence(code, kind.name)
	out.Evidence = x.arena.Evidence(x.evidence)
	return v
}

// canaryTime names the field with the time: local_time is UTC in spite of its
// name (opencanary/logger.py), local_time_adjusted isn't.
func (x *scratch) canaryTime() string {
	if x.get("utc_time") == "" && x.get("local_time") != "" {
		return "local_time"
	}
	return "utc_time"
}

func (x *scratch) canaryEvidence(code, name string) {
	switch code {
	case "2000", "7001", "9002":
		x.canaryLogin(plaintext)
	case "99000", "99001", "99002", "99003", "99004", "99005", "99006", "99007", "99008", "99009":
		// Somebody's own module: a login where it has one.
		if x.first("logdata.USERNAME", "logdata.UserName", "logdata.PASSWORD", "logdata.Password") != "" {
			x.canaryLogin(plaintext)
		}
	case "3000", "3002", "3003":
		x.canaryAgent()
		x.saidRequest(x.get("logdata.REQUEST_TYPE"), x.get("logdata.PATH"), "", "")
	case "3001":
		x.canaryLogin(plaintext)
		x.canaryAgent()
		x.saidRequest("", x.get("logdata.PATH"), "", "")
	case "4001":
		x.fingerprint("ssh_client_banner", x.get("logdata.REMOTEVERSION"))
	case "4002":
		x.canaryLogin(plaintext)
		x.fingerprint("ssh_client_banner", x.get("logdata.REMOTEVERSION"))
	case "5000":
		x.canaryFile()
	case "5001":
		x.canaryStack()
	case "5002", "5003", "5004", "5005":
		x.canaryStack()
		x.tool("nmap", name)
	case "6001":
		x.canaryLogin(plaintext)
	case "8001":
		x.canaryLogin("mysql_native_password")
	case "9001":
		x.canaryLogin(plaintext)
		x.put("host_name", x.get("logdata.HostName"))
		x.put("library", x.get("logdata.CltIntName"))
		x.fingerprint("mssql_client", x.first("logdata.AppName", "logdata.CltIntName"))
	case "10001":
		x.command(x.join(x.get("logdata.OPCODE"), x.get("logdata.FILENAME")))
	case "12001":
		x.canaryVNC()
	case "13001":
		community, _ := x.lookup("logdata.COMMUNITY_STRING")
		x.login(credential{kind: "snmp_community", secret: community})
		x.command(x.list("logdata.REQUESTS"))
	case "14001":
		if user := x.get("logdata.USERNAME"); user != "" {
			x.login(credential{principal: user})
		}
	case "15001":
		x.canarySIP()
	case "16001":
		x.command(x.join("clone", x.get("logdata.REPO")))
	case "17001":
		x.canaryRedis()
	case "18003", "18004", "18005":
		data, _ := x.lookup("logdata.DATA")
		x.command(data)
	case "19001":
		x.technique("T1557.001", "opencanary llmnr")
	case "20001":
		x.canaryMongo(name)
	}
}

// join returns the words with a space between them.
func (x *scratch) join(first, second string) string {
	if second == "" {
		return first
	}
	return x.arena.Join(first, " ", second)
}

// list returns the elements of the array named key with spaces between them,
// as many as a command may have bytes, and one.
func (x *scratch) list(key string) string {
	var all [event.MaxFields]string
	n, size := 0, 0
	for i := range x.params {
		rest, ok := strings.CutPrefix(x.params[i].Key, key)
		if !ok || len(rest) < 2 || rest[0] != '.' {
			continue
		}
		if n == len(all) || size > event.MaxCommand {
			break
		}
		all[n] = x.params[i].Value
		size += len(all[n]) + len(" ")
		n++
	}
	b := x.arena.Grab(size)
	for i, text := range all[:n] {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, text...)
	}
	return x.arena.Keep(b)
}

// canaryLogin adds a login: OpenCanary lets nobody in but those who use the
// credentials it was told to honour.
func (x *scratch) canaryLogin(kind string) {
	c := credential{outcome: event.Failure}
	if honoured, _ := x.lookup("honeycred"); honoured == "true" {
		c.outcome = event.Success
	}
	c.principal, _ = x.lookup("logdata.USERNAME")
	if c.principal == "" {
		c.principal = x.get("logdata.UserName")
	}
	secret, ok := x.lookup("logdata.PASSWORD")
	if !ok {
		secret, ok = x.lookup("logdata.Password")
	}
	if c.principal == notSupplied {
		c.principal = ""
	}
	ok = ok && secret != notSupplied
	if ok && (secret != "" || c.principal != "") {
		c.kind, c.secret = kind, secret
	}
	x.login(c)
}

// notSupplied is OpenCanary's word for what a request didn't have.
const notSupplied = "<not supplied>"

// canaryFile adds what Samba's audit says was done to a file
// (opencanary/modules/samba.py).
func (x *scratch) canaryFile() {
	path := x.get("logdata.FILENAME")
	if share := x.get("logdata.SHARENAME"); share != "" {
		path = x.arena.Join(share, "/", strings.TrimLeft(path, "/"))
	}
	if action := x.get("logdata.AUDITACTION"); action != "" || path != "" {
		x.command(x.join(action, path))
	}
}

func (x *scratch) canaryAgent() {
	agent := x.get("logdata.USERAGENT")
	if agent == "" || agent == notSupplied {
		return
	}
	x.agent(agent, x.get("logdata.REQUEST_TYPE"), x.get("logdata.PATH"))
}

func (x *scratch) canaryStack() {
	e := event.Evidence{Kind: event.Stack}
	e.N, _ = x.int("logdata.TTL")
	x.put("window", x.get("logdata.WINDOW"))
	x.put("tos", x.get("logdata.TOS"))
	x.add(e)
}

func (x *scratch) canaryVNC() {
	c := credential{kind: plaintext, outcome: event.Failure}
	c.secret, _ = x.lookup("logdata.VNC Password")
	if c.secret == "" || c.secret[0] == '<' {
		c.kind = "vnc_des_response"
		c.secret, _ = x.lookup("logdata.VNC Client Response")
	}
	x.login(c)
}

func (x *scratch) canaryRedis() {
	verb, _ := x.lookup("logdata.CMD")
	args, _ := x.lookup("logdata.ARGS")
	if strings.EqualFold(verb, "auth") {
		user, secret, ok := strings.Cut(args, " ")
		if !ok {
			user, secret = "", args
		}
		x.login(credential{principal: user, kind: plaintext, secret: secret, outcome: event.Failure})
	}
	if x.get("logdata.ERROR") == "" {
		x.command(x.join(verb, args))
	}
}

func (x *scratch) canaryMongo(action string) {
	switch action {
	case "auth_attempt":
		x.login(credential{principal: x.get("logdata.username"), outcome: event.Failure})
	case "command":
		if x.driverHello() {
			return
		}
		name, _ := x.lookup("logdata.command")
		query, _ := x.lookup("logdata.query")
		x.command(x.join(name, query))
	}
}

// driverHello says whether a MongoDB command is the question with which every
// driver starts.
func (x *scratch) driverHello() bool { return x.get("logdata.command") == "query:admin.$cmd" }
