package kibana

// The columns that say who an attacker is, in every table of attackers: the
// first orders them.
func profileOf() []column {
	return []column{
		most("risk.score", "Risk"), last("risk.level", "Level"), last("risk.stage", "Stage"), last("behavior.class", "Behaviour"), last("country_code", "Country"), last("as_name", "Network"),
		most("decky_count", "Decoys"), most("command_count", "Commands"), sum("event_count", "Events"), latest("last_seen", "Last seen"),
	}
}

// who is a table of attackers, each of which opens its dashboard.
func who(title, question string, where Condition, w int, metrics ...column) panel {
	if len(metrics) == 0 {
		metrics = profileOf()
	}
	return panel{
		kind: table, title: title, question: question, next: "click the address: its dashboard says all that is known of it",
		view: attackers, where: where, rows: []column{top("ip", "Address", 100).as("ip")}, metrics: metrics, w: w, opens: true,
	}
}

// addresses are how many attackers have each value of a field.
func addresses(k kind, title, question, next, field, label string, size, w int) panel {
	return panel{
		kind: k, title: title, question: question, next: next, view: attackers,
		rows: []column{top(field, label, size)}, metrics: []column{count("Attackers")}, w: w,
	}
}

// worst is addresses with the highest risk among them.
func worst(p panel) panel {
	p.metrics = append(p.metrics, most("risk.score", "Worst risk"))
	return p
}

// named is a panel of countries with their names, which documents of older versions
// don't have.
func named(p panel) panel {
	p.metrics = append(p.metrics, last("country_name", "Country"))
	return p
}

// Names of fields that the controls of most dashboards ask for: every document
// of attackers, hours, lines crossed and mail targets has them.
var common = []control{
	{attackers, "risk.level", "Risk"},
	{attackers, "behavior.class", "Behaviour"},
	{attackers, "country_code", "Country"},
	{attackers, "network_type", "Kind of network"},
	{attackers, "sensors", "Sensor"},
}

var (
	dangerous  = is("risk.level", "High", "Critical")
	inside     = is("scope", "internal")
	harmless   = is("classification", "benign")
	silentFrom = "now-90s"
)

var dashboards = []dashboard{overview, attacker, intrusion, credentials, campaigns, decoys, fleet}

func figure(title, question, next string, v view, where Condition, w int, metrics ...column) panel {
	return panel{kind: metric, title: title, question: question, next: next, view: v, where: where, metrics: metrics, w: w}
}

