package rules

import (
	"bytes"
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// The bounds of what is used beyond the decoy.
const (
	// maxThings is how many things one event can name.
	maxThings = 32
	// maxURL and maxComment are the longest texts of theirs, in bytes.
	maxURL     = 512
	maxComment = 128
	// maxHost is the longest name of a host (RFC 1035 §2.3.4).
	maxHost = 253
)

// thing is something used beyond the decoy that an event names: a URL, a host,
// a file, a wallet, the comment of a key.
type thing struct{ kind, value, use string }

// things collects what an event names.
type things struct {
	found [maxThings]thing
	n     int
	// forward is what a decoy was asked to pass on, "" without one.
	forward, way string
}

// names takes a thing, whose value must outlive the annotation.
func (t *things) names(kind, value, use string) {
	if t.n == maxThings || value == "" {
		return
	}
	for i := range t.found[:t.n] {
		if t.found[i].kind == kind && t.found[i].value == value {
			return
		}
	}
	t.found[t.n] = thing{kind, value, use}
	t.n++
}

func (t *things) forget() {
	clear(t.found[:t.n])
	t.n, t.forward, t.way = 0, "", ""
}

// schemes are those of what is fetched, called back or mined with.
var schemes = [...]string{
	"http", "https", "ftp", "ftps", "sftp", "tftp", "ldap", "ldaps", "rmi", "iiop", "dns", "nis", "corba", "git", "ssh", "tcp", "udp", "ws", "wss",
	"smb", "nfs", "gopher", "stratum", "stratum+tcp", "stratum+ssl", "stratum+tls", "stratum2+tcp", "stratum2+ssl",
}

// vocabularies are hosts of names that only look like URLs: of XML.
var vocabularies = [...]string{"schemas.xmlsoap.org", "schemas.microsoft.com", "schemas.android.com", "www.w3.org", "java.sun.com", "xmlns.jcp.org", "purenetworks.com"}

var separator = []byte("://")

// links takes the URLs out of a text, as far as their end can be told.
func (w *annotation) links(text []byte, use string) {
	for at := 0; w.things.n < maxThings; {
		i := bytes.Index(text[at:], separator)
		if i < 0 {
			return
		}
		i += at
		start := i
		for start > at && schemeByte(text[start-1]) {
			start--
		}
		end := i + len(separator)
		for end < len(text) && end-start < 2*maxURL && linkByte(text[end]) {
			end++
		}
		at = end
		name := bytes.LastIndex(text[max(0, start-64):start], []byte("xmlns"))
		if name >= 0 && !bytes.ContainsAny(text[max(0, start-64)+name:start], " >") {
			continue
		}
		w.link(event.View(text[start:end]), use)
	}
}

func schemeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+'
}

// linkByte says whether c may stand in a URL that stands in a text: what ends
// it in a shell, in quotes or in markup doesn't, nor what a shell would fill
// in.
func linkByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("\"'`<>|;(){}\\^$,", rune(c))
}

