// Package options reads the settings of one output instance from Fluent Bit's
// properties, checks every one of them and fills in the defaults.
//
// Fluent Bit gives a plugin no list of the properties that were set, only the
// value of a name asked for; an empty value and an absent one look the same.
// All values are single strings.
package options

import (
	"fmt"
	"net/netip"
	"time"

	"dossier/correlate/dialect"
	"dossier/correlate/exclude"
	"dossier/correlate/redact"
)

// Options is one instance's configuration, complete and checked.
type Options struct {
	// Hosts holds the base URLs of the Elasticsearch nodes, each with a
	// scheme and a port and without credentials. Empty where CloudID is set.
	//
	// If es_hosts is not set, http://127.0.0.1:9200 will be used.
	Hosts []string
	// HostsDefaulted says that es_hosts was not set.
	HostsDefaulted bool
	// CloudID names an Elastic Cloud deployment in place of Hosts.
	CloudID string
	// User is the name for basic authentication. Empty where APIKey is used
	// or the cluster asks for neither.
	User string
	// Password belongs to User.
	Password Secret
	// PasswordFile is the file Password was read from, "" where it was given
	// directly. Whoever connects may read it again when it changes.
	PasswordFile string
	// APIKey is an Elasticsearch API key in its encoded form: the base64 of
	// "id:key".
	APIKey Secret
	// APIKeyFile is the file APIKey was read from, "" where it was given
	// directly. Whoever connects may read it again when it changes.
	APIKeyFile string
	// CAFile is a PEM file of the authorities trusted in addition to the
	// system's.
	CAFile string
	// ClientCert and ClientKey are PEM files of the certificate shown to
	// Elasticsearch; both are set or neither is.
	ClientCert, ClientKey string
	// TLSVerify says whether the nodes' certificates are checked.
	//
	// If es_tls_verify is not set, they are.
	TLSVerify bool
	// Compress says when bodies are sent with gzip.
	//
	// If es_compress is not set, CompressAuto will be used.
	Compress Compress

	// IndexPrefix starts the name of every index.
	//
	// If index_prefix is not set, "dossier" will be used.
	IndexPrefix string
	// ManageTemplates says whether the index templates and the alias are
	// installed at start. It takes more privileges than writing does.
	//
	// If manage_templates is not set, they are.
	ManageTemplates bool
	// Shards is the number of primary shards of each new index.
	//
	// If shards is not set, 1 will be used.
	Shards int
	// Replicas is the number of replicas of each new index, ReplicasAuto to
	// let Elasticsearch keep one wherever there is a second node.
	//
	// If replicas is not set, ReplicasAuto will be used.
	Replicas int
	// RefreshInterval is how long a write may stay unseen by searches.
	//
	// If refresh_interval is not set, 5 s will be used.
	RefreshInterval time.Duration

	// SensorID names this sensor in the documents.
	//
	// If sensor_id is not set, the host name will be used.
	SensorID string
	// CommitTimeout is how long a chunk may take before it is given back to
	// Fluent Bit for a retry. It must be below Fluent Bit's grace.
	//
	// If commit_timeout is not set, 8 s will be used.
	CommitTimeout time.Duration
	// EngineCommitTimeout stands in place of CommitTimeout where Fluent Bit
	// flushes on its engine thread (workers 0), which stands still meanwhile.
	//
	// If commit_timeout is not set, 3 s will be used; else CommitTimeout.
	EngineCommitTimeout time.Duration
	// CacheSize bounds the memory of the document cache in bytes.
	//
	// If cache_size is not set, 256 MiB will be used.
	CacheSize int64
	// DeadLetterPath is the absolute path of the folder for what can never be
	// written.
	//
	// If dead_letter_path is not set, /var/lib/dossier/dead-letters will be
	// used.
	DeadLetterPath string
	// UnparsedDeadLetters says whether records that no dialect knows are
	// kept as dead letters too.
	//
	// If unparsed_dead_letters is not set, they are only counted.
	UnparsedDeadLetters bool

	// Dialect forces the dialect records are read by, "" to choose one per
	// record by its shape.
	Dialect string
	// FieldMaps are YAML files that teach further flat JSON formats.
	FieldMaps []string
	// ExcludeNets are networks whose events are dropped: own scanners, health
	// checks.
	ExcludeNets []netip.Prefix
	// Exclude are rules for events that are dropped.
	Exclude []exclude.Rule
	// DecoyNets are the networks the decoys are in; an intrusion detector
	// sees both ends of a connection and so knows which end is the attacker.
	DecoyNets []netip.Prefix
	// PortMap maps decoys' inner ports to those that attackers connect to.
	PortMap map[uint16]uint16
	// DecoyPorts has what PortMap says of one decoy alone.
	DecoyPorts map[dialect.DecoyPort]uint16
	// StructuredData says whether records count that are more than programs'
	// sentences: DECNET's structured data, and JSON.
	//
	// If structured_data is not set, they do.
	StructuredData bool
	// JSONInSyslog says whether JSON inside lines of syslog counts, and
	// JSONUnits from which of systemd's units only.
	//
	// If json_in_syslog is not set, it doesn't.
	JSONInSyslog bool
	JSONUnits    []string
	// SyslogTimezone is that of times without one.
	//
	// If syslog_timezone is not set, time.Local will be used.
	SyslogTimezone *time.Location
	// DecoyNames names decoys that such a detector knows by address alone.
	DecoyNames map[netip.Addr]string
	// DropApps are the programs whose lines are dropped; nil means those that
	// repeat what a DECNET decoy reports itself, in DECNET's own form only.
	//
	// If drop_apps is not set, it is nil.
	DropApps []string
	// InternalDeckyPrefix starts the names of hosts that are no decoys.
	//
	// If internal_decky_prefix is not set, "decnet-" will be used.
	InternalDeckyPrefix string
	// IPv6Prefix is the length by which IPv6 sources are taken together.
	//
	// If ipv6_prefix is not set, 128 will be used: each address alone.
	IPv6Prefix int
	// StoreSecrets says how the attackers' secrets are shown.
	//
	// If store_secrets is not set, redact.Plain will be used.
	StoreSecrets redact.Secrets

	// InternalNets are the operator's own networks; nil means the private ranges.
	InternalNets []netip.Prefix
	// InternalHosts is a file with the names of addresses in them, "" for none.
	InternalHosts string
	// GeoIPDB and ASNDB are MaxMind-format files, "" for no enrichment.
	GeoIPDB, ASNDB string
	// NetworkTypes is a list of networks and their types that is asked before the
	// built-in one, "" for none.
	NetworkTypes string
	// TLP is the traffic light protocol marking of the indicators, as ECS
	// writes it.
	//
	// If tlp is not set, AMBER will be used.
	TLP string
	// Activity says whether the hourly activity documents are written.
	//
	// If activity is not set, they are.
	Activity bool
	// AttackRules, ToolRules and RiskRules are files that replace the rules
	// Dossier brings along, "" for those.
	AttackRules, ToolRules, RiskRules string
	// KnownScanners is a list in place of the built-in one, "" for that;
	// KnownGood one of the user's own beside it, "" for none.
	KnownScanners, KnownGood string
	// PTR says whether the attackers' reverse names are looked up, which
	// tells the attackers' name servers about it.
	//
	// If ptr is not set, they are not.
	PTR bool

	// MetricsListen is the address of the metrics and health endpoint, "" for
	// none.
	MetricsListen string
}

