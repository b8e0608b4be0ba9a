package options

// Description tells of one option to those who offer it elsewhere, as a flag
// or an environment variable.
type Description struct {
	// Key is the option's name in Fluent Bit's configuration.
	Key string
	// Default is what is used where it is not set, "" for nothing.
	Default string
	// Want says what is allowed, Doc what it does, in Markdown.
	Want, Doc string
	// Connection says that it tells how to reach Elasticsearch.
	Connection bool
	// Reading says that it decides what records are read as, or what the
	// attackers' profiles that come of them show without asking anybody.
	Reading bool
	// Secret says that the value must not be shown.
	Secret bool
}

// Describe returns all options in the order of the documentation.
func Describe() []Description {
	out := make([]Description, len(table))
	for i := range table {
		row := &table[i]
		out[i] = Description{
			Key: row.key, Default: row.value, Want: row.want, Doc: row.doc,
			Connection: row.group == groupConnection, Secret: row.secret,
			Reading: (row.group == groupEvents || row.group == groupProfiles) && row.key != "activity" && row.key != "ptr",
		}
		if row.shown != "" {
			out[i].Default = row.shown
		}
	}
	return out
}