var overview = dashboard{
	name: "overview", short: "Overview", title: "Overview", from: "now-7d", controls: common,
	about: "**Who came, what for, and which of them matters.** Attackers are addresses that touched a decoy within the time chosen; events are what they did there by the hour.",
	bands: []band{
		{6, []panel{
			figure("Attackers", "How many addresses touched a decoy, and how many of them for the first time within a day?", "compare with last week: set the time", attackers, Condition{}, 6,
				count("Attackers"), count("new").only(atLeast("first_seen", "now-24h"))),
			figure("High or critical", "How many got in and acted?", "open each of them in the table below", attackers, dangerous, 6, count("Attackers")),
			figure("Let in", "How many did a decoy let in?", "see Credentials for what they got in with", attackers, Condition{}, 6,
				count("Attackers").only(over("login_successes", 0)), sum("login_successes", "logins")),
			figure("Hands on keyboard", "How many gave commands after a login?", "see Hands on keyboard for what they typed", transitions, is("event.action", "hands_on"), 6, count("Attackers")),
			figure("Moved", "How many went from one decoy to another?", "see Hands on keyboard for where they went", attackers, is("is_traversal", true), 6, count("Attackers")),
			figure("From inside", "How many came from our own networks?", "find the host: nobody inside has business with a decoy", attackers, inside, 6, count("Attackers")),
			figure("Known scanners", "How many are scanners that are known to do no harm?", "leave them out with a filter on classification", attackers, harmless, 6, count("Attackers")),
			figure("Silent sensors", "How many sensors sent no heartbeat for 90 seconds?", "see Sensors: what their decoys see doesn't arrive", sensors, Condition{}, 6,
				count("silent").only(under("@timestamp", silentFrom)), count("in all")),
		}},
		{12, []panel{
			{
				kind: bars, title: "Events by behaviour of the attacker", question: "When was how much going on, and of what kind?", next: "drag over a peak to look at that time only",
				view: activity, rows: []column{hours(), top("behavior.class", "Behaviour", 7)}, metrics: []column{sum("activity.events", "Events")}, w: 32,
			},
			addresses(donut, "Attackers by risk", "How much of it is dangerous?", "click High or Critical to see those only", "risk.level", "Risk", 5, 16),
		}},
		{16, []panel{
			who("Attackers, most dangerous first", "Whom to look at first?", Condition{}, 32),
			{kind: mapOf, title: "Where from", question: "From where do they come?", next: "draw a shape to look at a region only", ref: origins, w: 16},
		}},
		{12, []panel{
			addresses(lying, "How far they got", "How many looked, tried, got in, acted?", "click inside or acting to see those only", "risk.stage", "Stage", 5, 12),
			{
				kind: lying, title: "Services, addresses that touched them", question: "What do they look for?", next: "see Decoys for which decoy offers it",
				view: activity, rows: []column{top("services", "Service", 12)}, metrics: []column{distinct("uuid", "Attackers")}, w: 12,
			},
			named(worst(addresses(table, "Countries", "From which countries, and how dangerous is the worst?", "click a country to see its attackers only", "country_code", "Code", 50, 12))),
			worst(addresses(table, "Networks", "Whose networks do they come from?", "block or report the provider of the worst", "as_name", "Network", 50, 12)),
		}},
		{12, []panel{
			{kind: vega, title: "Ports tried most", question: "Which ports of the decoys are tried most?", next: "check that our own hosts don't offer them to the internet", view: activity, spec: kit.ports, w: 16},
			{
				kind: heat, title: "Hours, interactions by service", question: "At which hours is which service used?", next: "look at what came at an unusual hour",
				view: activity, rows: []column{hours(), top("services", "Service", 10)}, metrics: []column{sum("activity.interactions", "Interactions")}, w: 16,
			},
			who("From inside our networks", "Which of our own hosts touched a decoy?", inside, 16,
				most("risk.score", "Risk"), last("host.name", "Host"), most("decky_count", "Decoys"), latest("last_seen", "Last seen")),
		}},
		{14, []panel{{kind: found, title: "What changed", question: "Who crossed a line, newest first?", next: "open the address in Attacker", ref: changes, w: 48}}},
	},
}

var attacker = dashboard{
	name: "attacker", short: "Attacker", title: "Attacker", from: "now-30d",
	controls: []control{{attackers, "ip", "Address"}, {attackers, "sensors", "Sensor"}},
	about:    "**One attacker: pick an address, or come from a table.** Without an address the figures are those of all attackers together.",
	bands: []band{
		{6, []panel{
			figure("Risk", "How far did it go, of 100?", "read below why", attackers, Condition{}, 8, most("risk.score", "of 100"), last("risk.level", "level")),
			figure("Events", "How much did it do?", "see by the hour when", attackers, Condition{}, 8, sum("event_count", "Events")),
			figure("Decoys", "How many decoys did it touch?", "see Moves for the way it took", attackers, Condition{}, 8, most("decky_count", "Decoys")),
			figure("Logins", "How often did it try to log in, and get in?", "see Credentials for what with", attackers, Condition{}, 8, sum("login_attempts", "tried"), sum("login_successes", "let in")),
			figure("Commands", "How much did it type?", "read what below", attackers, Condition{}, 8, sum("command_count", "Commands")),
			figure("Evidence", "How much is there to show?", "take credentials, files and fingerprints from the tables below", attackers, Condition{}, 8, sum("bounty_count", "Pieces")),
		}},
		{6, []panel{
			who("Profile", "Who is it?", Condition{}, 48,
				most("risk.score", "Risk"), last("threat.indicator.description", "In one sentence"), last("behavior.kind", "Kind"), last("behavior.os_guess", "System"), last("ptr_record", "Name"),
				last("country_name", "Country"), last("as_name", "Network"), last("network_type", "Kind of network"), last("traversal_path", "Path"), earliest("first_seen", "First seen"), latest("last_seen", "Last seen")),
		}},
		{12, []panel{
			{kind: vega, title: "Why the risk is what it is", question: "What makes the score, of the most dangerous one that is looked at?", next: "look for the strongest reason in the tables below", view: attackers, spec: kit.reasons, w: 24},
			{
				kind: bars, title: "Activity by the hour", question: "When was it there, and what did it do?", next: "drag over an hour to see what it typed then",
				view: activity, rows: []column{hours()}, metrics: []column{sum("activity.scans", "Scans"), sum("activity.interactions", "Interactions")}, w: 24,
			},
		}},
		{14, []panel{
			{
				kind: table, title: "Commands, by when", question: "What did it type, and when last?", next: "search our own hosts for the same line",
				view: activity, rows: []column{top("command.line", "Command", 200)}, metrics: []column{latest("@timestamp", "Last in the hour of"), count("Hours")}, w: 24,
			},
			addresses(table, "Credentials", "With what did it try to get in?", "look whether one of them is ours", "credential.pair", "User and secret", 200, 12),
			addresses(table, "Files", "What did it bring?", "look the digest up, and search our own hosts for it", "artifact.sha256", "SHA-256", 100, 12),
		}},
		{12, []panel{
			addresses(table, "Techniques", "What of ATT&CK did it do?", "compare with what our own detection covers", "threat.technique.name", "Technique", 100, 12),
			addresses(table, "Moves", "From which decoy to which?", "see Decoys for what it found there", "movement.edge", "Move", 50, 12),
			addresses(table, "Ports", "Which ports did it try?", "see whether our own hosts offer them", "port.name", "Port", 100, 12),
			addresses(table, "Signatures", "What did the intrusion detector say?", "search our own detector for the same", "alert.signature", "Signature", 50, 12),
		}},
		{12, []panel{
			{
				kind: table, title: "Mail domains", question: "Whose mail did it aim at?", next: "tell them",
				view: targets, rows: []column{top("domain", "Domain", 50)}, metrics: []column{sum("count", "Events"), sum("rcpt_accepted_count", "Accepted")}, w: 12,
			},
			addresses(table, "URLs it used", "What did it fetch, or have fetched?", "search our own proxies for it; never open one by hand", "indicator.url", "URL", 100, 12),
			addresses(table, "Flaws tried", "Which known vulnerabilities did it try?", "check that ours are patched", "exploit.cve", "CVE", 50, 12),
			addresses(table, "What it sent to get in", "With what requests?", "search our own web servers for them", "exploit.request", "Request", 50, 12),
		}},
		{12, []panel{{kind: found, title: "Lines crossed", question: "What did it do for the first time, and when?", next: "write the story from it", ref: changes, w: 48}}},
	},
}

