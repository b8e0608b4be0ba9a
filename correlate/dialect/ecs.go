package dialect

import (
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
		Address:   Names{"source.ip", "source.address"},
		Decoy:     Names{"destination.ip"},
		Decky:     Names{"observer.name", "host.name", "agent.name"},
		Service:   Names{"network.protocol", "service.type", "network.application", "url.scheme", "service.name"},
		Port:      Names{"destination.port"},
		Type:      Names{"event.action", "event.type", "event.type.0", "event.category", "event.category.0"},
		Session:   Names{"session.id", "network.community_id"},
		Principal: Names{"user.name", "user.id"},
		Outcome:   Names{"event.outcome"},
		Command:   Names{"process.command_line"},
		SHA256:    Names{"file.hash.sha256"},
		URL:       Names{"url.full", "url.original"},
		UserAgent: Names{"user_agent.original"},
		Method:    Names{"http.request.method"},
		Path:      Names{"url.path", "url.original"},
		Size:      Names{"http.request.body.bytes", "source.bytes", "file.size"},
	},
	Fingerprints: map[string]Names{
		"ja3": {"tls.client.ja3"}, "ja4": {"tls.client.ja4"},
	},
})

// ecs reads a document of the Elastic Common Schema.
func (p *Parser) ecs(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	x.document(fields)
	return p.mapped(x, r, fields, &ecsMap, out)
}

// overTCP says whether an event came over TCP, by its transport or else by its
// service.
func (x *scratch) overTCP(service string) bool {
	if transport := x.get("network.transport"); transport != "" {
		return transport == "tcp"
	}
	return slices.Contains(tcpServices, service)
}

// hasCategory says whether event.category is, or has, category.
func (x *scratch) hasCategory(category string) bool {
	for i := range x.params {
		f := &x.params[i]
		if f.Value == category && strings.HasPrefix(f.Key, "event.category") {
			return true
		}
	}
	return false
}
