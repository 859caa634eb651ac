package api

// MaxCompletion is how much code may be sent to be completed, in bytes.
const MaxCompletion = 1 << 20

// Completion says how code may go on at a cursor.
type Completion struct {
	// Start is where the text begins that a match takes the place of, up to the cursor. It counts
	// characters (code points), as the cursor does.
	Start int `json:"start"`
	// Matches are the texts that may stand there, in their order; at most 200.
	Matches []string `json:"matches"`
	// Signature is how the function is called in whose brackets the cursor is, or null.
	Signature *string `json:"signature"`
}
