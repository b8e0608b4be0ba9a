package event

// What an Evidence says by its kind. Each of these is the Evidence itself under
// the names that its fields have for that kind; for another kind they mean
// nothing.
type (
	// CommandEvidence is an Evidence of kind Command.
	CommandEvidence Evidence
	// LoginEvidence is one of kind Login.
	LoginEvidence Evidence
	// FingerprintEvidence is one of kind Fingerprint.
	FingerprintEvidence Evidence
	// ArtifactEvidence is one of kind Artifact.
	ArtifactEvidence Evidence
	// LeakEvidence is one of kind Leak.
	LeakEvidence Evidence
	// SessionEvidence is one of kind Session.
	SessionEvidence Evidence
	// StackEvidence is one of kind Stack.
	StackEvidence Evidence
	// RecognitionEvidence is one of kind Tool or Technique.
	RecognitionEvidence Evidence
	// AlertEvidence is one of kind Alert.
	AlertEvidence Evidence
	// IndicatorEvidence is one of kind Indicator.
	IndicatorEvidence Evidence
	// ForwardEvidence is one of kind Forward.
	ForwardEvidence Evidence
	// SaidEvidence is one of kind Said.
	SaidEvidence Evidence
	// ConclusionEvidence is one of kind Conclusion.
	ConclusionEvidence Evidence
)

// Command returns e as a command.
func (e *Evidence) Command() *CommandEvidence { return (*CommandEvidence)(e) }

// Line is what was typed or sent.
func (e *CommandEvidence) Line() string { return e.A }

// Session is the sensor's name of the session it was given in, "" where it names
// none with the command.
func (e *CommandEvidence) Session() string { return e.C }

// Known says whether a rule knows it.
func (e *CommandEvidence) Known() bool { return e.N > 0 }

// Login returns e as an attempt to authenticate.
func (e *Evidence) Login() *LoginEvidence { return (*LoginEvidence)(e) }

// Principal is who the attacker said to be.
func (e *LoginEvidence) Principal() string { return e.A }

// SecretKind is what the secret is, "" where none was shown.
func (e *LoginEvidence) SecretKind() string { return e.B }

// Secret is the secret as it may be shown.
func (e *LoginEvidence) Secret() string { return e.C }

// SecretDigest is the SHA-256 of the secret's bytes, a view of e.
func (e *LoginEvidence) SecretDigest() string { return View(e.Digest[:]) }

// Attempts is how often it was made.
func (e *LoginEvidence) Attempts() int64 { return max(1, e.N) }

// Fingerprint returns e as a fingerprint.
func (e *Evidence) Fingerprint() *FingerprintEvidence { return (*FingerprintEvidence)(e) }

// Type is what the value is of: ja3, hassh, http_useragent ...
func (e *FingerprintEvidence) Type() string { return e.A }

// Value is the fingerprint.
func (e *FingerprintEvidence) Value() string { return e.B }

// Artifact returns e as a file or mail.
func (e *Evidence) Artifact() *ArtifactEvidence { return (*ArtifactEvidence)(e) }

// SHA256 is its digest in hex, "" where the file isn't there.
func (e *ArtifactEvidence) SHA256() string { return e.A }

// URL is where it came from.
func (e *ArtifactEvidence) URL() string { return e.B }

// Type is file, mail or url.
func (e *ArtifactEvidence) Type() string { return e.C }

// Leak returns e as an address that headers claim.
func (e *Evidence) Leak() *LeakEvidence { return (*LeakEvidence)(e) }

// Address is the address claimed.
func (e *LeakEvidence) Address() string { return e.A }

// Header is the header that claims it.
func (e *LeakEvidence) Header() string { return e.B }

// Category is "public", or why the address can't be.
func (e *LeakEvidence) Category() string { return e.C }

// Session returns e as a session.
func (e *Evidence) Session() *SessionEvidence { return (*SessionEvidence)(e) }

// ID is the sensor's name of the session.
func (e *SessionEvidence) ID() string { return e.A }

// Milliseconds is its length, 0 where that is not known.
func (e *SessionEvidence) Milliseconds() int64 { return e.N }

// Indicator returns e as an indicator.
func (e *Evidence) Indicator() *IndicatorEvidence { return (*IndicatorEvidence)(e) }

// Type is what the value is: url, domain, sha256 ...
func (e *IndicatorEvidence) Type() string { return e.A }

// Value is the indicator, normalised.
func (e *IndicatorEvidence) Value() string { return e.B }

// Use is how it was used.
func (e *IndicatorEvidence) Use() string { return e.C }

// Forward returns e as what a decoy was asked to pass on.
func (e *Evidence) Forward() *ForwardEvidence { return (*ForwardEvidence)(e) }

// Target is where to: host:port, or a mail domain.
func (e *ForwardEvidence) Target() string { return e.A }

// Way is direct-tcpip, http_proxy or smtp_relay.
func (e *ForwardEvidence) Way() string { return e.B }

// Domain is the mail domain of a Recipient or Message.
func (e *Evidence) Domain() string { return e.A }

// Stack returns e as a TCP/IP fingerprint.
func (e *Evidence) Stack() *StackEvidence { return (*StackEvidence)(e) }

// System is the sensor's guess of the operating system.
func (e *StackEvidence) System() string { return e.A }

// TTL is the time to live as seen, 0 where that is not known.
func (e *StackEvidence) TTL() int64 { return e.N }

// Hops is the hop distance, 0 where that is not known.
func (e *StackEvidence) Hops() int64 { return e.M }

// Segments is how many segments were sent again, of Retransmits.
func (e *Evidence) Segments() int64 { return e.N }

// Algorithms is the client's order of key exchange algorithms, of KexOrder.
func (e *Evidence) Algorithms() string { return e.A }

// Recognised returns e as a tool or technique that was recognised.
func (e *Evidence) Recognised() *RecognitionEvidence { return (*RecognitionEvidence)(e) }

// Name is the tool's name, or the technique's id.
func (e *RecognitionEvidence) Name() string { return e.A }

// Why is by what it was recognised.
func (e *RecognitionEvidence) Why() string { return e.B }

// Alert returns e as a signature that matched.
func (e *Evidence) Alert() *AlertEvidence { return (*AlertEvidence)(e) }

// Signature is the signature's name.
func (e *AlertEvidence) Signature() string { return e.A }

// Category is the signature's category.
func (e *AlertEvidence) Category() string { return e.B }

// Side is PayloadHost, or "".
func (e *AlertEvidence) Side() string { return e.C }

// Severity is 1 where it is worst.
func (e *AlertEvidence) Severity() int64 { return e.N }

// Said returns e as text that rules look at.
func (e *Evidence) Said() *SaidEvidence { return (*SaidEvidence)(e) }

// Text is the text as it was sent.
func (e *SaidEvidence) Text() string { return e.A }

// Part is which part of a request it is: SaidRequest ...
func (e *SaidEvidence) Part() string { return e.B }

// Name is a request's method or a header's name.
func (e *SaidEvidence) Name() string { return e.C }

// Conclusion returns e as what a rule concluded.
func (e *Evidence) Conclusion() *ConclusionEvidence { return (*ConclusionEvidence)(e) }

// Rule is the rule's id.
func (e *ConclusionEvidence) Rule() string { return e.A }

// Saw is what it saw.
func (e *ConclusionEvidence) Saw() string { return e.B }

// Stage is the rank of the rule's stage.
func (e *ConclusionEvidence) Stage() int64 { return e.N }

// AtDoor says whether it saw what a decoy was only asked to run.
func (e *ConclusionEvidence) AtDoor() bool { return e.M > 0 }
