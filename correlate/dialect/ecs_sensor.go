package dialect

import (
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// ecsSensor is what the sensor behind a document of the schema says in fields
// of its own, and where the schema's common fields mean something else.
type ecsSensor struct {
	// service and meaning are the sensor's word, "" without one: meaning is one
	// of the types of table[ECS].
	service, meaning string
	// tcp says that the service is one of TCP's, whatever its name,
	// forgeable that the address may be forged in spite of it.
	tcp, forgeable bool
	// report says that the sensor reports on its own work.
	report bool
}

// ecsSensor returns what the sensor's own fields say.
func (x *scratch) ecsSensor() ecsSensor {
	if logger := x.get("log.logger"); strings.HasPrefix(logger, "LOG_") {
		return canaryLogger(logger)
	}
	s := ecsSensor{service: programService(x.get("process.name"))}
	said, known := x.lookup("system.auth.ssh.event")
	if known || strings.HasPrefix(x.get("event.dataset"), "system.auth") && s.service == "ssh" {
		s.service, s.tcp = "ssh", true
		switch said {
		case "Accepted", "Failed":
			if s.meaning = "login"; said == "Failed" && x.get("system.auth.ssh.method") == "none" {
				s.meaning = "connection" // it asks which methods there are
			}
		default:
			// "Invalid user", and PAM about the same attempt.
			s.meaning = "connection"
		}
	}
	return s
}

// canaryStreams are the parts of OpenCanary that listen on TCP alone.
var canaryStreams = []string{
	"FTP", "HTTP", "HTTPPROXY", "SSH", "SMB", "TELNET", "MYSQL", "MSSQL", "VNC", "RDP", "GIT", "REDIS", "TCP", "MONGODB",
}

// canaryLogger reads the name of one of OpenCanary's log types, as Elastic's
// integration has it under log.logger.
func canaryLogger(name string) (s ecsSensor) {
	what, rest, _ := strings.Cut(strings.TrimPrefix(name, "LOG_"), "_")
	s.service = strings.ToLower(what)
	s.tcp, s.meaning = slices.Contains(canaryStreams, what), "connection"
	switch what {
	case "BASE":
		s.report = true
	case "PORT":
		s.service, s.forgeable = "portscan", true
	case "TFTP", "NTP", "SNMP", "SIP", "LLMNR":
		s.forgeable = true
	case "REDIS", "GIT", "SMB":
		s.meaning = "command"
	case "VNC":
		s.meaning = "login"
	case "USER":
		s.service = ""
	case "HTTP":
		s.meaning = "request"
	}
	if strings.HasPrefix(rest, "LOGIN_") || strings.HasSuffix(rest, "_LOGIN_ATTEMPT") {
		s.meaning = "login"
	}
	return s
}

// programService names the service that a program stands for.
func programService(program string) string {
	switch program {
	case "sshd", "sshd-session", "sshd-auth", "dropbear":
		return "ssh"
	case "telnetd", "in.telnetd":
		return "telnet"
	case "vsftpd", "proftpd", "pure-ftpd":
		return "ftp"
	case "smbd":
		return "smb"
	case "xrdp", "xrdp-sesman":
		return "rdp"
	case "mysqld", "mariadbd":
		return "mysql"
	case "postgres":
		return "postgres"
	default:
		return ""
	}
}

// retold says whether a document's address can't be trusted though the field
// is the schema's: pipelines take it from sshd's sentence by a pattern that a
// user name can meet. The sentence itself says where it stands.
func (x *scratch) retold(addr netip.Addr) bool {
	sentence := x.get("message")
	if sentence == "" {
		return false
	}
	if _, ssh := x.lookup("system.auth.ssh.event"); !ssh {
		return false
	}
	said := parseProse(sentence, x.get("process.name") == "dropbear")
	if said.kind == "" {
		return false
	}
	own, ok := event.ParseAddress(said.addr)
	return said.ambiguous || !ok || own != addr
}

// ecsDecky names the decoy of a document: as an observer or the sensor's own id
// names it, else the agent, else the machine that logged. What an attacker
// fills is none of these: in some pipelines host.name is the HTTP request's
// Host header. A network sensor's agent is no decoy.
func (x *scratch) ecsDecky(network bool) string {
	if name := x.first("observer.name", "opencanary.node.id", "opencanary.node_id", "cowrie.sensor", "t-pot_hostname"); name != "" {
		return name
	}
	if network {
		return ""
	}
	if _, auth := x.lookup("system.auth.ssh.event"); auth || strings.HasPrefix(x.get("event.dataset"), "system.") {
		// What a machine's own log says may come through another's agent.
		if name := x.get("host.hostname"); name != "" {
			return name
		}
	}
	if name := x.first("observer.hostname", "agent.name", "agent.hostname", "beat.hostname", "host.hostname", "log.syslog.hostname"); name != "" {
		return name
	}
	name := x.get("host.name")
	if name == "" || x.ownHost() {
		return name
	}
	return ""
}

// ownHost says whether the fields under host describe the machine that logged:
// agents tell more of it than a name, or the document is about no request.
func (x *scratch) ownHost() bool {
	request := false
	for i := range x.params {
		key := x.params[i].Key
		dot := strings.IndexByte(key, '.')
		if dot < 0 {
			continue
		}
		switch key[:dot] {
		case "host":
			switch rest := key[dot+1:]; {
			case rest == "id", rest == "architecture", strings.HasPrefix(rest, "os."), strings.HasPrefix(rest, "mac"):
				return true
			}
		case "http", "url", "user_agent":
			request = true
		}
	}
	return !request
}