var intrusion = dashboard{
	name: "intrusion", short: "Hands on keyboard", title: "Hands on keyboard and movement", from: "now-30d", controls: common[:2],
	about: "**Who was let in, what they typed, where they went.** Lines crossed are counted once for each attacker, at the time of the first.",
	bands: []band{
		{6, []panel{
			figure("Moved", "How many went to a second decoy?", "see From decoy to decoy", transitions, is("event.action", "traversal"), 12, count("Attackers")),
			figure("Logged in", "How many got in?", "see Credentials for what with", transitions, is("event.action", "login_success"), 12, count("Attackers")),
			figure("Hands on keyboard", "How many gave commands after a login?", "read what they typed below", transitions, is("event.action", "hands_on"), 12, count("Attackers")),
			figure("Reached High or Critical", "How many became dangerous?", "open each of them", transitions, all(is("event.action", "risk"), is("transition.value", "High", "Critical")), 12, distinct("uuid", "Attackers")),
		}},
		{10, []panel{{
			kind: bars, title: "Lines crossed", question: "When did who get further?", next: "drag over a peak to look at that time only",
			view: transitions, where: is("event.action", "traversal", "login_success", "hands_on", "risk"),
			rows: []column{hours(), top("event.action", "Line", 6)}, metrics: []column{count("Attackers")}, w: 48,
		}}},
		{14, []panel{who("Who got in or moved", "Who of them are the most dangerous?", anyOf(over("login_successes", 0), is("login_inferred", true), is("is_traversal", true)), 48)}},
		{16, []panel{
			{
				kind: table, title: "Commands", question: "What is typed, by how many, and when last?", next: "click a command to see who typed it, search our own hosts for it",
				view: activity, rows: []column{top("command.line", "Command", 500)}, metrics: []column{distinct("uuid", "Attackers"), latest("@timestamp", "Last in the hour of")}, w: 28,
			},
			{kind: vega, title: "From decoy to decoy", question: "Who went where, and how often?", next: "see which decoy leads them on, and what stands beside it", view: attackers, spec: kit.movement, w: 20},
		}},
		{12, []panel{
			addresses(table, "Techniques", "What of ATT&CK do they do?", "compare with what our own detection covers", "threat.technique.name", "Technique", 100, 16),
			addresses(donut, "Tactics", "What are they after?", "click a tactic to see who", "threat.tactic.name", "Tactic", 14, 16),
			addresses(table, "Files", "What do they bring?", "look the digests up", "artifact.sha256", "SHA-256", 100, 16),
		}},
	},
}

