package options

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // containers often have none
	"unicode"

	"dossier/correlate"
	"dossier/correlate/dialect"
	"dossier/esindex/cloudid"
)

const (
	defaultCommitTimeout       = 8 * time.Second
	defaultEngineCommitTimeout = 3 * time.Second

	wantOnOff = "on or off"

	// maxSecretFile bounds the files credentials are read from.
	maxSecretFile = 8 << 10
	// maxHosts bounds es_hosts.
	maxHosts = 64
	// maxNets bounds lists of networks: they are searched for every event.
	maxNets = 1000
)

// parseOnOff takes the words Fluent Bit itself takes for a boolean.
func parseOnOff(dst *bool, v string) error {
	switch strings.ToLower(v) {
	case "on", "true", "yes":
		*dst = true
	case "off", "false", "no":
		*dst = false
	default:
		return errWant
	}
	return nil
}

func parseInt(dst *int, v string, low, high int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return errWant
	}
	*dst = n
	return nil
}

func parseDuration(dst *time.Duration, v string, low, high time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < low || d > high {
		return errWant
	}
	*dst = d
	return nil
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,12})\s*([KMG]?)(?:I?B)?$`)

// parseSize reads a size in bytes; K, M and G are powers of 1024.
func parseSize(dst *int64, v string, low, high int64) error {
	m := sizeForm.FindStringSubmatch(strings.ToUpper(v))
	if m == nil {
		return errWant
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return errWant
	}
	shift := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30}[m[2]]
	if n > high>>shift || n<<shift < low {
		return errWant
	}
	*dst = n << shift
	return nil
}

// list splits at commas and white space.
func list(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

func parsePrefixes(dst *[]netip.Prefix, v string) error {
	names := list(v)
	if len(names) == 0 || len(names) > maxNets {
		return errWant
	}
	out := make([]netip.Prefix, 0, len(names))
	for _, s := range names {
		p, err := parsePrefix(s)
		if err != nil {
			return &badValue{value: s}
		}
		out = append(out, p)
	}
	*dst = out
	return nil
}

// parsePrefix reads a network or a single address. Events carry IPv4
// addresses unmapped, so a mapped one here would never match.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, errWant
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errWant
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func parseNames(dst *map[netip.Addr]string, v string) error {
	pairs := list(v)
	if len(pairs) == 0 || len(pairs) > maxNets {
		return errWant
	}
	out := make(map[netip.Addr]string, len(pairs))
	for _, s := range pairs {
		address, name, ok := strings.Cut(s, "=")
		a, err := netip.ParseAddr(address)
		if !ok || err != nil || a.Zone() != "" || !sensorName.MatchString(name) {
			return &badValue{value: s}
		}
		if _, twice := out[a.Unmap()]; twice {
			return &badValue{value: s, reason: "the address is there twice"}
		}
		out[a.Unmap()] = name
	}
	*dst = out
	return nil
}

// parsePorts reads pairs of an inner and an outer port.
func parsePorts(o *Options, v string) error {
	pairs := list(v)
	if len(pairs) == 0 || len(pairs) > maxNets {
		return errWant
	}
	ports, own := make(map[uint16]uint16, len(pairs)), map[dialect.DecoyPort]uint16{}
	for _, s := range pairs {
		inner, outer, _ := strings.Cut(s, "=")
		decky := ""
		slash := strings.LastIndexByte(inner, '/')
		if slash >= 0 {
			decky, inner = inner[:slash], inner[slash+1:]
		}
		from, err1 := strconv.ParseUint(inner, 10, 16)
		to, err2 := strconv.ParseUint(outer, 10, 16)
		if err1 != nil || err2 != nil || from == 0 || to == 0 || slash == 0 {
			return &badValue{value: s}
		}
		at := dialect.DecoyPort{Decky: decky, Port: uint16(from)}
		_, twice := own[at]
		if decky == "" {
			_, twice = ports[at.Port]
			ports[at.Port] = uint16(to)
		} else {
			own[at] = uint16(to)
		}
		if twice {
			return &badValue{value: s, reason: "the inner port is there twice"}
		}
	}
	o.PortMap, o.DecoyPorts = ports, own
	return nil
}

func parseURLs(dst *[]string, v string) error {
	hosts := list(v)
	if len(hosts) == 0 || len(hosts) > maxHosts {
		return errWant
	}
	out := make([]string, 0, len(hosts))
	for _, h := range hosts {
		u, err := url.Parse(h)
		switch {
		// A URL that can't be read may hold a password anywhere.
		case strings.Contains(h, "@"):
			return &badValue{hidden: true, reason: "user and password belong in es_user and es_password"}
		case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "",
			u.RawQuery != "", u.Fragment != "", u.Opaque != "":
			return &badValue{value: h}
		}
		if p := u.Port(); p == "" {
			u.Host = strings.TrimSuffix(u.Host, ":") + ":9200"
		} else if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return &badValue{value: h}
		}
		u.Path = strings.TrimRight(u.Path, "/")
		u.Host = strings.ToLower(u.Host)
		out = append(out, u.String())
	}
	*dst = out
	return nil
}

func parseCloudID(dst *string, v string) error {
	if _, err := cloudid.Parse(v); err != nil {
		return &badValue{value: v, reason: "it " + err.Error()}
	}
	*dst = v
	return nil
}

// parseAPIKey takes both forms Elasticsearch shows a key in and keeps the
// encoded one.
func parseAPIKey(dst *Secret, v string) error {
	if id, key, ok := strings.Cut(v, ":"); ok {
		if id == "" || key == "" || !printable(v) {
			return errWant
		}
		*dst = Secret(base64.StdEncoding.EncodeToString([]byte(v)))
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		return errWant
	}
	id, key, ok := strings.Cut(string(raw), ":")
	if !ok || id == "" || key == "" || !printable(string(raw)) {
		return errWant
	}
	*dst = Secret(v)
	return nil
}

var indexPrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// parseIndexPrefix refuses names that Elasticsearch's own templates claim, and
// those whose indices would fall under another prefix's roles and templates.
func parseIndexPrefix(dst *string, v string) error {
	if !indexPrefix.MatchString(v) {
		return errWant
	}
	if claimed := correlate.ClaimedBy(v); claimed != "" {
		return &badValue{value: v, reason: "Elasticsearch's own templates match " + claimed + "-*-*"}
	}
	if k := correlate.PrefixKind(v); k != "" {
		return &badValue{value: v, reason: "its indices would be taken for the " + k + " of another prefix; choose one without -" + k}
	}
	*dst = v
	return nil
}

// printable says that v has no control characters and is valid UTF-8.
func printable(v string) bool {
	for _, r := range v {
		if r == unicode.ReplacementChar || unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// cause cuts an error of package os down to what went wrong: the path is in
// the message already.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// unusable is an error about one file, which may be one of a list.
func unusable(name string, err error) error {
	return &badValue{value: name, reason: cause(err).Error()}
}

func open(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// checkReadable says why the file can't be read.
func checkReadable(name string) error {
	f, err := open(name)
	if err != nil {
		return unusable(name, err)
	}
	return f.Close()
}

func readAll(name string, most int64) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, unusable(name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, unusable(name, err)
	}
	if int64(len(b)) > most {
		return nil, unusable(name, errors.New("too large"))
	}
	return b, nil
}

func readSecret(name string) (Secret, error) {
	b, err := readAll(name, maxSecretFile)
	if err != nil {
		return "", err
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return "", unusable(name, errors.New("empty"))
	}
	return Secret(b), nil
}

func checkCA(name string) error {
	b, err := readAll(name, 16<<20)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return unusable(name, errors.New("no certificate in it"))
	}
	return nil
}

func checkKeyPair(cert, key string) error {
	_, err := tls.LoadX509KeyPair(cert, key)
	return err
}

// checkDatabase looks for the marker that starts the metadata at the end of
// every MaxMind file, so that a wrong or half-written file is told at once.
func checkDatabase(name string) error {
	f, err := open(name)
	if err != nil {
		return unusable(name, err)
	}
	defer f.Close()
	const tail = 128 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return unusable(name, err)
	}
	b := make([]byte, min(end, tail))
	if _, err := f.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
		return unusable(name, err)
	}
	if !bytes.Contains(b, []byte("\xab\xcd\xefMaxMind.com")) {
		return unusable(name, errors.New("no MaxMind metadata at its end"))
	}
	return nil
}

// maxUnits bounds the units of json_in_syslog.
const maxUnits = 100

var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]{1,250}\.(service|scope|slice)$`)

func parseJSONInSyslog(o *Options, v string) error {
	units := list(v)
	if len(units) == 1 && !strings.Contains(v, ".") {
		return parseOnOff(&o.JSONInSyslog, v)
	}
	if len(units) > maxUnits {
		return errWant
	}
	for _, unit := range units {
		if !unitName.MatchString(unit) {
			return &badValue{value: unit}
		}
	}
	o.JSONUnits = units
	return nil
}

func parseZone(z **time.Location, v string) error {
	if strings.EqualFold(v, "local") {
		*z = time.Local
		return nil
	}
	l, err := time.LoadLocation(v)
	if err != nil || len(v) > 64 {
		return errWant
	}
	*z = l
	return nil
}

// ZoneText tells a time zone: its name, what its clocks show it by at t, and how
// far they are from UTC.
func ZoneText(z *time.Location, t time.Time) string {
	name := z.String()
	if z == time.Local {
		name = "local"
	}
	short, seconds := t.In(z).Zone()
	if short == name {
		return name
	}
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("%s (%s, UTC%c%02d:%02d)", name, short, sign, seconds/3600, seconds/60%60)
}
