package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/profile/behavior"
)

// The tables of this file say a second time, and by example, what the built-in
// rules conclude: a slip in a rule file shows here. Whoever changes a rule on
// purpose changes its row.

// knownTools has a value of each fingerprint that a tool is known by.
var knownTools = []struct{ kind, by, value, tool string }{
	{"http_useragent", "user agent", "x NMAP SCRIPTING ENGINE y", "nmap"},
	{"http_useragent", "user agent", "x NIKTO y", "nikto"},
	{"http_useragent", "user agent", "x SQLMAP y", "sqlmap"},
	{"http_useragent", "user agent", "x NUCLEI y", "nuclei"},
	{"http_useragent", "user agent", "x MASSCAN y", "masscan"},
	{"http_useragent", "user agent", "x ZGRAB y", "zgrab"},
	{"http_useragent", "user agent", "x METASPLOIT y", "metasploit"},
	{"http_useragent", "user agent", "CURL/9", "curl"},
	{"http_useragent", "user agent", "x PYTHON-REQUESTS y", "python_requests"},
	{"http_useragent", "user agent", "x GOBUSTER y", "gobuster"},
	{"http_useragent", "user agent", "x DIRBUSTER y", "dirbuster"},
	{"http_useragent", "user agent", "x HYDRA y", "hydra"},
	{"http_useragent", "user agent", "x WFUZZ y", "wfuzz"},
	{"http_useragent", "user agent", "WGET/9", "wget"},
	{"http_useragent", "user agent", "GO-HTTP-CLIENT/9", "go_http_client"},
	{"http_useragent", "user agent", "PYTHON-URLLIB9", "python_urllib"},
	{"http_useragent", "user agent", "PYTHON-HTTPX9", "python_httpx"},
	{"http_useragent", "user agent", "x AIOHTTP/ y", "aiohttp"},
	{"http_useragent", "user agent", "LIBWWW-PERL9", "libwww_perl"},
	{"http_useragent", "user agent", "x FUZZ FASTER U FOOL y", "ffuf"},
	{"http_useragent", "user agent", "x FEROXBUSTER y", "feroxbuster"},
	{"http_useragent", "user agent", "x WPSCAN y", "wpscan"},
	{"http_useragent", "user agent", "x WHATWEB y", "whatweb"},
	{"http_useragent", "user agent", "x KATANA y", "katana"},
	{"http_useragent", "user agent", "x ACUNETIX y", "acunetix"},
	{"http_useragent", "user agent", "x NESSUS y", "nessus"},
	{"http_useragent", "user agent", "x OPENVAS y", "openvas"},
	{"http_useragent", "user agent", "x ARACHNI y", "arachni"},
	{"http_useragent", "user agent", "x ZMAP y", "zmap"},
	{"http_useragent", "user agent", "x CENSYSINSPECT y", "censys"},
	{"http_useragent", "user agent", "x EXPANSE, A PALO ALTO NETWORKS COMPANY y", "expanse"},
	{"http_useragent", "user agent", "x INTERNETMEASUREMENT y", "internet_measurement"},
	{"http_useragent", "user agent", "x L9EXPLORE y", "leakix"},
	{"http_useragent", "user agent", "x LEAKIX y", "leakix"},
	{"http_useragent", "user agent", "HELLO, WORLD9", "iot_bot"},
	{"http_mailer", "mailer", "x GOPHISH y", "gophish"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-GO9", "go_ssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-LIBSSH_9", "libssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-LIBSSH-9", "libssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-LIBSSH29", "libssh2"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-PARAMIKO9", "paramiko"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-ASYNCSSH9", "asyncssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-JSCH9", "jsch"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-PUTTY9", "putty"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-WINSCP9", "winscp"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-RUBY/NET::SSH9", "ruby_net_ssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-RENCI.SSHNET9", "renci_ssh_net"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-RUSSH9", "russh"},
	{"ssh_client_banner", "SSH client banner", "x NMAP y", "nmap"},
	{"ssh_client_banner", "SSH client banner", "x ZGRAB y", "zgrab"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-MEDUSA9", "medusa"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-DROPBEAR9", "dropbear"},
	{"hassh", "HASSH", "de30354b88bae4c2810426614e1b6976", "renci_ssh_net"},
	{"hassh", "HASSH", "fafc45381bfde997b6305c4e1600f1bf", "ruby_net_ssh"},
	{"hassh", "HASSH", "b5752e36ba6c5979a575e43178908adf", "paramiko"},
	{"hassh", "HASSH", "c6f5e6d54285a11b9f02fef7fc77bd6f", "paramiko"},
	{"hassh", "HASSH", "d72f74b08466652d162ca02ad197b9ad", "paramiko"},
	{"hassh", "HASSH", "b05dfbbf26090c7792d4aa6b76cd1f1a", "paramiko"},
	{"hassh", "HASSH", "16f898dd8ed8279e1055350b4e20666c", "dropbear"},
	{"hassh", "HASSH", "22865d7159a8dedcb091cd4fc5fd2841", "dropbear"},
	{"hassh", "HASSH", "ad00edb0c2a031d9884826ba7b7ba41e", "dropbear"},
	{"hassh", "HASSH", "7742887e2a57712bdb91a772093f54ce", "dropbear"},
	{"hassh", "HASSH", "e22efe3cde8b396b874c3f13fdb6c61a", "dropbear"},
	{"hassh", "HASSH", "8a8ae540028bf433cd68356c1b9e8d5b", "cyberduck"},
	{"ja3", "JA3", "e7d705a3286e19ea42f587b344ee6865", "tor"},
	{"ja3", "JA3", "6734f37431670b3ab4292b8f60f29984", "trickbot"},
	{"ja3", "JA3", "4d7a28d6f2263ed61de88ca66eb011e3", "emotet"},
	{"ja3", "JA3", "ccaa60f6ccc701bde536ef409be3cf63", "curl"},
	{"ja3", "JA3", "fe048fe8faf797796e278f2b4f1e9c24", "curl"},
}

// knownReasons are the reasons for risk: what each asks for, from how much on,
// its weight and what it says.
var knownReasons = []struct {
	id, condition string
	atLeast       int64
	weight        float64
	text          string
}{
	{"hands_on", "fact hands_on", 1, 100, "gives commands after a successful login"},
	{"login_success", "fact login_successes", 1, 90, "successful logins: {n}"},
	{"commands", "fact commands", 20, 75, "commands given: {n}"},
	{"commands", "fact commands", 1, 60, "commands given: {n}"},
	{"files", "fact files", 1, 90, "files left or fetched: {n}"},
	{"mails", "fact mails", 1, 50, "mails sent: {n}"},
	{"targets", "fact smtp_domains", 10, 60, "mail domains aimed at: {n}"},
	{"targets", "fact smtp_domains", 1, 35, "mail domains aimed at: {n}"},
	{"login_attempts", "fact login_attempts", 1000, 70, "login attempts: {n}"},
	{"login_attempts", "fact login_attempts", 100, 60, "login attempts: {n}"},
	{"login_attempts", "fact login_attempts", 10, 45, "login attempts: {n}"},
	{"login_attempts", "fact login_attempts", 1, 30, "login attempts: {n}"},
	{"credentials", "fact credentials", 100, 50, "different credentials tried: {n}"},
	{"credentials", "fact credentials", 10, 35, "different credentials tried: {n}"},
	{"traversal", "fact deckies", 10, 75, "went from decoy to decoy; decoys touched: {n}"},
	{"traversal", "fact deckies", 5, 60, "went from decoy to decoy; decoys touched: {n}"},
	{"traversal", "fact deckies", 2, 45, "went from decoy to decoy; decoys touched: {n}"},
	{"services", "fact services", 10, 50, "services touched: {n}"},
	{"services", "fact services", 3, 30, "services touched: {n}"},
	{"interactions", "fact interactions", 10, 40, "events that used a service: {n}"},
	{"interactions", "fact interactions", 1, 25, "events that used a service: {n}"},
	{"events", "fact events", 10000, 40, "events: {n}"},
	{"events", "fact events", 1000, 25, "events: {n}"},
	{"events", "fact events", 1, 10, "events: {n}"},
	{"large_payloads", "fact large_payloads", 1, 45, "transfers of at least 1 MiB: {n}"},
	{"alerts", "fact worst_alerts", 1, 80, "signatures of the worst severity matched: {n}"},
	{"alerts", "fact alerts", 1, 45, "signatures matched: {n}"},
	{"spoofed", "fact claims", 1, 20, "other addresses claimed in headers: {n}"},
	{"strobe", "fact strobe", 1, 60, "at least one event a second for a day"},
	{"class_beaconing", "class beaconing", 1, 55, "comes back like a beacon"},
	{"class_brute_force", "class brute_force", 1, 50, "guesses passwords by brute force"},
	{"class_interactive", "class interactive", 1, 50, "behaves like a person at a keyboard"},
	{"class_scanning", "class scanning", 1, 40, "scans"},
	{"class_slow_scan", "class slow_scan", 1, 40, "scans slowly"},
	{"tool_c2", "tools cobalt_strike sliver havoc mythic trickbot emotet metasploit", 1, 75, "looks like malware or a tool of command and control"},
	{"tool_attack", "tools sqlmap hydra medusa nuclei nikto wpscan acunetix gophish wfuzz ffuf gobuster dirbuster feroxbuster iot_bot", 1, 55, "uses tools for attacking"},
	{"tool_scan", "tools nmap masscan zmap zgrab whatweb nessus openvas arachni leakix katana", 1, 35, "uses tools for scanning"},
	{"tactic_persistence", "tactic TA0003 except T1078 T1098", 1, 85, "makes itself at home (persistence)"},
	{"tactic_impact", "tactic TA0040 except T1498.002", 1, 85, "damages or uses up the system (impact)"},
	{"tactic_lateral", "tactic TA0008", 1, 80, "goes on to other systems (lateral movement)"},
	{"tactic_credential", "tactic TA0006 except T1110", 1, 75, "looks for credentials (credential access)"},
	{"tactic_evasion", "tactic TA0005 except T1078 T1222.002 T1070.004", 1, 65, "covers its tracks (defense evasion)"},
	{"tactic_c2", "tactic TA0011 except T1071.003", 1, 70, "brings tools along or calls home (command and control)"},
	{"tactic_discovery", "tactic TA0007 except T1046", 1, 45, "looks around on the system (discovery)"},
	{"exploit", "technique T1190", 1, 70, "tries to exploit a public service"},
}

// knownCommands are command lines, each of which alone shows a technique.
var knownCommands = []struct{ technique, why, service, lines string }{
	{"T1059.004", "types into a Unix shell", "ssh", "exit"},
	{"T1059.004", "types into a Unix shell", "telnet", "exit"},
	{"T1059.004", "runs a shell script", "", "sh § bash § dash § ash § zsh § ksh § eval § source § ."},
	{"T1059.001", "runs PowerShell", "", "powershell § pwsh"},
	{"T1059.003", "runs the Windows shell", "", "cmd"},
	{"T1059.006", "runs Python", "", "python § python2 § python3"},
	{"T1059", "runs a script", "", "perl § php § ruby § node"},
	{"T1059", "runs programs through another one", "", "awk 'ysystem(z' § gawk 'ysystem(z' § find 'ysystem(z' § vi 'ysystem(z' § vim 'ysystem(z' § awk 'y-execz' § awk 'y:!z'"},
	{"T1105", "fetches a file", "", "wget § curl § tftp § ftpget § ftp § scp § sftp § rsync § axel § aria2c § lwp-download § lynx § fetch § certutil § bitsadmin § invoke-webrequest § iwr"},
	{"T1105", "has data replicated to the server", "redis", "slaveof § replicaof"},
	{"T1082", "asks about the system", "", "uname § lscpu § free § hostnamectl § lsb_release § dmidecode § nproc § arch § lspci § lsblk § df § hostname § uptime § nvidia-smi § getconf § sysctl § vmstat § dmesg § systeminfo § ver"},
	{"T1082", "reads what the system is", "", "true 'y/proc/cpuinfoz' § true 'y/proc/meminfoz' § true 'y/proc/versionz' § true 'y/proc/mountsz' § true 'y/etc/issuez' § true 'y/etc/os-releasez' § true 'y/etc/redhat-releasez' § true 'y/etc/lsb-releasez' § true 'y/etc/debian_versionz'"},
	{"T1082", "asks about the system", "redis", "info § buildinfo § hostinfo"},
	{"T1082", "asks about the system", "mongodb", "info § buildinfo § hostinfo"},
	{"T1033", "asks who is logged in", "", "w § who § whoami § last § lastlog § id § users § finger"},
	{"T1087.001", "lists accounts", "", "cat 'y/etc/passwdz' § grep 'y/etc/passwdz' § awk 'y/etc/passwdz' § cut 'y/etc/passwdz' § head 'y/etc/passwdz' § tail 'y/etc/passwdz' § less 'y/etc/passwdz' § more 'y/etc/passwdz' § getent 'y/etc/passwdz' § sed 'y/etc/passwdz' § cat 'ypasswdz'"},
	{"T1003.008", "reads password hashes", "", "true 'y/etc/shadowz' § true 'y/etc/gshadowz'"},
	{"T1098.004", "adds an SSH key", "", "true 'yauthorized_keysz'"},
	{"T1098.004", "has the server write an SSH key", "redis", "config 'y.sshz'"},
	{"T1098", "changes an account", "", "passwd § chpasswd § usermod"},
	{"T1136.001", "creates an account", "", "useradd § adduser"},
	{"T1531", "removes an account", "", "userdel § deluser"},
	{"T1053.003", "schedules a job", "", "crontab"},
	{"T1053.003", "schedules a job", "", "true 'y/etc/cronz' § true 'y/var/spool/cronz'"},
	{"T1543.002", "installs a service", "", "systemctl 'yenablez' § systemctl 'ydaemon-reloadz'"},
	{"T1543.002", "installs a service", "", "true 'y/etc/systemd/systemz' § true 'y/lib/systemd/systemz'"},
	{"T1037.004", "starts something at boot", "", "update-rc.d § chkconfig"},
	{"T1037.004", "starts something at boot", "", "true 'y/etc/rc.localz' § true 'y/etc/init.d/z' § true 'y/etc/inittabz'"},
	{"T1546.004", "starts something at login", "", "true 'y.bashrcz' § true 'y.bash_profilez' § true 'y/etc/profilez' § true 'y.zshrcz'"},
	{"T1574.006", "loads a library into every program", "", "true 'y/etc/ld.so.preloadz'"},
	{"T1070.003", "clears the command history", "", "history -c § history -cw § history -wc"},
	{"T1070.003", "clears the command history", "", "rm 'y.bash_historyz' § ln 'y.bash_historyz' § truncate 'y.bash_historyz' § shred 'y.bash_historyz' § echo 'y.bash_historyz' § cat 'y.bash_historyz' § chattr 'y.bash_historyz' § unset 'y.bash_historyz' § export 'y.bash_historyz' § set 'y.bash_historyz' § rm 'y.historyz' § rm 'yhistfilez' § rm 'yhistsizez' § rm 'yhistcontrolz' § rm 'yHISTFILEz' § rm 'yHISTSIZEz' § rm 'yHISTFILESIZEz'"},
	{"T1070.002", "clears logs", "", "rm 'y/var/logz' § truncate 'y/var/logz' § shred 'y/var/logz' § echo 'y/var/logz' § cat 'y/var/logz' § dd 'y/var/logz' § logrotate 'y/var/logz' § sed 'y/var/logz' § rm 'y/var/run/utmpz' § rm 'ywtmpz' § rm 'ybtmpz' § rm 'ylastlogz'"},
	{"T1070.004", "deletes files", "", "rm § unlink § shred"},
	{"T1222.002", "changes file permissions", "", "chmod § chown § chattr § setfacl"},
	{"T1548.001", "makes a program run as its owner", "", "chmod 'y+sz' § chmod 'yu+sz' § chmod 'y4755z' § chmod 'y4777z' § chmod 'y6755z'"},
	{"T1548.003", "raises its rights", "", "sudo § doas § visudo"},
	{"T1548.003", "raises its rights", "", "true 'y/etc/sudoersz'"},
	{"T1564.001", "hides files", "", "true 'y/tmp/.z' § true 'y/var/tmp/.z' § true 'y/dev/shm/.z' § true 'y/var/run/.z' § true 'y/root/.xz' § true 'y/usr/.z' § true 'y/etc/.z'"},
	{"T1057", "lists processes", "", "ps § top § htop § pgrep § pidof § pstree"},
	{"T1057", "lists processes", "", "true 'y/proc/*/z' § true 'y/proc/[0-9]z'"},
	{"T1489", "ends processes", "", "pkill § killall § kill"},
	{"T1489", "stops services", "", "systemctl 'ystopz' § service 'ystopz' § systemctl 'ydisablez'"},
	{"T1562.004", "changes the firewall", "", "iptables § ip6tables § nft § ufw § firewall-cmd § netsh"},
	{"T1562.001", "weakens the defences", "", "setenforce § auditctl § aa-teardown § apparmor_parser"},
	{"T1562.001", "switches defences off", "", "systemctl 'yauditdz' § service 'yauditdz' § pkill 'yauditdz' § killall 'yauditdz' § rm 'yauditdz' § apt 'yauditdz' § apt-get 'yauditdz' § yum 'yauditdz' § systemctl 'yapparmorz' § systemctl 'yselinuxz' § systemctl 'yaliyunz' § systemctl 'yqcloudz' § systemctl 'ycloudmonitorz' § systemctl 'yfail2banz' § systemctl 'yclamavz' § systemctl 'yfalconz'"},
	{"T1016", "asks about the network", "", "ifconfig § ip § route § ipconfig § nmcli"},
	{"T1016", "asks about the network", "", "true 'y/etc/resolv.confz' § true 'y/etc/hostsz' § true 'y/proc/net/routez' § true 'yifconfig.mez' § true 'yipinfo.ioz' § true 'yicanhazipz' § true 'yapi.ipify.orgz' § true 'yip-api.comz'"},
	{"T1049", "lists connections", "", "netstat § ss § lsof"},
	{"T1018", "looks for other hosts", "", "arp § ping § nslookup § dig § nbtscan"},
	{"T1018", "looks for other hosts", "", "true 'y/proc/net/arpz' § true 'yknown_hostsz'"},
	{"T1046", "scans other hosts", "", "nmap § masscan § zmap § pnscan § fscan § rustscan § hping3"},
	{"T1110", "guesses other hosts' passwords", "", "hydra § medusa § ncrack § sshpass § patator"},
	{"T1021.004", "goes on to another host", "", "ssh § sshpass"},
	{"T1572", "opens a tunnel", "", "ssh -R § ssh -L § ssh -D § ssh -fNR § ssh -NfR § ssh -fNL § ssh -fND § ssh -NR § ssh -ND"},
	{"T1090", "sets up a proxy", "", "socat § chisel § frpc § frps § gost § 3proxy § microsocks § iox § ngrok"},
	{"T1095", "opens a raw connection", "", "nc § ncat § netcat"},
	{"T1095", "opens a raw connection", "", "true 'y/dev/tcp/z' § true 'y/dev/udp/z'"},
	{"T1083", "looks at files", "", "ls § dir § find § tree § stat § locate § du § pwd § which § whereis § type"},
	{"T1560.001", "packs files", "", "tar -c § tar c § tar cf § tar -cf § tar -czf § tar czf § tar cvf § tar -cvf § tar czvf § tar -czvf § tar -zcvf § tar zcvf § tar zcf § tar -zcf § tar cjf § tar -cjf § tar --create"},
	{"T1560.001", "packs files", "", "zip § 7z § rar"},
	{"T1140", "decodes what it brought along", "", "base64 -d § openssl -d § xxd -d § uudecode -d § gunzip -d § base64 -D § base64 -di § base64 --decode § base64 -r"},
	{"T1027", "writes a program byte by byte", "", `echo 'y\xz' § printf 'y\xz' § echo 'y\\xz'`},
	{"T1496.001", "mines cryptocurrency", "", "xmrig § minerd § cpuminer § xmr-stak § kinsing § ccminer § t-rex § nbminer"},
	{"T1496.001", "mines cryptocurrency", "", "true 'ystratum+tcpz' § true 'ystratum+sslz' § true 'yminexmrz' § true 'ysupportxmrz' § true 'ynanopoolz' § true 'y--donate-levelz' § true 'yxmrigz' § true 'yc3poolz' § true 'ymonerooceanz'"},
	{"T1552.001", "looks for stored passwords", "", "true 'y.aws/credentialsz' § true 'y.git-credentialsz' § true 'y.docker/config.jsonz' § true 'y.kube/configz' § true 'ywp-config.phpz' § true 'y.npmrcz' § true 'y.pgpassz' § true 'y.my.cnfz' § true 'y/.envz'"},
	{"T1552.003", "reads the command history", "", "cat 'y.bash_historyz' § grep 'y.bash_historyz' § less 'y.bash_historyz' § more 'y.bash_historyz' § tail 'y.bash_historyz' § head 'y.bash_historyz' § strings 'y.bash_historyz' § cat 'y.zsh_historyz' § cat 'y.mysql_historyz'"},
	{"T1552.004", "looks for private keys", "", "true 'yid_rsaz' § true 'yid_ed25519z' § true 'yid_ecdsaz' § true 'y.pemz'"},
	{"T1552.005", "asks the cloud for credentials", "", "true 'y169.254.169.254z' § true 'ymetadata.google.internalz'"},
	{"T1485", "destroys data", "", "mkfs § mkfs.ext4 § wipefs § flushall § flushdb"},
	{"T1485", "destroys data", "", "dd 'yof=/dev/sdz' § dd 'yof=/dev/vdz' § dd 'yof=/dev/nvmez' § dd 'yof=/dev/memz'"},
	{"T1485", "destroys data", "", "a DROP TABLE b § a DROP DATABASE b § a TRUNCATE TABLE b § a DROPDATABASE b"},
	{"T1529", "switches the system off", "", "shutdown § reboot § halt § poweroff"},
	{"T1505.001", "runs programs from the database", "", "a XP_CMDSHELL b § a SP_OACREATE b § a SYS_EXEC b § a SYS_EVAL b"},
	{"T1505.003", "has the database write a file", "", "a INTO OUTFILE b § a INTO DUMPFILE b"},
	{"T1005", "has the database read a file", "", "a LOAD_FILE( b § a LOAD DATA INFILE b § a PG_READ_FILE b"},
	{"T1059.004", "runs programs from the database", "", "a COPY FROM PROGRAM b § a FROM PROGRAM ' b"},
	{"T1129", "loads a module into the server", "redis", "module load § module LOAD"},
	{"T1053.003", "has the server write a scheduled job", "redis", "config 'y/cronz'"},
	{"T1497.001", "looks whether it is in a sandbox", "", "cat 'y/proc/self/exez' § grep 'y/proc/self/exez' § ls 'y/proc/self/exez' § lscpu 'y/proc/self/exez' § dmidecode 'y/proc/self/exez' § dmesg 'y/proc/self/exez' § egrep 'y/proc/self/exez' § head 'y/proc/self/exez' § dd 'y/proc/self/exez' § cat 'y/proc/vzz' § cat 'yqemuz' § cat 'yvmwarez' § cat 'yvirtualboxz' § cat 'yhypervisorz' § cat 'ydockerenvz'"},
}

// concluded returns what the rules add to an event: "tool by" and "technique
// why".
func concluded(s *Set, ev event.Event) (found []string) {
	known := len(ev.Evidence)
	s.Annotate(new(event.Arena), &ev)
	for _, e := range ev.Evidence[known:] {
		found = append(found, e.A+" "+e.B)
	}
	return found
}

func TestEveryKnownTool(t *testing.T) {
	s := builtin(t)
	for _, c := range knownTools {
		got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: c.kind, B: c.value}}})
		if want := c.tool + " " + c.by; !slices.Contains(got, want) {
			t.Errorf("%s %q: %q, want %q", c.kind, c.value, got, want)
		}
		// What must stand in front doesn't count behind.
		if c.value[len(c.value)-1] == '9' && c.value[0] != ' ' && strings.ToUpper(c.value) == c.value {
			got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: c.kind, B: "x " + c.value}}})
			if slices.Contains(got, c.tool+" "+c.by) {
				t.Errorf("%s: %q is recognised within a text", c.kind, c.value)
			}
		}
	}
	known := 0
	for _, g := range s.signatures {
		known += len(g.exact) + len(g.forms)
	}
	if known != len(knownTools) {
		t.Errorf("%d signatures are built in, %d are tested", known, len(knownTools))
	}
	// A user agent that names two tools shows both, whichever comes first.
	got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "nuclei then nikto"}}})
	if !slices.Equal(got, []string{"nikto user agent", "T1595.002 comes with a tool for scanning vulnerabilities", "nuclei user agent"}) {
		t.Errorf("two tools: %q", got)
	}
}

