package dialect

import (
	"strings"
	"testing"

	"dossier/correlate/event"
)

// What rules look at of a request, by sensor. It is raw, and nobody keeps it.
func TestSaid(t *testing.T) {
	p := newParser(t, Options{DecoyNets: tenNet})
	for _, tt := range []struct{ name, line, want string }{
		{
			"DECNET", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-03 http - request [relay@55555 method="POST" path="/a?b=1" remote_addr="45.9.148.10" headers="{\"Host\": \"x\", \"SOAPAction\": \"y\", \"Authorization\": \"Basic YTpi\"}" body="c=2"]`,
			"header SOAPAction y; header Authorization Basic; request POST /a?b=1; body  c=2",
		},
		{"DECNET, no method", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-03 ftp - download_attempt [relay@55555 path="/x" src_ip="45.9.148.10"]`, ""},
		{
			"Elasticsearch of DECNET", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-11 elasticsearch - post_request [relay@55555 src="45.9.148.10" method="POST" path="/_search" body_preview="{}"]`,
			"request POST /_search; body  {}",
		},
		{
			"Suricata", `{"timestamp":"2026-11-26T10:00:00.000000+0000","flow_id":2,"event_type":"http","src_ip":"192.0.2.30","src_port":4,"dest_ip":"10.0.0.5","dest_port":80,"proto":"TCP","http":{"hostname":"x","url":"/a","http_method":"PUT","http_refer":"r","http_request_body_printable":"b","request_headers":[{"name":"Cookie","value":"c"}]}}`,
			"request PUT /a; body  b; header Referer r; header Cookie c",
		},
		{
			"DECNET, an address that is a command", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-07 smtp - rcpt_to [relay@55555 src="45.9.148.10" value="<${run{\x2Fbin\x2Fid}}@localhost>"]`,
			`text  RCPT TO <${run{\x2Fbin\x2Fid}}@localhost>`,
		},
		{"DECNET, an address", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-07 smtp - rcpt_to [relay@55555 src="45.9.148.10" value="<a@example.org>"]`, ""},
		{"DECNET, a sender", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-07 smtp - mail_from [relay@55555 src="45.9.148.10" value="<a@example.org>"]`, ""},
		{"DECNET, a sender that is a command", `<134>1 2026-01-02T03:04:05.678901+00:00 decky-07 smtp_relay - mail_from [relay@55555 src="45.9.148.10" value="<${run{id}}@a>"]`, "text  MAIL FROM <${run{id}}@a>"},
		{
			"Suricata, a recipient", `{"timestamp":"2026-11-26T10:00:00.000000+0000","flow_id":2,"event_type":"smtp","src_ip":"192.0.2.30","src_port":4,"dest_ip":"10.0.0.5","dest_port":25,"proto":"TCP","smtp":{"mail_from":"<a@b.de>","rcpt_to":["<x@example.org>","<${run{id}}@a>"]}}`,
			"text  RCPT TO <${run{id}}@a>",
		},
		{"OpenCanary", `{"dst_host":"10.0.0.5","dst_port":80,"logdata":{"PATH":"/a","USERAGENT":"x"},"logtype":3000,"node_id":"d","src_host":"192.0.2.30","src_port":4,"utc_time":"2026-11-26 10:00:00.000000"}`, "request  /a"},
		{
			"ECS", `{"@timestamp":"2026-11-26T10:00:00.000Z","source":{"ip":"192.0.2.30"},"event":{"action":"request","category":["web"]},"observer":{"name":"d"},"network":{"protocol":"http"},"http":{"request":{"method":"GET","referrer":"r","body":{"content":"b"}}},"url":{"path":"/a","query":"q=1"}}`,
			"request GET /a?q=1; body  b; header Referer r",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a event.Arena
			var ev event.Event
			if v := p.Parse(&a, logRecord(tt.line), &ev); v.Class() != Parsed {
				t.Fatal(v.Reason)
			}
			var got []string
			for i := range ev.Evidence {
				if e := &ev.Evidence[i]; e.Kind == event.Said {
					got = append(got, e.B+" "+e.C+" "+e.A)
				}
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}
