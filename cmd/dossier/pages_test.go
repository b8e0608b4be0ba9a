package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// shown is a shell block of a page.
type shown struct {
	page string
	line int
	text string
}

// name is what tried calls a block by: its page and first line.
func (s shown) name() string {
	first, _, _ := strings.Cut(s.text, "\n")
	return s.page + ": " + first
}

// pages are those that people read, by their paths in the repository.
func pages(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md", "CHANGELOG.md", "testbed/README.md"}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(docs) < 15 {
		t.Fatal(docs, err)
	}
	for _, d := range docs {
		out = append(out, "docs/"+filepath.Base(d))
	}
	return out
}

// aCommand is how a line begins that somebody might paste into a shell.
var aCommand = regexp.MustCompile(`^(\S+ \S+ \S+ \S+ \S+ +)?(sudo |build/)?(dossier|make|docker|curl|export|fluent-bit|nft|ipset|systemctl|apt-get) ?`)

// blocks are the shell blocks of a page. A block that holds commands without
// saying so is an error.
func blocks(t *testing.T, page string) []shown {
	t.Helper()
	b, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	var out []shown
	fence, begin := "", 0
	var body []string
	for i, l := range strings.Split(string(b), "\n") {
		switch {
		case fence == "" && strings.HasPrefix(l, "```"):
			fence, begin, body = l, i+2, nil
		case fence != "" && l == "```":
			if fence == "```sh" {
				out = append(out, shown{page, begin, strings.Join(body, "\n")})
			} else if len(body) > 0 && aCommand.MatchString(body[0]) {
				t.Errorf("%s:%d: a block of commands that begins with %q: it should begin with ```sh", page, begin, fence)
			}
			fence = ""
		case fence != "":
			body = append(body, l)
		case strings.HasPrefix(l, "    ") && aCommand.MatchString(l[4:]):
			t.Errorf("%s:%d: a command outside of a block that begins with ```sh: %s", page, i+1, l)
		}
	}
	return out
}

// try is how a block is tried: with parts of it replaced by what there is
// here, or, where why is set, not at all.
type try struct {
	why   string
	edits []string // what stands on the page, and what stands for it
	want  string   // what it prints
}