// shared are the options that outputs to the same indices have in common:
// what they set is one for both.
var shared = []struct {
	key string
	of  func(*Options) any
}{
	{"es_user", func(o *Options) any { return o.User }},
	{"es_password", func(o *Options) any { return o.Password }},
	{"es_api_key", func(o *Options) any { return o.APIKey }},
	{"es_ca_file", func(o *Options) any { return o.CAFile }},
	{"es_client_cert", func(o *Options) any { return o.ClientCert }},
	{"es_client_key", func(o *Options) any { return o.ClientKey }},
	{"es_tls_verify", func(o *Options) any { return o.TLSVerify }},
	{"es_compress", func(o *Options) any { return o.Compress }},
	{"manage_templates", func(o *Options) any { return o.ManageTemplates }},
	{"shards", func(o *Options) any { return o.Shards }},
	{"replicas", func(o *Options) any { return o.Replicas }},
	{"refresh_interval", func(o *Options) any { return o.RefreshInterval }},
	{"cache_size", func(o *Options) any { return o.CacheSize }},
	{"dead_letter_path", func(o *Options) any { return o.DeadLetterPath }},
	{"ipv6_prefix", func(o *Options) any { return o.IPv6Prefix }},
	{"store_secrets", func(o *Options) any { return o.StoreSecrets }},
	{"geoip_db", func(o *Options) any { return o.GeoIPDB }},
	{"internal_nets", func(o *Options) any { return fmt.Sprint(o.InternalNets != nil, o.InternalNets) }},
	{"internal_hosts", func(o *Options) any { return o.InternalHosts }},
	{"asn_db", func(o *Options) any { return o.ASNDB }},
	{"network_types", func(o *Options) any { return o.NetworkTypes }},
	{"tlp", func(o *Options) any { return o.TLP }},
	{"activity", func(o *Options) any { return o.Activity }},
	{"attack_rules", func(o *Options) any { return o.AttackRules }},
	{"tool_rules", func(o *Options) any { return o.ToolRules }},
	{"risk_rules", func(o *Options) any { return o.RiskRules }},
	{"known_scanners", func(o *Options) any { return o.KnownScanners }},
	{"known_good", func(o *Options) any { return o.KnownGood }},
	{"ptr", func(o *Options) any { return o.PTR }},
}

// Disagrees returns the first option that must be the same on two outputs to
// the same indices and isn't, "" where they agree.
func (o *Options) Disagrees(other *Options) string {
	for _, s := range shared {
		if s.of(o) != s.of(other) {
			return s.key
		}
	}
	return ""
}

// ReplicasAuto is the Replicas of "auto": auto_expand_replicas 0-1.
const ReplicasAuto = -1

// Compress says when bodies are sent with gzip.
type Compress string

// The ways of compressing.
const (
	// CompressAuto compresses unless all nodes are on this machine.
	CompressAuto Compress = "auto"
	CompressOn   Compress = "on"
	CompressOff  Compress = "off"
)