// link takes a URL, without the name and password in it, and its host.
func (w *annotation) link(text, use string) {
	i := strings.Index(text, "://")
	if i < 0 {
		return
	}
	scheme, rest := text[:i], text[i+3:]
	known := slices.IndexFunc(schemes[:], func(s string) bool { return strings.EqualFold(s, scheme) })
	if known < 0 {
		return
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host, port, ok := splitHost(authority)
	if !ok {
		return
	}
	path, _, _ = strings.Cut(path, "#")
	// && ends a command; what stands behind a single one belongs to a query.
	path, _, _ = strings.Cut(path, "&&")
	path = strings.TrimRight(path, ".,!&")
	name := w.host(host, use)
	if name == "" {
		return
	}
	if strings.IndexByte(name, ':') >= 0 {
		name = w.arena.Join("[", name, "]")
	}
	if port != "" {
		port = w.arena.Join(":", port)
	}
	value := w.arena.Join(schemes[known], "://", name, port, path)
	if strings.ContainsAny(path, "?=&%@") {
		// What a query calls a password is hidden whatever is shown elsewhere:
		// an indicator is given away.
		value = redact.QueryAddresses(redact.URL(value))
	}
	value, _ = w.arena.Clean(value, maxURL)
	w.things.names(event.IndicatorURL, value, use)
}

// host takes a host, and returns its name in its normal form, "" where it is
// none that anybody could meet.
func (w *annotation) host(host, use string) string {
	if a, ok := parseAddress(host); ok {
		if a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() {
			return ""
		}
		text := w.arena.Keep(a.AppendTo(w.arena.Grab(len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"))))
		w.things.names(event.IndicatorIP, text, use)
		return text
	}
	host = strings.TrimSuffix(host, ".")
	if !hostName(host) {
		return ""
	}
	name := w.arena.Keep(lower(w.arena.Grab(len(host))[:0:len(host)], host))
	if name == "localhost" || slices.Contains(vocabularies[:], name) {
		return ""
	}
	w.things.names(event.IndicatorDomain, name, use)
	return name
}

// parseAddress reads an address; most hosts are none, which costs nothing.
func parseAddress(host string) (netip.Addr, bool) {
	if strings.IndexByte(host, ':') < 0 && strings.Trim(host, "0123456789.") != "" {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}

// splitHost takes an authority without a name apart.
func splitHost(s string) (host, port string, ok bool) {
	if rest, found := strings.CutPrefix(s, "["); found {
		host, port, ok = strings.Cut(rest, "]")
		port, _ = strings.CutPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(s, ":")
		ok = true
	}
	if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return "", "", false
	}
	return host, port, ok && host != ""
}

// hostName says whether s is the name of a host, or a word that stands for one.
func hostName(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	label, letter := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label, letter = 0, false
			continue
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letter = true
		case c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	// A name's last part is no number (RFC 1123 §2.1).
	return label > 0 && letter
}

// programs whose names would be those of a country's domains.
var suffixes = [...]string{".sh", ".py", ".pl", ".rb", ".js", ".so", ".ps", ".gz", ".zip", ".md", ".rs", ".cc", ".tar", ".txt", ".bin", ".elf", ".exe", ".php", ".html", ".conf", ".cfg", ".log", ".json", ".xml"}

// place takes a host that was given without a scheme: host/path with a scheme
// put in front, or else the host alone. A lone word is a file as often.
func (w *annotation) place(word, scheme, use string) {
	if strings.Contains(word, "://") || word == "" || strings.IndexByte("-./~@+", word[0]) >= 0 {
		return
	}
	authority, path, sliced := strings.Cut(word, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host, port, ok := splitHost(authority)
	if !ok {
		return
	}
	if _, ok := parseAddress(host); !ok {
		if strings.IndexByte(host, '.') < 0 || !hostName(host) {
			return
		}
		lone := !sliced && port == ""
		if lone && slices.ContainsFunc(suffixes[:], func(s string) bool { return strings.HasSuffix(host, s) }) {
			return
		}
	}
	if scheme == "" {
		w.host(host, use)
		return
	}
	link := w.arena.Join(scheme, "://", authority)
	if sliced {
		// What a shell would fill in isn't known.
		if i := strings.IndexAny(path, "$`"); i >= 0 {
			path = path[:i]
		}
		link = w.arena.Join(link, "/", path)
	}
	w.link(link, use)
}

// valued are the options of programs that fetch that take the next word.
var valued = map[string]string{"wget": "OoPUAeQtTwia", "curl": "oPUAHdeuxTFXbcmwtyYQ"}

// reaches takes what a simple command reaches for.
func (w *annotation) reaches(program string, words []string) {
	args := words[1:]
	switch program {
	case "wget", "curl", "fetch", "lwp-download", "axel", "aria2c", "lynx", "links", "get", "iwr", "invoke-webrequest":
		for i := 0; i < len(args); i++ {
			a := args[i]
			if len(a) > 1 && a[0] == '-' {
				takes := valued[program]
				if a[1] != '-' && strings.IndexByte(takes, a[len(a)-1]) >= 0 || a == "--output" || a == "--output-document" || a == "--user-agent" || a == "--header" || a == "--data" {
					i++
				}
				continue
			}
			w.place(a, "http", w.use)
		}
	case "tftp":
		w.tftp(args)
	case "ftpget":
		w.ftpget(args)
	case "nc", "ncat", "netcat", "telnet", "socat", "nmap", "ping", "ssh", "scp", "rsync", "sshpass", "ftp", "nslookup", "dig", "masscan", "zmap":
		for _, a := range args {
			a, _, _ = strings.Cut(a, ":/") // of scp
			if _, behind, ok := strings.Cut(a, ":"); ok && program == "socat" {
				a = behind // TCP:host:port
			}
			if program == "scp" || program == "rsync" {
				a = strings.TrimSuffix(a, ":")
			}
			w.place(a, "", w.use)
		}
	default:
		w.mines(args)
	}
	for _, a := range words {
		for _, device := range [...]string{"/dev/tcp/", "/dev/udp/"} {
			if _, rest, ok := strings.Cut(a, device); ok {
				host, _, _ := strings.Cut(rest, "/")
				w.host(host, w.use)
			}
		}
	}
}

// tftp reads tftp -g -r file host, tftp host -c get file and tftp -i host get
// file.
func (w *annotation) tftp(args []string) {
	host, file := "", ""
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-r" || a == "get" || a == "GET" || a == "-get":
			if i+1 < len(args) {
				file = args[i+1]
				i++
			}
		case a == "-l" || a == "-b" || a == "-m":
			i++
		case a[:min(1, len(a))] == "-":
		case host == "":
			host = a
		}
	}
	if host != "" {
		w.place(w.arena.Join(host, "/", strings.TrimPrefix(file, "/")), "tftp", w.use)
	}
}

// ftpget reads BusyBox's ftpget [options] host [local] remote.
func (w *annotation) ftpget(args []string) {
	var plain [3]string
	n := 0
	for i := 0; i < len(args) && n < len(plain); i++ {
		switch a := args[i]; {
		case a == "-u" || a == "-p" || a == "-P":
			i++
		case a == "" || a[0] == '-':
		default:
			plain[n] = a
			n++
		}
	}
	if n > 0 {
		w.place(w.arena.Join(plain[0], "/", strings.TrimPrefix(plain[max(n-1, 1)], "/")), "ftp", w.use)
	}
}

// mines takes the pool that a miner is given without a scheme.
func (w *annotation) mines(args []string) {
	for i, a := range args {
		value := ""
		switch {
		case (a == "-o" || a == "--url" || a == "--pool") && i+1 < len(args):
			value = args[i+1]
		case strings.HasPrefix(a, "--url="), strings.HasPrefix(a, "--pool="):
			_, value, _ = strings.Cut(a, "=")
		default:
			continue
		}
		if _, port, ok := splitHost(value); ok && port != "" {
			w.place(value, "", w.use)
		}
	}
}

// keyTypes begin an SSH key (RFC 4253 §6.6, RFC 5656, RFC 8709).
var keyTypes = [...]string{"ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-nistp"}

// written takes what a text holds that is no address: wallets, and what stands
// behind SSH keys.
func (w *annotation) written(text string) {
	for _, kind := range keyTypes {
		for at := 0; ; {
			i := strings.Index(text[at:], kind)
			if i < 0 {
				break
			}
			at += i + len(kind)
			w.comment(text[at:])
		}
	}
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] >= 'a' && text[end] <= 'z' || text[end] >= 'A' && text[end] <= 'Z') {
			end++
		}
		if n := end - start; n >= 26 && n <= 106 && Wallet(text[start:end]) {
			w.things.names(event.IndicatorWallet, w.copied(text[start:end]), w.use)
		}
		start = end + 1
	}
}