// tried are the shell blocks of all pages.
var tried = map[string]try{
	"README.md: make demo": {why: "leaves a node running on the machine; its parts, testbed/sample, host and esnode, are those of the tests"},
	"README.md: make test": {why: "it is what runs this test"},
	"README.md: make build                       # build/out_dossier.so and build/dossier": {
		why: "TestMain builds the command, testbed/host the plugin, in the same way",
	},
	"README.md: cd conf": {why: "needs Docker; conf/compose.yaml is read by Compose's own parser in tools/images"},
	"README.md: make build": {
		edits: []string{
			"make build\n", "",
			"export DOSSIER_ES_HOSTS=https://elastic-1:9200 DOSSIER_ES_USER=elastic DOSSIER_ES_CA_FILE=ca.pem\n", "",
			"read -rs DOSSIER_ES_PASSWORD && export DOSSIER_ES_PASSWORD\n", "", // the node here has no users
			" --key writer:decoy-1=writer.key", " --months 1", " --url https://kibana:5601", "", // nor a Kibana: the files are written out
		},
		want: `"type":"dashboard"`,
	},
	"docs/analysts.md: export DOSSIER_ES_HOSTS=https://elastic-1.example:9200 DOSSIER_ES_CA_FILE=ca.pem DOSSIER_ES_API_KEY_FILE=anna.key": {},
	"docs/import.md: dossier setup --also-month 2026.03   # once for each month long past, or its hours go to …-other":                    {why: "TestImport and TestImportBounds import with these flags"},
	"docs/import.md: dossier import --into rebuilt --final archive/*":                                                                     {why: "TestImportInto imports so"},
	"docs/analysts.md: dossier top":                 {why: "takes a terminal, which TestTerminal of analyst/top has"},
	"docs/analysts.md: dossier show 185.33.108.234": {edits: []string{"185.33.108.234", busy}, want: busy + " did it"},
	"docs/analysts.md: dossier search --command 'wget http*'": {
		edits: []string{"203.0.113.9", busy, "T1070 ", "T1105 "},
		want:  busy,
	},
	"docs/analysts.md: dossier export --form blocklist --min-risk 70 --to /srv/feeds/dossier.txt --diff": {
		edits: []string{"/srv/feeds/", "", "bundle.json", "bundle.json; cat dossier.txt bundle.json"},
		want:  busy,
	},
	"docs/analysts.md: */10 * * * *  dossier export --form nftables --min-risk 40 --to /etc/nftables.d/dossier.nft --es-hosts https://elastic-1.example:9200 --es-ca-file /etc/dossier/ca.pem --es-api-key-file /etc/dossier/reader.key && nft -f /etc/nftables.d/dossier.nft": {
		edits: []string{
			"*/10 * * * *  ", "", " --es-hosts https://elastic-1.example:9200 --es-ca-file /etc/dossier/ca.pem --es-api-key-file /etc/dossier/reader.key", "",
			"/etc/nftables.d/", "", "nft -f", "cat", // a kernel's tables are no test's to change
		},
		want: busy,
	},
	"docs/analysts.md: dossier note 203.0.113.9 'our own red team until Friday, ticket 17'": {
		edits: []string{"203.0.113.9", quiet, "'our own scanner'", "'our own scanner' && dossier show " + quiet},
		want:  "our own red team until Friday, ticket 17",
	},
	"docs/analysts.md: dossier report 203.0.113.9 --to case-17.html": {
		edits: []string{"203.0.113.9", busy, "week.html", "week.html; cat case-17.html"},
		want:  "Content-Security-Policy",
	},
	`docs/compatibility.md: CC='zig cc -target x86_64-linux-gnu.2.17' CGO_ENABLED=1 \`: {why: "needs Zig, which is asked for by none of the tests"},
	"docs/kibana.md: export DOSSIER_ES_PASSWORD=…": {
		edits: []string{"export DOSSIER_ES_PASSWORD=…", ":", " --url https://kibana:5601 --es-user elastic", ""},
		want:  `"rule_id"`,
	},
	"docs/kibana.md: export AUTH=elastic:…": {why: "needs a Kibana; kibana's TestImport holds the same request against what its route asks for"},
	"docs/operations.md: 23 4 1 * *  dossier setup --es-hosts https://elastic-1.example:9200 --es-ca-file /etc/dossier/ca.pem --es-api-key-file /etc/dossier/setup.key": {
		why: "README's block runs setup; TestSetupRole of operate runs it with that role's key",
	},
	"docs/operations.md: 17 3 * * *  dossier retain --es-hosts https://elastic-1.example:9200 --es-ca-file /etc/dossier/ca.pem --es-api-key-file /etc/dossier/retention.key": {
		edits: []string{"17 3 * * *  ", "", " --es-hosts https://elastic-1.example:9200 --es-ca-file /etc/dossier/ca.pem --es-api-key-file /etc/dossier/retention.key", ""},
	},
	"docs/operations.md: dossier keys list                    # role, what it may do, made, expires, revoked; warns 30 days ahead": {
		why: "needs a node with users, on which TestKeys runs each of them",
	},
	"docs/operations.md: dossier setup --key forget=/etc/dossier/forget.key": {
		why: "needs a node with users; TestForgetRole of operate runs it with such a key",
	},
	"docs/operations.md: dossier repair --es-hosts … --es-api-key-file /etc/dossier/reader.key 203.0.113.9": {
		why: "needs a key, and finds nothing where nothing is spoilt; TestRepair spoils documents and carries out what it prints",
	},
	"docs/operations.md: dossier setup --key reshard=reshard.key": {
		why: "needs a node with users, on which TestReshardRole of operate runs it with such a key",
	},
	"docs/operations.md: dossier setup --key rejudge=/etc/dossier/rejudge.key": {
		why: "needs a node with users, and databases of places; TestRejudgeRole of operate runs it with such a key",
	},
	"docs/security.md: dossier setup --key writer:sensor-7=/etc/dossier/sensor-7.key --key-owner fluent-bit --key-expires 365d": {
		why: "needs a node with users, on which TestKeys makes such keys",
	},
	`docs/rules.md: { echo "[tor torproject.org $(date +%F)]"; curl -sf https://check.torproject.org/torbulkexitlist; } > networks.new && mv networks.new networks.txt`: {
		edits: []string{"curl -sf https://check.torproject.org/torbulkexitlist", "echo 192.0.2.1", "mv networks.new networks.txt", "mv networks.new networks.txt && cat networks.txt"},
		want:  "192.0.2.1",
	},
	"docs/sensors.md: dossier explain /var/log/cowrie/cowrie.json": {
		edits: []string{
			"/var/log/cowrie/cowrie.json", "$REPOSITORY/testbed/data/cowrie/cowrie.json",
			"fluent-bit -c your.yaml -o stdout -p format=json_lines", `echo '{"date":1767225600.5,"eventid":"cowrie.session.connect","src_ip":"192.0.2.1","session":"1","protocol":"ssh"}'`,
		},
		want: "read as cowrie",
	},
}

