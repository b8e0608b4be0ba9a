package behavior

import (
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
)

// Typed is a command that was given in a shell.
type Typed struct {
	// Session tells sessions apart.
	Session uint64
	Time    event.Time
	Line    string
	// Busy says that something else came between this command and the one
	// before, so that how long it took to type isn't known.
	Busy bool
}

// Pauses are those between the commands of the session that looks most like a
// person's.
type Pauses struct {
	// Count is how many there are, Corrected how many commands were mistyped and
	// put right.
	Count, Corrected int
	// Least, Median and Most are in seconds.
	Least, Median, Most float64
}

// AppendText appends the pauses in words.
func (p *Pauses) AppendText(dst []byte) []byte {
	dst = append(dst, "pauses of "...)
	dst = strconv.AppendFloat(dst, p.Least, 'f', 1, 64)
	dst = append(dst, " to "...)
	dst = strconv.AppendFloat(dst, p.Most, 'f', 1, 64)
	dst = append(dst, " s between the commands of a session"...)
	if p.Corrected > 0 {
		dst = append(dst, ", mistyped and put right: "...)
		dst = strconv.AppendInt(dst, int64(p.Corrected), 10)
	}
	return dst
}

// The pauses of people between two commands were 2 to 26 s in what was measured,
// those of programs 1 s at the most.
const (
	shortestPause = 1500 * event.Time(1000)
	longestPause  = 600 * oneSecond
	leastPauses   = 3
	// A program that waits between its commands waits as long each time: the
	// longest pause of a person's differs from the shortest by this share of the
	// median.
	leastSpread = 0.3
	// Putting a mistake right takes a moment, and not longer than a minute.
	shortestCorrection = 400 * event.Time(1000)
	longestCorrection  = 60 * oneSecond
)

const oneSecond = event.Time(1_000_000)

// ByHand says whether somebody typed the commands, which are sorted by session,
// then time: three pauses within one session that differ, and not fewer than
// what came at once; or a command that no system has, put right. The slice of
// floats is memory for the next call.
func ByHand(typed []Typed, floats []float64) (p Pauses, byHand bool, _ []float64) {
	for start := 0; start < len(typed); {
		end := start + 1
		for end < len(typed) && typed[end].Session == typed[start].Session {
			end++
		}
		var one Pauses
		var yes bool
		one, yes, floats = session(typed[start:end], floats)
		if yes && (!byHand || one.Count > p.Count) {
			p, byHand = one, true
		}
		start = end
	}
	return p, byHand, floats
}

func session(typed []Typed, floats []float64) (p Pauses, byHand bool, _ []float64) {
	floats = floats[:0]
	quick := 0
	for i := 1; i < len(typed); i++ {
		before, now := &typed[i-1], &typed[i]
		gap := now.Time - before.Time
		if now.Busy || gap > longestPause || waits(before.Line) {
			continue
		}
		if gap >= shortestCorrection && gap <= longestCorrection && corrects(before.Line, now.Line) {
			p.Corrected++
		}
		if gap < shortestPause {
			quick++
			continue
		}
		floats = append(floats, float64(gap)/float64(oneSecond))
	}
	if p.Count = len(floats); p.Count == 0 {
		return p, false, floats
	}
	slices.Sort(floats)
	p.Least, p.Most = Round(floats[0], 1), Round(floats[p.Count-1], 1)
	p.Median = floats[p.Count/2]
	if p.Count%2 == 0 {
		p.Median = (floats[p.Count/2-1] + p.Median) / 2
	}
	p.Median = Round(p.Median, 1)
	differ := floats[p.Count-1]-floats[0] >= leastSpread*p.Median
	return p, p.Corrected > 0 || p.Count >= leastPauses && p.Count >= quick && differ, floats
}

// program returns the first word of a line, without the folder.
func program(line string) string {
	line = strings.TrimLeft(line, " \t")
	if i := strings.IndexAny(line, " \t;|&<>()"); i >= 0 {
		line = line[:i]
	}
	return line[strings.LastIndexByte(line, '/')+1:]
}

// waits says whether a line has a program that takes its time: how long the
// typing took isn't known.
func waits(line string) bool {
	for rest := line[:min(len(line), 512)]; rest != ""; {
		i := strings.IndexAny(rest, ";|&\n")
		part := rest
		if i >= 0 {
			part, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		if p := program(part); p == "sudo" || p == "busybox" || p == "nohup" {
			part = strings.TrimLeft(part, " \t")
			_, part, _ = strings.Cut(part, " ")
		}
		if slices.Contains(slow[:], program(part)) {
			return true
		}
	}
	return false
}

// slow are programs that wait for the network, the disk or the clock.
var slow = [...]string{
	"wget", "curl", "tftp", "ftpget", "ftp", "scp", "sftp", "rsync", "sleep", "ping", "apt", "apt-get", "yum", "dnf", "apk", "pip", "pip3", "make",
	"dd", "find", "tar", "nmap", "masscan", "git", "docker", "ssh", "telnet", "nc", "top", "vi", "vim", "nano", "less", "more", "passwd",
}

// corrects says whether the second line is the first, whose program no system
// has, with a slip of the fingers put right.
func corrects(first, second string) bool {
	wrong, right := program(first), program(second)
	return wrong != right && len(wrong) >= 2 && !known(wrong) && known(right) && slip(wrong, right)
}

func known(name string) bool {
	_, found := slices.BinarySearch(programs[:], name)
	return found
}

// slip says whether one word becomes the other by one letter too many, too few
// or wrong, or by two that changed places.
func slip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) < len(b):
		return a[i:] == b[i+1:]
	case i == len(a):
		return false
	case a[i+1:] == b[i+1:]:
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// programs are those that people type, sorted.
var programs = [...]string{
	"apt", "apt-get", "arp", "awk", "base64", "bash", "bzip2", "cat", "cd", "chattr", "chmod", "chown", "chpasswd", "clear", "cp", "crontab", "curl",
	"cut", "date", "dd", "df", "dig", "dir", "dmesg", "dmidecode", "docker", "dpkg", "du", "echo", "enable", "env", "exit", "export", "fdisk", "file", "find",
	"free", "ftp", "gcc", "git", "grep", "groups", "gunzip", "gzip", "head", "help", "history", "host", "hostname", "hostnamectl", "htop", "id", "ifconfig",
	"insmod", "ip", "iptables", "journalctl", "kill", "killall", "kubectl", "last", "lastlog", "less", "ll", "locate", "logout", "ls", "lsattr", "lsb_release", "lsblk",
	"lscpu", "lsmod", "lsof", "lspci", "make", "man", "md5sum", "mkdir", "modprobe", "more", "mount", "mv", "mysql", "nano", "nc", "ncat", "netstat", "nmap",
	"nohup", "nproc", "nslookup", "openssl", "passwd", "perl", "pgrep", "php", "ping", "pip", "pkill", "ps", "psql", "pwd", "python", "python3", "reboot",
	"redis-cli", "rm", "rmdir", "route", "rpm", "rsync", "ruby", "scp", "screen", "sed", "service", "set", "sftp", "sh", "shell", "shutdown", "sort", "ss", "ssh",
	"ssh-keygen", "stat", "su", "sudo", "sysctl", "system", "systemctl", "tail", "tar", "tcpdump", "tee", "telnet", "tftp", "tmux", "top", "touch", "tracepath",
	"traceroute", "uname", "unzip", "uptime", "useradd", "userdel", "usermod", "vi", "vim", "w", "wc", "wget", "which", "who", "whoami", "xargs", "yum", "zip",
}
