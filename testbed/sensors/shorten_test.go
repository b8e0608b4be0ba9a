package sensors

import (
	"strings"
	"testing"
)

// How docs/sensors.md shortens what it shows.
func TestShorten(t *testing.T) {
	long := strings.Repeat("x", 160)
	object := func(n float64) any { return map[string]any{"b": n, "a": "<&>"} }
	for _, c := range []struct {
		v    any
		want string
	}{
		{"text", `"text"`},
		{3.5, `3.5`},
		{true, `true`},
		{[]any{}, `[]`},
		{[]any{"a", "b", "c"}, `["a", "b", "c"]`},
		{[]any{"a", "b", "c", "d"}, `["a", "b", "c", "… 1 more"]`},
		{[]any{"a", "b", "c", "d", "e"}, `["a", "b", "c", "… 2 more"]`},
		{[]any{object(1), object(2)}, "[\n    {\"a\": \"<&>\", \"b\": 1},\n    {\"a\": \"<&>\", \"b\": 2}\n  ]"},
		{[]any{object(1), object(2), object(3)}, "[\n    {\"a\": \"<&>\", \"b\": 1},\n    {\"a\": \"<&>\", \"b\": 2},\n    \"… 1 more\"\n  ]"},
		{long, `"` + long + `"`},
		{long + "y", `"` + long + `…"`},
		{long[1:] + "ä", `"` + long[1:] + `…"`},
		{map[string]any{"a": []any{"b"}}, `{"a": ["b"]}`},
	} {
		if got := shorten(t, c.v); got != c.want {
			t.Errorf("%v: %s, want %s", c.v, got, c.want)
		}
	}
}

// Which input and which settings of its own each sensor has on the page: these
// parts are taken from conf/, and -update writes them anew.
func TestPageShowsEachInput(t *testing.T) {
	page := readPage(t)
	for config, lines := range map[string][]string{
		"decnet":      {"  - name: tail", "    tag: decnet", "    path: /var/log/decnet/decnet.log"},
		"cowrie":      {"  - name: tail", "    tag: cowrie", "    path: ${SENSOR_LOG}"},
		"opencanary":  {"  - name: tail", "    tag: opencanary", "    path: ${SENSOR_LOG}"},
		"suricata":    {"  - name: tail", "    tag: suricata", "    decoy_nets: ${DECOY_NETS}"},
		"ecs":         {"  - name: elasticsearch", "    listen: 127.0.0.1"},
		"dionaea":     {"  - name: tail", "    tag: dionaea", "    field_map: /etc/dossier/field_maps/dionaea.yaml"},
		"heralding":   {"  - name: tail", "    tag: heralding", "    field_map: /etc/dossier/field_maps/heralding.yaml"},
		"beelzebub":   {"  - name: tail", "    tag: beelzebub", "    field_map: /etc/dossier/field_maps/beelzebub.yaml"},
		"tpot":        {"  - name: http", "    listen: 127.0.0.1", "    field_map: /etc/dossier/field_maps/beelzebub.yaml /etc/dossier/field_maps/tpot.yaml", "    decoy_nets: ${DECOY_NETS}"},
		"journald":    {"  - name: systemd", "    path: ${JOURNAL}", "    json_in_syslog: cowrie.service,opencanary.service"},
		"json-syslog": {"  - name: syslog", "    listen: 127.0.0.1", "    format: octet_counting", "    json_in_syslog: on"},
		"syslog":      {"  - name: syslog", "    mode: tcp", "    listen: 127.0.0.1", "    format: octet_counting", "    drop_apps: rsyslogd,CRON,cron,systemd,kernel,dbus-daemon", "    structured_data: off"},
	} {
		_, text, ok := strings.Cut(page.text, "<!-- input "+config+" -->\n")
		text, _, ended := strings.Cut(text, "<!-- end -->\n")
		if !ok || !ended {
			t.Errorf("docs/sensors.md shows no input of %s", config)
			continue
		}
		for _, line := range append(lines, "    storage.type: filesystem") {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("the input of %s has no line %q", config, line)
			}
		}
	}
	for _, s := range all {
		if !strings.Contains(page.text, "<!-- example "+s.config+" -->\n") {
			t.Errorf("docs/sensors.md shows no example of %s", s.config)
		}
	}
}
