package control

import (
	"blendtray/blender"
	"blendtray/engine"
	"blendtray/watcher"
)

// What passes over the interface is the engine's own. The names are given again here so that
// a client of control needs no other room.
type (
	Run           = engine.Run
	State         = engine.State
	Source        = engine.Source
	Submission    = engine.Submission
	Filter        = engine.Filter
	Event         = engine.Event
	Kind          = engine.Kind
	Status        = engine.Status
	BlenderStatus = blender.Status
	BlenderState  = blender.State
	FolderStatus  = watcher.FolderStatus
	Progress      = blender.Progress
	ScriptError   = blender.ScriptError
)

// The states of a run.
const (
	Queued      = engine.Queued
	Running     = engine.Running
	Succeeded   = engine.Succeeded
	Failed      = engine.Failed
	Cancelled   = engine.Cancelled
	TimedOut    = engine.TimedOut
	Crashed     = engine.Crashed
	Interrupted = engine.Interrupted
)

// States are all states of a run, in the order of a life.
func States() []State {
	return []State{Queued, Running, Succeeded, Failed, Cancelled, TimedOut, Crashed, Interrupted}
}

// The kinds of events.
const (
	KindRun      = engine.KindRun
	KindOutput   = engine.KindOutput
	KindProgress = engine.KindProgress
	KindPreview  = engine.KindPreview
	KindBlender  = engine.KindBlender
	KindFolders  = engine.KindFolders
	KindNote     = engine.KindNote
	KindGap      = engine.KindGap
)

// The states of a Blender.
const (
	BlenderStopped  = blender.Stopped
	BlenderStarting = blender.Starting
	BlenderReady    = blender.Ready
	BlenderRunning  = blender.Running
	BlenderStopping = blender.Stopping
	BlenderFailed   = blender.Failed
)

// Why a Blender is the one that is used, where it was not looked for.
const (
	SourceChosen = blender.SourceChosen
	SourceOpen   = blender.SourceOpen
)

// IsRenderStatus tells whether a line of output is one by which Blender says how far a render
// is. They come many times a second, and a run's progress says the same.
func IsRenderStatus(line string) bool { return blender.IsRenderStatus([]byte(line)) }