func TestEveryKnownCommand(t *testing.T) {
	s := builtin(t)
	for _, c := range knownCommands {
		for line := range strings.SplitSeq(c.lines, " § ") {
			show := func(service string) bool {
				got := concluded(s, event.Event{Service: service, Evidence: []event.Evidence{{Kind: event.Command, A: line}}})
				return slices.Contains(got, c.technique+" "+c.why)
			}
			if !show(c.service) {
				t.Errorf("%s %q doesn't show %s, %s", c.service, line, c.technique, c.why)
			}
			if c.service != "" && show("ftp") {
				t.Errorf("%q shows %s outside %s", line, c.technique, c.service)
			}
		}
	}
	for _, line := range []string{"true", "history -d", "awk x", "find -name x", "tar x", "tar -xf a", "base64 x", "openssl s_client", "ssh host -p 22", "echo x", "dd if=/dev/sda",
		"systemctl status x", "chmod 755 x", "module list", "wgetx", "xwget", "cat .profile", "select 1"} {
		for _, f := range concluded(s, event.Event{Service: "ftp", Evidence: []event.Evidence{{Kind: event.Command, A: line}}}) {
			for _, unwanted := range []string{
				"clears the command history", "runs programs through another one", "packs files", "decodes", "opens a tunnel", "byte by byte", "destroys data",
				"stops services", "installs", "runs as its owner", "loads a module", "fetches", "at login", "database",
			} {
				if strings.Contains(f, unwanted) {
					t.Errorf("%q shows %s", line, f)
				}
			}
		}
	}
}

