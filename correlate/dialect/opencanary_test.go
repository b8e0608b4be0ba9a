package dialect

import (
	"strings"
	"testing"
)

// canaryCodes are OpenCanary's log types (opencanary/logger.py, August 2026).
const canaryCodes = `1000 1001 1002 1003 1004 1005 1006 2000 2001 3000 3001 3002 3003 4000 4001 4002 5000 5001 5002 5003 5004 5005 6001 6002
7001 8001 9001 9002 9003 10001 11001 12001 13001 14001 15001 16001 17001 18001 18002 18003 18004 18005 19001 20001
99000 99001 99002 99003 99004 99005 99006 99007 99008 99009`

// TestOpenCanaryTypes checks that the tables have each on purpose.
func TestOpenCanaryTypes(t *testing.T) {
	for code := range strings.FieldsSeq(canaryCodes) {
		_, classed := table[OpenCanary][code]
		kind, known := canaryTypes[code]
		own := code < "1007" && len(code) == 4 && code[0] == '1'
		switch {
		case !classed && code != "20001": // MongoDB's are told apart by what was done
			t.Errorf("%s is not in the table", code)
		case own == known && !strings.HasPrefix(code, "99"):
			t.Errorf("%s has no service and no name: %+v", code, kind)
		}
	}
}

func canary(code, port, times, logdata string) string {
	return `{"dst_host": "10.0.0.5", "dst_port": ` + port + `, ` + times + `"logdata": {` + logdata + `}, "logtype": ` + code + `, "node_id": "d", "src_host": "192.0.2.48", "src_port": 1}`
}

func TestOpenCanary(t *testing.T) {
	const utc = `"utc_time": "2026-11-26 10:00:00.000000", `
	tests := []struct{ name, line, want string }{
		{"HTTPS page", canary("3000", "443", utc, `"USERAGENT": "<not supplied>", "PATH": "/"`), `192.0.2.48 d/https request scan recon handshake`},
		{"HTTPS login", canary("3001", "8443", utc, `"USERNAME": "y", "PASSWORD": "x", "USERAGENT": "<not supplied>"`), `192.0.2.48 d/https login scan recon handshake | login "y" "plaintext" "x" failure`},
		{"HTTPS redirect", canary("3003", "443", utc, `"USERAGENT": "<not supplied>"`), `192.0.2.48 d/https request scan recon handshake`},
		{"a login without anything", canary("3001", "80", utc, `"USERNAME": "<not supplied>", "PASSWORD": "<not supplied>"`), `192.0.2.48 d/http login scan recon handshake | login "" failure`},
		{"the time that is local in name", canary("4000", "22", `"local_time": "2026-11-26 10:00:00.000000", "local_time_adjusted": "2026-11-26 12:00:00.000000", `, ``), `192.0.2.48 d/ssh connection scan recon handshake`},
		{"no time that says its zone", canary("4000", "22", `"local_time_adjusted": "2026-11-26 12:00:00.000000", `, ``), `192.0.2.48 d/ssh connection scan recon handshake SKEW`},
		{"a file on a share", canary("5000", "445", utc, `"AUDITACTION": "pread", "SHARENAME": "finance", "FILENAME": "pay.xls", "USER": "anonymous"`), `192.0.2.48 d/smb file_open interaction exfil handshake | command "pread finance/pay.xls"`},
		{"a check of its own health", strings.Replace(canary("4000", "22", utc, ``), "192.0.2.48", "10.0.0.5", 1), `unattributed/decoys_only`},
	}
	p := newParser(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := read(t, p, logRecord(tt.line)); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}
