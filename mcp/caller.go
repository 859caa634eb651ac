package mcp

import (
	"context"
)

// carrierKey is the key of the context that ends when nobody hears an answer any more: the request of
// HTTP, or the server that serves a pipe.
type carrierKey struct{}

// withCarrier returns ctx with the context of what carries its answers.
func withCarrier(ctx, carrier context.Context) context.Context {
	return context.WithValue(ctx, carrierKey{}, carrier)
}

// untilCallerLeaves returns a context that ends with ctx, and when nobody hears the answer any more.
func untilCallerLeaves(ctx context.Context) (context.Context, func()) {
	carrier, ok := ctx.Value(carrierKey{}).(context.Context)
	if !ok {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(carrier, func() { cancel(errLeft) })
	return ctx, func() { stop(); cancel(nil) }
}

// leftError is the cause of a context that ended because the caller is gone.
type leftError struct{}

func (leftError) Error() string { return "the agent is gone" }

var errLeft = leftError{}

// isCancelled reports whether the agent has asked for the end of the call ([notifications/cancelled]), and
// is not merely gone. The library ends a call with no cause then, and with the error of the pipe when the
// pipe has ended.
func isCancelled(ctx context.Context) bool {
	return ctx.Err() != nil && context.Cause(ctx) == context.Canceled
}