func TestEveryKnownEvent(t *testing.T) {
	s := builtin(t)
	for _, c := range []struct{ technique, why, service, kinds string }{
		{"T1589.002", "asks which mailboxes exist", "", "vrfy"},
		{"T1590.002", "collects DNS data", "", "zone_transfer recon_burst"},
		{"T1071.004", "carries data in DNS questions", "", "tunneling_suspect"},
		{"T1498.002", "looks for DNS servers to amplify with", "", "amp_probe"},
		{"T1602.001", "reads the SNMP tree", "snmp", "get_request"},
		{"T1114.002", "fetches mail from a server", "", "retr"},
		{"T1613", "talks to a container platform", "docker_api", "request"},
		{"T1613", "talks to a container platform", "k8s", "request"},
		{"T1082", "asks a cluster about itself", "", "cat_api cluster_recon nodes_recon root_probe"},
		{"T1518.001", "asks for the security software in use", "", "security_probe"},
		{"T1485", "deletes data", "", "delete_request"},
		{"T1087.002", "searches a directory", "", "ldap_search"},
		{"T1595.002", "probes for a version", "", "fingerprint_probe"},
	} {
		for _, kind := range strings.Fields(c.kinds) {
			for role, want := range map[event.Role]int{event.Decoy: 1, event.Sniffer: 0, event.Prober: 0} {
				got := concluded(s, event.Event{Role: role, Service: c.service, Type: kind})
				if len(got) != want || want == 1 && got[0] != c.technique+" "+c.why {
					t.Errorf("%s %s, role %d: %q, want %s, %s", c.service, kind, role, got, c.technique, c.why)
				}
			}
			if c.service != "" {
				if got := concluded(s, event.Event{Service: "ftp", Type: kind}); len(got) != 0 {
					t.Errorf("ftp %s: %q", kind, got)
				}
			}
		}
	}
}

