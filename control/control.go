// Package control is the local interface of an engine: JSON over HTTP on a unix socket (a
// named pipe on Windows), as docs/control.md describes it.
//
// A [Server] offers what an [Engine] can do to the programs of the same user, and to nobody
// else; a [Client] is how the command line and the tray ask for it. The package decides
// nothing about runs or Blenders: it checks who asks, bounds what they send, and passes it
// on. For the engine's side see [Listen] and [NewServer], for the other one [NewClient].
package control

import (
	"context"

	"blendtray/engine"
)

// Engine is what a [Server] needs of an engine. [Over] makes one of an [engine.Engine].
type Engine interface {
	Submit(ctx context.Context, s Submission) (Run, error)
	Cancel(ctx context.Context, id string) (Run, error)
	Retry(ctx context.Context, id string) (Run, error)
	Run(ctx context.Context, id string) (Run, error)
	Code(ctx context.Context, id string) ([]byte, error)
	Runs(ctx context.Context, f Filter) ([]Run, error)
	Status() Status
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
	Events() <-chan Event
	Close()
}

// Over is the [Engine] that an [engine.Engine] is.
func Over(e *engine.Engine) Engine { return overEngine{e} }

type overEngine struct{ *engine.Engine }

func (o overEngine) Subscribe(output bool) Subscription {
	return o.Engine.Subscribe(engine.SubscribeOptions{Output: output})
}
