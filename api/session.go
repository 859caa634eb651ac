package api

import (
	"fmt"
	"regexp"
	"time"
)

// MaxSession is how many bytes the name of a session may have.
const MaxSession = 64

var sessionName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,%d}$`, MaxSession-1))

// CheckSession fails with [ErrBad] unless name can be the name of a session: 1 to [MaxSession] of
// A-Z a-z 0-9 . _ -, with none of . and - at its beginning.
func CheckSession(name string) error {
	if sessionName.MatchString(name) {
		return nil
	}
	if len(name) > MaxSession {
		return fmt.Errorf("%w: session: the name has %d bytes and may have %d", ErrBad, len(name), MaxSession)
	}
	return fmt.Errorf("%w: session: %q is no name of a session: 1 to %d of A-Z a-z 0-9 . _ -, and neither . nor - at its beginning", ErrBad, name, MaxSession)
}

// Session is a session at one moment: a Blender that keeps its scene, modules and names from run to
// run. `blendtray session list --json` prints it.
type Session struct {
	Name string `json:"name"`
	// Blender is the name of the Blender whose program the session has.
	Blender string       `json:"blender"`
	State   SessionState `json:"state"`
	// Reason says in a sentence why the session has crashed or ended, or is "".
	Reason string `json:"reason"`
	// PID is the session's process, 0 where it has none.
	PID int `json:"pid"`
	// Run is the id of the run that is running in it, or that has begun to wait for its Blender, or "".
	Run string `json:"run"`
	// Queued is how many runs wait for it, and Runs how many it has executed.
	Queued int `json:"queued"`
	Runs   int `json:"runs"`
	// BegunAt is when its Blender became the session's, and UsedAt when its last run ended.
	BegunAt time.Time `json:"begun_at"`
	UsedAt  time.Time `json:"used_at"`
	// EndsAt is when it ends by itself if it is not used until then; null while it is used, and
	// where sessions.idle sets no time.
	EndsAt      *time.Time `json:"ends_at"`
	MemoryBytes uint64     `json:"memory_bytes"`
	// Checkpoints are the copies of its scene that it can go back to, the oldest first.
	Checkpoints []Checkpoint `json:"checkpoints"`
	// AtCheckpoint is the number of the newest checkpoint where an undo has put the scene back to it and
	// nothing has changed the scene since, and else 0. The next undo goes back to the checkpoint before.
	AtCheckpoint int `json:"at_checkpoint"`
}

// Checkpoint is a copy of the scene of a session.
type Checkpoint struct {
	// Number counts the checkpoints of a session from 1 on, and no number is used twice.
	Number int       `json:"number"`
	MadeAt time.Time `json:"made_at"`
	Bytes  uint64    `json:"bytes"`
}

// SessionState is where a session stands.
type SessionState string

// The states of a session.
const (
	// SessionStarting: its first run waits for a Blender.
	SessionStarting SessionState = "starting"
	SessionReady    SessionState = "ready"
	SessionRunning  SessionState = "running"
	// SessionCrashed: its Blender is gone, and what it has kept with it, but for its checkpoints.
	// The next run begins it anew.
	SessionCrashed SessionState = "crashed"
	// SessionEnded: it has ended by itself, and is only remembered for a while. The next run begins
	// it anew.
	SessionEnded SessionState = "ended"
)

// SessionOperation is what is done with the scene of a session beside running scripts.
type SessionOperation string

// The operations.
const (
	// SessionSave saves a copy of the scene as a .blend.
	SessionSave SessionOperation = "save"
	// SessionOpen opens a .blend in the session, and begins the session if it is not there.
	SessionOpen SessionOperation = "open"
	// SessionCheckpoint keeps a copy of the scene.
	SessionCheckpoint SessionOperation = "checkpoint"
	// SessionUndo makes the scene what it was at the last checkpoint; a second one, with nothing
	// between the two, at the checkpoint before.
	SessionUndo SessionOperation = "undo"
	// SessionLook looks at the scene, and changes nothing. It begins the session if it is not there.
	SessionLook SessionOperation = "look"
)

// NeedsFile reports whether the operation has a file.
func (o SessionOperation) NeedsFile() bool { return o == SessionSave || o == SessionOpen }

// NeedsSession reports whether the session has to be there already.
func (o SessionOperation) NeedsSession() bool { return o != SessionOpen && o != SessionLook }

// SessionRequest asks for an operation of a session.
type SessionRequest struct {
	Session   string
	Operation SessionOperation
	// File is the absolute path of a .blend for [SessionSave] and [SessionOpen], and else "".
	File string
	// Look is what a [SessionLook] looks at, and else nil.
	Look *Look
	// Client says who asks, for the history.
	Client string
	// Confined has the session begin in a Blender that is confined, as in [Submission].
	Confined bool
}

// Look says what to look at in the scene of a session. The result of the run has what was seen.
type Look struct {
	// What is "summary", "inspect", "marks" or "picture".
	What string `json:"what"`
	// Path of an "inspect" is a path of data, such as `bpy.data.objects["Cube"].modifiers`. It is read
	// and never executed.
	Path string `json:"path,omitempty"`
	// From and Max say which objects a "summary" has, or which items an "inspect" of a collection; a
	// Max of 0 is 50.
	From int `json:"from,omitempty"`
	Max  int `json:"n,omitempty"`
	// Views of a "picture" are what it shows beside one another, of [PreviewViews]; none is the camera.
	Views []string `json:"views,omitempty"`
	// Style of a "picture" is "rendered" (with Cycles), or "solid" (with Workbench), which needs a display
	// or a GPU on some systems; "" is "rendered".
	Style string `json:"style,omitempty"`
	// Focus of a "picture" is the name of the object that it shows, "" for all.
	Focus string `json:"focus,omitempty"`
	// Size of a "picture" is the longer side of each view in pixels, [MinPreview] to [MaxPreview]; 0 is 512.
	Size int `json:"size,omitempty"`
	// File of a "picture" is set by the engine: where it is saved, as a JPEG.
	File string `json:"file,omitempty"`
}

// LookKinds and LookStyles are the choices of What and Style of a [Look].
var (
	LookKinds  = []string{"summary", "inspect", "marks", "picture"}
	LookStyles = []string{"rendered", "solid"}
)

// The bounds of a [Look]: how many views a picture may have, how many objects or items are listed, and
// how many bytes a path may have.
const (
	MaxViews    = 8
	MaxLooked   = 1000
	MaxLookPath = 1000
)

// SessionDone is an operation of a session that has succeeded.
type SessionDone struct {
	// Run is the operation in the history of the runs.
	Run Run `json:"run"`
	// Session is the session after it.
	Session Session `json:"session"`
	// File is the JPEG of a look that has made a picture, and else "". The engine has named it: the result
	// of a run says what the script wants it to say.
	File string `json:"file"`
}