func TestEveryKnownEvidence(t *testing.T) {
	s := builtin(t)
	const exploit = "T1190 puts an exploit into the user agent"
	agent := func(v string) event.Evidence {
		return event.Evidence{Kind: event.Fingerprint, A: "http_useragent", B: v}
	}
	for _, c := range []struct {
		e    event.Evidence
		want string
	}{
		{event.Evidence{Kind: event.Login, A: "root"}, "T1110 tries to log in"},
		{event.Evidence{Kind: event.Login, A: "root", Outcome: event.Failure}, "T1110 tries to log in"},
		{event.Evidence{Kind: event.Login, A: "root", Outcome: event.Success}, "T1110 tries to log in; T1078 logs in with valid credentials"},
		{event.Evidence{Kind: event.Artifact, C: "file"}, "T1105 brings a file along"},
		{event.Evidence{Kind: event.Artifact, C: "url"}, "T1105 brings a file along"},
		{event.Evidence{Kind: event.Artifact, C: "mail"}, ""},
		{event.Evidence{Kind: event.Message, A: "acme.com"}, "T1071.003 sends mail through a relay"},
		{event.Evidence{Kind: event.Recipient, A: "acme.com"}, "T1071.003 sends mail through a relay"},
		{agent("a ${JNDI:ldap://x}"), exploit},
		{agent("() { :; }; x"), exploit},
		{agent("<?PHP x"), exploit},
		{agent("a/../../b"), exploit},
		{agent("' OR 1=1"), exploit},
		{agent("Mozilla/5.0"), ""},
		{event.Evidence{Kind: event.Fingerprint, A: "http_mailer", B: "${jndi:x}"}, ""},
		// What stands behind the first 512 bytes of a value isn't looked at.
		{agent(strings.Repeat("x", 507) + "<?php"), exploit},
		{agent(strings.Repeat("x", 508) + "<?php"), ""},
		{agent(strings.Repeat("x", 506) + "sqlmap"), "sqlmap user agent; T1595.002 comes with a tool for scanning vulnerabilities"},
		{agent(strings.Repeat("x", 507) + "sqlmap"), ""},
	} {
		if got := strings.Join(concluded(s, event.Event{Evidence: []event.Evidence{c.e}}), "; "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.e, got, c.want)
		}
	}
	for technique, c := range map[string]struct{ why, tools string }{
		"T1595.001": {"comes with a tool for scanning address blocks", "masscan zmap zgrab censys expanse internet_measurement"},
		"T1595.002": {"comes with a tool for scanning vulnerabilities", "nmap nikto nuclei sqlmap wpscan whatweb acunetix nessus openvas arachni leakix"},
		"T1595.003": {"comes with a tool for guessing paths", "gobuster dirbuster wfuzz ffuf feroxbuster katana"},
		"T1110":     {"comes with a tool for guessing passwords", "hydra medusa"},
		"T1190":     {"comes with a tool for exploiting", "metasploit"},
		"T1090.003": {"comes with a Tor client", "tor"},
	} {
		for _, tool := range strings.Fields(c.tools) {
			i := slices.IndexFunc(knownTools, func(k struct{ kind, by, value, tool string }) bool { return k.tool == tool })
			if i < 0 {
				t.Errorf("nothing shows %s", tool)
				continue
			}
			k := knownTools[i]
			got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: k.kind, B: k.value}}})
			if !slices.Contains(got, technique+" "+c.why) {
				t.Errorf("%s shows %q, want %s, %s", tool, got, technique, c.why)
			}
		}
	}
	for _, class := range []string{behavior.Unknown, behavior.SlowScan, behavior.Scanning, behavior.BruteForce, behavior.Beaconing, behavior.Interactive, behavior.Mixed} {
		for routed, want := range map[bool]string{true: "[T1595.001]", false: "[T1046]"} {
			if class != behavior.Scanning && class != behavior.SlowScan {
				want = "[]"
			}
			if got := fmt.Sprint(s.AppendProfile(nil, class, routed)); got != want {
				t.Errorf("%s, routed %v: %s, want %s", class, routed, got, want)
			}
		}
	}
}

