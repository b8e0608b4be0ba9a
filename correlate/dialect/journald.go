package dialect

import (
	"path"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// journal is an entry of systemd's journal. Of its fields those that begin with
// an underscore are journald's own (systemd.journal-fields(7)); MESSAGE and
// SYSLOG_IDENTIFIER are the sender's to choose.
type journal struct {
	message, identifier string
	host                string
	// comm is the process's name, exe its file, unit the unit of systemd's it
	// belongs to, uid its user.
	comm, exe, unit, uid string
	// time is when journald got the entry, in microseconds since 1970, stamp the
	// same as Filebeat writes it.
	time, stamp string
	// container says that a container's log driver made the entry.
	container bool
	partial   bool
}

// beatHosts are the names under which Filebeat has the host of an entry, best
// first.
var beatHosts = []string{"host.hostname", "host.name", "agent.hostname", "agent.name"}

// journalOf reads the fields of an entry: as journald names them, in lower case
// too (lowercase of Fluent Bit's systemd input), or as Filebeat's journald input
// does (journalfield/default.go there). With strip_underscores nothing would tell
// journald's fields from the sender's, so that none of those is read.
func journalOf(fields []event.Field) (j journal) {
	rank := len(beatHosts)
	for i := range fields {
		value := fields[i].Value
		switch fields[i].Key {
		case "MESSAGE", "message":
			j.message = value
		case "SYSLOG_IDENTIFIER", "syslog_identifier", "syslog.identifier", "log.syslog.appname":
			j.identifier = value
		case "_HOSTNAME", "_hostname":
			j.host, rank = value, 0
		case "host.hostname", "host.name", "agent.hostname", "agent.name":
			if at := slices.Index(beatHosts, fields[i].Key); at < rank {
				j.host, rank = value, at
			}
		case "_COMM", "_comm", "journald.process.name":
			j.comm = value
		case "_EXE", "_exe", "journald.process.executable":
			j.exe = value
		case "_SYSTEMD_UNIT", "_systemd_unit", "systemd.unit":
			j.unit = value
		case "_UID", "_uid", "journald.uid":
			j.uid = value
		case "__REALTIME_TIMESTAMP", "__realtime_timestamp":
			j.time = value
		case "@timestamp":
			j.stamp = value
		case "CONTAINER_ID_FULL", "container_id_full", "container.id":
			j.container = true
		case "CONTAINER_PARTIAL_MESSAGE", "container_partial_message", "container.partial":
			j.partial = value == "true"
		}
	}
	return j
}

// journalEntry reads an entry of systemd's journal.
func (p *Parser) journalEntry(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	j := journalOf(fields)
	msg := strings.TrimSpace(j.message)
	switch {
	case msg == "":
		return Verdict{Dialect: Native, Reason: Empty}
	case len(msg) > MaxText:
		return Verdict{Dialect: Native, Reason: TooLarge}
	case j.partial:
		return Verdict{Dialect: Native, Reason: PartialLine}
	}
	f := frame{host: j.host, msg: msg, app: j.comm, journal: &j}
	if micros, ok := parseInt(j.time); ok && micros > 0 {
		f.micros, f.timed = event.Time(micros), true
	} else if at, ok := parseTime(j.stamp); ok {
		f.micros, f.timed = at, true
	}
	if msg[0] == '<' && strings.Contains(msg, relayID) {
		// A whole line of DECNET's: the same holds as of JSON.
		if !p.json.trusts(&f) {
			return Verdict{Dialect: Native, Reason: JSONInSyslog}
		}
		return p.syslogLine(x, r, msg, out)
	}
	switch program, proven := p.sender(&j); {
	case proven:
		f.app = program
	case p.apps[j.identifier].drop == dropAll:
		f.app = j.identifier // whoever says so says nothing
	default:
		if text, ok := jsonIn(&f); ok {
			return p.jsonInLine(x, r, &f, text, out)
		}
		x.frame = f
		if p.apps[j.identifier].prose || p.apps[j.identifier].shell || p.apps[j.comm].prose {
			return Verdict{Dialect: Native, Reason: UnknownSender}
		}
	}
	return p.decnet(x, &f, r, out)
}

// sshPrograms are sshd's parts that talk.
var sshPrograms = []string{"sshd", "sshd-session", "sshd-auth", "sftp-server", "dropbear"}

// hookPrograms are those that a shell's hook gives its line to the journal with.
var hookPrograms = []string{"logger", "bash", "sh", "ash", "dash", "busybox", "systemd-cat"}

// sender returns the program that an entry comes from, by what its sender can't
// choose; false where nothing of that says.
//
// A process may take any name. It can't run a file of the system's that it isn't,
// nor leave its unit: sshd is in its own or, once somebody is logged in, in that
// session's, where all of what the peer runs is, too.
func (p *Parser) sender(j *journal) (program string, proven bool) {
	switch {
	case slices.Contains(sshPrograms, j.comm):
		program = j.comm
		if j.identifier == "internal-sftp" {
			program = j.identifier
		}
		if j.exe != "" {
			return program, slices.Contains(sshPrograms, path.Base(j.exe)) && ofSystem(j.exe)
		}
		if j.unit == "" || strings.HasPrefix(j.unit, "session-") {
			return program, j.uid == "0" || j.uid == "" && j.unit == ""
		}
		return program, isSSHUnit(j.unit)
	case j.comm == "" && j.exe == "" && isSSHUnit(j.unit) && slices.Contains(sshPrograms, j.identifier):
		return j.identifier, true
	case p.apps[j.identifier].shell && slices.Contains(hookPrograms, j.comm):
		return j.identifier, true
	default:
		known := p.apps[j.comm]
		return j.comm, j.comm != "" && !known.prose && !known.shell && !p.apps[j.identifier].prose && !p.apps[j.identifier].shell && known.drop == dropAll
	}
}

// isSSHUnit says whether a unit is sshd's: the service, or that of one
// connection where systemd listens.
func isSSHUnit(unit string) bool {
	name, _, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	return strings.HasSuffix(unit, ".service") && (name == "ssh" || name == "sshd" || name == "openssh" || name == "dropbear")
}

// ofSystem says whether a file is where only the system's programs are.
func ofSystem(file string) bool {
	return path.Clean(file) == file && slices.ContainsFunc([]string{"/usr/", "/sbin/", "/bin/", "/lib/", "/lib64/", "/libexec/", "/opt/", "/nix/store/", "/gnu/store/"},
		func(dir string) bool { return strings.HasPrefix(file, dir) })
}

// sensorUnit says whether JSON in an entry may be a sensor's: it comes from a
// service, and not from one of those in which people or their programs run.
func (j *journal) sensorUnit() bool {
	name, isService := strings.CutSuffix(j.unit, ".service")
	if !isService || slices.Contains(hookPrograms, j.comm) {
		return false
	}
	name, _, _ = strings.Cut(name, "@")
	return !slices.Contains([]string{
		"ssh", "sshd", "openssh", "dropbear", "telnet", "telnetd", "inetd", "xinetd", "user", "cron", "crond", "atd", "anacron", "getty", "serial-getty",
		"console-getty", "container-getty", "rescue", "emergency", "su", "sudo",
	}, name) && !strings.HasPrefix(name, "run-")
}

// ofRuntime says whether an entry is what a container wrote to its standard
// output: its runtime made the entry.
func (j *journal) ofRuntime() bool {
	switch {
	case !j.container:
		return false
	case j.unit == "docker.service" || j.unit == "podman.service":
		return j.comm == "dockerd" || j.comm == "podman" || j.comm == "conmon"
	default:
		return j.comm == "conmon" && strings.HasPrefix(j.unit, "libpod-") && (j.exe == "" || ofSystem(j.exe))
	}
}
