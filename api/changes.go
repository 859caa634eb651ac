package api

// Changes is how the code of a run differs from the code of the run before of the same script.
type Changes struct {
	// Run is the id of the run, and Before the id of the run before, or "" where the history has none.
	Run    string `json:"run"`
	Before string `json:"before"`
	// Script is the path or the name of the script.
	Script string `json:"script"`
	// Diff is a unified diff, "" where the two runs had the same code. Where there is no run before, all
	// lines are added.
	Diff string `json:"diff"`
	// Added and Removed count lines.
	Added   int `json:"added"`
	Removed int `json:"removed"`
	// NoText is true where one of the two is no text in UTF-8, or where both are too large to be compared.
	// Then the diff is "", whether they are the same or not: Same says that.
	NoText bool `json:"no_text"`
	Same   bool `json:"same"`
}
