package dialect

import (
	"strings"

	"dossier/correlate/event"
)

// maxSaidHeaders bounds the headers of one request that rules look at.
const maxSaidHeaders = 16

// told says whether rules look at a header. Of Authorization they see the
// scheme alone: the rest is a secret.
func told(name string) bool {
	switch name {
	case "Host", "Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Length", "User-Agent":
		return false
	}
	return true
}

// said adds text that rules look at and nobody keeps.
func (x *scratch) said(part, name, text string) {
	if text == "" {
		return
	}
	e := x.found(event.Said)
	e.A, e.B, e.C = text[:min(len(text), event.MaxCommand)], part, name[:min(len(name), event.MaxService)]
}

// saidRequest adds the line, the query apart where the sensor has it so, and the
// body of a request.
func (x *scratch) saidRequest(method, path, query, body string) {
	if query != "" && strings.IndexByte(path, '?') < 0 {
		path = x.arena.Join(path[:min(len(path), event.MaxCommand)], "?", query[:min(len(query), event.MaxCommand)])
	}
	x.said(event.SaidRequest, method, path)
	x.said(event.SaidBody, "", body)
}

// saidHeader adds one header.
func (x *scratch) saidHeader(name, value string) {
	if !told(name) {
		return
	}
	if strings.EqualFold(name, "Authorization") {
		value, _, _ = strings.Cut(value, " ")
	}
	x.said(event.SaidHeader, name, value)
}

// saidHeaders adds a request's headers.
func (x *scratch) saidHeaders(headers []event.Field) {
	n := 0
	for i := range headers {
		if n == maxSaidHeaders {
			return
		}
		if h := &headers[i]; told(h.Key) {
			x.saidHeader(h.Key, h.Value)
			n++
		}
	}
}
