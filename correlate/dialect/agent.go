package dialect

import "strings"

// agentWords finds known software in a user agent. Words are found in any
// case, at the start of a word of the text.
type agentWords struct {
	byFirst [256][]agentWord
}

type agentWord struct {
	word, tool string
	category   agentCategory
}

type agentCategory uint8

// The categories in the order in which one outranks another.
const (
	agentScanner agentCategory = iota
	agentCLI
	agentLibrary
	agentBot
	agentOther
)

// agents knows the software that attackers' requests name.
var agents = newAgentWords(map[agentCategory][]string{
	agentScanner: {
		"nmap", "masscan", "zgrab", "zmap", "nuclei", "sqlmap", "gobuster", "dirbuster", "dirb", "nikto",
		"feroxbuster", "wfuzz", "ffuf", "wpscan", "katana", "burp", "acunetix", "nessus", "openvas", "arachni",
		"whatweb", "wappalyzer", "sploitscan", "censysinspect", "expanse", "internetmeasurement", "l9explore",
		"leakix", "metasploit", "hydra", "fuzz faster u fool=ffuf",
	},
	agentCLI: {"curl", "wget", "httpie", "powershell", "aria2"},
	agentLibrary: {
		"python-requests", "python-urllib", "python-httpx", "python", "aiohttp", "go-http-client", "java", "okhttp",
		"apache-httpclient", "axios", "node-fetch", "undici", "got", "ruby", "faraday", "php", "guzzlehttp",
		"libwww-perl", "lwp", "winhttp", "dart", "scrapy", "reqwest", "hyper", "rest-client", "restsharp",
	},
	agentBot: {"bot", "crawler", "spider", "slurp", "monitor"},
})

func newAgentWords(words map[agentCategory][]string) *agentWords {
	w := new(agentWords)
	for category := range agentOther {
		for _, word := range words[category] {
			word, tool, ok := strings.Cut(word, "=")
			if !ok {
				tool = word
			}
			if category == agentBot {
				tool = ""
			}
			w.byFirst[word[0]] = append(w.byFirst[word[0]], agentWord{word, tool, category})
		}
	}
	return w
}

// match returns a user agent's category and the software it names.
func (w *agentWords) match(s string) (category, tool string) {
	s = s[:min(len(s), 512)]
	best := agentOther
	for i := 0; i < len(s) && best > agentScanner; i++ {
		for _, known := range w.byFirst[lowerByte(s[i])] {
			if known.category >= best || len(s)-i < len(known.word) {
				continue
			}
			// "bot" also ends names: Googlebot.
			if known.category != agentBot && i > 0 && isWordByte(s[i-1]) {
				continue
			}
			if strings.EqualFold(s[i:i+len(known.word)], known.word) {
				best, tool = known.category, known.tool
			}
		}
	}
	switch best {
	case agentScanner:
		return "scanner", tool
	case agentCLI:
		return "cli", tool
	case agentLibrary:
		return "library", tool
	case agentBot:
		return "bot", ""
	}
	switch {
	case s == "":
		return "empty", ""
	case len(s) > len("Mozilla/") && strings.HasPrefix(s, "Mozilla/") && s[len("Mozilla/")] >= '0' && s[len("Mozilla/")] <= '9':
		return "browser", ""
	default:
		return "nonstandard", ""
	}
}

func isWordByte(c byte) bool {
	c = lowerByte(c)
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}