// Each beat of a known tool, at and just beyond both tolerances.
func TestEveryKnownBeat(t *testing.T) {
	s := builtin(t)
	for tool, c := range map[string]struct{ interval, off, cv, cvOff float64 }{
		"cobalt_strike": {60, 8, 0.20, 0.05}, "sliver": {60, 10, 0.30, 0.08}, "havoc": {45, 8, 0.10, 0.03}, "mythic": {30, 6, 0.15, 0.03},
	} {
		beats := func(mean, cv float64) bool {
			return slices.Contains(s.AppendCadences(nil, behavior.Timing{Intervals: true, Varies: true, Mean: mean, CV: cv}), tool)
		}
		for _, side := range []float64{-1, 1} {
			if !beats(c.interval+side*c.off, c.cv) || beats(c.interval+side*(c.off+0.001), c.cv) {
				t.Errorf("%s: the mean may be off by %v", tool, c.off)
			}
			// Sums of binary fractions lie beside their decimals: 0.0001 is the
			// last digit of a cv.
			if !beats(c.interval, c.cv+side*(c.cvOff-0.0001)) || beats(c.interval, c.cv+side*(c.cvOff+0.0001)) {
				t.Errorf("%s: the coefficient of variation may be off by %v", tool, c.cvOff)
			}
		}
	}
	if len(s.cadences) != 4 {
		t.Errorf("%d beats are built in, 4 are tested", len(s.cadences))
	}
}

