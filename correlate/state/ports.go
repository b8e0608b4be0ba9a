package state

import (
	"cmp"
	"encoding/binary"
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// portBytes is what a port takes at the most: its key is three bytes.
const portBytes = 30 + 1 + 3 + 1

// LimitPorts has room for all the ports that matter, and shares for the
// others, claimed and proven, which take what those leave.
var LimitPorts = law.Limit{Bytes: (len(portsThatMatter) + 64 + 64) * portBytes, Entry: 64, Class: portClass, Shares: []law.Share{
	portsMattering: {Bytes: len(portsThatMatter) * portBytes}, portsOther: {Bytes: 64 * portBytes, Firsts: 4}, portsProven: {Bytes: 64 * portBytes, Firsts: 8},
}}

// The classes of ports.
const (
	portsMattering = iota
	portsOther
	portsProven
)

// provenPort marks in the key of a port that matters to nobody that it is
// proven: a sweep in the name of an address, which costs a packet a port, pushes
// nothing out that a connection proved.
const provenPort = 0x80

// PortKey returns the key of a port of a decoy's.
func PortKey(a *event.Arena, t event.Transport, port uint16) string {
	return a.Keep(binary.BigEndian.AppendUint16(append(a.Grab(3), byte(t)), port))
}

// PortOf takes a key apart.
func PortOf(key string) (event.Transport, uint16) {
	if len(key) != 3 {
		return event.NoTransport, 0
	}
	return event.Transport(key[0] &^ provenPort), uint16(key[1])<<8 | uint16(key[2])
}

// MergePorts makes one of what is claimed and what is proven of a port. It
// changes entries, and returns those that are left.
func MergePorts(entries []law.Entry) []law.Entry {
	left := entries[:0]
	for _, e := range entries {
		i := slices.IndexFunc(left, func(o law.Entry) bool { return samePort(o.Key, e.Key) })
		if i < 0 {
			left = append(left, e)
			continue
		}
		o := &left[i]
		o.Count, o.Rank = o.Count+e.Count, max(o.Rank, e.Rank)
		o.First, o.Last = law.Earliest(o.First, e.First), max(o.Last, e.Last)
	}
	return left
}

func samePort(a, b string) bool {
	t, port := PortOf(a)
	u, number := PortOf(b)
	return t == u && port == number
}

// CountPorts estimates how many ports there were: those that are kept as claimed
// and as proven count once.
func CountPorts(ports *law.Bottom) int64 {
	n := ports.Distinct()
	entries := ports.Entries()
	for i := range entries {
		if portClass(entries[i].Key) != portsProven {
			continue
		}
		if slices.ContainsFunc(entries, func(o law.Entry) bool { return o.Key != entries[i].Key && samePort(o.Key, entries[i].Key) }) {
			n--
		}
	}
	return n
}

// ComparePorts orders ports by how often they were tried, then by transport and
// number.
func ComparePorts(x, y law.Entry) int {
	return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Key, y.Key))
}

// foldPort adds the decoy's port that an event tells.
func foldPort(a *event.Arena, to *law.Bottom, ev *event.Event) {
	if ev.Port == 0 || ev.Role == event.Contact {
		return
	}
	proven := uint8(0)
	if ev.Proof.Proven() {
		proven = 1
	}
	t := ev.Transport
	if proven > 0 && !portMatters(t, ev.Port) {
		t |= provenPort
	}
	to.See(PortKey(a, t, ev.Port), ev.Time, proven, "", &LimitPorts)
}

// portClass tells the ports that matter from the others: whoever sweeps all
// ports pushes none of the former out.
func portClass(key string) int {
	switch t, port := PortOf(key); {
	case portMatters(t, port):
		return portsMattering
	case len(key) > 0 && key[0]&provenPort != 0:
		return portsProven
	default:
		return portsOther
	}
}

func portMatters(t event.Transport, port uint16) bool {
	return t == event.TCP && streamPorts.has(port) || t == event.UDP && datagramPorts.has(port)
}

// portSet is a set of ports.
type portSet [1 << 10]uint64

func (s *portSet) has(port uint16) bool { return s[port>>6]&(1<<(port&63)) != 0 }

func setOf(t event.Transport) (s portSet) {
	for _, p := range portsThatMatter {
		if p.transport == t {
			s[p.number>>6] |= 1 << (p.number & 63)
		}
	}
	return s
}

var streamPorts, datagramPorts = setOf(event.TCP), setOf(event.UDP)

type portNumber struct {
	transport event.Transport
	number    uint16
}

// portsThatMatter are the ports that attackers are known to look for: services
// of remote access, files, mail, databases, the web and its usual other ports,
// queues, containers, devices, industry, and back doors. The list is part of
// the law: one that is put in or taken out changes which ports a full list
// keeps.
var portsThatMatter = func() (all [256]portNumber) {
	n := 0
	add := func(t event.Transport, numbers ...uint16) {
		for _, p := range numbers {
			all[n] = portNumber{t, p}
			n++
		}
	}
	add(event.TCP,
		7, 9, 13, 17, 19, 20, 21, 22, 23, 25, 26, 37, 42, 43, 49, 53, 69, 70, 79, 80, 81, 82, 83, 84, 85, 88, 89, 90, 102,
		104, 110, 111, 113, 119, 135, 137, 139, 143, 161, 162, 179, 199, 210, 264, 311, 389, 427, 443, 444, 445, 464, 465,
		500, 502, 503, 512, 513, 514, 515, 523, 540, 541, 543, 544, 548, 554, 587, 593, 631, 636, 646, 666, 800, 801, 808,
		830, 843, 853, 873, 880, 888, 902, 989, 990, 992, 993, 995, 1022, 1080, 1099, 1177, 1194, 1200, 1234, 1311, 1337,
		1352, 1400, 1433, 1434, 1471, 1515, 1521, 1604, 1723, 1741, 1833, 1883, 1911, 1935, 1962, 2000, 2022, 2049, 2067,
		2082, 2083, 2086, 2087, 2121, 2181, 2222, 2223, 2323, 2375, 2376, 2379, 2404, 2455, 2480, 3000, 3128, 3260, 3268,
		3269, 3299, 3306, 3310, 3388, 3389, 3390, 3460, 3689, 3690, 3780, 3790, 4000, 4022, 4040, 4242, 4369, 4443, 4444,
		4500, 4567, 4664, 4730, 4782, 4786, 4840, 4848, 4899, 4911, 4949, 5000, 5001, 5006, 5007, 5009, 5038, 5060, 5061,
		5222, 5269, 5357, 5432, 5500, 5555, 5560, 5601, 5672, 5800, 5801, 5858, 5900, 5901, 5938, 5984, 5985, 5986, 6000,
		6001, 6379, 6443, 6666, 6667, 7001, 7547, 7777, 8000, 8001, 8008, 8009, 8080, 8081, 8086, 8088, 8089, 8090, 8291,
		8443, 8545, 8728, 8888, 8983, 9000, 9001, 9042, 9090, 9092, 9100, 9200, 9300, 9418, 10000, 10250, 11211, 15672, 20000,
		27017, 34567, 37777, 44818, 49152, 50000, 52869, 60001, 61616,
	)
	add(event.UDP, 53, 69, 111, 123, 137, 161, 389, 443, 500, 1194, 1434, 1900, 3702, 5060, 5353, 5683, 11211, 47808)
	if n != len(all) {
		panic("state: the ports that matter are not as many as there is room for")
	}
	return all
}()
