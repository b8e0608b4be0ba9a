package profile

// Kind is a kind of index.
type Kind uint8

// The kinds of index, by what one document of them is about.
const (
	// Attackers has one document per address.
	Attackers Kind = iota
	// Targets has one document per address and mail domain.
	Targets
	// Indicators has one document per thing that attackers used beyond the decoys.
	Indicators
	// Activity has one document per address and hour.
	Activity
	// Transitions has one document per address and line crossed.
	Transitions
	// Sensors has one document per sensor.
	Sensors
	// Chunks is the ledger: one marker per chunk.
	Chunks
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Attackers, Targets, Indicators, Activity, Transitions, Sensors, Chunks}
}

// String returns the part of the index name behind the prefix.
func (k Kind) String() string {
	return [...]string{"attackers", "smtp-targets", "indicators", "activity", "transitions", "sensors", "chunks"}[k]
}

// Monthly says whether the kind has one index a month (and one for times
// outside reason) instead of a single index.
func (k Kind) Monthly() bool { return k == Activity || k == Transitions || k == Chunks }

// id says what the document's _id is.
func (k Kind) id() string {
	return [...]string{
		"the address in canonical form, or the CIDR text of an IPv6 network",
		"`address|domain`",
		"the SHA-256 of kind, NUL and value, in hex",
		"`address|hour`",
		"`address|action|value`",
		"the sensor's id",
		"the chunk's id in hex",
	}[k]
}

// Type is an Elasticsearch field type.
type Type string

// The field types in use. Every one of them is in the free distribution of
// Elasticsearch.
const (
	Keyword  Type = "keyword"
	Long     Type = "long"
	Integer  Type = "integer"
	Float    Type = "float"
	Boolean  Type = "boolean"
	Date     Type = "date"
	IP       Type = "ip"
	GeoPoint Type = "geo_point"
	Binary   Type = "binary"
	// Nested is a list of objects that are searched and counted one by one.
	Nested Type = "nested"
	// Object is kept in the source only: neither parsed nor indexed.
	Object Type = "object"
	// IPRange is a network, which a search for an address finds.
	IPRange Type = "ip_range"
	// OtherName is a second name of a field, in searches only: no document
	// has it.
	OtherName Type = "alias"
)

// longestKeyword is the number of characters above which a keyword is kept in
// the source but not indexed.
const longestKeyword = 1024

// Field is one field of a document.
type Field struct {
	// Name is the dotted name.
	Name string
	Type Type
	// List says that the field holds an array.
	List bool
	// Law says how two pieces of evidence combine.
	Law string
	// Source says what the value comes from.
	Source string
	// Doc says what the field tells.
	Doc string
	// Members are those of the objects, with Nested.
	Members []Field
	// Path is the field that an OtherName stands for.
	Path string
	// Words says that the texts are also searched by their parts, as
	// Name + ".text".
	Words bool
	// ECS says that name and type are those of the Elastic Common Schema.
	ECS bool
}

// The laws and sources that many fields share.
const (
	lawConst   = "constant"
	lawKey     = "key"
	lawMin     = "min"
	lawMax     = "max"
	lawSum     = "sum, exact"
	lawSet     = "set"
	lawDerived = "derived from the state"
	lawWrite   = "as of the write"
	lawCopy    = "copy"
	lawAlias   = "alias"
	lawSummary = "of the write with most events"

	srcEvery  = "every event but those of our own prober"
	srcProven = "proven events"
	srcFiles  = "local MaxMind-format files"
	srcTypes  = "a built-in list, option `network_types`"
	srcRules  = "rule files"
)

// moved says what becomes of a month that has no index.
const moved = " A month that has no index is kept there too, with `@YYYY.MM` behind each `_id` ([operations.md](operations.md#months))."

// other says what goes to `…-other` in place of a month.
func (k Kind) other() string {
	switch k {
	case Activity:
		return " Months before 2015 and after 2099 go to `…-other`, and events more than 400 days older or a day newer than " +
			"their record, and those of any month after the first 16 of a chunk: a bad clock opens few indices. " +
			"The chunk alone decides, so that a redelivery chooses the same." + moved
	case Transitions:
		return " What lies more than 400 days before or a day after the first record of the chunk that crossed the line goes to `…-other`, " +
			"as do months before 2015 and after 2099. The choice is kept in the attacker's state." + moved
	case Chunks:
		return " The month is that of the chunk's first record; months before 2015 and after 2099, and chunks of stored logs, go to `…-other`." + moved +
			" That one also keeps where each month's documents are, for all three kinds: `@index`, without a time."
	default:
		return ""
	}
}

// Fields returns the fields of a kind of document, in the order in which they
// are documented.
func Fields(k Kind) []Field {
	switch k {
	case Attackers:
		return attackerFields
	case Targets:
		return targetFields
	case Indicators:
		return indicatorFields
	case Activity:
		return activityFields
	case Transitions:
		return transitionFields
	case Sensors:
		return sensorFields
	default:
		return chunkFields
	}
}

var attackerFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawMax, Source: srcEvery, Doc: "Same as `last_seen`.", ECS: true},
	{Name: "ip", Type: IP, Law: lawKey, Source: "the sensor's own connection fields", Doc: "The attacker's address; IPv4-mapped IPv6 is unmapped, a zone is dropped. Absent where IPv6 sources are aggregated: see `network`."},
	{Name: "network", Type: Keyword, Law: lawKey, Source: "option `ipv6_prefix`", Doc: "The network, as CIDR, where IPv6 sources are aggregated by a prefix shorter than 128. It goes with the next version of the schema, for ECS has an object of that name: use `cidr`."},
	{Name: "cidr", Type: IPRange, Law: lawCopy, Source: "`network`", Doc: "Same as `network`; a search for any of its addresses finds it."},
	{Name: "uuid", Type: Keyword, Law: lawKey, Source: "`ip`", Doc: "Name-based UUID (version 5, RFC 9562) of the address text in the name space `" + namespace + "`: the same on every sensor, for ever."},
	{Name: "first_seen", Type: Date, Law: lawMin, Source: srcEvery, Doc: "Time of the oldest event, UTC, microseconds."},
	{Name: "last_seen", Type: Date, Law: lawMax, Source: srcEvery, Doc: "Time of the newest event, UTC, microseconds."},
	{Name: "updated_at", Type: Date, Law: lawWrite, Source: "clock", Doc: "When the document was written."},
	{Name: "event_count", Type: Long, Law: lawSum, Source: srcEvery, Doc: "Events attributed to the address, noise, sniffer and what is only claimed included."},
	{Name: "services", Type: Keyword, List: true, Law: lawSet + ", 128", Source: "events of decoy services", Doc: "Services touched, proven or claimed, sorted. Helper programs count as the service they belong to; observers are no service."},
	{Name: "service_count", Type: Integer, Law: "distinct, exact up to 128, then estimated", Source: "`services`", Doc: "Number of services touched."},
	{Name: "service_guessed", Type: Long, Law: lawDerived, Source: "sensors' sessions", Doc: "Events that count as `ssh` because nothing told the service of their session: of Cowrie 2, where no record with it came, or more sessions lasted beyond their chunk than are kept apart. Absent where there is none."},
	{Name: "services_scanned", Type: Keyword, List: true, Law: "strongest kind of event per service", Source: "`services`", Doc: "Services touched but not used. Services that saw only noise are in neither list."},
	{Name: "services_interacted", Type: Keyword, List: true, Law: "strongest kind of event per service", Source: "`services`", Doc: "Services used: commands, transfers, mail."},
	{Name: "ports", Type: Object, List: true, Law: "exact for 256 ports that matter, others rank 64, proven ones 64, and what those leave", Source: "events that tell the decoy's port", Doc: "The decoys' ports of connections that the attacker opened, proven or claimed: {transport, port, proven, count, first_seen, last_seen}, those tried most often first. A count is of the events that tell the port: many sensors tell it once a connection. Option `port_map` maps a decoy's inner port to the one attackers connect to."},
	{Name: "port_count", Type: Integer, Law: "distinct, exact while all are kept, then estimated", Source: "`ports`", Doc: "Number of ports; absent where no event tells one."},
	{Name: "port.name", Type: Keyword, List: true, Law: lawCopy, Source: "`ports`", Doc: "The ports as `tcp/22`, or `22` where the transport isn't known, sorted."},
	{Name: "deckies", Type: Keyword, List: true, Law: "first contact per decky, rank 256", Source: "every event that names a decky", Doc: "Decoys touched, proven or claimed, in order of first contact, then name."},
	{Name: "decky_count", Type: Integer, Law: "distinct, exact up to 256, then estimated", Source: "`deckies`", Doc: "Number of decoys touched. Of those that are only claimed 64 at the most count."},
	{Name: "is_traversal", Type: Boolean, Law: lawDerived, Source: srcProven, Doc: "Whether at least two decoys were touched, proven."},
	{Name: "traversal_path", Type: Keyword, Law: lawDerived, Source: srcProven, Doc: "The decoys whose contact is proven, in order of first contact, each once, joined with ` → `. Absent without traversal."},
	{Name: "hops", Type: Object, List: true, Law: "first 128 (decky, service) by time", Source: "proven events that name a decky", Doc: "First contact with each decoy and service in time order: {timestamp, decky, service, event_type}."},
	{Name: "movement.edge", Type: Keyword, List: true, Law: lawDerived, Source: "`hops`", Doc: "Moves between decoys as `a → b`, sorted, each once."},
	{Name: "movement.edges", Type: Object, List: true, Law: lawDerived, Source: "`hops`", Doc: "Moves between decoys: {from, to, first, count}, by time of the first."},
	{Name: "movement.dwell", Type: Object, List: true, Law: lawDerived, Source: srcProven, Doc: "Stay per decoy: {decky, first, last, seconds, events}, in order of first contact."},
	{Name: "commands", Type: Object, List: true, Law: "newest 200 by (time, content), first 10, and 48 that a rule knows by rank", Source: "command events, proven", Doc: "What was typed or sent: {timestamp, service, decky, command}, oldest first. What shells told is among it where the address had logged in on that decoy within the day before."},
	{Name: "command_count", Type: Long, Law: lawSum, Source: "command events", Doc: "Number of commands, those that are only claimed included."},
	{Name: "command.line", Type: Keyword, List: true, Words: true, Law: lawDerived, Source: "`commands`", Doc: "The distinct lines among `commands` of at most 1,024 characters, in order of their oldest one there. `command.line.text` finds their parts: of type `wildcard` where Elasticsearch has that, else `text`, which finds whole words."},
	{Name: "credentials", Type: Object, List: true, Law: "rank 200, and 64 of those that were let in", Source: "login events that show a secret, proven", Doc: "Distinct (service, principal, kind of secret, SHA-256 of the secret): {service, principal, secret_kind, secret, secret_sha256, count, first_seen, last_seen, outcome}, by first_seen. Option `store_secrets` decides which of secret and secret_sha256 are shown, never what is distinct."},
	{Name: "credential_count", Type: Long, Law: "distinct, exact up to 200, then estimated", Source: "`credentials`, `claimed.evidence`", Doc: "Number of distinct credentials, those that are only claimed included: of these as many as are kept."},
	{Name: "credential.username", Type: Keyword, List: true, Law: lawDerived, Source: "`credentials`", Doc: "Principals, sorted, each once."},
	{Name: "credential.password", Type: Keyword, List: true, Law: lawDerived, Source: "`credentials`", Doc: "Secrets as `store_secrets` shows them, sorted, each once."},
	{Name: "credential.pair", Type: Keyword, List: true, Law: lawDerived, Source: "`credentials`", Doc: "principal:secret, sorted, each once."},
	{Name: "login_attempts", Type: Long, Law: lawSum, Source: "login events", Doc: "Number of login attempts, those that are only claimed included."},
	{Name: "login_successes", Type: Long, Law: lawSum, Source: "login events", Doc: "Number of login attempts that a decoy let in, those that are only claimed included."},
	{Name: "fingerprints", Type: Object, List: true, Law: "rank, a share for each kind", Source: "bounties of type fingerprint, proven; our prober and what decoys contacted included", Doc: "Distinct (type, value): {type, value, payload, count, first_seen, last_seen}, by first_seen."},
	{Name: "fingerprint.ja3", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JA3 of TLS client hellos."},
	{Name: "fingerprint.ja3s", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JA3S of TLS server hellos."},
	{Name: "fingerprint.ja4", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JA4 of TLS client hellos."},
	{Name: "fingerprint.ja4s", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JA4S of TLS server hellos."},
	{Name: "fingerprint.ja4h", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JA4H of HTTP requests."},
	{Name: "fingerprint.ja4_quic", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JA4 of QUIC client hellos."},
	{Name: "fingerprint.hassh", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "HASSH of SSH clients."},
	{Name: "fingerprint.jarm", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "JARM of TLS servers on the attacker's address, by our prober."},
	{Name: "fingerprint.user_agent", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "HTTP user agents."},
	{Name: "fingerprint.ssh_client", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "SSH client banners."},
	{Name: "fingerprint.tls_cert_sha256", Type: Keyword, List: true, Law: lawDerived, Source: "`fingerprints`", Doc: "SHA-256 of TLS certificates."},
	{Name: "artifacts", Type: Object, List: true, Law: "rank, shares for files fetched, files brought, mails, URLs alone", Source: "captures, uploads, downloads, mails, proven", Doc: "Distinct files: {sha256, url, kind, payload, count, first_seen, last_seen}, by first_seen."},
	{Name: "artifact.sha256", Type: Keyword, List: true, Law: lawDerived, Source: "`artifacts`", Doc: "SHA-256 of the files, sorted, each once."},
	{Name: "artifact.url", Type: Keyword, List: true, Law: lawDerived, Source: "`artifacts`", Doc: "Where the files came from, sorted, each once."},
	{Name: "indicators", Type: Object, List: true, Law: "rank, a share for each kind", Source: "what is named in commands, requests and files, proven; what decoys fetched", Doc: "What was used beyond the decoys: {kind, value, use, count, first_seen, last_seen}, by first_seen. `use` is how it was used: command, request, file, note, key, written (into a file of the system), system (a program of the decoy's own), fetched (by the decoy)."},
	{Name: "indicator.url", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "URLs, without names and passwords, sorted. `tftp://` and `http://` stand in front of what is given to such programs without."},
	{Name: "indicator.domain", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "Hosts by name, those of the URLs included."},
	{Name: "indicator.ip", Type: IP, List: true, Law: lawDerived, Source: "`indicators`", Doc: "Hosts by address, those of the URLs included."},
	{Name: "indicator.sha256", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "SHA-256 of files; not of mails."},
	{Name: "indicator.sha1", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "SHA-1 of files, where a sensor tells it."},
	{Name: "indicator.md5", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "MD5 of files, where a sensor tells it."},
	{Name: "indicator.email", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "Mail addresses out of demands for ransom and of keys' comments; never of mail."},
	{Name: "indicator.wallet", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "Addresses of Bitcoin, Monero and Ethereum."},
	{Name: "indicator.key_comment", Type: Keyword, List: true, Law: lawDerived, Source: "`indicators`", Doc: "What stands behind SSH keys that were brought."},
	{Name: "indicator_count", Type: Integer, Law: "distinct, exact up to 256, then estimated", Source: "`indicators`", Doc: "Number of those things, what shells told included."},
	{Name: "forwards", Type: Object, List: true, Law: "rank 64", Source: "requests to a proxy, SSH's direct-tcpip, recipients of mail, proven", Doc: "What decoys were asked to pass on: {target, via, count, first_seen, last_seen}, by first_seen; `via` is direct-tcpip, http_proxy or smtp_relay."},
	{Name: "forward.target", Type: Keyword, List: true, Law: lawDerived, Source: "`forwards`", Doc: "Where to: host:port, of mail the domain."},
	{Name: "forward.via", Type: Keyword, List: true, Law: lawDerived, Source: "`forwards`", Doc: "By which ways."},
	{Name: "ip_leaks", Type: Object, List: true, Law: "rank, shares for public addresses and others", Source: "proxy headers, proven", Doc: "Addresses that the attacker's own headers claim: {claimed_ip, header, category, kind, count, first_seen, last_seen}; kind is leak for a public address, else spoofed_source. Never used as the attacker's address."},
	{Name: "alerts", Type: Object, List: true, Law: "rank 64", Source: "intrusion detector, proven", Doc: "Distinct signatures: {signature, category, side, severity, count, first_seen, last_seen}, by first_seen; severity is the worst seen, 1 is worst. `side` is `payload_host` where the decoy opened the connection: nobody is judged by those."},
	{Name: "alert.signature", Type: Keyword, List: true, Law: lawDerived, Source: "`alerts`", Doc: "Signatures but those on a payload host, sorted, each once."},
	{Name: "claimed.event_count", Type: Long, Law: lawSum, Source: "claimed events", Doc: "Events that don't prove that the address was there: datagrams, packets without a handshake, what shells told of an address that had not logged in. They are in `event_count`. Nobody is judged by them (below), and without any there is no `claimed`."},
	{Name: "claimed.first_seen", Type: Date, Law: lawMin, Source: "claimed events", Doc: "Time of the oldest of them; what shells told counts even where it is proven."},
	{Name: "claimed.last_seen", Type: Date, Law: lawMax, Source: "claimed events", Doc: "Time of the newest of them, likewise."},
	{Name: "claimed.command_count", Type: Long, Law: lawSum, Source: "claimed events", Doc: "Commands among them, which are in `command_count`."},
	{Name: "claimed.login_attempts", Type: Long, Law: lawSum, Source: "claimed events", Doc: "Login attempts among them, which are in `login_attempts`."},
	{Name: "claimed.login_successes", Type: Long, Law: lawSum, Source: "claimed events", Doc: "Successful ones among them, which are in `login_successes`."},
	{Name: "claimed.services", Type: Keyword, List: true, Law: lawSet + ", 32", Source: "claimed events", Doc: "Services they touched, sorted."},
	{Name: "claimed.deckies", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "claimed events", Doc: "Decoys they touched, sorted."},
	{Name: "claimed.kinds", Type: Keyword, List: true, Law: lawDerived, Source: "`claimed.evidence`, `claimed.commands`", Doc: "What is claimed: alert, command, file, fingerprint, ip_leak, kex_order, login, recipient, technique, tool; sorted, each once."},
	{Name: "claimed.evidence", Type: Object, List: true, Law: "rank, a share for each kind", Source: "claimed events", Doc: "What they show: {kind, service, …, count, first_seen, last_seen}, by first_seen; beside that of a login principal, secret_kind, outcome and what `store_secrets` shows of the secret, of a fingerprint type and value, of a file sha256, url and file, of an ip_leak claimed_ip and header, of an alert value, category and severity, else value. Of each text the first 64 bytes are kept."},
	{Name: "claimed.commands", Type: Object, List: true, Law: "newest 256 by (time, content), a multiset, first 10, and 48 that a rule knows by rank", Source: "shells' hooks", Doc: "Commands that a decoy's shell told of this address though it had not logged in there within the day before: {timestamp, service, decky, command}, oldest first."},
	{Name: "bounty_count", Type: Long, Law: lawDerived, Source: "credentials, fingerprints, artifacts, leaks, `claimed.evidence`", Doc: "Distinct credentials, fingerprints, artifacts and leaks together, those that are only claimed included: of these as many as are kept."},
	{Name: "session_count", Type: Long, Law: "distinct, exact up to 256, then estimated", Source: "session ids", Doc: "Number of sessions on the decoys; in `truncated` where it is an estimate."},
	{Name: "session_longest_s", Type: Float, Law: "max", Source: "ends of sessions, where the sensor tells their length, proven", Doc: "Seconds the longest session took."},
	{Name: "behavior.class", Type: Keyword, Law: lawDerived, Source: srcProven, Doc: "unknown, slow_scan, scanning, brute_force, beaconing, interactive or mixed: the first rule that fits (below)."},
	{Name: "behavior.kind", Type: Keyword, Law: lawDerived, Source: srcProven, Doc: "What the attacker does: scan, crawl, brute_force, spraying, exploit, automated_session, hands_on, relay, monitor or noise: the first that fits (below)."},
	{Name: "behavior.kind_why", Type: Keyword, Law: lawDerived, Source: srcProven, Doc: "From what the kind was concluded, in words."},
	{Name: "behavior.pauses.count", Type: Integer, Law: "newest 96 commands of shells with their sessions", Source: "`commands`", Doc: "Pauses between the commands of the session that somebody typed; only for kind hands_on, as all of `behavior.pauses`."},
	{Name: "behavior.pauses.median_s", Type: Float, Law: lawDerived, Source: "`commands`", Doc: "Their median in seconds."},
	{Name: "behavior.pauses.min_s", Type: Float, Law: lawDerived, Source: "`commands`", Doc: "The shortest."},
	{Name: "behavior.pauses.max_s", Type: Float, Law: lawDerived, Source: "`commands`", Doc: "The longest."},
	{Name: "behavior.pauses.corrected", Type: Integer, Law: lawDerived, Source: "`commands`", Doc: "Commands that no system has, put right by the next one."},
	{Name: "behavior.timing.event_count", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Number of event times the statistics are over."},
	{Name: "behavior.timing.duration_s", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Seconds between the oldest and the newest of them."},
	{Name: "behavior.timing.mean_iat_s", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Mean interval between events, in seconds, three decimals."},
	{Name: "behavior.timing.median_iat_s", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Median interval."},
	{Name: "behavior.timing.stdev_iat_s", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Population standard deviation of the intervals."},
	{Name: "behavior.timing.min_iat_s", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Shortest interval."},
	{Name: "behavior.timing.max_iat_s", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Longest interval."},
	{Name: "behavior.timing.cv", Type: Float, Law: "newest 512 times, a multiset", Source: srcProven, Doc: "Coefficient of variation: standard deviation by mean, four decimals."},
	{Name: "behavior.beacon.interval_s", Type: Float, Law: lawDerived, Source: "`behavior.timing`", Doc: "Interval of the beacon in seconds; only for class beaconing."},
	{Name: "behavior.beacon.jitter_pct", Type: Float, Law: lawDerived, Source: "`behavior.timing`", Doc: "Jitter of the beacon in per cent; only for class beaconing."},
	{Name: "behavior.beacon.score", Type: Float, Law: lawDerived, Source: "the newest 24 hours of event times", Doc: "How regular the contacts are, 0 to 1: the mean of the sub-scores (below)."},
	{Name: "behavior.beacon.ts_score", Type: Float, Law: lawDerived, Source: "the newest 24 hours of event times", Doc: "Sub-score: symmetry and spread of the intervals."},
	{Name: "behavior.beacon.hist_score", Type: Float, Law: lawDerived, Source: "the newest 24 hours of event times", Doc: "Sub-score: evenness over the day."},
	{Name: "behavior.beacon.dur_score", Type: Float, Law: lawDerived, Source: "the newest 24 hours of event times", Doc: "Sub-score: how much of the day is covered."},
	{Name: "behavior.beacon.strobe", Type: Boolean, Law: "counts of the newest 24 hours, exact", Source: "every event but those of our own prober", Doc: "True where there were 86,400 events or more within 24 hours of the clock: no beacon, and no score, for it never pauses. Absent otherwise."},
	{Name: "behavior.tools", Type: Keyword, List: true, Law: lawSet + ", 64", Source: srcRules, Doc: "Names recognised by user agent, mailer, client banner, HASSH, JA3, JA4 or JARM, or by what they say, sorted. One that only signatures tell which ordinary clients have too is not among them."},
	{Name: "behavior.cadence_like", Type: Keyword, List: true, Law: lawDerived, Source: "`behavior.timing`", Doc: "Tools whose beat the timing fits. It fits by chance: it names nobody and has no part in the risk."},
	{Name: "behavior.tool_evidence", Type: Object, List: true, Law: lawSet + ", 64", Source: srcRules, Doc: "What each name was recognised by: {tool, kind, attack_id, by, source, collides, count, first_seen, last_seen}. kind is library, scanner, tool, malware or group; attack_id is ATT&CK's id of it, where it has one; source says where the signature comes from, collides which ordinary clients have it too: such a one names nobody."},
	{Name: "software.library", Type: Keyword, List: true, Law: lawDerived, Source: srcRules, Doc: "Those of `behavior.tools` that are libraries and ordinary clients."},
	{Name: "software.scanner", Type: Keyword, List: true, Law: lawDerived, Source: srcRules, Doc: "Those that look for what is there, monitors and crawlers among them."},
	{Name: "software.tool", Type: Keyword, List: true, Law: lawDerived, Source: srcRules, Doc: "Those that attack."},
	{Name: "software.malware", Type: Keyword, List: true, Law: lawDerived, Source: srcRules, Doc: "Families of malware."},
	{Name: "behavior.conclusions", Type: Object, List: true, Law: lawSet + ", 24 KiB by stage", Source: srcRules, Doc: "What rules concluded, and from what: {rule, why, technique, tactic, software, software_id, cve, severity, asked_only, stage, saw, count, first_seen, last_seen}, by first_seen. saw is the line, request or name that it was concluded from; asked_only is true where a decoy was asked for it and nothing says that it did it. Of a rule that isn't known here only rule, stage and saw are told."},
	{Name: "exploit.cve", Type: Keyword, List: true, Law: lawDerived, Source: "`behavior.conclusions`", Doc: "Vulnerabilities that were tried, sorted, each once: those that the rules behind the conclusions name."},
	{Name: "exploit.request", Type: Keyword, List: true, Law: lawDerived, Source: "`behavior.conclusions`", Doc: "What was sent to get in through a flaw, a known one or not (T1190): requests, paths and lines as the conclusions saw them, sorted, each once."},
	{Name: "behavior.profile_evidence", Type: Object, List: true, Law: lawDerived, Source: "all of the profile", Doc: "Techniques and names that no single event shows, and what shows them: {technique, tool, why, users, secrets, first_seen, last_seen}; the times are those of all that is proven."},
	{Name: "behavior.technique_evidence", Type: Object, List: true, Law: lawSet + ", 96", Source: srcRules, Doc: "What those techniques were concluded from of which no rule tells: what sensors say themselves, and what versions before rules were kept folded: {technique, why, count, first_seen, last_seen}, by first_seen."},
	{Name: "behavior.phase.recon_end_ts", Type: Date, Law: lawMax, Source: "events of phase recon", Doc: "Newest event of looking around: connections, banners, login attempts, requests."},
	{Name: "behavior.phase.exfil_start_ts", Type: Date, Law: lawMin, Source: "events of phase exfil", Doc: "Oldest event of hands on data: commands, transfers, queries."},
	{Name: "behavior.phase.exfil_latency_s", Type: Float, Law: lawDerived, Source: "`behavior.phase`", Doc: "Seconds from recon_end_ts to exfil_start_ts, where the latter is not earlier."},
	{Name: "behavior.phase.large_payload_count", Type: Long, Law: lawSum, Source: "events that tell a size", Doc: "Events that moved at least 1 MiB, proven or claimed."},
	{Name: "behavior.os_guess", Type: Keyword, Law: lawDerived, Source: "TCP/IP fingerprints", Doc: "The operating system, by packets that anybody can send: the sniffer's most frequent label (of equally frequent ones the first seen), else by the most frequent TTL."},
	{Name: "behavior.hop_distance", Type: Integer, Law: lawDerived, Source: "TCP/IP fingerprints", Doc: "Median distance in router hops, cut to a whole number."},
	{Name: "behavior.tcp_fingerprint", Type: Object, Law: "newest by (time, content)", Source: "TCP/IP fingerprints", Doc: "The newest TCP/IP snapshot: {window, wscale, mss, options_sig, has_sack, has_timestamps, tos, dscp, ecn, ipid_class, isn_class}; the two classes are the newest known ones."},
	{Name: "behavior.retransmit_count", Type: Long, Law: lawSum, Source: "flow events", Doc: "Retransmitted TCP segments."},
	{Name: "behavior.kex_order", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "SSH key exchange", Doc: "Key exchange algorithms in the order offered, distinct, by first sight."},
	{Name: "campaign.keys", Type: Keyword, List: true, Law: lawDerived, Source: "artifacts, credentials, HASSH, commands", Doc: "Hashes that addresses of one campaign share (below), sorted."},
	{Name: "campaign.payload", Type: Keyword, List: true, Law: lawDerived, Source: "`artifacts`", Doc: "Campaign keys of captured files."},
	{Name: "campaign.credentials", Type: Keyword, Law: lawDerived, Source: "`credentials`", Doc: "Campaign key of the whole credential list."},
	{Name: "campaign.toolchain", Type: Keyword, List: true, Law: lawDerived, Source: "HASSH and `commands`", Doc: "Campaign keys of an SSH client's HASSH with the shape of the command sequence."},
	{Name: "smtp_domain_count", Type: Long, Law: "distinct, exact up to 256, then estimated", Source: "mail recipients", Doc: "Mail domains aimed at."},
	{Name: "smtp_domains_dropped", Type: Long, Law: lawDerived, Source: "`smtp_domain_count`", Doc: "Mail domains beyond those for which documents are opened, about."},
	{Name: "country_code", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Country, ISO 3166-1 alpha-2. Empty for addresses that are not globally routed."},
	{Name: "country_name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Its name in English, as Unicode's CLDR has it."},
	{Name: "country_source", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Type of the database the country comes from."},
	{Name: "asn", Type: Long, Law: lawWrite, Source: srcFiles, Doc: "Number of the autonomous system."},
	{Name: "as_name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Name of the autonomous system."},
	{Name: "as_network", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "The database's network around the address. It goes with the next version of the schema: use `as_cidr`."},
	{Name: "as_cidr", Type: IPRange, Law: lawCopy, Source: "`as_network`", Doc: "Same as `as_network`; a search for any of its addresses finds it."},
	{Name: "asn_source", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Type of the database the number comes from."},
	{Name: "network_type", Type: Keyword, Law: lawWrite, Source: srcTypes, Doc: "What kind of network the address is in: `cloud`, `hosting` or `vpn` (a VPN provider's, or a data centre's that such providers use) by the built-in list, what else option `network_types` tells, such as `tor`. Absent where no list has the address, which says nothing of it."},
	{Name: "network_type_source", Type: Keyword, Law: lawWrite, Source: srcTypes, Doc: "The list that says so, with its date where it is built in."},
	{Name: "ptr_record", Type: Keyword, Law: lawWrite, Source: "DNS, where switched on", Doc: "Reverse name. Off by default: a look-up tells the attacker's DNS."},
	{Name: "scope", Type: Keyword, Law: lawWrite, Source: "option `internal_nets`", Doc: "`internal` where the address is one of the operator's own networks, by default the private ranges, else `external`. Whoever touches a decoy from inside is the strongest alert there is: nobody has business there."},
	{Name: "host.name", Type: Keyword, Law: lawWrite, Source: "option `internal_hosts`", Doc: "Name of an internal address.", ECS: true},
	{Name: "risk.score", Type: Float, Law: lawDerived, Source: srcRules, Doc: "0 to 100 (below)."},
	{Name: "risk.level", Type: Keyword, Law: lawDerived, Source: "`risk.score`", Doc: "Unknown below 20, Low below 40, Moderate below 70, High below 90, else Critical."},
	{Name: "risk.stage", Type: Keyword, Law: lawDerived, Source: srcRules, Doc: "How far the attacker got: none, looking, attempting, inside or acting ([risk.md](risk.md))."},
	{Name: "risk.confidence", Type: Keyword, Law: lawCopy, Source: "`threat.indicator.confidence`", Doc: "How sure it is that it was this address: Low, Medium or High."},
	{Name: "risk.base", Type: Float, Law: lawDerived, Source: srcRules, Doc: "Where the stage's band begins: with the points of all reasons it is the score."},
	{Name: "risk.half_life_d", Type: Float, Law: lawDerived, Source: srcRules, Doc: "After so many days without a sign half of the score is left: see docs/risk.md for how a score that fades is worked out where it is read."},
	{Name: "risk.since.looking", Type: Date, Law: lawMin, Source: srcRules, Doc: "Time of the oldest evidence of that stage; absent where the stage wasn't reached or only the whole tells it."},
	{Name: "risk.since.attempting", Type: Date, Law: lawMin, Source: srcRules, Doc: "As `risk.since.looking`."},
	{Name: "risk.since.inside", Type: Date, Law: lawMin, Source: srcRules, Doc: "As `risk.since.looking`."},
	{Name: "risk.since.acting", Type: Date, Law: lawMin, Source: srcRules, Doc: "As `risk.since.looking`."},
	{Name: "risk.reasons", Type: Object, List: true, Law: lawDerived, Source: srcRules, Doc: "The ten strongest reasons: {id, reason, stage, weight, points, evidence}; points is what the reason adds to the score."},
	{Name: "rules.version", Type: Keyword, Law: lawWrite, Source: srcRules, Doc: "Digest of all rule files that the document was rendered with: where it differs, other rules judged."},
	{Name: "rules.lists_date", Type: Keyword, Law: lawWrite, Source: srcRules, Doc: "Date of the list of known scanners."},
	{Name: "classification", Type: Keyword, Law: lawDerived, Source: srcRules, Doc: "benign, suspicious or malicious (below)."},
	{Name: "classification_basis", Type: Keyword, Law: lawDerived, Source: srcRules, Doc: "Why it is benign: network, dns, announced or noise; absent otherwise."},
	{Name: "actor", Type: Keyword, Law: lawDerived, Source: "the list of known scanners", Doc: "Whose network the address is in, or who it says it is, where that is a known scanner."},
	{Name: "login_inferred", Type: Boolean, Law: lawDerived, Source: "logins and commands", Doc: "Whether commands in a shell prove a login of which no sensor tells how it ended; `login_successes` counts what sensors report."},
	{Name: "sensors", Type: Keyword, List: true, Law: lawSet + ", 64", Source: srcEvery, Doc: "Sensors that saw the attacker, sorted."},
	{Name: "spoofable", Type: Boolean, Law: "false once a handshake was seen", Source: "dialect and service", Doc: "True while no event proves that the address was there: anybody could have put it there."},
	{Name: "transitions", Type: Object, Law: lawDerived, Source: srcProven, Doc: "Lines crossed for the first time: {observed, traversal, login_success, hands_on}. hands_on is the later of the first success and the first command, where a command follows a success."},
	{Name: "threat.technique.id", Type: Keyword, List: true, Law: lawSet + ", 96", Source: srcRules, Doc: "ATT&CK techniques, sorted.", ECS: true},
	{Name: "threat.technique.name", Type: Keyword, List: true, Law: lawDerived, Source: "`threat.technique.id`", Doc: "Names of the techniques, in the order of their ids.", ECS: true},
	{Name: "threat.tactic.id", Type: Keyword, List: true, Law: lawDerived, Source: "`threat.technique.id`", Doc: "ATT&CK tactics of the techniques, sorted.", ECS: true},
	{Name: "threat.tactic.name", Type: Keyword, List: true, Law: lawDerived, Source: "`threat.tactic.id`", Doc: "Names of the tactics, in the order of their ids.", ECS: true},
	{Name: "threat.software.id", Type: Keyword, List: true, Law: lawDerived, Source: "`threat.software.name`", Doc: "ATT&CK's ids (S…) of those of the names that it has, in their order; which is whose stands in `behavior.tool_evidence` and `behavior.conclusions`. Absent where it has none of them.", ECS: true},
	{Name: "threat.software.name", Type: Keyword, List: true, Law: lawDerived, Source: "`behavior.tools`", Doc: "Scanners, tools and malware, but for names that known scanners give themselves: those are `actor`'s.", ECS: true},
	{Name: "threat.software.type", Type: Keyword, List: true, Law: lawDerived, Source: "`behavior.tools`", Doc: "Malware or Tool, in the order of the names.", ECS: true},
	{Name: "threat.group.id", Type: Keyword, List: true, Law: lawDerived, Source: "`threat.group.name`", Doc: "ATT&CK's ids (G…), as `threat.software.id`.", ECS: true},
	{Name: "threat.group.name", Type: Keyword, List: true, Law: lawDerived, Source: srcRules, Doc: "Groups by what is only theirs: key comments, scripts, accounts.", ECS: true},
	{Name: "threat.framework", Type: Keyword, Law: lawConst, Source: "", Doc: "`MITRE ATT&CK`.", ECS: true},
	{Name: "threat.feed.name", Type: Keyword, Law: lawConst, Source: "", Doc: "`Dossier`.", ECS: true},
	{Name: "threat.indicator.type", Type: Keyword, Law: lawKey, Source: "`ip`", Doc: "`ipv4-addr` or `ipv6-addr`.", ECS: true},
	{Name: "threat.indicator.name", Type: Keyword, Law: lawKey, Source: "`ip`", Doc: "The address, or the network.", ECS: true},
	{Name: "threat.indicator.ip", Type: IP, List: true, Law: lawKey + "; newest 32 of a network", Source: "`ip`", Doc: "The address; the newest addresses of a network.", ECS: true},
	{Name: "threat.indicator.first_seen", Type: Date, Law: lawMin, Source: srcProven, Doc: "Time of the oldest proven event, absent without one.", ECS: true},
	{Name: "threat.indicator.last_seen", Type: Date, Law: lawMax, Source: srcProven, Doc: "Time of the newest proven event, absent without one.", ECS: true},
	{Name: "threat.indicator.modified_at", Type: Date, Law: lawMax, Source: srcProven, Doc: "Same as `threat.indicator.last_seen`: what the indicator says changes with the evidence, not with the write.", ECS: true},
	{Name: "threat.indicator.sightings", Type: Long, Law: lawSum, Source: srcProven, Doc: "Number of proven events.", ECS: true},
	{Name: "threat.indicator.confidence", Type: Keyword, Law: lawDerived, Source: "`spoofable`, kinds of event", Doc: "Low (spoofable, or noise only), Medium (proven scan), High (login, command, artifact).", ECS: true},
	{Name: "threat.indicator.provider", Type: Keyword, Law: lawConst, Source: "", Doc: "`Dossier`.", ECS: true},
	{Name: "threat.indicator.description", Type: Keyword, Law: lawDerived, Source: "the profile", Doc: "The profile in one sentence.", ECS: true},
	{Name: "threat.indicator.marking.tlp", Type: Keyword, Law: lawConst, Source: "option `tlp`", Doc: "Traffic light protocol marking.", ECS: true},
	{Name: "threat.indicator.geo.country_iso_code", Type: Keyword, Law: lawCopy, Source: "`country_code`", Doc: "Same as `country_code`.", ECS: true},
	{Name: "threat.indicator.geo.country_name", Type: Keyword, Law: lawCopy, Source: "`country_name`", Doc: "Same as `country_name`.", ECS: true},
	{Name: "threat.indicator.geo.location", Type: GeoPoint, Law: lawWrite, Source: srcFiles, Doc: "Where the database puts the address.", ECS: true},
	{Name: "threat.indicator.as.number", Type: Long, Law: lawCopy, Source: "`asn`", Doc: "Same as `asn`.", ECS: true},
	{Name: "threat.indicator.as.organization.name", Type: Keyword, Law: lawCopy, Source: "`as_name`", Doc: "Same as `as_name`.", ECS: true},
	{Name: "related.ip", Type: IP, List: true, Law: lawDerived, Source: "`ip`, `ip_leaks`", Doc: "The addresses of the document, public claims included.", ECS: true},
	{Name: "related.user", Type: Keyword, List: true, Law: lawCopy, Source: "`credential.username`", Doc: "Same as `credential.username`.", ECS: true},
	{Name: "related.hosts", Type: Keyword, List: true, Law: lawCopy, Source: "`deckies`, `ptr_record`", Doc: "Decoys touched, and the reverse name.", ECS: true},
	{Name: "related.hash", Type: Keyword, List: true, Law: lawCopy, Source: "`artifact.sha256`, `fingerprint`", Doc: "Digests: files, certificates, JA3, JA3S, HASSH, JARM.", ECS: true},
	{Name: "ecs.version", Type: Keyword, Law: lawConst, Source: "", Doc: "The version of the Elastic Common Schema.", ECS: true},
	{Name: "event.kind", Type: Keyword, Law: lawConst, Source: "", Doc: "`enrichment`.", ECS: true},
	{Name: "event.category", Type: Keyword, List: true, Law: lawConst, Source: "", Doc: "`threat`.", ECS: true},
	{Name: "event.type", Type: Keyword, List: true, Law: lawConst, Source: "", Doc: "`indicator`.", ECS: true},
	{Name: "event.module", Type: Keyword, Law: lawConst, Source: "", Doc: "`ti_dossier`.", ECS: true},
	{Name: "event.dataset", Type: Keyword, Law: lawConst, Source: "", Doc: "`ti_dossier.attackers`.", ECS: true},
	{Name: "schema_version", Type: Integer, Law: lawConst, Source: "", Doc: "Version of this schema."},
	{Name: "truncated", Type: Keyword, List: true, Law: lawDerived, Source: "caps", Doc: "Names of the fields whose cap bit, sorted; `transitions` where lines were crossed that are not told in `<prefix>-transitions-…`."},
	{Name: "state", Type: Binary, Law: "the fold itself", Source: "", Doc: "The state the document is rendered from, and the chunks it holds: msgpack, base64. Never edit it, never leave it out of `_source`."},
}

var targetFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawMax, Source: "mail events", Doc: "Same as `last_seen`.", ECS: true},
	{Name: "ip", Type: IP, Law: lawKey, Source: "the sensor's own connection fields", Doc: "The attacker's address; absent for a network."},
	{Name: "network", Type: Keyword, Law: lawKey, Source: "option `ipv6_prefix`", Doc: "The attacker's network, where IPv6 sources are aggregated. It goes with the next version of the schema: use `cidr`."},
	{Name: "cidr", Type: IPRange, Law: lawCopy, Source: "`network`", Doc: "Same as `network`; a search for any of its addresses finds it."},
	{Name: "uuid", Type: Keyword, Law: lawKey, Source: "`ip`", Doc: "The attacker's `uuid`."},
	{Name: "domain", Type: Keyword, Law: lawKey, Source: "rcpt_to, rcpt_denied, message_accepted", Doc: "The mail domain, lower case, punycode. The local part is never stored."},
	{Name: "registrable_domain", Type: Keyword, Law: lawDerived, Source: "public suffix list", Doc: "The public suffix and one label more; absent where the domain is a public suffix itself."},
	{Name: "first_seen", Type: Date, Law: lawMin, Source: "mail events", Doc: "Time of the oldest event that names the domain."},
	{Name: "last_seen", Type: Date, Law: lawMax, Source: "mail events", Doc: "Time of the newest event that names the domain."},
	{Name: "updated_at", Type: Date, Law: lawWrite, Source: "clock", Doc: "When the document was written."},
	{Name: "count", Type: Long, Law: lawSum, Source: "mail events", Doc: "Events that name the domain, each once."},
	{Name: "rcpt_accepted_count", Type: Long, Law: lawSum, Source: "rcpt_to", Doc: "Recipients the decoy took."},
	{Name: "rcpt_denied_count", Type: Long, Law: lawSum, Source: "rcpt_denied", Doc: "Recipients the decoy refused."},
	{Name: "message_count", Type: Long, Law: lawSum, Source: "message_accepted", Doc: "Mails the decoy took for the domain."},
	{Name: "services", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "mail events", Doc: "Services used, sorted."},
	{Name: "deckies", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "mail events", Doc: "Decoys used, sorted."},
	{Name: "sensors", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "mail events", Doc: "Sensors that saw it, sorted."},
	{Name: "country_code", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "The attacker's country."},
	{Name: "country_name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Its name."},
	{Name: "network_type", Type: Keyword, Law: lawWrite, Source: srcTypes, Doc: "The attacker's `network_type`."},
	{Name: "risk.level", Type: Keyword, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `risk.level` when the domain was last written."},
	{Name: "behavior.class", Type: Keyword, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `behavior.class` then."},
	{Name: "ecs.version", Type: Keyword, Law: lawConst, Source: "", Doc: "The version of the Elastic Common Schema.", ECS: true},
	{Name: "schema_version", Type: Integer, Law: lawConst, Source: "", Doc: "Version of this schema."},
	{Name: "truncated", Type: Keyword, List: true, Law: lawDerived, Source: "caps", Doc: "Names of the fields whose cap bit, sorted."},
	{Name: "state", Type: Binary, Law: "the fold itself", Source: "", Doc: "The state the document is rendered from."},
}

var activityFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawKey, Source: "event time", Doc: "The start of the hour.", ECS: true},
	{Name: "event.kind", Type: Keyword, Law: lawConst, Source: "", Doc: "`metric`.", ECS: true},
	{Name: "event.module", Type: Keyword, Law: lawConst, Source: "", Doc: "`dossier`.", ECS: true},
	{Name: "event.dataset", Type: Keyword, Law: lawConst, Source: "", Doc: "`dossier.activity`.", ECS: true},
	{Name: "source.ip", Type: IP, Law: lawKey, Source: "the sensor's own connection fields", Doc: "The attacker's address; absent for a network.", ECS: true},
	{Name: "ip", Type: OtherName, Path: "source.ip", Law: lawAlias, Source: "`source.ip`", Doc: "What the attackers' documents call it, so that one filter finds an attacker in every index."},
	{Name: "network", Type: Keyword, Law: lawKey, Source: "option `ipv6_prefix`", Doc: "The attacker's network, where IPv6 sources are aggregated. It goes with the next version of the schema: use `cidr`."},
	{Name: "cidr", Type: IPRange, Law: lawCopy, Source: "`network`", Doc: "Same as `network`; a search for any of its addresses finds it."},
	{Name: "source.geo.country_iso_code", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "The attacker's country.", ECS: true},
	{Name: "source.geo.country_name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Its name.", ECS: true},
	{Name: "country_name", Type: OtherName, Path: "source.geo.country_name", Law: lawAlias, Source: "`source.geo.country_name`", Doc: "As the attackers' documents call it."},
	{Name: "source.geo.location", Type: GeoPoint, Law: lawWrite, Source: srcFiles, Doc: "Where the database puts the address.", ECS: true},
	{Name: "source.as.number", Type: Long, Law: lawWrite, Source: srcFiles, Doc: "Number of the autonomous system.", ECS: true},
	{Name: "source.as.organization.name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Name of the autonomous system.", ECS: true},
	{Name: "as_name", Type: OtherName, Path: "source.as.organization.name", Law: lawAlias, Source: "`source.as.organization.name`", Doc: "As the attackers' documents call it."},
	{Name: "uuid", Type: Keyword, Law: lawKey, Source: "address", Doc: "The attacker's `uuid`."},
	{Name: "observer.name", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "events of the hour", Doc: "Sensors that saw the hour, sorted.", ECS: true},
	{Name: "sensors", Type: OtherName, Path: "observer.name", Law: lawAlias, Source: "`observer.name`", Doc: "As the attackers' documents call it."},
	{Name: "activity.events", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Events of the hour."},
	{Name: "activity.interactions", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Events that used a service."},
	{Name: "activity.scans", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Events that touched a service."},
	{Name: "activity.commands", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Commands of the hour."},
	{Name: "activity.login_attempts", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Login attempts of the hour."},
	{Name: "activity.login_successes", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Successful logins of the hour."},
	{Name: "activity.recipients", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Mail recipients of the hour."},
	{Name: "activity.claimed", Type: Long, Law: lawSum, Source: "events of the hour", Doc: "Events of the hour that don't prove by themselves that the address was there; the other figures and lists of the hour have them too. Which of what shells told is proven the attacker's document tells."},
	{Name: "services", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "events of the hour", Doc: "Services touched, sorted."},
	{Name: "service_guessed", Type: Long, Law: lawDerived, Source: "sensors' sessions", Doc: "As the attacker's, of sessions of which the hour has no record with the service."},
	{Name: "deckies", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "events of the hour", Doc: "Decoys touched, sorted."},
	{Name: "ports", Type: Nested, List: true, Law: "exact for 256 ports that matter, others rank 64, proven ones 64, and what those leave", Source: "events that tell the decoy's port", Doc: "The decoys' ports of connections that the attacker opened in the hour, those tried most often first.", Members: []Field{
		{Name: "transport", Type: Keyword, Law: lawKey, Source: "events that tell the decoy's port", Doc: "`tcp` or `udp`; absent where the sensor doesn't say and nothing proves it."},
		{Name: "port", Type: Integer, Law: lawKey, Source: "events that tell the decoy's port", Doc: "The decoy's port; option `port_map` maps an inner one to the one attackers connect to."},
		{Name: "proven", Type: Boolean, Law: lawMax, Source: "events that tell the decoy's port", Doc: "Whether an event proves that the address was there."},
		{Name: "count", Type: Long, Law: lawSum, Source: "events that tell the decoy's port", Doc: "How many events of the hour tell it."},
		{Name: "first_seen", Type: Date, Law: lawMin, Source: "events that tell the decoy's port", Doc: "Time of the oldest one."},
		{Name: "last_seen", Type: Date, Law: lawMax, Source: "events that tell the decoy's port", Doc: "Time of the newest one."},
	}},
	{Name: "port_count", Type: Integer, Law: "distinct, exact while all are kept, then estimated", Source: "`ports`", Doc: "Number of ports; absent where no event tells one."},
	{Name: "port.name", Type: Keyword, List: true, Law: lawCopy, Source: "`ports`", Doc: "The ports as `tcp/22`, or `22` where the transport isn't known, sorted."},
	{Name: "commands", Type: Object, List: true, Law: "newest 20 by (time, content), first 5", Source: "command events", Doc: "What was typed or sent: {timestamp, service, decky, command}, oldest first."},
	{Name: "command.line", Type: Keyword, List: true, Words: true, Law: "rank 64", Source: "command events", Doc: "Distinct lines of the hour of at most 1,024 characters, sorted: the 64 that are kept by rank, and those among `commands`. `command.line.text` finds their parts, as the attackers' does."},
	{Name: "credentials.tried", Type: Nested, List: true, Law: "rank 128", Source: "login events that show a secret", Doc: "Distinct credentials of the hour, those tried most often first. Option `store_secrets` decides which of secret and secret_sha256 are shown, never what is distinct.", Members: []Field{
		{Name: "service", Type: Keyword, Law: lawKey, Source: "login events", Doc: "The service."},
		{Name: "user", Type: Keyword, Law: lawKey, Source: "login events", Doc: "The principal; absent where the protocol has none."},
		{Name: "secret_kind", Type: Keyword, Law: lawKey, Source: "login events", Doc: "What the secret is: password, public key and so on."},
		{Name: "secret", Type: Keyword, Law: lawKey, Source: "login events", Doc: "The secret, with `store_secrets plain`."},
		{Name: "secret_sha256", Type: Keyword, Law: lawKey, Source: "login events", Doc: "SHA-256 of the secret, unless `store_secrets none`."},
		{Name: "attempts", Type: Long, Law: lawSum, Source: "login events", Doc: "How often it was tried in the hour."},
		{Name: "successes", Type: Long, Law: lawSum, Source: "login events", Doc: "How often a decoy let it in."},
	}},
	{Name: "credential.username", Type: Keyword, List: true, Law: lawDerived, Source: "`credentials.tried`", Doc: "Principals, sorted, each once."},
	{Name: "event_count", Type: Long, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `event_count` when the hour was last written."},
	{Name: "service_count", Type: Integer, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `service_count` then."},
	{Name: "decky_count", Type: Integer, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `decky_count` then."},
	{Name: "bounty_count", Type: Long, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `bounty_count` then."},
	{Name: "credential_count", Type: Long, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `credential_count` then."},
	{Name: "is_traversal", Type: Boolean, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `is_traversal` then."},
	{Name: "risk.score", Type: Float, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `risk.score` then."},
	{Name: "risk.level", Type: Keyword, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `risk.level` then."},
	{Name: "behavior.class", Type: Keyword, Law: lawSummary, Source: "the attacker", Doc: "The attacker's `behavior.class` then."},
	{Name: "scope", Type: Keyword, Law: lawWrite, Source: "option `internal_nets`", Doc: "The attacker's `scope`."},
	{Name: "host.name", Type: Keyword, Law: lawWrite, Source: "option `internal_hosts`", Doc: "Name of an internal address.", ECS: true},
	{Name: "country_code", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "The attacker's country."},
	{Name: "network_type", Type: Keyword, Law: lawWrite, Source: srcTypes, Doc: "The attacker's `network_type`."},
	{Name: "asn", Type: Long, Law: lawWrite, Source: srcFiles, Doc: "Number of the autonomous system."},
	{Name: "updated_at", Type: Date, Law: lawWrite, Source: "clock", Doc: "When the document was written."},
	{Name: "ecs.version", Type: Keyword, Law: lawConst, Source: "", Doc: "The version of the Elastic Common Schema.", ECS: true},
	{Name: "schema_version", Type: Integer, Law: lawConst, Source: "", Doc: "Version of this schema."},
	{Name: "truncated", Type: Keyword, List: true, Law: lawDerived, Source: "caps", Doc: "Names of the fields whose cap bit, sorted."},
	{Name: "state", Type: Binary, Law: "the fold itself", Source: "", Doc: "The state the document is rendered from."},
}

var indicatorFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawMax, Source: "events that name it", Doc: "Same as `last_seen`.", ECS: true},
	{Name: "indicator.kind", Type: Keyword, Law: lawKey, Source: "commands, requests, files", Doc: "url, domain, ip, sha256, sha1, md5, email, wallet or key_comment."},
	{Name: "indicator.value", Type: Keyword, Law: lawKey, Source: "commands, requests, files", Doc: "The thing in its normal form: scheme and host in lower case, no name, password or fragment; addresses in their canonical text."},
	{Name: "indicator.use", Type: Keyword, List: true, Law: lawSet + ", 32", Source: "events that name it", Doc: "How it is used: command, request, file, note, key, written, system, fetched."},
	{Name: "first_seen", Type: Date, Law: lawMin, Source: "events that name it", Doc: "Time of the oldest one."},
	{Name: "last_seen", Type: Date, Law: lawMax, Source: "events that name it", Doc: "Time of the newest one."},
	{Name: "updated_at", Type: Date, Law: lawWrite, Source: "clock", Doc: "When the document was written."},
	{Name: "count", Type: Long, Law: lawSum, Source: "events that name it", Doc: "How many they are, each once. What anybody could say in another's name, as in a datagram, is none of them."},
	{Name: "claimed_count", Type: Long, Law: lawSum, Source: "events of shells", Doc: "Those whose address only a shell's environment tells; absent without any. The use is a session's all the same, whoever's it was."},
	{Name: "contact_count", Type: Long, Law: lawSum, Source: "network sensors", Doc: "Those that are a decoy's own fetch; absent without any."},
	{Name: "attackers", Type: Keyword, List: true, Law: "rank 128, and the first 4", Source: "events that name it, proven", Doc: "Who used it: the `_id` of their documents, sorted."},
	{Name: "attacker_count", Type: Long, Law: "distinct, exact up to 128, then estimated", Source: "`attackers`", Doc: "How many they are."},
	{Name: "services", Type: Keyword, List: true, Law: lawSet + ", 32", Source: "events that name it", Doc: "Services where it was named, sorted."},
	{Name: "deckies", Type: Keyword, List: true, Law: lawSet + ", 32", Source: "events that name it", Doc: "Decoys where it was named, sorted."},
	{Name: "sensors", Type: Keyword, List: true, Law: lawSet + ", 64", Source: "option `sensor_id`", Doc: "Sensors that saw it, sorted."},
	{Name: "published", Type: Boolean, Law: lawDerived, Source: "the state, lists of files and hosts", Doc: "Whether it is under the alias `logs-ti_<prefix>.indicators`, which is what Elastic Security's indicator match rules look at."},
	{Name: "unpublished_why", Type: Keyword, List: true, Law: lawDerived, Source: "the state, lists of files and hosts", Doc: "Why not: well_known (the empty file, what a shell wrote, the decoy's own programs), benign_host (mirrors of packages, resolvers), shared_host (a host where anybody can put something; URLs there are published), private, reserved, contact_only (a decoy fetched it and no attacker named it)."},
	{Name: "threat.feed.name", Type: Keyword, Law: lawConst, Source: "", Doc: "`Dossier`.", ECS: true},
	{Name: "threat.indicator.type", Type: Keyword, Law: lawKey, Source: "`indicator.kind`", Doc: "url, domain-name, ipv4-addr, ipv6-addr, file, email-addr or artifact.", ECS: true},
	{Name: "threat.indicator.name", Type: Keyword, Law: lawKey, Source: "`indicator.value`", Doc: "The thing.", ECS: true},
	{Name: "threat.indicator.url.full", Type: Keyword, Law: lawKey, Source: "URLs", Doc: "The whole URL.", ECS: true},
	{Name: "threat.indicator.url.original", Type: Keyword, Law: lawKey, Source: "URLs", Doc: "The same.", ECS: true},
	{Name: "threat.indicator.url.scheme", Type: Keyword, Law: lawKey, Source: "URLs", Doc: "Its scheme.", ECS: true},
	{Name: "threat.indicator.url.domain", Type: Keyword, Law: lawKey, Source: "URLs and domains", Doc: "Its host, an address included.", ECS: true},
	{Name: "threat.indicator.url.port", Type: Long, Law: lawKey, Source: "URLs", Doc: "Its port, where it names one.", ECS: true},
	{Name: "threat.indicator.url.path", Type: Keyword, Law: lawKey, Source: "URLs", Doc: "Its path.", ECS: true},
	{Name: "threat.indicator.url.query", Type: Keyword, Law: lawKey, Source: "URLs", Doc: "Its query.", ECS: true},
	{Name: "threat.indicator.url.extension", Type: Keyword, Law: lawKey, Source: "URLs", Doc: "What stands behind the last dot of its path.", ECS: true},
	{Name: "threat.indicator.url.registered_domain", Type: Keyword, Law: lawDerived, Source: "public suffix list", Doc: "The domain that somebody registered.", ECS: true},
	{Name: "threat.indicator.domain", Type: Keyword, Law: lawKey, Source: "URLs and domains", Doc: "The host by name. No field of the schema, but one that feeds have."},
	{Name: "threat.indicator.ip", Type: IP, Law: lawKey, Source: "URLs and addresses", Doc: "The host by address.", ECS: true},
	{Name: "threat.indicator.file.hash.sha256", Type: Keyword, Law: lawKey, Source: "files", Doc: "SHA-256 of the file.", ECS: true},
	{Name: "threat.indicator.file.hash.sha1", Type: Keyword, Law: lawKey, Source: "files", Doc: "SHA-1 of the file.", ECS: true},
	{Name: "threat.indicator.file.hash.md5", Type: Keyword, Law: lawKey, Source: "files", Doc: "MD5 of the file.", ECS: true},
	{Name: "threat.indicator.email.address", Type: Keyword, Law: lawKey, Source: "demands for ransom, comments of keys", Doc: "The mail address.", ECS: true},
	{Name: "threat.indicator.first_seen", Type: Date, Law: lawCopy, Source: "`first_seen`", Doc: "Same as `first_seen`.", ECS: true},
	{Name: "threat.indicator.last_seen", Type: Date, Law: lawCopy, Source: "`last_seen`", Doc: "Same as `last_seen`.", ECS: true},
	{Name: "threat.indicator.modified_at", Type: Date, Law: lawCopy, Source: "`last_seen`", Doc: "Same as `last_seen`.", ECS: true},
	{Name: "threat.indicator.sightings", Type: Long, Law: lawCopy, Source: "`count`", Doc: "Same as `count`.", ECS: true},
	{Name: "threat.indicator.confidence", Type: Keyword, Law: lawDerived, Source: "the state", Doc: "High where several attackers used it or a decoy fetched what one named, Medium for one attacker, Low for what isn't published or what shells alone tell.", ECS: true},
	{Name: "threat.indicator.provider", Type: Keyword, Law: lawConst, Source: "", Doc: "`Dossier`.", ECS: true},
	{Name: "threat.indicator.description", Type: Keyword, Law: lawDerived, Source: "the state", Doc: "The document in one sentence.", ECS: true},
	{Name: "threat.indicator.marking.tlp", Type: Keyword, Law: lawWrite, Source: "option `tlp`", Doc: "Traffic light protocol marking.", ECS: true},
	{Name: "related.ip", Type: IP, List: true, Law: lawKey, Source: "URLs and addresses", Doc: "The host by address.", ECS: true},
	{Name: "related.hosts", Type: Keyword, List: true, Law: lawKey, Source: "URLs and domains", Doc: "The host by name.", ECS: true},
	{Name: "related.hash", Type: Keyword, List: true, Law: lawKey, Source: "files", Doc: "The digest.", ECS: true},
	{Name: "event.kind", Type: Keyword, Law: lawConst, Source: "", Doc: "`enrichment`.", ECS: true},
	{Name: "event.category", Type: Keyword, List: true, Law: lawConst, Source: "", Doc: "`threat`.", ECS: true},
	{Name: "event.type", Type: Keyword, List: true, Law: lawConst, Source: "", Doc: "`indicator`.", ECS: true},
	{Name: "event.module", Type: Keyword, Law: lawConst, Source: "", Doc: "`ti_dossier`.", ECS: true},
	{Name: "event.dataset", Type: Keyword, Law: lawConst, Source: "", Doc: "`ti_dossier.indicators`.", ECS: true},
	{Name: "truncated", Type: Keyword, List: true, Law: lawDerived, Source: "caps", Doc: "Names of the fields whose cap bit, sorted."},
	{Name: "ecs.version", Type: Keyword, Law: lawConst, Source: "", Doc: "The version of the Elastic Common Schema.", ECS: true},
	{Name: "schema_version", Type: Integer, Law: lawConst, Source: "", Doc: "Version of this schema."},
	{Name: "state", Type: Binary, Law: "the fold itself", Source: "", Doc: "The state the document is rendered from."},
}

var transitionFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawKey, Source: "event time", Doc: "When the line was crossed.", ECS: true},
	{Name: "event.ingested", Type: Date, Law: lawWrite, Source: "clock", Doc: "When the document was written: rules use it as `timestamp_override`, so that what an outage delayed still fires.", ECS: true},
	{Name: "event.kind", Type: Keyword, Law: lawConst, Source: "", Doc: "`event`.", ECS: true},
	{Name: "event.category", Type: Keyword, List: true, Law: lawConst, Source: "", Doc: "`intrusion_detection`.", ECS: true},
	{Name: "event.type", Type: Keyword, List: true, Law: lawConst, Source: "", Doc: "`info`.", ECS: true},
	{Name: "event.action", Type: Keyword, Law: lawKey, Source: "the attacker", Doc: "observed, traversal, login_success, hands_on, stage, class or risk.", ECS: true},
	{Name: "event.module", Type: Keyword, Law: lawConst, Source: "", Doc: "`dossier`.", ECS: true},
	{Name: "event.dataset", Type: Keyword, Law: lawConst, Source: "", Doc: "`dossier.transitions`.", ECS: true},
	{Name: "event.risk_score", Type: Float, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `risk.score` at that moment.", ECS: true},
	{Name: "message", Type: Keyword, Law: lawWrite, Source: "the attacker", Doc: "The transition in one sentence."},
	{Name: "transition.value", Type: Keyword, Law: lawKey, Source: "the attacker", Doc: "The stage, the class or the risk level reached."},
	{Name: "source.ip", Type: IP, Law: lawKey, Source: "the sensor's own connection fields", Doc: "The attacker's address; absent for a network.", ECS: true},
	{Name: "ip", Type: OtherName, Path: "source.ip", Law: lawAlias, Source: "`source.ip`", Doc: "What the attackers' documents call it, so that one filter finds an attacker in every index."},
	{Name: "network", Type: Keyword, Law: lawKey, Source: "option `ipv6_prefix`", Doc: "The attacker's network, where IPv6 sources are aggregated. It goes with the next version of the schema: use `cidr`."},
	{Name: "cidr", Type: IPRange, Law: lawCopy, Source: "`network`", Doc: "Same as `network`; a search for any of its addresses finds it."},
	{Name: "source.geo.country_iso_code", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "The attacker's country.", ECS: true},
	{Name: "source.geo.country_name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Its name.", ECS: true},
	{Name: "country_name", Type: OtherName, Path: "source.geo.country_name", Law: lawAlias, Source: "`source.geo.country_name`", Doc: "As the attackers' documents call it."},
	{Name: "country_code", Type: OtherName, Path: "source.geo.country_iso_code", Law: lawAlias, Source: "`source.geo.country_iso_code`", Doc: "As the attackers' documents call it."},
	{Name: "source.geo.location", Type: GeoPoint, Law: lawWrite, Source: srcFiles, Doc: "Where the database puts the address.", ECS: true},
	{Name: "source.as.number", Type: Long, Law: lawWrite, Source: srcFiles, Doc: "Number of the autonomous system.", ECS: true},
	{Name: "asn", Type: OtherName, Path: "source.as.number", Law: lawAlias, Source: "`source.as.number`", Doc: "As the attackers' documents call it."},
	{Name: "source.as.organization.name", Type: Keyword, Law: lawWrite, Source: srcFiles, Doc: "Name of the autonomous system.", ECS: true},
	{Name: "as_name", Type: OtherName, Path: "source.as.organization.name", Law: lawAlias, Source: "`source.as.organization.name`", Doc: "As the attackers' documents call it."},
	{Name: "uuid", Type: Keyword, Law: lawKey, Source: "address", Doc: "The attacker's `uuid`."},
	{Name: "observer.name", Type: Keyword, List: true, Law: lawWrite, Source: "the attacker", Doc: "Sensors that saw the attacker by then, sorted.", ECS: true},
	{Name: "sensors", Type: OtherName, Path: "observer.name", Law: lawAlias, Source: "`observer.name`", Doc: "As the attackers' documents call it."},
	{Name: "first_seen", Type: Date, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `first_seen` at that moment."},
	{Name: "last_seen", Type: Date, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `last_seen` at that moment."},
	{Name: "event_count", Type: Long, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `event_count` at that moment."},
	{Name: "services", Type: Keyword, List: true, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `services` at that moment."},
	{Name: "service_count", Type: Integer, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `service_count` at that moment."},
	{Name: "decky_count", Type: Integer, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `decky_count` at that moment."},
	{Name: "is_traversal", Type: Boolean, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `is_traversal` at that moment."},
	{Name: "traversal_path", Type: Keyword, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `traversal_path` at that moment."},
	{Name: "login_attempts", Type: Long, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `login_attempts` at that moment."},
	{Name: "login_successes", Type: Long, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `login_successes` at that moment."},
	{Name: "command_count", Type: Long, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `command_count` at that moment."},
	{Name: "bounty_count", Type: Long, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `bounty_count` at that moment."},
	{Name: "behavior.class", Type: Keyword, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `behavior.class` at that moment."},
	{Name: "behavior.kind", Type: Keyword, Law: lawDerived, Source: srcProven, Doc: "What the attacker does, as known when the document was written."},
	{Name: "behavior.tools", Type: Keyword, List: true, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `behavior.tools` at that moment."},
	{Name: "risk.score", Type: Float, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `risk.score` at that moment."},
	{Name: "risk.level", Type: Keyword, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `risk.level` at that moment."},
	{Name: "risk.stage", Type: Keyword, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `risk.stage` at that moment."},
	{Name: "classification", Type: Keyword, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `classification` at that moment."},
	{Name: "spoofable", Type: Boolean, Law: lawWrite, Source: "the attacker", Doc: "The attacker's `spoofable` at that moment."},
	{Name: "network_type", Type: Keyword, Law: lawWrite, Source: srcTypes, Doc: "The attacker's `network_type`."},
	{Name: "scope", Type: Keyword, Law: lawWrite, Source: "option `internal_nets`", Doc: "The attacker's `scope`."},
	{Name: "host.name", Type: Keyword, Law: lawWrite, Source: "option `internal_hosts`", Doc: "Name of an internal address.", ECS: true},
	{Name: "threat.technique.id", Type: Keyword, List: true, Law: lawWrite, Source: "the attacker", Doc: "The attacker's techniques at that moment.", ECS: true},
	{Name: "related.ip", Type: IP, List: true, Law: lawKey, Source: "address", Doc: "The attacker's address; the newest ones of a network.", ECS: true},
	{Name: "ecs.version", Type: Keyword, Law: lawConst, Source: "", Doc: "The version of the Elastic Common Schema.", ECS: true},
	{Name: "schema_version", Type: Integer, Law: lawConst, Source: "", Doc: "Version of this schema."},
}

var sensorFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawWrite, Source: "clock", Doc: "Time of the heartbeat. A sensor whose heartbeat is older than 90 s is silent.", ECS: true},
	{Name: "sensor", Type: Keyword, Law: lawKey, Source: "option `sensor_id`", Doc: "The sensor."},
	{Name: "version", Type: Keyword, Law: lawWrite, Source: "the plugin", Doc: "Version of Dossier."},
	{Name: "state_version", Type: Integer, Law: lawWrite, Source: "the plugin", Doc: "Major version of the states that it writes, 1 where it is missing: `dossier setup` brings no newer one while such a sensor writes."},
	{Name: "started_at", Type: Date, Law: lawWrite, Source: "the plugin", Doc: "When the process started; counts start from zero there."},
	{Name: "records_in", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Records received, counted when their chunk is done."},
	{Name: "records_per_second", Type: Float, Law: lawWrite, Source: "the plugin", Doc: "Records received a second since the heartbeat before; 0 in the first one."},
	{Name: "lag_s", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "How old the first record of the chunk was that was done last, by the time that Fluent Bit gives it, in seconds: minutes of it mean that the sensor works off what has waited."},
	{Name: "records_out", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Records that became events of an attacker."},
	{Name: "chunks_in", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Chunks received, redelivered ones included."},
	{Name: "chunks_out", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Chunks acknowledged to Fluent Bit."},
	{Name: "chunks_skipped", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Chunks that the ledger held already."},
	{Name: "bytes_in", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Bytes of the chunks acknowledged."},
	{Name: "documents_written", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Documents acknowledged by Elasticsearch."},
	{Name: "unattributed", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Records that name no usable address."},
	{Name: "unparsed", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Records that no dialect knows."},
	{Name: "dropped", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Records dropped on purpose."},
	{Name: "reasons", Type: Object, List: true, Law: lawWrite, Source: "the plugin", Doc: "The three counts before by reason: {verdict, reason, count}."},
	{Name: "ownerless_commands", Type: Object, List: true, Law: lawWrite, Source: "the plugin", Doc: "Commands that shells told without an address, or with several, by decoy: {decky, count}, sorted; of the first 64 decoys that had any, the others as `other`."},
	{Name: "dropped_programs", Type: Object, List: true, Law: lawWrite, Source: "the plugin", Doc: "Lines dropped by option `drop_apps`, by program: {program, count}, sorted."},
	{Name: "malformed", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Entries of chunks that were no records."},
	{Name: "dead_letters", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Dead letters written."},
	{Name: "conflicts", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Writes that met another sensor's."},
	{Name: "retries", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Chunks given back to Fluent Bit."},
	{Name: "clock_skew", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Events whose own time was too far ahead, or missing."},
	{Name: "service_guessed", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Events whose service no record of their chunk tells; of most of them another chunk does."},
	{Name: "gateway", Type: Keyword, Law: lawWrite, Source: "the plugin", Doc: "The private address that more than nine tenths of the events come from: a NAT or a container's bridge hides the attackers."},
	{Name: "gateway_events", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "How many events come from it, older ones counting for less."},
	{Name: "exactness_at_risk", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Chunk ids that aged out without a marker in the ledger."},
	{Name: "panics", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Panics that cost a try of something; each is a defect of Dossier."},
	{Name: "cache_documents", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Documents in the cache."},
	{Name: "cache_bytes", Type: Long, Law: lawWrite, Source: "the plugin", Doc: "Size of the cache."},
	{Name: "last_error", Type: Keyword, Law: lawWrite, Source: "the plugin", Doc: "The last error, in one line."},
	{Name: "last_error_at", Type: Date, Law: lawWrite, Source: "the plugin", Doc: "When that was."},
	{Name: "ecs.version", Type: Keyword, Law: lawConst, Source: "", Doc: "The version of the Elastic Common Schema.", ECS: true},
	{Name: "schema_version", Type: Integer, Law: lawConst, Source: "", Doc: "Version of this schema."},
}

var chunkFields = []Field{
	{Name: "@timestamp", Type: Date, Law: lawWrite, Source: "clock", Doc: "When the marker was written.", ECS: true},
	{Name: "first_record", Type: Date, Law: lawKey, Source: "the chunk's first record", Doc: "Time of the chunk's first record, to the minute."},
	{Name: "state", Type: Binary, Law: lawWrite, Source: "the commit", Doc: "The documents of the chunk that still carry its id, where there are any."},
}