// Each reason for risk: what it asks for, at its bound and just below.
func TestEveryKnownReason(t *testing.T) {
	builtins := builtin(t)
	if len(builtins.risk.rules) != len(knownReasons) {
		t.Errorf("%d reasons are built in, %d are tested", len(builtins.risk.rules), len(knownReasons))
	}
	for _, c := range knownReasons {
		what, rest, _ := strings.Cut(c.condition, " ")
		rest, except, _ := strings.Cut(rest, " except ")
		holds := func(f Facts) bool {
			for _, r := range builtins.Risk(&f, nil).Reasons {
				if r.ID() != c.id || r.Weight() != c.weight {
					continue
				}
				want, evidence := c.text, []string(nil)
				switch what {
				case "fact":
					want = strings.ReplaceAll(c.text, "{n}", fmt.Sprint(f.Numbers[slices.Index(factNames[:], rest)]))
				case "tools":
					evidence = f.Tools
				case "tactic", "technique":
					evidence = f.Techniques
				}
				if text := string(r.AppendText(nil)); text != want || !slices.Equal(r.Evidence, evidence) {
					t.Errorf("%s says %q by %q, want %q by %q", c.id, text, r.Evidence, want, evidence)
				}
				return true
			}
			return false
		}
		switch what {
		case "fact":
			fact := slices.Index(factNames[:], rest)
			if fact < 0 {
				t.Errorf("%s is no fact", rest)
				continue
			}
			var f Facts
			if f.Numbers[fact] = c.atLeast; !holds(f) {
				t.Errorf("%s: %d of %s is no reason of weight %v", c.id, c.atLeast, rest, c.weight)
			}
			if f.Numbers[fact] = c.atLeast + 1; !holds(f) {
				t.Errorf("%s: %d of %s is no reason of weight %v", c.id, c.atLeast+1, rest, c.weight)
			}
			if f.Numbers[fact] = c.atLeast - 1; holds(f) {
				t.Errorf("%s: %d of %s is a reason of weight %v", c.id, c.atLeast-1, rest, c.weight)
			}
		case "class":
			if !holds(Facts{Class: rest}) || holds(Facts{Class: rest + "x"}) {
				t.Errorf("%s: class %s", c.id, rest)
			}
		case "tools":
			for _, tool := range strings.Fields(rest) {
				if !holds(Facts{Tools: []string{tool}}) {
					t.Errorf("%s: %s is no reason", c.id, tool)
				}
			}
			if !holds(Facts{Tools: strings.Fields(rest)}) || holds(Facts{Tools: []string{"curl", "paramiko", "go_ssh"}}) {
				t.Errorf("%s: tools %s", c.id, rest)
			}
		case "technique":
			if !holds(Facts{Techniques: []string{rest}}) || holds(Facts{Techniques: []string{"T1082"}}) {
				t.Errorf("%s: technique %s", c.id, rest)
			}
		case "tactic":
			exceptions := strings.Fields(except)
			for id, technique := range builtins.catalogue.techniques {
				want := slices.Contains(technique.Tactics, rest) && !slices.Contains(exceptions, id)
				if got := holds(Facts{Techniques: []string{id}}); got != want {
					t.Errorf("%s: %s is a reason: %v, want %v", c.id, id, got, want)
				}
			}
		}
	}
}

