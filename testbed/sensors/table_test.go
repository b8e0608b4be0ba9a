package sensors

// all are the sensors that conf/ has a configuration for. The first file
// of each has the line that docs/sensors.md shows.
var all = []sensor{
	{
		config: "decnet", data: []string{"decnet/raw_2k.log"},
		attackers: 67, address: "185.242.33.16",
		want: map[string]any{
			"event_count": 17, "services": []string{"ftp", "redis", "ssh"}, "decky_count": 4, "is_traversal": true, "command_count": 5,
			"spoofable": false,
		},
		sample: "CMD uid=", show: []string{"traversal_path", "command.line", "movement.edges"},
	},
	{
		config: "cowrie", data: []string{"cowrie/cowrie.json"},
		attackers: 8, address: "127.0.0.2",
		want: map[string]any{
			"event_count": 87, "services": []string{"ssh"}, "services_interacted": []string{"ssh"}, "deckies": []string{"decoy-ssh-01"},
			"command_count": 15, "login_attempts": 11, "login_successes": 9, "spoofable": false, "behavior.tools": []string{"paramiko"},
		},
		sample: `cowrie.login.success`, show: []string{"session_longest_s", "command.line", "credential.pair", "artifacts", "fingerprint.hassh", "fingerprint.ssh_client"},
	},
	{
		config: "opencanary", data: []string{"opencanary/opencanary.log"},
		attackers: 9, address: "127.0.0.8",
		want: map[string]any{
			"event_count": 17, "services": []string{"mssql", "redis", "tcp"}, "services_interacted": []string{"redis", "tcp"},
			"deckies": []string{"decoy-office-01"}, "command_count": 13, "login_attempts": 2, "login_successes": 0, "spoofable": false,
		},
		sample: `"logtype": 17001`, show: []string{"command.line", "credential.pair"},
	},
	{
		config: "suricata", data: []string{"suricata/eve.json"},
		env:       map[string]string{"DECOY_NETS": "10.99.0.2/32,10.99.0.10/32,fd00:99::2/128"},
		attackers: 4, address: "10.99.0.1",
		want: map[string]any{
			"event_count": 101, "deckies": []string{"10.99.0.2", "10.99.0.10"}, "is_traversal": true,
			"services_interacted": []string{"dns", "ftp", "http", "smb", "smtp"}, "command_count": 3, "login_attempts": 2,
			"spoofable": false, "behavior.tools": []string{"curl"},
		},
		sample: `"event_type":"alert"`, show: []string{"alerts", "fingerprint.ja3", "fingerprint.ja4", "fingerprint.hassh", "artifact.sha256"},
	},
	{
		config: "ecs", data: []string{"ecs/ecs.json", "ecs/beelzebub-integration.json"},
		attackers: 6, address: "127.0.0.41",
		want: map[string]any{
			"event_count": 9, "services": []string{"ssh"}, "command_count": 3, "login_attempts": 3, "login_successes": 1,
			"deckies": []string{"decoy-web-01", "beelzebub"},
		},
		sample: `"command_line"`, show: []string{"command.line", "login_successes"},
	},
	{
		config: "dionaea", data: []string{"dionaea/log_incident.json"},
		attackers: 10, address: "127.0.0.43",
		want: map[string]any{
			"event_count": 7, "services_interacted": []string{"mssql"}, "login_attempts": 3, "command_count": 1, "spoofable": false,
		},
		sample: `mssql.cmd`, show: []string{"command.line", "credential.pair"},
	},
	{
		config: "heralding", data: []string{"heralding/log_session.json"},
		attackers: 16, address: "127.0.0.31",
		want:   map[string]any{"event_count": 1, "services": []string{"ftp"}, "login_attempts": 3, "spoofable": false},
		sample: `"127.0.0.31"`, show: []string{"credential.pair", "credentials"},
	},
	{
		config: "beelzebub", data: []string{"beelzebub/beelzebub.json"},
		attackers: 9, address: "127.0.0.41",
		want: map[string]any{
			"event_count": 10, "services_interacted": []string{"ssh"}, "command_count": 5, "login_attempts": 4,
			"behavior.tools": []string{"paramiko"},
		},
		sample: `"Status":"Interaction"`, show: []string{"command.line", "credential.pair", "fingerprint.ssh_client"},
	},
	{
		config: "tpot", data: []string{"tpot/cowrie.json", "tpot/others.json"},
		env:       map[string]string{"DECOY_NETS": "10.99.0.2/32,10.99.0.10/32,fd00:99::2/128"},
		attackers: 18, address: "127.0.0.2",
		want: map[string]any{
			"event_count": 33, "services_interacted": []string{"ssh"}, "command_count": 4, "login_attempts": 7, "login_successes": 3,
		},
		sample: `"eventid": "cowrie.login.success"`, show: []string{"command.line", "credential.pair", "fingerprint.hassh"},
	},
	{
		config: "syslog", data: []string{"syslog/rsyslog-5424.log"},
		attackers: 6, address: "127.0.0.25",
		want: map[string]any{
			"event_count": 23, "services": []string{"ssh"}, "services_interacted": []string{"ssh"}, "deckies": []string{"decoy-web-01"},
			"command_count": 20, "login_attempts": 1, "login_successes": 1, "spoofable": false,
		},
		sample: "CMD uid=", show: []string{"command.line", "credential.username"},
	},
	{
		config: "journald", data: []string{"journald/fluentbit-systemd.jsonl"},
		attackers: 30, address: "127.0.0.19",
		refused: []string{"reason=json_in_syslog verdict=dropped since_start=1 ", "reason=unknown_sender verdict=unattributed since_start=2 "},
		want: map[string]any{
			"event_count": 29, "services": []string{"ssh"}, "deckies": []string{"decoy-1"}, "login_attempts": 4, "login_successes": 4, "spoofable": false,
		},
		sample: "Accepted publickey", show: []string{"login_successes"},
	},
	{
		config: "json-syslog", data: []string{"syslog/json-5424.log"},
		env:       map[string]string{"DECOY_NETS": "10.99.0.2/32,10.99.0.10/32,fd00:99::2/128"},
		attackers: 12, address: "127.0.0.2", refused: []string{"reason=bad_json verdict=unparsed since_start=3 "},
		want: map[string]any{
			"event_count": 96, "services_interacted": []string{"ssh", "tftp"}, "login_attempts": 14, "login_successes": 9,
		},
		sample: "cowrie.login.success", show: []string{"command.line", "credential.pair", "fingerprint.hassh"},
	},
}
