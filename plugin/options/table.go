package options

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dossier/correlate/exclude"
	"dossier/correlate/redact"
	"dossier/profile"
)

// option is one row of the table: all that is known about a key. Parsing,
// defaults, messages and docs/options.md come from it.
type option struct {
	key   string
	group string
	// value is what is parsed where nothing is set, shown what the
	// documentation gives as the default; "" stands for value.
	value, shown string
	// want completes "got …, want ".
	want string
	// doc is what the documentation says, in Markdown.
	doc    string
	secret bool
	// set parses a value that is not empty.
	set func(o *Options, value string) error
}

// The documentation's chapters, in order.
const (
	groupConnection = "Connection"
	groupIndices    = "Indices"
	groupDelivery   = "Delivery"
	groupEvents     = "Events"
	groupProfiles   = "Profiles"
	groupOperation  = "Operation"
)

const defaultDropApps = "decnet"

// dialects are the names dialect takes beside auto.
var dialects = []string{"decnet", "cowrie", "opencanary", "suricata", "ecs"}

var table = []option{
	{
		key: "es_hosts", group: groupConnection,
		shown: "http://127.0.0.1:9200",
		want:  "URLs such as https://es1.example:9200, separated by spaces or commas",
		doc:   "Elasticsearch nodes of one cluster. The port is 9200 where none is given; a path is kept (for a reverse proxy). Credentials don't belong here. `host`, `port` and `tls` of the output have no effect: Fluent Bit keeps them to itself.",
		set:   func(o *Options, v string) error { return parseURLs(&o.Hosts, v) },
	},
	{
		key: "es_cloud_id", group: groupConnection,
		want: "a cloud id as Elastic Cloud shows it (name:base64)",
		doc:  "Elastic Cloud deployment, in place of `es_hosts`.",
		set:  func(o *Options, v string) error { return parseCloudID(&o.CloudID, v) },
	},
	{
		key: "es_user", group: groupConnection,
		want: "a user name without colon and control characters, with es_password or es_password_file beside it",
		doc:  "User for basic authentication.",
		set: func(o *Options, v string) error {
			if strings.Contains(v, ":") || !printable(v) {
				return errWant
			}
			o.User = v
			return nil
		},
	},
	{
		key: "es_password", group: groupConnection, secret: true,
		want: "a password without control characters, with es_user beside it",
		doc:  "Password of `es_user`. Better from the environment (`${ES_PASSWORD}`) or from `es_password_file` than in the configuration.",
		set: func(o *Options, v string) error {
			if !printable(v) {
				return errWant
			}
			o.Password = Secret(v)
			return nil
		},
	},
	{
		key: "es_password_file", group: groupConnection,
		want: "a readable file of at most 8 KiB that holds the password of es_user",
		doc:  "File that holds the password of `es_user`; white space around it is cut. Read again when it changes.",
		set: func(o *Options, v string) error {
			s, err := readSecret(v)
			if err != nil {
				return err
			}
			if !printable(string(s)) {
				return errWant
			}
			o.Password, o.PasswordFile = s, v
			return nil
		},
	},
	{
		key: "es_api_key", group: groupConnection, secret: true,
		want: "an API key, either \"encoded\" as Elasticsearch returned it or as id:key",
		doc:  "API key, in place of `es_user`. Better from the environment or from `es_api_key_file`.",
		set:  func(o *Options, v string) error { return parseAPIKey(&o.APIKey, v) },
	},
	{
		key: "es_api_key_file", group: groupConnection,
		want: "a readable file of at most 8 KiB that holds an API key, \"encoded\" or as id:key",
		doc:  "File that holds the API key; white space around it is cut. Read again when it changes.",
		set: func(o *Options, v string) error {
			s, err := readSecret(v)
			if err != nil {
				return err
			}
			o.APIKeyFile = v
			return parseAPIKey(&o.APIKey, string(s))
		},
	},
	{
		key: "es_ca_file", group: groupConnection,
		want: "a readable PEM file with at least one certificate",
		doc:  "Authorities to trust beside the system's.",
		set: func(o *Options, v string) error {
			o.CAFile = v
			return checkCA(v)
		},
	},
	{
		key: "es_client_cert", group: groupConnection,
		want: "a readable PEM file, with es_client_key beside it",
		doc:  "Client certificate (with its chain), where the cluster asks for one.",
		set: func(o *Options, v string) error {
			o.ClientCert = v
			return checkReadable(v)
		},
	},
	{
		key: "es_client_key", group: groupConnection,
		want: "a readable PEM file with the unencrypted key of es_client_cert",
		doc:  "Key of `es_client_cert`.",
		set: func(o *Options, v string) error {
			o.ClientKey = v
			return checkReadable(v)
		},
	},
	{
		key: "es_tls_verify", group: groupConnection, value: "on",
		want: wantOnOff,
		doc:  "Check the nodes' certificates. `off` lets anybody in between read and change everything, the credentials included; it is warned about at each start.",
		set:  func(o *Options, v string) error { return parseOnOff(&o.TLSVerify, v) },
	},
	{
		key: "es_compress", group: groupConnection, value: string(CompressAuto),
		want: "auto, on or off",
		doc:  "Send bodies with gzip: less network for more CPU. `auto` does so unless all nodes are on this machine.",
		set: func(o *Options, v string) error {
			if strings.EqualFold(v, string(CompressAuto)) {
				o.Compress = CompressAuto
				return nil
			}
			var on bool
			if err := parseOnOff(&on, v); err != nil {
				return err
			}
			o.Compress = CompressOff
			if on {
				o.Compress = CompressOn
			}
			return nil
		},
	},

	{
		key: "index_prefix", group: groupIndices, value: "dossier",
		want: "1 to 100 characters of a-z, 0-9, '.', '_' and '-', the first a letter or digit, and not logs, metrics, traces, synthetics or profiling nor one of them followed by '-', and without -attackers, -smtp-targets, -indicators, -activity, -transitions, -sensors or -chunks as a part",
		doc:  "Start of every index name: `dossier` gives `dossier-attackers`, `dossier-smtp-targets` and so on. One prefix is one address space: sites with overlapping private ranges need different ones.",
		set:  func(o *Options, v string) error { return parseIndexPrefix(&o.IndexPrefix, v) },
	},
	{
		key: "manage_templates", group: groupIndices, value: "on",
		want: wantOnOff,
		doc:  "Install or upgrade the index templates at start. `off` for sensors that hold write privileges only; `dossier setup` does it for them.",
		set:  func(o *Options, v string) error { return parseOnOff(&o.ManageTemplates, v) },
	},
	{
		key: "shards", group: groupIndices, value: "1",
		want: fmt.Sprintf("a number from 1 to %d", profile.MaxShards),
		doc:  "Primary shards of a new index. Used by whoever installs the templates.",
		set:  func(o *Options, v string) error { return parseInt(&o.Shards, v, 1, profile.MaxShards) },
	},
	{
		key: "replicas", group: groupIndices, value: "auto",
		want: fmt.Sprintf("auto or a number from 0 to %d", profile.MaxReplicas),
		doc:  "Replicas of a new index; `auto` keeps one wherever there is a second node (`auto_expand_replicas` 0-1).",
		set: func(o *Options, v string) error {
			if v == "auto" {
				o.Replicas = ReplicasAuto
				return nil
			}
			return parseInt(&o.Replicas, v, 0, profile.MaxReplicas)
		},
	},
	{
		key: "refresh_interval", group: groupIndices, value: "5s",
		want: "a duration from 100ms to 10m such as 5s", // profile's limits, as they are written
		doc:  "How long a write may stay unseen by searches. Shorter costs Elasticsearch more.",
		set: func(o *Options, v string) error {
			return parseDuration(&o.RefreshInterval, v, profile.MinRefreshInterval, profile.MaxRefreshInterval)
		},
	},

	{
		key: "commit_timeout", group: groupDelivery, shown: "8s; 3s with `workers 0`",
		want: "a duration from 500ms to 5m such as 8s",
		doc:  "How long a chunk may take before Fluent Bit gets it back for a retry. Keep it below `grace` of `[SERVICE]`. What many workers bring together takes longer: the shipped configurations, with 24 and 64, have 20s and `grace 25`. With `workers 0` Fluent Bit's whole engine waits that long.",
		set: func(o *Options, v string) error {
			err := parseDuration(&o.CommitTimeout, v, 500*time.Millisecond, 5*time.Minute)
			o.EngineCommitTimeout = o.CommitTimeout
			return err
		},
	},
	{
		key: "cache_size", group: groupDelivery, value: "256M",
		want: "a size from 8M to 64G such as 256M",
		doc:  "Bound of the cache of documents in memory. Nothing is lost when it is small; more reads are made. The configurations of sensors have 32M.",
		set:  func(o *Options, v string) error { return parseSize(&o.CacheSize, v, 8<<20, 64<<30) },
	},
	{
		key: "dead_letter_path", group: groupDelivery, value: "/var/lib/dossier/dead-letters",
		want: "an absolute path",
		doc:  "Folder for what can never be written. Made and tried at start.",
		set: func(o *Options, v string) error {
			if !strings.HasPrefix(v, "/") || !printable(v) {
				return errWant
			}
			o.DeadLetterPath = v
			return nil
		},
	},
	{
		key: "unparsed_dead_letters", group: groupDelivery, value: "off",
		want: wantOnOff,
		doc:  "Keep records that no dialect knows as dead letters too, and those with the reasons `sensor_event`, `bad_address`, `unknown_sender` and `json_in_syslog`, which may be what a sensor means and Dossier doesn't read; as they came but for the local parts of mail addresses and, unless `store_secrets` is plain, for secrets. Where the dead letters are full the oldest of them go. Counted they are in any case.",
		set:  func(o *Options, v string) error { return parseOnOff(&o.UnparsedDeadLetters, v) },
	},

	{
		key: "sensor_id", group: groupEvents, shown: "host name",
		want: "1 to 128 letters, digits, '.', '_' and '-'",
		doc:  "Name of this sensor in the documents. Must differ between sensors.",
		set: func(o *Options, v string) error {
			if !sensorName.MatchString(v) {
				return errWant
			}
			o.SensorID = v
			return nil
		},
	},
	{
		key: "dialect", group: groupEvents, value: "auto",
		want: "auto or one of " + strings.Join(dialects, ", "),
		doc:  "Format of the records: `auto` tells by each record's shape; " + codeList(dialects) + " force one.",
		set: func(o *Options, v string) error {
			v = strings.ToLower(v)
			switch {
			case v == "auto":
				o.Dialect = ""
			case slices.Contains(dialects, v):
				o.Dialect = v
			default:
				return errWant
			}
			return nil
		},
	},
	{
		key: "field_map", group: groupEvents,
		want: "readable YAML files, separated by spaces or commas",
		doc:  "Mapping files that teach further flat JSON formats.",
		set: func(o *Options, v string) error {
			o.FieldMaps = list(v)
			for _, f := range o.FieldMaps {
				if err := checkReadable(f); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		key: "exclude_nets", group: groupEvents,
		want: "networks such as 192.0.2.0/24 or 2001:db8::/32, separated by spaces or commas",
		doc:  "Networks whose events are dropped and counted: own scanners, health checks.",
		set:  func(o *Options, v string) error { return parsePrefixes(&o.ExcludeNets, v) },
	},
	{
		key: "exclude", group: groupEvents,
		want: `rules such as "net=192.0.2.0/24 port=22; service=http agent=kube-probe/*"`,
		doc: "Rules for events that are dropped and counted by rule: own scanners, monitoring, load balancers. A rule is a list of conditions that must " +
			"all hold: `net`, `port` (the decoy's), `service`, `type` (of the event), `agent` (user agent; a `*` at the end stands for anything). " +
			"Rules are separated by semicolons, values with spaces stand in double quotes.",
		set: func(o *Options, v string) (err error) {
			o.Exclude, err = exclude.Parse(v)
			return err
		},
	},
	{
		key: "decoy_nets", group: groupEvents,
		want: "networks such as 192.0.2.0/24 or 2001:db8::/32, separated by spaces or commas",
		doc:  "Networks the decoys are in. An intrusion detector sees both ends of a connection; this tells which end is the attacker.",
		set:  func(o *Options, v string) error { return parsePrefixes(&o.DecoyNets, v) },
	},
	{
		key: "decoy_names", group: groupEvents,
		want: "up to 1000 pairs such as 192.0.2.10=web-1, separated by spaces or commas",
		doc:  "Names of decoys that an intrusion detector knows by address alone, so that a decoy is one whoever reports it.",
		set:  func(o *Options, v string) error { return parseNames(&o.DecoyNames, v) },
	},
	{
		key: "port_map", group: groupEvents,
		want: "up to 1000 pairs such as 2222=22 or web-1/8080=80, separated by spaces or commas",
		doc:  "Ports on which decoys listen behind a redirection, and those that attackers connect to: Cowrie's 2222 is 22 to them. What stands behind the name of a decoy and a `/` is of that decoy alone, and goes before the others. Lists of ports, and the `port` of `exclude`, have the latter.",
		set:  func(o *Options, v string) error { return parsePorts(o, v) },
	},
	{
		key: "structured_data", group: groupEvents, value: "on",
		want: wantOnOff,
		doc:  "`off` for an output that gets nothing but the syslog of decoys whose shells log to it: only sentences of sshd, PAM and the shell hook are read; DECNET's structured data and JSON, which somebody could type on the decoy as a line of its own, are refused and counted as `structured_data`. It is no help against forged sentences: only a transport that a typed newline doesn't break is ([security.md](security.md)).",
		set:  func(o *Options, v string) error { return parseOnOff(&o.StructuredData, v) },
	},
	{
		key: "json_in_syslog", group: groupEvents, value: "off",
		want: "on, off, or up to 100 units of systemd's such as cowrie.service, separated by spaces or commas",
		doc:  "Whether JSON counts that stands inside a line of syslog, as Cowrie, OpenCanary and Suricata can write it. Whoever has a shell on a host can write such a line under any program's name (`logger -t cowrie '{…}'`): `on` is for an output that gets lines of sensors alone, never those of hosts on which shells or sshd log. Of systemd's journal `on` takes the services in which nobody has a shell, and names of units take those alone, by `_SYSTEMD_UNIT`. What is refused is counted as `json_in_syslog`. What a container runtime writes in front of a line (CRI, Docker) is no syslog and needs no option.",
		set:  func(o *Options, v string) error { return parseJSONInSyslog(o, v) },
	},
	{
		key: "syslog_timezone", group: groupEvents, shown: "this host's, read once at start",
		want: "local, or a time zone such as UTC or Europe/Berlin",
		doc:  "Time zone of lines of syslog that name none (RFC 3164: `Nov 26 10:00:00`): the senders' clocks. The year is the latest in which such a time is no more than a day after the record's own; of an hour that comes twice it is the first. Containers mostly say UTC, whatever the host around them does: name the zone there. The line `started` of the log and `dossier check` show it.",
		set:  func(o *Options, v string) error { return parseZone(&o.SyslogTimezone, v) },
	},
	{
		key: "drop_apps", group: groupEvents, value: defaultDropApps,
		want: "up to 100 program names, separated by spaces or commas, or decnet, or none",
		doc:  "Programs whose lines are dropped, and counted by program. `decnet` drops what only repeats in DECNET's containers what the decoy reports itself: sshd, pam_unix, sudo, su, CRON, cron, systemd, kernel, rsyslogd and dbus-daemon, in RFC 5424 and in the collector's JSON; the same programs in any other form are read. Names drop those programs in every form. `none` drops nothing: set it where sshd of your own is forwarded in RFC 5424.",
		set: func(o *Options, v string) error {
			switch v {
			case "decnet":
				o.DropApps = nil
				return nil
			case "none":
				o.DropApps = []string{}
				return nil
			}
			o.DropApps = list(v)
			if len(o.DropApps) > 100 {
				return errWant
			}
			for _, app := range o.DropApps {
				if len(app) > 64 || !printable(app) {
					return &badValue{value: app}
				}
			}
			return nil
		},
	},
	{
		key: "internal_decky_prefix", group: groupEvents, value: "decnet-",
		want: "up to 64 letters, digits, '.', '_' and '-', or none",
		doc:  "Hosts whose names start with it are parts of the system, not decoys. `none`: there are no such hosts.",
		set: func(o *Options, v string) error {
			if v == "none" {
				o.InternalDeckyPrefix = ""
				return nil
			}
			if len(v) > 64 || !sensorName.MatchString(v) {
				return errWant
			}
			o.InternalDeckyPrefix = v
			return nil
		},
	},
	{
		key: "ipv6_prefix", group: groupEvents, value: "128",
		want: fmt.Sprintf("a prefix length from %d to %d", profile.MinIPv6Prefix, profile.MaxIPv6Prefix),
		doc:  "Length by which IPv6 sources are taken together as one attacker; 64 is usual where attackers hop inside their own network. Must not change over an existing index.",
		set: func(o *Options, v string) error {
			return parseInt(&o.IPv6Prefix, v, profile.MinIPv6Prefix, profile.MaxIPv6Prefix)
		},
	},
	{
		key: "store_secrets", group: groupEvents, value: redact.Plain.String(),
		want: "plain, sha256 or none",
		doc:  "How the passwords that attackers tried are shown. Counting tells them apart in any case.",
		set: func(o *Options, v string) error {
			s, ok := redact.ParseSecrets(v)
			if !ok {
				return errWant
			}
			o.StoreSecrets = s
			return nil
		},
	},

	{
		key: "internal_nets", group: groupProfiles, shown: "the private ranges",
		want: "networks such as 192.0.2.0/24 or 2001:db8::/32, separated by spaces or commas, or none",
		doc: "Your own networks: an attacker from there has `scope` internal, any other external. The private ranges are those of RFC 1918, 6598 (100.64.0.0/10), " +
			"4193 (fc00::/7) and the link-local ones. Name your public networks too, and with them the private ranges; `none` makes all external.",
		set: func(o *Options, v string) error {
			if v == "none" {
				o.InternalNets = []netip.Prefix{}
				return nil
			}
			return parsePrefixes(&o.InternalNets, v)
		},
	},
	{
		key: "internal_hosts", group: groupProfiles,
		want: "a readable file of addresses and names in the form of /etc/hosts",
		doc:  "Names of internal addresses, an address and its name a line, shown as `host.name`: an inventory, the leases of a DHCP server. Read at start.",
		set: func(o *Options, v string) error {
			o.InternalHosts = v
			return checkReadable(v)
		},
	},
	{
		key: "geoip_db", group: groupProfiles,
		want: "a readable MaxMind database file (.mmdb)",
		doc:  "Database of countries or cities. Without it no country is told. Read again when it changes.",
		set: func(o *Options, v string) error {
			o.GeoIPDB = v
			return checkDatabase(v)
		},
	},
	{
		key: "asn_db", group: groupProfiles,
		want: "a readable MaxMind database file (.mmdb)",
		doc:  "Database of autonomous systems. Read again when it changes.",
		set: func(o *Options, v string) error {
			o.ASNDB = v
			return checkDatabase(v)
		},
	},
	{
		key: "network_types", group: groupProfiles, shown: "built in",
		want: "a readable list of networks and their types",
		doc:  "Networks and what kind they are (`network_type`), asked before the built-in list of clouds and VPNs: Tor's exits, say ([rules.md](rules.md#network_types)). Read again when it changes.",
		set: func(o *Options, v string) error {
			o.NetworkTypes = v
			return checkReadable(v)
		},
	},
	{
		key: "tlp", group: groupProfiles, value: "AMBER",
		want: "one of " + strings.Join(markings, ", "),
		doc:  "Traffic light protocol marking of the indicators (`threat.indicator.marking.tlp`).",
		set: func(o *Options, v string) error {
			v = strings.ToUpper(v)
			if !slices.Contains(markings, v) {
				return errWant
			}
			o.TLP = v
			return nil
		},
	},
	{
		key: "activity", group: groupProfiles, value: "hourly",
		want: "hourly or off",
		doc:  "Write one document per attacker and hour, the timeline.",
		set: func(o *Options, v string) error {
			switch strings.ToLower(v) {
			case "hourly":
				o.Activity = true
			case "off":
				o.Activity = false
			default:
				return errWant
			}
			return nil
		},
	},
	{
		key: "attack_rules", group: groupProfiles, shown: "built in",
		want: "a readable rule file",
		doc:  "Rules in YAML, beside the built-in ones and instead of those whose ids they have.",
		set: func(o *Options, v string) error {
			o.AttackRules = v
			return checkReadable(v)
		},
	},
	{
		key: "tool_rules", group: groupProfiles, shown: "built in",
		want: "a readable rule file",
		doc:  "Tool signatures in place of the built-in ones.",
		set: func(o *Options, v string) error {
			o.ToolRules = v
			return checkReadable(v)
		},
	},
	{
		key: "risk_rules", group: groupProfiles, shown: "built in",
		want: "a readable rule file",
		doc:  "Weights of the risk score in place of the built-in ones.",
		set: func(o *Options, v string) error {
			o.RiskRules = v
			return checkReadable(v)
		},
	},
	{
		key: "known_scanners", group: groupProfiles, shown: "built in",
		want: "a readable list of known scanners",
		doc:  "List of known scanners in place of the built-in one ([rules.md](rules.md#known_scanners)). Read again when it changes.",
		set: func(o *Options, v string) error {
			o.KnownScanners = v
			return checkReadable(v)
		},
	},
	{
		key: "known_good", group: groupProfiles,
		want: "a readable file with a network or address and a name a line",
		doc:  "Your own scanners and monitors, a network or address and whose it is a line: they are benign by network while they only look. Read again when it changes.",
		set: func(o *Options, v string) error {
			o.KnownGood = v
			return checkReadable(v)
		},
	},
	{
		key: "ptr", group: groupProfiles, value: "off",
		want: wantOnOff,
		doc:  "Look up the attackers' reverse names. It tells the name servers of the attackers that somebody looks.",
		set:  func(o *Options, v string) error { return parseOnOff(&o.PTR, v) },
	},

	{
		key: "metrics_listen", group: groupOperation, shown: "off",
		want: "an address and port such as 127.0.0.1:9600, or off",
		doc:  "Serve `/metrics`, `/healthz` and `/readyz` there, without authentication.",
		set: func(o *Options, v string) error {
			if v == "off" {
				return nil
			}
			host, port, err := net.SplitHostPort(v)
			if err != nil {
				return errWant
			}
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return errWant
			}
			if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
				return errWant
			}
			o.MetricsListen = v
			return nil
		},
	},
}

// markings are the values ECS allows in threat.indicator.marking.tlp.
var markings = []string{"WHITE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"}

var sensorName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func codeList(names []string) string {
	var b strings.Builder
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "`%s`", n)
	}
	return b.String()
}
