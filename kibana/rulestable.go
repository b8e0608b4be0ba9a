package kibana

import "dossier/profile"

// own are the indices that our own hosts' logs are in, as Elastic's rules have
// them. What Dossier writes is not among them.
var own = []string{"auditbeat-*", "endgame-*", "filebeat-*", "logs-*", "packetbeat-*", "winlogbeat-*"}

// Tactics of ATT&CK as the rules say them.
var (
	reconnaissance = tactic{"TA0043", "Reconnaissance", [][2]string{{"T1595", "Active Scanning"}}}
	entry          = tactic{"TA0001", "Initial Access", [][2]string{{"T1078", "Valid Accounts"}}}
	execution      = tactic{"TA0002", "Execution", [][2]string{{"T1059", "Command and Scripting Interpreter"}}}
	evasion        = tactic{"TA0005", "Defense Evasion", [][2]string{{"T1562", "Impair Defenses"}}}
	discovery      = tactic{"TA0007", "Discovery", [][2]string{{"T1046", "Network Service Discovery"}}}
	lateral        = tactic{"TA0008", "Lateral Movement", [][2]string{{"T1021", "Remote Services"}}}
	calling        = tactic{"TA0011", "Command and Control", [][2]string{{"T1105", "Ingress Tool Transfer"}}}
)

const (
	notUsers = "A decoy has no users: whoever touches it looks for a way in, or makes a mistake."
	scanner  = "Scanners of our own, such as for vulnerabilities, or a monitoring service that knows the decoys: name them in the option exclude_nets."
	shared   = "An address that many people share (a carrier's NAT, an exit of Tor, a cloud's proxy): its others did nothing."
)

// crossed is a rule on lines that attackers cross, each of which is told once.
func crossed(k kit, r rule) rule {
	r.index, r.every, r.from, r.override, r.version, r.scored = []string{k.pattern(transitions)}, "5m", "now-10m", "event.ingested", 1, true
	if r.worse == "" {
		r.worse = "risk.level"
	}
	return r
}

// matched is a rule that looks for what attackers used in our own logs.
func matched(k kit, r rule, where Condition, pairs ...[2]string) rule {
	r.index, r.every, r.from, r.override, r.version = own, "1h", "now-65m", "event.ingested", 1
	r.match = &match{index: profile.Alias(k.prefix), where: all(atLeast("@timestamp", "now-30d/d"), where), pairs: pairs}
	return r
}

// used is matched with what attackers used beyond the decoys: only what is published,
// so no mirror of packages and no file that everybody has.
func used(k kit, r rule, where Condition, pairs ...[2]string) rule {
	r = matched(k, r, where, pairs...)
	r.match.index, r.version = profile.IndicatorsAlias(k.prefix), 3
	return r
}

