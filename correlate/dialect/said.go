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
	for _, dull := range [...]string{"Host", "Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Length", "User-Agent"} {
		if strings.EqualFold(name, dull) {
			return false
		}
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
	if method == "" {
		if m, target, ok := requestLine(path); ok {
			method, path = m, target
		}
	}
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

// maxRaw is how much of a request that came as it was sent is read.
const maxRaw = 4 * event.MaxCommand

// saidRaw adds the parts of a request that the sensor has as it was sent, or text
// of another protocol whole, as the part that other says ("" leaves it out). It
// returns whether it was a request.
func (x *scratch) saidRaw(text, other string) bool {
	text = text[:min(len(text), maxRaw)]
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	line, headers, _ := strings.Cut(head, "\r\n")
	method, path, ok := requestLine(line)
	if !ok {
		if other != "" {
			x.said(other, "", text)
		}
		return false
	}
	x.saidRequest(method, path, "", body)
	for n := 0; headers != "" && n < maxSaidHeaders; {
		var header string
		header, headers, _ = strings.Cut(headers, "\r\n")
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if strings.EqualFold(name, "User-Agent") {
			x.agent(value, method, path)
		} else if told(name) {
			x.saidHeader(name, value)
			n++
		}
	}
	return true
}

// requestLine reads the first line of a request (RFC 9112 §3).
func requestLine(line string) (method, path string, ok bool) {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || len(method) < 3 || len(method) > 16 || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", "", false
	}
	end := strings.LastIndex(rest, " HTTP/")
	if end < 0 {
		return "", "", false
	}
	return method, rest[:end], true
}
