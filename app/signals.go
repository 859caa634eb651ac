package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"blendtray/app/fault"
)

// stopOnSignal calls stop on the first signal that asks the program to end, and leaves the
// program on the second signal. Blender then sees the end of its standard input and ends too.
func stopOnSignal(ctx context.Context, t *terminal, stop func()) {
	// Receiving the signal, even without looking at it, keeps an engine alive whose output was a
	// pipe that somebody closed.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	select {
	case <-signals:
		t.note("ending (Ctrl-C again ends at once)")
		stop()
	case <-ctx.Done():
		// Another cause ends the engine; a person may still be in a hurry.
	}
	<-signals
	t.exit(fault.New(fault.Failed, "runs that were running are `interrupted` when the engine starts again", "ended at once"))
	os.Exit(fault.Failed)
}