func ruleTable(k kit) []rule {
	sure := is("threat.indicator.confidence", "Medium", "High")
	return []rule{
		matched(k, rule{
			name: "match-outbound", title: "A host of ours talks to an attacker of the decoys", severity: "high", where: has("destination.ip"), threat: []tactic{calling},
			about:    "An address that attacked a decoy within 30 days is the destination of a connection in our own logs.",
			mistaken: []string{shared, "A service that both of us use, such as a public resolver or a mirror, from whose network an attack came."},
			guide: `## What it means

A host of ours opened a connection to an address that attacked a decoy. Attackers rarely are servers that we need.

## What to look at

1. [[Attacker**: the address. How far did it go (*Why the risk is what it is*), and does it bring files (*Files*)?
2. [[Tools and campaigns**: *Where files come from*. If the address serves files to others, ours may have fetched one.
3. In our own logs: which process opened the connection, what went over it, who else talks to it.

## What to do

Cut the host off if the address is of stage inside or acting, else ask its owner. Search for the files by their SHA-256.`,
		}, all(has("threat.indicator.ip"), sure), [2]string{"destination.ip", "threat.indicator.ip"}),

		matched(k, rule{
			name: "match-inbound", title: "An attacker of the decoys reaches a host of ours", severity: "medium", where: has("source.ip"), threat: []tactic{reconnaissance},
			about:    "An address that attacked a decoy within 30 days is the source of an event in our own logs.",
			mistaken: []string{shared, scanner},
			guide: `## What it means

Whoever looked at our decoys now looks at our hosts. Most of it is scanning; what counts is whether something answered.

## What to look at

1. [[Attacker**: *Credentials* and *What it sent to get in*. The same is tried on our hosts.
2. [[Credentials**: is one of the pairs ours?
3. In our own logs: a successful login, a request that was answered with 200.

## What to do

Block the address if nobody else uses it. Change a password that it knows.`,
		}, all(has("threat.indicator.ip"), sure), [2]string{"source.ip", "threat.indicator.ip"}),

		used(k, rule{
			name: "match-file", title: "A file of an attacker is on a host of ours", severity: "critical", where: has("file.hash.sha256"), threat: []tactic{calling, execution},
			about:    "A file whose SHA-256 an attacker brought to a decoy, or fetched there, within 30 days is in our own logs.",
			mistaken: []string{"A well-known file that attackers bring along, such as busybox or an empty one: add an exception for its digest."},
			guide: `## What it means

The very file that was put on a decoy is on one of our hosts.

## What to look at

1. [[Tools and campaigns**: *Files*, with the digest. Who brought it, and from where (*Where files come from*)?
2. [[Attacker**: each of those addresses. *Commands, by when* shows how it was started.
3. In our own logs: which process wrote the file, whether it ran, which other hosts have it.

## What to do

Isolate the host, keep the file, and look for the commands of the decoy's session on it.`,
		}, has("threat.indicator.file.hash.sha256"), [2]string{"file.hash.sha256", "threat.indicator.file.hash.sha256"}),

		used(k, rule{
			name: "match-url", title: "A host of ours fetches from where attackers fetch", severity: "high", threat: []tactic{calling},
			where:    anyOf(has("url.full"), has("url.original"), has("url.domain"), has("dns.question.name")),
			about:    "A URL that attackers used within 30 days, or a host of theirs by name, was asked for by a host of ours.",
			mistaken: []string{"A public address that attackers use to try a connection, such as a search engine's: add an exception for it.", "Somebody who looks into the attack."},
			guide: `## What it means

Attackers told a decoy to fetch this URL, or something from this host. Now one of our hosts did, or asked where that host is.

## What to look at

1. [[Tools and campaigns**: *Where files come from*, *URLs they use* or *Hosts they use*, with what matched. Never open it by hand.
2. [[Hands on keyboard and movement**: *Commands*. What was done with the file after it was fetched?
3. In our own logs: the process, and what it did next.

## What to do

Isolate the host if the file was fetched whole. Block the URL's host.`,
		}, anyOf(has("threat.indicator.url.full"), is("indicator.kind", "domain")), [2]string{"url.full", "threat.indicator.url.full"}, [2]string{"url.original", "threat.indicator.url.original"},
			// The name of a URL is all of it: a host where anybody can put something matches nobody.
			[2]string{"url.domain", "threat.indicator.name"}, [2]string{"dns.question.name", "threat.indicator.name"}),

		crossed(k, rule{
			name: "internal", title: "A host of ours touched a decoy", severity: "high", where: all(is("event.action", "observed"), is("scope", "internal")), threat: []tactic{discovery, lateral},
			about:    "An address from inside touched a decoy for the first time. Nobody inside has business with one.",
			mistaken: []string{scanner, "A gateway behind which all sources have its address: the sensor's document says gateway."},
			guide: `## What it means

Somebody, or something, looks around from inside our own network. It is the strongest alert that a decoy gives.

## What to look at

1. [[Attacker**: the address. *Activity by the hour*: since when; *Ports* and *Moves*: what it looks for.
2. [[Sensors**: whether all sources of that sensor have one address, for then it is a gateway's.
3. In our own logs: who is logged in on the host, which process connects.

## What to do

Find the host (host.name, where internal_hosts names it) and treat it as taken until it is explained.`,
		}),
		crossed(k, rule{
			name: "traversal", title: "An attacker moved between decoys", severity: "medium", where: is("event.action", "traversal"), threat: []tactic{lateral, discovery},
			about:    "An address touched a second decoy for the first time.",
			mistaken: []string{"A scanner that works several decoys in parallel shows moves that are only the order of its packets.", scanner},
			guide: `## What it means

` + notUsers + ` This one came to a second decoy.

## What to look at

1. [[Hands on keyboard and movement**: *From decoy to decoy*. Is it a way, or a sweep of all?
2. [[Attacker**: the address. *Moves* and *Commands, by when*: did it learn of the second decoy on the first?
3. In our own logs: what stands beside the decoys, and whether it was touched.

## What to do

If it knew where to go, change what the first decoy told it.`,
		}),
		crossed(k, rule{
			name: "hands-on", title: "Hands on keyboard on a decoy", severity: "high", where: is("event.action", "hands_on"), threat: []tactic{execution, entry},
			about:    "An attacker was let in by a decoy and gave a command, for the first time.",
			mistaken: []string{"A bot that runs the same lines everywhere: the campaign key says who else does."},
			guide: `## What it means

` + notUsers + ` This one got in and gives commands.

## What to look at

1. [[Attacker**: the address. *Commands, by when*, *Files*, *Why the risk is what it is*.
2. [[Tools and campaigns**: *Campaign keys, most shared first*. Is it one of many?
3. In our own logs: the same lines, the same credentials.

## What to do

Search our own hosts for the files and lines. Change the credentials if they are ours.`,
		}),
		{
			name: "session", title: "A decoy was logged in to, and commands followed", severity: "high", version: 1, threshold: "uuid", every: "15m", from: "now-135m",
			index: []string{k.pattern(activity)}, where: all(over("activity.login_successes", 0), over("activity.commands", 0)), threat: []tactic{execution, entry},
			about:    "Within one hour an address was let in by a decoy and gave commands. Unlike Hands on keyboard it fires each hour that this happens, not only the first time.",
			mistaken: []string{"A bot that comes back each hour: raise the interval, or add an exception for its campaign."},
			guide: `## What it means

Somebody who is known works on a decoy again. The alert's group is the attacker's uuid, which networks have as well as addresses.

## What to look at

1. [[Attacker**: filter uuid, then *Activity by the hour* and *Commands, by when*.
2. [[Decoys**: which decoy it is on.

## What to do

Watch: every hour that it stays tells more. See that nothing of the decoy leads to a host of ours.`,
		},
		crossed(k, rule{
			name: "risk", title: "An attacker of the decoys reached high risk", severity: "high", worse: "transition.value", threat: []tactic{entry, execution},
			where:    all(is("event.action", "risk"), is("transition.value", "High", "Critical")),
			about:    "The risk of an attacker reached High or Critical: it got in, and did something there.",
			mistaken: []string{shared, "Somebody who tests the decoys: name the address in the option exclude_nets."},
			guide: `## What it means

The furthest stage that is proven gives the score its band; High and Critical are inside and acting.

## What to look at

1. [[Attacker**: *Why the risk is what it is*. Each reason says what it was concluded from.
2. [[Hands on keyboard and movement**: who else does the same.

## What to do

As for Hands on keyboard, and sooner.`,
		}),
		{
			name: "silent-sensor", title: "A sensor of Dossier is silent", severity: "medium", version: 1, threshold: "sensor", every: "5m", from: "now-2h",
			index: []string{k.pattern(sensors)}, where: under("@timestamp", "now-5m"), threat: []tactic{evasion},
			about:    "A sensor sent no heartbeat for five minutes: what its decoys see does not arrive. It fires anew for each silence, and no longer than two hours after the last heartbeat.",
			mistaken: []string{"A sensor that was taken down on purpose: dossier retain removes it."},
			guide: `## What it means

Either Fluent Bit doesn't run there, or Elasticsearch can't be reached. Chunks wait on its disk meanwhile; nothing is lost as long as that has room.

## What to look at

1. [[Sensors**: *Sensors*, its *Last error*, and whether others are silent too.
2. On the sensor: Fluent Bit's log, then dossier check.

## What to do

Bring it back. Events that come late are dated when they happened.`,
		},
	}
}