// comment takes what stands behind a key, whose type is read.
func (w *annotation) comment(rest string) {
	i := strings.Index(rest, "AAAA")
	if i < 0 || i > 16 {
		return
	}
	rest = rest[i:]
	n := 0
	for n < len(rest) && (wordByte(rest[n]) || rest[n] == '+' || rest[n] == '/' || rest[n] == '=') {
		n++
	}
	if n < 32 || n == len(rest) || rest[n] != ' ' {
		return
	}
	rest = rest[n:]
	if end := strings.IndexAny(rest, "\"'\n\r\\>|;&`"); end >= 0 {
		rest = rest[:end]
	}
	comment, _ := w.arena.Clean(strings.TrimSpace(rest), maxComment)
	if comment == "" {
		return
	}
	w.things.names(event.IndicatorKeyComment, w.copied(comment), event.UsedKey)
	if address(comment) {
		w.things.names(event.IndicatorEmail, w.copied(strings.ToLower(comment)), event.UsedKey)
	}
}

// demands are words of notes that ask for ransom, in lower case.
var demands = [...]string{"bitcoin", " btc", "ransom", "monero", "your data", "your database", "decrypt", "recover your", "restore your"}

// note takes the mail addresses out of a text that asks for ransom.
func (w *annotation) note(text string, low []byte) {
	if strings.IndexByte(text, '@') < 0 || !slices.ContainsFunc(demands[:], func(d string) bool { return bytes.Contains(low, event.Bytes(d)) }) {
		return
	}
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && (wordByte(text[end]) || text[end] == '.' || text[end] == '@' || text[end] == '+') {
			end++
		}
		if word := strings.Trim(text[start:end], ".+-"); address(word) {
			w.things.names(event.IndicatorEmail, w.copied(strings.ToLower(word)), event.UsedNote)
		}
		start = end + 1
	}
}