var credentials = dashboard{
	name: "credentials", short: "Credentials", title: "Credentials", from: "now-30d", controls: common,
	about: "**What they try to log in with.** Attempts are counted by the hour; where a panel says *addresses that tried it* it counts attackers, not attempts.",
	bands: []band{
		{6, []panel{
			figure("Attempts", "How often did they try, and get in?", "see when below", activity, Condition{}, 12, sum("activity.login_attempts", "tried"), sum("activity.login_successes", "let in")),
			figure("Users", "How many different users?", "look whether there are ours", attackers, Condition{}, 12, distinct("credential.username", "distinct")),
			figure("Secrets", "How many different secrets?", "look whether there are ours", attackers, Condition{}, 12, distinct("credential.password", "distinct")),
			figure("Lists", "How many different lists do they work through?", "see below which are shared", attackers, Condition{}, 12, distinct("campaign.credentials", "distinct lists")),
		}},
		{10, []panel{{
			kind: bars, title: "Attempts", question: "When do they try?", next: "drag over a peak to look at that time only",
			view: activity, rows: []column{hours()}, metrics: []column{sum("activity.login_attempts", "tried"), sum("activity.login_successes", "let in")}, w: 48,
		}}},
		{14, []panel{
			{kind: vega, title: "Secrets tried most", question: "Which secrets are tried most, by attempts?", next: "forbid them where people choose their own", view: activity, spec: func(k kit) object { return k.tried("secret") }, w: 24},
			{kind: vega, title: "Users tried most", question: "Which users are tried most, by attempts?", next: "rename or lock those that exist", view: activity, spec: func(k kit) object { return k.tried("user") }, w: 24},
		}},
		{11, []panel{
			addresses(cloud, "Users, by addresses that tried them", "Whom do they take us for?", "click one to see who tried it", "credential.username", "User", 50, 24),
			addresses(cloud, "Secrets, by addresses that tried them", "What do they take our secrets for?", "click one to see who tried it", "credential.password", "Secret", 50, 24),
		}},
		{14, []panel{
			worst(addresses(table, "Pairs, by addresses that tried them", "Which pairs are common, and which does a single address try?", "a pair that only one knows may be a leaked one", "credential.pair", "User and secret", 500, 16)),
			worst(addresses(table, "Lists, most shared first", "Which addresses work through the same list?", "click the list to see who belongs together", "campaign.credentials", "List", 100, 16)),
			who("Who tries most", "Who are they?", over("login_attempts", 0), 16, sum("login_attempts", "Attempts"), sum("login_successes", "Let in"), most("credential_count", "Credentials"), most("risk.score", "Risk")),
		}},
	},
}

