package dialect

import (
	"strings"

	"dossier/correlate/event"
)

// Basis returns the fields that a verdict rests on, of the record or of the
// document in it that was read last, with a: those by which the dialect was
// told, and where there is no event those that decided it. The values are as
// they came.
func Basis(a *event.Arena, v Verdict) (shape, decided []event.Field) {
	x, ok := a.Local.(*scratch)
	if !ok {
		return nil, nil
	}
	shape = pick(x.seen, shapeFields[v.Dialect])
	switch v.Reason {
	case OK, Empty, UnknownShape, BadHeader, BadData, BadJSON, TooLarge:
		return shape, nil
	case NoAddress, BadAddress, Ambiguous, DecoysOnly:
		decided = pick(x.seen, addressFields[v.Dialect])
		if len(decided) == 0 {
			decided = pick(x.params, addressFields[v.Dialect])
		}
	default:
		decided = pick(x.seen, kindFields[v.Dialect])
	}
	if len(decided) == 0 && x.frame.app != "" {
		decided = append(decided, event.Field{Key: "program", Value: x.frame.app})
		if x.frame.msgID != "" {
			decided = append(decided, event.Field{Key: "msgid", Value: x.frame.msgID})
		}
		if x.frame.msg != "" {
			decided = append(decided, event.Field{Key: "message", Value: x.frame.msg})
		}
	}
	return shape, decided
}

// pick returns those of fields that names names, in the order of the names; a
// name that ends in a dot stands for all that begin with it.
func pick(fields []event.Field, names []string) (picked []event.Field) {
	for _, name := range names {
		for _, f := range fields {
			if f.Key == name || strings.HasSuffix(name, ".") && strings.HasPrefix(f.Key, name) {
				picked = append(picked, f)
			}
		}
	}
	return picked
}

// What the dialects are told by, where they have the address, and where they
// say what happened.
var (
	shapeFields = [dialectCount][]string{
		DECNET:     {"decky", "raw_line"},
		Native:     {"ident", "extradata"},
		Cowrie:     {"eventid"},
		OpenCanary: {"logtype", "node_id"},
		Suricata:   {"event_type", "flow_id", "dest_ip", "stats.uptime"},
		ECS:        {"ecs.version", "source.ip", "source.address"},
	}
	addressFields = [dialectCount][]string{
		DECNET:     {"src_ip", "src", "client_ip", "remote_ip", "remote_addr", "target_ip", "ip", "attacker_ip"},
		Cowrie:     {"src_ip"},
		OpenCanary: {"src_host", "dst_host"},
		Suricata:   {"src_ip", "dest_ip"},
		ECS:        {"source.ip", "source.address", "destination.ip"},
	}
	kindFields = [dialectCount][]string{
		DECNET:     {"service", "event_type"},
		Cowrie:     {"eventid"},
		OpenCanary: {"logtype", "logdata.action"},
		Suricata:   {"event_type"},
		ECS:        {"event.action", "event.kind", "event.category.", "event.dataset", "source.ip"},
	}
)
