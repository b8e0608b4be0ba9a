package rules

import (
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// files are digests that many have who mean no harm, and that tell nobody
// apart: of nothing, of a line feed, of a zero.
var files = []string{
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e",
	"01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b", "adc83b19e793491b1c6ea0fd8b46cd9f32e592fc", "68b329da9893e34099c7d8ad5cb9c940",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "5ba93c9db0cff93f52b521d7420e43f6eda2784f", "93b885adfe0da089cdf634904fd59f71",
}

// Nothing says whether a digest is that of a file that tells nothing: of the
// empty one above all.
func Nothing(digest string) bool { return slices.Contains(files, digest) }

// harmless are hosts that installers, tests of a connection and questions for
// one's own address go to, with all below them: mirrors of packages, resolvers,
// certificates' and clocks' servers.
var harmless = map[string]bool{
	"archive.ubuntu.com": true, "security.ubuntu.com": true, "ports.ubuntu.com": true, "archive.canonical.com": true, "keyserver.ubuntu.com": true,
	"connectivity-check.ubuntu.com": true, "deb.debian.org": true, "debian.org": true, "centos.org": true, "fedoraproject.org": true, "rockylinux.org": true,
	"almalinux.org": true, "alpinelinux.org": true, "archlinux.org": true, "opensuse.org": true, "kernel.org": true, "openwrt.org": true, "busybox.net": true,
	"pypi.org": true, "files.pythonhosted.org": true, "pypa.io": true, "npmjs.org": true, "nodejs.org": true, "rubygems.org": true, "golang.org": true,
	"crates.io": true, "docker.com": true, "docker.io": true, "quay.io": true, "k8s.io": true, "get.docker.com": true,
	"packages.microsoft.com": true, "mirrors.aliyun.com": true, "mirrors.tencentyun.com": true, "mirrors.tuna.tsinghua.edu.cn": true, "mirrors.163.com": true,
	"ifconfig.me": true, "ifconfig.co": true, "ifconfig.io": true, "icanhazip.com": true, "ipinfo.io": true, "ip-api.com": true, "api.ipify.org": true, "ident.me": true,
	"checkip.amazonaws.com": true, "checkip.dyndns.org": true, "myexternalip.com": true, "ipecho.net": true, "whatismyip.com": true, "httpbin.org": true, "speedtest.net": true,
	"google.com": true, "www.google.com": true, "gstatic.com": true, "bing.com": true, "baidu.com": true, "yahoo.com": true, "wikipedia.org": true, "example.com": true,
	"example.org": true, "example.net": true, "microsoft.com": true, "windowsupdate.com": true, "apple.com": true, "mozilla.org": true, "detectportal.firefox.com": true,
	"pool.ntp.org": true, "time.windows.com": true, "ntp.org": true, "letsencrypt.org": true, "digicert.com": true, "verisign.com": true, "dns.google": true, "one.one.one.one": true,
	"cloudflare-dns.com": true, "opendns.com": true,
}

// shared are hosts where anybody can put something: a URL there tells of who
// put it, the host doesn't.
var shared = map[string]bool{
	"github.com": true, "githubusercontent.com": true, "raw.githubusercontent.com": true, "github.io": true, "gitlab.com": true, "bitbucket.org": true, "sourceforge.net": true,
	"pastebin.com": true, "paste.ee": true, "hastebin.com": true, "ghostbin.com": true, "rentry.co": true, "termbin.com": true, "ix.io": true, "0x0.st": true, "transfer.sh": true,
	"file.io": true, "bashupload.com": true, "temp.sh": true, "catbox.moe": true, "anonfiles.com": true, "mega.nz": true, "mediafire.com": true, "gofile.io": true,
	"dropbox.com": true, "dl.dropboxusercontent.com": true, "drive.google.com": true, "docs.google.com": true, "storage.googleapis.com": true, "onedrive.live.com": true,
	"1drv.ms": true, "discord.com": true, "discordapp.com": true, "cdn.discordapp.com": true, "discordapp.net": true, "telegram.org": true, "t.me": true, "api.telegram.org": true,
	"s3.amazonaws.com": true, "amazonaws.com": true, "blob.core.windows.net": true, "cloudfront.net": true, "ngrok.io": true, "ngrok-free.app": true, "trycloudflare.com": true,
	"workers.dev": true, "pages.dev": true, "vercel.app": true, "netlify.app": true, "herokuapp.com": true, "web.app": true, "firebaseapp.com": true, "bit.ly": true, "tinyurl.com": true,
	"t.co": true, "is.gd": true, "ipfs.io": true, "archive.org": true, "archive.is": true, "interact.sh": true, "oast.me": true, "oast.pro": true, "oast.live": true, "oast.site": true,
	"oast.online": true, "oast.fun": true, "dnslog.cn": true, "ceye.io": true, "burpcollaborator.net": true, "oastify.com": true,
}

// resolvers are the addresses of public resolvers.
var resolvers = map[string]bool{
	"8.8.8.8": true, "8.8.4.4": true, "1.1.1.1": true, "1.0.0.1": true, "9.9.9.9": true, "149.112.112.112": true, "208.67.222.222": true, "208.67.220.220": true,
	"114.114.114.114": true, "223.5.5.5": true, "119.29.29.29": true, "2001:4860:4860::8888": true, "2001:4860:4860::8844": true, "2606:4700:4700::1111": true, "2620:fe::fe": true,
}

// Why an indicator isn't published.
const (
	WellKnown  = "well_known"   // a file that tells nothing, or of the decoy's own
	BenignHost = "benign_host"  // a mirror of packages, a resolver and the like
	SharedHost = "shared_host"  // a host where anybody can put something
	Private    = "private"      // of no use outside: an address or name of a network within
	FetchOnly  = "contact_only" // a decoy fetched it, and no attacker named it
	Reserved   = "reserved"     // an address that nobody has
)

// Unpublished returns why a thing of that kind is of no use to others, "" where it
// is. A URL is judged by its host, for which a place where anybody can put
// something is no reason.
func Unpublished(kind, value string) string {
	switch kind {
	case event.IndicatorSHA256, event.IndicatorSHA1, event.IndicatorMD5:
		if Nothing(value) {
			return WellKnown
		}
	case event.IndicatorURL:
		if why := unpublishedHost(URLHost(value)); why != SharedHost {
			return why
		}
	case event.IndicatorDomain, event.IndicatorIP:
		return unpublishedHost(value)
	case event.IndicatorEmail:
		_, domain, _ := strings.Cut(value, "@")
		if why := unpublishedHost(domain); why == Private {
			return why
		}
	}
	return ""
}

func unpublishedHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		switch {
		case a.IsPrivate(), a.IsLinkLocalUnicast(), shared6598.Contains(a):
			return Private
		case resolvers[host]:
			return BenignHost
		case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 224):
			return Reserved
		}
		return ""
	}
	if strings.IndexByte(host, '.') < 0 {
		return Private
	}
	switch host[strings.LastIndexByte(host, '.')+1:] {
	case "local", "localdomain", "internal", "lan", "home", "corp", "localhost", "test", "invalid", "arpa":
		return Private
	}
	for name := host; ; {
		switch {
		case shared[name]:
			return SharedHost
		case harmless[name]:
			return BenignHost
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return ""
		}
		name = rest
	}
}

// shared6598 is the address space of carriers' NATs (RFC 6598).
var shared6598 = netip.MustParsePrefix("100.64.0.0/10")

// URLHost returns the host of a URL that is in its normal form.
func URLHost(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	host, _, _ := splitHost(rest)
	return host
}