var campaigns = dashboard{
	name: "campaigns", short: "Tools and campaigns", title: "Tools and campaigns", from: "now-30d",
	controls: common[2:],
	about:    "**What belongs together: tools, fingerprints, files, shared keys.** A key that several addresses share is a lead, not an identity. Counted are attackers; the two panels on indicators count those of all attackers, whatever is filtered.",
	bands: []band{
		{14, []panel{
			worst(addresses(table, "Campaign keys, most shared first", "Which addresses belong together?", "click a key to see them", "campaign.keys", "Key", 100, 20)),
			addresses(lying, "Tools", "What do they work with?", "click a tool to see who uses it", "behavior.tools", "Tool", 15, 14),
			addresses(donut, "Systems", "From what systems?", "click one to see who", "behavior.os_guess", "System", 10, 14),
		}},
		{12, []panel{
			{
				kind: table, title: "SSH clients", question: "Which SSH clients, by how they speak?", next: "click a HASSH to see who speaks so",
				view: attackers, rows: []column{top("fingerprint.hassh", "HASSH", 100), top("fingerprint.ssh_client", "Client says", 3)}, metrics: []column{count("Attackers")}, w: 18,
			},
			addresses(table, "TLS clients", "Which TLS clients?", "click a JA3 to see who", "fingerprint.ja3", "JA3", 100, 12),
			addresses(table, "Browsers and scripts", "What do HTTP clients call themselves?", "click one to see who", "fingerprint.user_agent", "User agent", 100, 18),
		}},
		{12, []panel{
			worst(addresses(lying, "What they are up to", "Who scans, guesses, runs a script, types by hand?", "click hands_on to see who sits at a keyboard", "behavior.kind", "Kind", 10, 30)),
			worst(addresses(table, "Malware", "Which families of malware do they bring?", "look the family up, and who else has it", "software.malware", "Malware", 50, 18)),
		}},
		{14, []panel{
			{
				kind: table, title: "Indicators that are given out, used by most first", question: "What should our own hosts never ask for, fetch or hold, whoever the attackers are?", next: "search our own logs for it, block it; the two indicator rules do so",
				view: indicators, where: is("published", true), rows: []column{top("threat.indicator.name", "URL, host, file or other", 200)},
				metrics: []column{
					most("attacker_count", "Attackers"), last("indicator.kind", "Kind"), last("threat.indicator.confidence", "Confidence"), sum("count", "Uses"),
					earliest("first_seen", "First seen"), latest("last_seen", "Last seen"),
				}, w: 34,
			},
			{
				kind: lying, title: "Indicators by kind", question: "How much of each kind is there, and how much of it is held back?", next: "see unpublished_why in Discover for why something is held back",
				view: indicators, rows: []column{top("indicator.kind", "Kind", 10)}, metrics: []column{count("Given out").only(is("published", true)), count("Held back").only(is("published", false))}, w: 14,
			},
		}},
		{12, []panel{
			addresses(table, "URLs they use", "What do they fetch, and from where?", "search our own proxies for them; never open one by hand", "indicator.url", "URL", 100, 24),
			addresses(table, "Hosts they use", "Which servers stand behind it?", "block them, and look for our own hosts that ask for them", "indicator.domain", "Host", 100, 24),
		}},
		{12, []panel{
			addresses(table, "Files", "Which files do they bring?", "look the digests up, search our own hosts", "artifact.sha256", "SHA-256", 100, 16),
			addresses(table, "Where files come from", "Which servers do they fetch from?", "block them; never open one by hand", "artifact.url", "URL", 100, 16),
			addresses(table, "Flaws tried", "Which known vulnerabilities?", "check that ours are patched", "exploit.cve", "CVE", 50, 16),
		}},
		{12, []panel{
			who("Beacons", "Who comes back like a clock?", anyOf(atLeast("behavior.beacon.score", 0.7), is("behavior.class", "beaconing")), 20,
				most("behavior.beacon.score", "Score").fraction(2), most("behavior.beacon.interval_s", "Interval").unit(" s"), most("behavior.beacon.jitter_pct", "Jitter").unit(" %"), last("as_name", "Network")),
			{
				kind: table, title: "Mail domains aimed at", question: "Whose mail do they aim at?", next: "tell them",
				view: targets, rows: []column{top("registrable_domain", "Domain", 100)}, metrics: []column{distinct("uuid", "Attackers"), sum("rcpt_accepted_count", "Accepted"), sum("message_count", "Mails")}, w: 14,
			},
			{
				kind: table, title: "Known scanners", question: "Whose scanners are they?", next: "leave them out of blocks that we give away",
				view: attackers, where: has("actor"), rows: []column{top("actor", "Whose", 50), top("classification", "Judged", 3)}, metrics: []column{count("Attackers")}, w: 14,
			},
		}},
		{12, []panel{
			{
				kind: table, title: "Networks", question: "Which providers do they use?", next: "report to the worst",
				view: attackers, rows: []column{top("asn", "AS", 100).as("number"), top("as_name", "Network", 1)},
				metrics: []column{count("Attackers"), most("risk.score", "Worst risk"), sum("event_count", "Events")}, w: 32,
			},
			worst(addresses(lying, "Kinds of network", "Do they come from clouds, VPNs, Tor?", "click one to see who; network_types adds lists of your own", "network_type", "Kind", 10, 16)),
		}},
	},
}

