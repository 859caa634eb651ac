// Package control is the local interface of an engine: JSON over HTTP on a unix socket (a
// named pipe on Windows), as docs/control.md describes it.
//
// A [Server] offers what an [Engine] can do to the programs of the same user, and to nobody
// else. The command line, the tray and other programs send their requests with a [Client]. The
// package decides nothing about runs or Blenders: it checks who asks, limits what clients send,
// and passes requests on. The engine's side begins with [Listen] and [NewServer], the client's
// side with [NewClient].
package control

import (
	"context"
	"time"

	"blendtray/api"
)

// Engine is what a [Server] needs of an engine. The caller joins the two, so that this package,
// and with it every client, does not import the engine's package.
type Engine interface {
	Submit(ctx context.Context, s api.Submission) (api.Run, error)
	Cancel(ctx context.Context, id string) (api.Run, error)
	Retry(ctx context.Context, id string) (api.Run, error)
	// RunStale makes runs of the scripts that wait for a person because modules that they import
	// have changed.
	RunStale(ctx context.Context) ([]api.Run, error)
	Run(ctx context.Context, id string) (api.Run, error)
	Code(ctx context.Context, id string) ([]byte, error)
	// Changes returns how the code of a run differs from the code of the run before, of the same script.
	Changes(ctx context.Context, id string) (api.Changes, error)
	// Output returns the text that a run printed from the byte from on, the byte where that text
	// begins, and the number of printed bytes in all.
	Output(ctx context.Context, id string, from int64) (text []byte, at, total int64, err error)
	// Preview returns the picture of a run, a JPEG file.
	Preview(ctx context.Context, id string) ([]byte, error)
	// Thumbnail returns a small picture of an output of a run, a JPEG file.
	Thumbnail(ctx context.Context, id string, output int) ([]byte, error)
	// PreviewScene makes a picture of the scene that a run has left.
	PreviewScene(ctx context.Context, req api.PreviewRequest) (api.ScenePreview, error)
	// SaveScene saves a copy of the scene that a run has left.
	SaveScene(ctx context.Context, req api.SceneRequest) (api.SavedScene, error)
	// Queue returns the first n runs that wait, in the order in which they will begin; 0 is 100. total is
	// how many wait in all.
	Queue(n int) (first []api.QueuedRun, total int)
	// CancelLine cancels all runs of a line that wait, and returns how many.
	CancelLine(ctx context.Context, of api.QueueLine) (int, error)
	// MoveFirst puts a run that waits ahead of others.
	MoveFirst(ctx context.Context, id string, of api.Front) (api.Run, error)
	Runs(ctx context.Context, f api.Filter) ([]api.Run, error)
	// Scripts returns the scripts of the runs that match f, each with its last runs.
	Scripts(ctx context.Context, f api.Filter, last int) ([]api.ScriptRuns, error)
	// Pin has the history keep a run however old it gets, or ends that.
	Pin(ctx context.Context, id string, on bool) (api.Run, error)
	// DeleteRun deletes a run that has ended, ClearRuns those that match f and are not pinned. It
	// returns how many.
	DeleteRun(ctx context.Context, id string) error
	ClearRuns(ctx context.Context, f api.Filter) (int, error)
	Status() api.Status
	// Usage returns how much memory and how many cores the engine and its Blenders took after since.
	Usage(since time.Time) api.Usage
	// StartBlender, StopBlender and RestartBlender take the name of a Blender, or "" for the
	// usual Blenders.
	StartBlender(ctx context.Context, name string) error
	StopBlender(ctx context.Context, name string) error
	RestartBlender(ctx context.Context, name string) error
	PauseWatching(paused bool)
	// Follow does what Submit does, and returns with the run all that the run does from then on. Among
	// these events are those that tell what a waiting run waits for, when that has changed.
	Follow(ctx context.Context, s api.Submission) (api.Run, Subscription, error)
	// Sessions returns the sessions by name, Session the one with a name.
	Sessions() []api.Session
	Session(name string) (api.Session, error)
	// DoInSession does an operation in a session and returns when it is done.
	DoInSession(ctx context.Context, req api.SessionRequest) (api.SessionDone, error)
	EndSession(ctx context.Context, name string) error
	// Complete returns how code may go on at a cursor, from the names of a session; it never waits for
	// a run.
	Complete(ctx context.Context, session, code string, cursor int) (api.Completion, error)
	// HearAgent notes that an agent is connected, and what it has done. AgentLeft notes that it is gone, and
	// reports whether it was known. Agents returns those that are connected.
	HearAgent(a api.Agent) api.Agent
	AgentLeft(id string) bool
	Agents() []api.Agent
	// API returns what the documentation of the Python API of a Blender says.
	API(ctx context.Context, q api.ReferenceQuery) (api.Reference, error)
	// Subscribe returns the events from now on, with the output of runs if output is true.
	Subscribe(output bool) Subscription
}

// Subscription is a stream of events. A reader that is too slow misses events and learns so from
// a gap event; the reader never holds up the engine.
type Subscription interface {
	// Events returns the channel of the events, which is closed when the engine ends.
	Events() <-chan api.Event
	Close()
}
