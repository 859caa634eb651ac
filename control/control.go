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
	Runs(ctx context.Context, f api.Filter) ([]api.Run, error)
	Status() api.Status
	StartBlender(ctx context.Context) error
	StopBlender(ctx context.Context) error
	RestartBlender(ctx context.Context) error
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