var decoys = dashboard{
	name: "decoys", short: "Decoys", title: "Decoys", from: "now-30d", controls: common,
	about: "**Which decoy is hit, by whom, since when, and which are silent.** Counted are attackers by the hour; a decoy that nobody touched within the time chosen isn't listed.",
	bands: []band{
		{6, []panel{
			figure("Decoys hit", "How many decoys were touched?", "compare with how many there are", activity, Condition{}, 12, distinct("deckies", "Decoys")),
			figure("Attackers", "By how many?", "see who below", activity, Condition{}, 12, distinct("uuid", "Attackers")),
			figure("Used", "How often was a service used, not only looked at?", "see which below", activity, Condition{}, 12, sum("activity.interactions", "Interactions")),
			figure("From inside", "How many of our own hosts touched one?", "find them: nobody inside has business there", activity, inside, 12, distinct("uuid", "Hosts")),
		}},
		{12, []panel{{
			kind: line, title: "Attackers by decoy", question: "Which decoy is hit when?", next: "see what changed at it when its line jumps or ends",
			view: activity, rows: []column{hours(), top("deckies", "Decoy", 10)}, metrics: []column{distinct("uuid", "Attackers")}, w: 48,
		}}},
		{14, []panel{
			{
				kind: table, title: "Decoys", question: "Which decoy is hit, by how many, since when?", next: "move or renew one that nobody finds",
				view: activity, rows: []column{top("deckies", "Decoy", 200)}, metrics: []column{distinct("uuid", "Attackers"), earliest("@timestamp", "First in the hour of"), latest("@timestamp", "Last in the hour of")}, w: 24,
			},
			{
				kind: table, title: "Silent for longest", question: "Which decoys has nobody touched for long?", next: "check that the decoy still runs and its lines arrive",
				view: activity, rows: []column{top("deckies", "Decoy", 50).rising()}, metrics: []column{latest("@timestamp", "Last in the hour of"), distinct("uuid", "Attackers until then")}, w: 24,
			},
		}},
		{14, []panel{
			{
				kind: heat, title: "Services by decoy, addresses", question: "What do they look for at which decoy?", next: "offer more of what draws them",
				view: activity, rows: []column{top("services", "Service", 15), top("deckies", "Decoy", 15)}, metrics: []column{distinct("uuid", "Attackers")}, w: 24,
			},
			addresses(table, "What is sent to get in", "Which requests try to exploit something?", "search our own web servers for them", "exploit.request", "Request", 100, 24),
		}},
		{14, []panel{
			addresses(table, "Moves", "From which decoy to which?", "see whether a decoy leads on to others", "movement.edge", "Move", 100, 16),
			who("Who touches most decoys", "Who sweeps them?", over("decky_count", 1), 32, most("decky_count", "Decoys"), most("risk.score", "Risk"), last("behavior.class", "Behaviour"), last("as_name", "Network"), last("traversal_path", "Path"), latest("last_seen", "Last seen")),
		}},
	},
}

var fleet = dashboard{
	name: "sensors", short: "Sensors", title: "Sensors", from: "now-24h",
	about: "**Is everything arriving?** Sensors count from the start of their process and tell it every few seconds; one that sent no heartbeat for 90 seconds is silent. Filters of other dashboards don't count here.",
	bands: []band{
		{6, []panel{
			figure("Silent", "How many sensors don't tell anything?", "look at Fluent Bit on each", sensors, Condition{}, 8, count("sensors").only(under("@timestamp", silentFrom)), count("in all")),
			figure("Dead letters", "How many chunks could not be written?", "fix the cause, then dossier replay", sensors, Condition{}, 8, sum("dead_letters", "written")),
			figure("Not attributed", "How many records name no address?", "dossier explain shows why", sensors, Condition{}, 8, sum("unattributed", "records")),
			figure("Not parsed", "How many records does no dialect know?", "dossier explain shows why", sensors, Condition{}, 8, sum("unparsed", "records")),
			figure("Exactness at risk", "How many chunks might count twice?", "see docs/guarantees.md", sensors, Condition{}, 8, sum("exactness_at_risk", "chunks")),
			figure("Retries", "How many chunks had to come again?", "look at Elasticsearch's load", sensors, Condition{}, 8, sum("retries", "chunks")),
		}},
		{9, []panel{{
			kind: table, title: "Sensors", question: "How is each sensor?", next: "read its last error, oldest heartbeat first",
			view: sensors, rows: []column{top("sensor", "Sensor", 200).rising()},
			metrics: []column{
				latest("@timestamp", "Heartbeat"), most("records_per_second", "Records/s"), most("lag_s", "Behind by s"), most("records_in", "Records in"), most("records_out", "Records out"), most("unparsed", "Not parsed"), most("unattributed", "Not attributed"),
				most("dead_letters", "Dead letters"), most("conflicts", "Conflicts"), most("retries", "Retries"), last("last_error", "Last error"), last("version", "Version"), latest("started_at", "Started"),
			}, w: 48,
		}}},
		{12, []panel{{
			kind: line, title: "Events by sensor", question: "Does a sensor see less than it used to?", next: "look at the sensor whose line ends",
			view: activity, rows: []column{hours(), top("observer.name", "Sensor", 10)}, metrics: []column{sum("activity.events", "Events")}, w: 48,
		}}},
	},
}
