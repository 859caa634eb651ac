// Package control is the local interface of an engine: JSON over HTTP on a unix socket (a
// named pipe on Windows), as docs/control.md describes it.
//
// A [Server] offers what an [Engine] can do to the programs of the same user, and to nobody
// else; the command line, the tray and other programs ask by a [Client]. The package decides
// nothing about runs or Blenders: it checks who asks, bounds what they send, and passes it on.
// The engine's side begins with [Listen] and [NewServer], the client's side with [NewClient].
package control

import (
	"context"

	"blendtray/api"
)

// Engine is what a [Server] needs of an engine. Whoever has both joins them, so that this
// package, and with it every client, does without the engine's own.
type Engine interface {
	Submit(ctx context.Context, s api.Submission) (api.Run, error)
	Cancel(ctx context.Context, id string) (api.Run, error)
	Retry(ctx context.Context, id string) (api.Run, error)
	Run(ctx context.Context, id string) (api.Run, error)
	Code(ctx context.Context, id string) ([]byte, error)
	// Output returns what a run printed from the byte from on, the byte where that text
	// begins, and how many bytes there are in all.
	Output(ctx context.Context, id string, from int64) (text []byte, at, total int64, err error)
	// Preview returns a JPEG file.
	Preview(ctx context.Context, id string) ([]byte, error)
	Runs(ctx context.Context, f api.Filter) ([]api.Run, error)
	Status() api.Status
	// StartBlender, StopBlender and RestartBlender address a Blender by its name, or by "" the
	// usual one.
	StartBlender(ctx context.Context, name string) error
	StopBlender(ctx context.Context, name string) error
	RestartBlender(ctx context.Context, name string) error
	PauseWatching(paused bool)
	// Subscribe streams what happens from now on, with what runs print if output is true.
	Subscribe(output bool) Subscription
}

// Subscription is a stream of events. A reader that is too slow misses events and is told so
// by a gap event; it never holds up the engine.
type Subscription interface {
	// Events is closed when the engine ends.
	Events() <-chan api.Event
	Close()
}
