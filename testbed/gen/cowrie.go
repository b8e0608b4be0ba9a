package gen

import (
	"encoding/json"
	"strconv"
	"time"
)

// cowrieEvent appends what an event has beside the fields that all have, and
// returns its id, which ends "cowrie.".
type cowrieEvent func(s *Source, b []byte, a *actor) (fields []byte, id string)

// cowrieMix is what attackers do to Cowrie, by habit.
var cowrieMix = map[Habit][]weighted[cowrieEvent]{
	Scanner:  {{10, (*Source).sessionConnect}, {10, (*Source).sessionClosed}, {6, (*Source).version}, {2, (*Source).kex}},
	Guesser:  {{20, (*Source).sessionConnect}, {20, (*Source).sessionClosed}, {20, (*Source).version}, {15, (*Source).kex}, {25, (*Source).failed}},
	Browser:  {{10, (*Source).sessionConnect}, {10, (*Source).sessionClosed}, {8, (*Source).failed}},
	Intruder: {{8, (*Source).sessionConnect}, {8, (*Source).sessionClosed}, {6, (*Source).success}, {20, (*Source).input}, {3, (*Source).download}},
	Spammer:  {{10, (*Source).sessionConnect}, {10, (*Source).version}, {5, (*Source).success}},
}

func (s *Source) cowrie(b []byte, a *actor, at time.Time) []byte {
	event := choose(s, cowrieMix[a.habit])
	decky := a.deckies[s.rand.IntN(a.reach)]
	b = append(b, `{"session":"`...)
	b = append(b, s.digest()[:12]...)
	b = append(b, `","protocol":"ssh","src_ip":"`...)
	b = a.addr.AppendTo(b)
	b = append(b, `","src_port":`...)
	b = strconv.AppendInt(b, int64(1024+s.rand.IntN(60000)), 10)
	b = append(b, `,"dst_ip":"10.0.0.5","dst_port":2222`...)
	b, id := event(s, b, a)
	b = append(b, `,"eventid":"cowrie.`...)
	b = append(b, id...)
	b = append(b, `","sensor":"decoy-ssh-`...)
	b = two(b, decky)
	b = append(b, `","uuid":"39b0a776-e795-11f1-992c-02fc00000001","timestamp":"`...)
	b = at.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	return append(b, `"}`...)
}

// member appends a member of a JSON object.
func member(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return append(b, text...)
}

func (s *Source) sessionConnect(b []byte, a *actor) ([]byte, string) {
	return member(b, "message", "New connection: "+a.addr.String()+" (10.0.0.5:2222)"), "session.connect"
}

func (s *Source) sessionClosed(b []byte, _ *actor) ([]byte, string) {
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendInt(b, int64(s.rand.IntN(90000)), 10)
	return member(b, "message", "Connection lost"), "session.closed"
}

func (s *Source) version(b []byte, a *actor) ([]byte, string) {
	v := own(a, 1, []string{"SSH-2.0-Go", "SSH-2.0-libssh2_1.10.0", "SSH-2.0-paramiko_3.4.0"})
	b = member(b, "version", v)
	return member(b, "message", "Remote SSH version: "+v), "client.version"
}

func (s *Source) kex(b []byte, a *actor) ([]byte, string) {
	hassh := own(a, 2, []string{"4c94058d5e9e31659879f79fd5b46084", "0a07365cc01fa9fc82608ba4019af499", "16443846184eafde36765c9bab2f4397"})
	b = member(b, "hassh", hassh)
	b = member(b, "hasshAlgorithms", "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256;aes128-gcm@openssh.com,aes128-ctr;hmac-sha2-256-etm@openssh.com,hmac-sha2-256;none")
	b = append(b, `,"kexAlgs":["curve25519-sha256","curve25519-sha256@libssh.org","ecdh-sha2-nistp256"]`...)
	b = append(b, `,"keyAlgs":["ssh-ed25519","ecdsa-sha2-nistp256","rsa-sha2-512","rsa-sha2-256"]`...)
	b = append(b, `,"encCS":["aes128-gcm@openssh.com","aes128-ctr"],"macCS":["hmac-sha2-256-etm@openssh.com","hmac-sha2-256"],"compCS":["none"],"langCS":[""]`...)
	return member(b, "message", "SSH client hassh fingerprint: "+hassh), "client.kex"
}

func (s *Source) attempt(b []byte, how string) []byte {
	user, password := pick(s, users), pick(s, passwords)
	b = member(b, "username", user)
	b = member(b, "password", password)
	return member(b, "message", "login attempt ["+user+"/"+password+"] "+how)
}

func (s *Source) failed(b []byte, _ *actor) ([]byte, string) {
	return s.attempt(b, "failed"), "login.failed"
}

func (s *Source) success(b []byte, _ *actor) ([]byte, string) {
	return s.attempt(b, "succeeded"), "login.success"
}

func (s *Source) input(b []byte, _ *actor) ([]byte, string) {
	c := pick(s, commands)
	b = member(b, "input", c)
	return member(b, "message", "CMD: "+c), "command.input"
}

func (s *Source) download(b []byte, _ *actor) ([]byte, string) {
	sum := s.digest()
	b = member(b, "url", "http://198.51.100.7/x.sh")
	b = member(b, "outfile", "var/lib/cowrie/downloads/"+sum)
	b = member(b, "shasum", sum)
	b = member(b, "destfile", "/tmp/x")
	return member(b, "message", "Downloaded URL (http://198.51.100.7/x.sh)"), "session.file_download"
}
