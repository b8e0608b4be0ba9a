package event

// Proof says how it is known that an event's address is the attacker's. All
// of an event's evidence has the event's proof.
type Proof uint8

// The proofs, weakest first.
const (
	// Claimed is an address that whoever sent the event could choose: the
	// source of a datagram or of a packet without a handshake, or text.
	Claimed Proof = iota
	// ByShell is an address from a shell's environment, which whoever types can
	// set. It is that of a session where the same address had logged in on
	// that decoy within the day before, else it is claimed: what is known of
	// the address decides, whenever it comes.
	ByShell
	// BySession is an address that the sensor knows from a session it serves.
	BySession
	// ByConnection is the other end of a TCP connection, or of one that proves
	// as much (QUIC's, once it is established), with the decoy.
	ByConnection
)

// Proven says whether nobody else could have put the address there.
func (p Proof) Proven() bool { return p >= BySession }

var proofs = [...]string{"claimed", "shell", "session", "connection"}

// String returns the proof's name as it stands in the documents.
func (p Proof) String() string {
	if int(p) < len(proofs) {
		return proofs[p]
	}
	return proofs[Claimed]
}

// ProofNamed returns the proof of that name; what is no name is Claimed.
func ProofNamed(name string) Proof {
	for p, n := range proofs {
		if n == name {
			return Proof(p)
		}
	}
	return Claimed
}
