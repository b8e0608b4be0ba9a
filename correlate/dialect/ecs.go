package dialect

import (
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// ecsMap reads the Elastic Common Schema, as Elastic Agent, the Beats and many
// sensors' integrations write it.
var ecsMap = *prepare(FieldMap{
	Name:  "ecs",
	Match: map[string]string{"source.ip": "*"},
	Fields: FieldNames{
		Time:      Names{"@timestamp"},
		Address:   Names{"source.ip", "source.address", droppedPeer},
		Decoy:     Names{"destination.ip"},
		Service:   Names{"network.protocol", "service.type", "network.application", "url.scheme", "service.name"},
		Port:      Names{"destination.port"},
		Type:      Names{"event.action", "event.reason", "suricata.eve.event_type", "event.type", "event.type.0", "event.category", "event.category.0"},
		Session:   Names{"session.id", "network.community_id"},
		Principal: Names{"user.name", "user.id"},
		Outcome:   Names{"event.outcome"},
		Command:   Names{"process.command_line", "opencanary.redis.command"},
		Arguments: Names{"opencanary.redis.args"},
		SHA256:    Names{"file.hash.sha256"},
		URL:       Names{"url.full", "url.original"},
		UserAgent: Names{"user_agent.original"},
		Method:    Names{"http.request.method"},
		Path:      Names{"url.path", "url.original"},
		Query:     Names{"url.query"},
		Referrer:  Names{"http.request.referrer"},
		Body:      Names{"http.request.body.content"},
		Size:      Names{"http.request.body.bytes", "source.bytes", "file.size"},
		Alert:     Names{"rule.name"},
		Category:  Names{"rule.category"},
		Severity:  Names{"event.severity"},
		Technique: Names{"threat.technique.id"},
	},
	Services: map[string]string{"pgsql": "postgres", "memcache": "memcached"},
	Fingerprints: map[string]Names{
		"ja3":   {"tls.client.ja3", "suricata.eve.tls.ja3.hash"},
		"ja4":   {"tls.client.ja4", "suricata.eve.tls.ja4"},
		"hassh": {"suricata.eve.ssh.client.hassh.hash"},

		"ssh_client_banner": {"opencanary.ssh.remote_version"},
		"sip_useragent":     {"sip.user_agent.original"},
	},
})

// droppedPeer is where Filebeat's system module puts the peer that sent sshd no
// banner, instead of source.ip.
const droppedPeer = "system.auth.ssh.dropped_ip"

// ecs reads a document of the Elastic Common Schema.
func (p *Parser) ecs(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	x.document(fields)
	switch kind := x.get("event.kind"); kind {
	case "metric", "state", "pipeline_error":
		return Verdict{Dialect: ECS, Reason: SensorReport}
	}
	_, sourced := x.lookup("source.ip")
	if _, dropped := x.lookup(droppedPeer); !sourced && !dropped {
		return Verdict{Dialect: ECS, Reason: SensorEvent}
	}
	return p.mapped(x, r, fields, &ecsMap, out)
}

// unparsedSentence returns the line of a document of Filebeat's system module whose
// pipeline knows but some of sshd's sentences, and leaves the others as they are.
func (x *scratch) unparsedSentence(fields []event.Field) (f frame, ok bool) {
	x.document(fields)
	f = frame{app: x.get("process.name"), msg: strings.TrimSpace(x.get("message")), time: x.get("@timestamp"), timed: true}
	if x.get("event.dataset") != "system.auth" || f.msg == "" || programService(f.app) != "ssh" {
		return f, false
	}
	f.host = x.ecsDecky(false)
	return f, true
}

// ecsTransports are the fields of the schema that tell what an event came over.
var ecsTransports = Names{"network.transport", "network.iana_number"}

// overTCP says whether an event came over TCP, by its transport or else by its
// service.
func (x *scratch) overTCP(service string) bool {
	if told, tcp := x.transport(&ecsMap, ecsTransports); told {
		return tcp
	}
	// LDAP is asked over UDP too.
	return service != "ldap" && slices.Contains(tcpServices, service)
}

// ofWeb says whether a document has fields of a request to a web server, by
// their names: what stands in them is the client's.
func (x *scratch) ofWeb() bool {
	return slices.ContainsFunc(x.params, func(f event.Field) bool {
		return f.Key == "url.path" || f.Key == "url.query" || strings.HasPrefix(f.Key, "http.")
	})
}

// asksWeb says whether a document is about such a request. A whole URL may be
// anything's.
func (x *scratch) asksWeb() bool {
	if x.ofWeb() {
		return true
	}
	url := x.first("url.full", "url.original")
	return strings.HasPrefix(url, "/") || hasPrefixFold(url, "http://") || hasPrefixFold(url, "https://")
}

// mappedURL returns the URL of a record. Documents of the schema may have it in
// parts: many sensors write url.original without scheme and host.
func (x *scratch) mappedURL(m *fieldMap) string {
	whole := x.says(m, m.Fields.URL)
	if m != &ecsMap || strings.Contains(whole, "://") {
		return whole
	}
	host := x.first("url.domain", "destination.domain", "server.domain")
	if host == "" || x.get("url.domain") == "" && whole == "" && x.get("url.path") == "" {
		return whole
	}
	scheme := x.get("url.scheme")
	if scheme == "" {
		scheme = "http"
	}
	if port := x.get("url.port"); port != "" && !strings.Contains(host, ":") && !(scheme == "http" && port == "80") && !(scheme == "https" && port == "443") {
		host = x.arena.Join(host, ":", port)
	}
	path, query := whole, ""
	if path == "" {
		if path = x.get("url.path"); path != "" {
			if query = x.get("url.query"); query != "" {
				query = x.arena.Join("?", strings.TrimPrefix(query, "?"))
			}
		}
	}
	if path != "" && path[0] != '/' {
		path = x.arena.Join("/", path)
	}
	return x.arena.Join(scheme, "://", host, path, query)
}

// authenticates says whether a document is about a login, by its category or
// its action.
func (x *scratch) authenticates() bool {
	for i := range x.params {
		f := &x.params[i]
		if f.Value == "authentication" && strings.HasPrefix(f.Key, "event.category") {
			return true
		}
	}
	action := x.get("event.action")
	action = action[:min(len(action), event.MaxService)]
	return containsFold(action, "login") || containsFold(action, "auth")
}

// networkSensor says whether a document comes from who sees both ends of a
// connection and doesn't know which is the decoy: an IDS, Zeek, Packetbeat.
func (x *scratch) networkSensor() bool {
	switch x.get("observer.type") {
	case "ids", "ips", "sensor", "network", "firewall":
		return true
	}
	switch dataset, _, _ := strings.Cut(x.get("event.dataset"), "."); dataset {
	case "suricata", "zeek", "corelight", "network_traffic", "packetbeat":
		return true
	}
	return x.get("agent.type") == "packetbeat"
}

// wireQuery returns what a client asked a database, as Packetbeat has it in its own
// field query; of other protocols that is a request's line.
func (x *scratch) wireQuery() string {
	dataset := x.get("event.dataset")
	if !strings.HasPrefix(dataset, "network_traffic.") && x.get("agent.type") != "packetbeat" {
		return ""
	}
	switch x.get("network.protocol") {
	case "mysql", "pgsql", "redis", "mongodb", "memcache", "cassandra":
		return x.get("query")
	}
	return ""
}

// outbound says whether a host's own agent tells of a connection that the host
// opened.
func (x *scratch) outbound() bool {
	switch x.get("network.direction") {
	case "egress", "outbound":
		return true
	}
	return false
}

// ecsOpener tells who opened the connection of a document from a sensor that
// sees both ends. Of Suricata's events that Filebeat passes on the source is what
// it is in the event; Zeek's and Packetbeat's source is the client; another
// sensor's may be a packet's sender, unless client and server are told.
func (x *scratch) ecsOpener(src, dst netip.Addr) opener {
	e := ends{src, dst, x.get("source.port"), x.get("destination.port")}
	if kind := x.get(eveName + "event_type"); kind != "" {
		return x.openerOf(kind, eveName, e)
	}
	if client, ok := event.ParseAddress(x.get("client.ip")); ok {
		switch client {
		case src:
			return bySource
		case dst:
			return byDestination
		}
	}
	switch dataset, _, _ := strings.Cut(x.get("event.dataset"), "."); {
	case dataset == "zeek", dataset == "corelight", dataset == "network_traffic", x.get("agent.type") == "packetbeat":
		return bySource
	}
	if by := e.server(""); by.who() != byNobodyKnown {
		return by
	}
	return bySource | doubtful
}

// eveName starts the names of the fields that Filebeat takes over from
// Suricata.
const eveName = "suricata.eve."