// Each command that a page shows is known with its flags, and each shell block
// is in the table of those that are tried, or says why it can't be.
func TestCommandsOfPages(t *testing.T) {
	seen := map[string]bool{}
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			if _, ok := tried[b.name()]; !ok {
				t.Errorf("%s:%d: nobody tries this block: add it to the table, with a reason if it can't be run\n%s", b.page, b.line, b.text)
			}
			seen[b.name()] = true
			parses(t, b)
		}
		inProse(t, page)
	}
	for name := range tried {
		if !seen[name] {
			t.Errorf("no page shows %q", name)
		}
	}
}

// shell runs a text in a shell of an empty folder, where dossier and
// build/dossier are the command, or what stands for it.
func shell(t *testing.T, text string, stand []byte, env ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "build")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if stand == nil {
		if err := os.Symlink(program, filepath.Join(bin, "dossier")); err != nil {
			t.Fatal(err)
		}
	} else if err := os.WriteFile(filepath.Join(bin, "dossier"), stand, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-euc", text)
	c.Dir = dir
	c.Env = append(append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "REPOSITORY="+root), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// parses wants the command tree to know each use of the command in a block, as
// the shell gives it its arguments.
func parses(t *testing.T, b shown) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "uses")
	stand := fmt.Sprintf("#!/bin/bash\nprintf '%%s\\0' \"$@\" >>%s\nprintf '\\n' >>%[1]s\n", list)
	for _, l := range strings.Split(b.text, "\n") {
		// Of a pipe or a list the part that is ours; times of cron before it.
		at := strings.Index(l, "dossier ")
		if l == "dossier top" {
			at = 0
		}
		if at < 0 || strings.HasPrefix(l, "export ") && !strings.Contains(l, "&& build/") {
			continue
		}
		line, _, _ := strings.Cut(l[at:], " && nft")
		if strings.Contains(line[:7], "dossier") && (at == 0 || l[at-1] == ' ' || l[at-1] == '/') {
			line = strings.NewReplacer("NAME|ID", "NAME").Replace(line)
			if out, err := shell(t, line, []byte(stand)); err != nil {
				t.Errorf("%s:%d: %s: %v %s", b.page, b.line, line, err, out)
			}
		}
	}
	uses, err := os.ReadFile(list)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for use := range bytes.SplitSeq(bytes.TrimSuffix(uses, []byte("\n")), []byte("\n")) {
		args := strings.Split(strings.TrimSuffix(string(use), "\x00"), "\x00")
		root := newRoot()
		root.InitDefaultCompletionCmd() // as a run makes it
		c, rest, err := root.Find(args)
		if err == nil && c == root {
			err = fmt.Errorf("there is no command %q", args)
		}
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s:%d: dossier %s: %v", b.page, b.line, strings.Join(args, " "), err)
		}
	}
}

// named is what is said of the command in the middle of a sentence.
var named = regexp.MustCompile("`(?:build/)?dossier ([^`]+)`")

// inProse wants commands and flags that a page names to be there.
func inProse(t *testing.T, page string) {
	t.Helper()
	b, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range named.FindAllSubmatch(b, -1) {
		words := strings.Fields(strings.Trim(string(m[1]), "…"))
		root := newRoot()
		root.InitDefaultCompletionCmd() // as a run makes it
		c, _, err := root.Find(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") }))
		if err != nil || c == root && !strings.HasPrefix(words[0], "-") {
			t.Errorf("%s: `dossier %s`: there is no such command", page, m[1])
			continue
		}
		known := map[string]bool{"help": true, "version": true}
		for _, set := range []*pflag.FlagSet{c.Flags(), c.InheritedFlags()} {
			set.VisitAll(func(f *pflag.Flag) { known[f.Name], known[f.Shorthand] = true, true })
		}
		for _, w := range words {
			if name, _, _ := strings.Cut(strings.TrimLeft(strings.Trim(w, "[]|"), "-"), "="); strings.HasPrefix(w, "-") && w != "-" && !known[name] {
				t.Errorf("%s: `dossier %s`: no flag %s; there are %v", page, m[1], w, slices.Sorted(maps.Keys(known)))
			}
		}
	}
}

// Every page of docs stands in its index, and in README or the index nothing
// leads nowhere.
func TestIndexOfPages(t *testing.T) {
	index, err := os.ReadFile("../../docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		if name, of := strings.CutPrefix(page, "docs/"); of && name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md leaves out %s", name)
		}
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, page := range pages(t) {
		b, err := os.ReadFile("../../" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(b, -1) {
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(page), string(m[1]))); err != nil {
				t.Errorf("%s leads to %s, which isn't there", page, m[1])
			}
		}
	}
}
