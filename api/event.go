package api

import "time"

// Event is one thing that happened, as clients of the event stream see it.
type Event struct {
	Time time.Time `json:"time"`
	// Kind is one of the Kind constants and says which other fields are set.
	Kind Kind `json:"kind"`
	// ID is the run's, for run, output, progress and preview events.
	ID string `json:"id,omitempty"`
	// Run is the run as it now stands, without its output. Listeners share it: do not change it.
	Run *Run `json:"run,omitempty"`
	// Text is printed output, UTF-8, with what is not UTF-8 replaced.
	Text string `json:"text,omitempty"`
	// From is the byte of what the run prints at which Text begins, as GET /runs/ID/output
	// counts: who has fewer bytes has missed some, and can ask for them.
	From int64 `json:"from,omitempty"`
	// Dropped is how many bytes of output were left out before this event, because this
	// client read too slowly.
	Dropped  int64     `json:"dropped,omitempty"`
	Progress *Progress `json:"progress,omitempty"`
	// Live is true for the picture of a render that goes on: Run.Preview is its path.
	Live    bool           `json:"live,omitempty"`
	Blender *BlenderStatus `json:"blender,omitempty"`
	// Message is a sentence for a person, for note and settings events.
	Message string `json:"message,omitempty"`
}

// Kind is the kind of an [Event].
type Kind string

// The kinds of events.
const (
	KindRun      Kind = "run"      // a run changed state: Run
	KindOutput   Kind = "output"   // a run printed: ID, Text
	KindProgress Kind = "progress" // a run got on: ID, Progress
	KindPreview  Kind = "preview"  // a picture of what a run left, or of what it renders, was made: ID, Run, Live
	KindBlender  Kind = "blender"  // a Blender changed state: Blender
	KindFolders  Kind = "folders"  // a folder's watch changed: ask for the status
	KindSettings Kind = "settings" // a setting changed, or the file of the settings became wrong or right: Message; ask for the settings
	KindHistory  Kind = "history"  // runs were deleted or pinned by a client: ask for the runs again; ID where it was one
	KindQueue    Kind = "queue"    // a run was put ahead of others: ask for the queue again; ID
	KindAgents   Kind = "agents"   // an agent came, called or went: ask for the status
	KindNote     Kind = "note"     // something a person may want to know: Message
	KindGap      Kind = "gap"      // this client was too slow and missed events: ask for the status
)
