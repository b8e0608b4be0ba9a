package rules

// Stage is how far an attacker got, the earliest first.
type Stage uint8

// The stages.
const (
	None Stage = iota
	Looking
	Attempting
	Inside
	Acting
)

// stages has the names of the stages from Looking on.
var stages = []string{"looking", "attempting", "inside", "acting"}

// String returns the stage's name, "none" for None.
func (s Stage) String() string {
	if s == None || s > Acting {
		return "none"
	}
	return stages[s-1]
}

// Rank returns the rule's stage.
func (r *Rule) Rank() Stage { return r.rank }

// stageOf returns the stage of that name, None without one.
func stageOf(name string) Stage {
	for i, n := range stages {
		if n == name {
			return Stage(i + 1)
		}
	}
	return None
}