// address says whether s is a mail address that somebody could be written to.
func address(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > maxComment || !hostName(domain) || strings.ContainsAny(local, " @") {
		return false
	}
	i := strings.LastIndexByte(domain, '.')
	if i < 0 || len(domain)-i < 3 {
		return false
	}
	switch strings.ToLower(domain[i+1:]) {
	case "local", "localdomain", "internal", "lan", "home":
		return false
	}
	return strings.Trim(domain[i+1:], "0123456789-_") == domain[i+1:]
}

// Wallet says whether s is an address of Monero (95 characters, 106 with a
// payment id), of Bitcoin (Base58Check, or bech32 of BIP 173 and 350), or of
// Ethereum.
func Wallet(s string) bool {
	switch n := len(s); {
	case (n == 95 || n == 106) && (s[0] == '4' || s[0] == '8'):
		return onlyOf(s, base58)
	case n == 42 && strings.HasPrefix(s, "0x"):
		return onlyOf(s[2:], "0123456789abcdefABCDEF")
	case n >= 42 && n <= 62 && strings.HasPrefix(s, "bc1"):
		return bech32(s)
	case n >= 26 && n <= 35 && (s[0] == '1' || s[0] == '3'):
		return base58Check(s)
	}
	return false
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

func onlyOf(s, alphabet string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// base58Check says whether the sum in s fits.
func base58Check(s string) bool {
	var out [25]byte
	for i := range len(s) {
		carry := strings.IndexByte(base58, s[i])
		if carry < 0 {
			return false
		}
		for j := len(out) - 1; j >= 0; j-- {
			carry += 58 * int(out[j])
			out[j] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	sum := sha256.Sum256(out[:21])
	sum = sha256.Sum256(sum[:])
	return bytes.Equal(sum[:4], out[21:])
}

// bech32 says whether the sum in s fits, of BIP 173 or 350.
func bech32(s string) bool {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	sum := uint32(1)
	next := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 != 0 {
				sum ^= g
			}
		}
	}
	for _, v := range [...]byte{3, 3, 0, 2, 3} { // "bc", expanded
		next(v)
	}
	for i := len("bc1"); i < len(s); i++ {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 {
			return false
		}
		next(byte(v))
	}
	return sum == 1 || sum == 0x2bc830a3
}

// copied returns s in the arena: what is decoded lasts no longer than the
// event's annotation.
func (w *annotation) copied(s string) string { return w.arena.Join(s) }

// brought takes a file and where it came from.
func (w *annotation) brought(e *event.Evidence) {
	f := e.Artifact()
	if f.Type() == "mail" {
		return
	}
	use := event.UsedFile
	for _, key := range [...]string{"destfile", "filename", "orig_path", "outfile"} {
		path := e.Get(key)
		switch {
		case path == "" || f.URL() != "":
		case strings.Contains(path, "authorized_keys"), strings.HasPrefix(path, "/etc/"), strings.Contains(path, "crontab"):
			use = event.UsedWritten
		case strings.HasPrefix(path, "/bin/"), strings.HasPrefix(path, "/sbin/"), strings.HasPrefix(path, "/usr/bin/"):
			use = event.UsedSystem
		}
	}
	w.things.names(event.IndicatorSHA256, f.SHA256(), use)
	if v := e.Get("sha1"); len(v) == 40 {
		w.things.names(event.IndicatorSHA1, v, use)
	}
	if v := e.Get("md5"); len(v) == 32 {
		w.things.names(event.IndicatorMD5, v, use)
	}
	w.link(f.URL(), event.UsedFile)
}

// known takes what a fingerprint names: a file by another digest, or what a
// decoy fetched.
func (w *annotation) fingerprinted(e *event.Evidence) {
	switch e.A {
	case "file_sha1":
		w.things.names(event.IndicatorSHA1, e.B, event.UsedFile)
	case "file_md5":
		w.things.names(event.IndicatorMD5, e.B, event.UsedFile)
	case "contact_url":
		w.link(e.B, event.UsedFetched)
	case "contact_file":
		switch len(e.B) {
		case 64:
			w.things.names(event.IndicatorSHA256, e.B, event.UsedFetched)
		case 40:
			w.things.names(event.IndicatorSHA1, e.B, event.UsedFetched)
		case 32:
			w.things.names(event.IndicatorMD5, e.B, event.UsedFetched)
		}
	}
}

// namesThings says whether evidence can name a thing without a text.
func namesThings(e *event.Evidence) bool {
	switch e.Kind {
	case event.Artifact:
		return true
	case event.Fingerprint:
		switch e.A {
		case "file_sha1", "file_md5", "contact_url", "contact_file":
			return true
		}
	}
	return false
}

// forwards takes what a request asks a proxy for: its line has a whole URL, or
// a host to connect to.
func (w *annotation) forwards(method, target string) {
	scheme, rest, whole := strings.Cut(target, "://")
	port := "80"
	switch {
	case strings.EqualFold(method, "CONNECT"):
		rest, port = target, ""
	case !whole || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return
	case len(scheme) == len("https"):
		port = "443"
	}
	rest, _, _ = strings.Cut(rest, "/")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	host, given, ok := splitHost(rest)
	if given != "" {
		port = given
	}
	if !ok || port == "" {
		return
	}
	if a, ok := parseAddress(host); ok {
		w.things.forward = w.copied(netip.AddrPortFrom(a, number(port)).String())
	} else if hostName(host) {
		w.things.forward = w.arena.Join(strings.ToLower(host), ":", port)
	}
	w.things.way = event.ForwardProxy
}

// number reads a port; one that is none is 0.
func number(s string) (n uint16) {
	for i := range len(s) {
		n = n*10 + uint16(s[i]-'0')
	}
	return n
}
