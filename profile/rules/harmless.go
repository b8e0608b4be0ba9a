package rules

// What somebody is taken for harmless by.
const (
	// ByNetwork is a listed network, ByName a name that was confirmed forwards,
	// Announced what only the client says, Noise that there was nothing but
	// packets.
	ByNetwork = "network"
	ByName    = "dns"
	Announced = "announced"
	Noise     = "noise"
)

// Bases returns what somebody may be taken for harmless by.
func Bases() []string { return []string{ByNetwork, ByName, Announced, Noise} }

// The classes of attackers, as GreyNoise has them: who is known to mean no
// harm, who may, and who does.
const (
	Benign     = "benign"
	Suspicious = "suspicious"
	Malicious  = "malicious"
)

func classes(stage Stage, basis string) string {
	switch {
	case basis != "":
		return Benign
	case stage > Looking:
		return Malicious
	}
	return Suspicious
}