// The built-in file's score, worked out by the formula in docs/profile.md: 90,
// 75, 70, 60 and 10 of ten inputs.
func TestScoreIsTheFormulas(t *testing.T) {
	f := Facts{Techniques: []string{"T1190"}}
	f.Numbers[LoginSuccesses], f.Numbers[Commands], f.Numbers[Strobe], f.Numbers[Events] = 2, 20, 1, 1
	norm := 0.0
	for i := 1.0; i <= 10; i++ {
		norm += 1 / math.Pow(i, 1.5)
	}
	want := (90 + 75/math.Pow(2, 1.5) + 70/math.Pow(3, 1.5) + 60/math.Pow(4, 1.5) + 10/math.Pow(5, 1.5)) / norm
	got := builtin(t).Risk(&f, nil)
	if math.Abs(got.Score-want) > 0.005 || len(got.Reasons) != 5 {
		t.Errorf("score %v of %d reasons, want %.2f", got.Score, len(got.Reasons), want)
	}
	f.Spoofable = true
	if half := builtin(t).Risk(&f, nil); math.Abs(half.Score-want/2) > 0.005 || math.Abs(half.Reasons[0].Points-got.Reasons[0].Points/2) > 0.01 {
		t.Errorf("spoofable, %v with %v for the first, want %.2f", half.Score, half.Reasons[0].Points, want/2)
	}
	if builtin(t).AttackVersion() != "18.1" {
		t.Errorf("ATT&CK %s", builtin(t).AttackVersion())
	}
}
