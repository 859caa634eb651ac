package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"blendtray/pulse"
)

const (
	// leanEvery is how often a process looks whether it has had anything to do.
	leanEvery = pulse.Slow
	// quietLooks is how many looks in a row must find a process without work before the process gives memory back.
	quietLooks = 3
	// quietBytes is how many bytes a process that has nothing to do allocates at most between two looks. A process
	// allocates the same number on every machine, while the time that it takes depends on the machine.
	quietBytes = 256 << 10
)

// keepLean has this process give back the memory that it does not need while it has nothing to do, until ctx ends. It
// gives back the garbage of its heap, and the pages of the program's own file, which the system had mapped when
// something in them or beside them was used: nearly all pages after some hundred runs, although a process at rest uses
// few of them.
func keepLean(ctx context.Context) {
	look := time.NewTimer(pulse.Until(leanEvery))
	defer look.Stop()
	var l leanness
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if l.rests(allocated()) {
			debug.FreeOSMemory()
			unmapProgram()
			l.at = allocated()
		}
		look.Reset(pulse.Until(leanEvery))
	}
}

// leanness says when a process is to give memory back: once in each time of rest.
type leanness struct {
	at    uint64 // how many bytes were allocated at the last look
	quiet int    // how many looks in a row have found a process that had nothing to do
}

// rests takes how many bytes the process has allocated since its start, and returns whether it is to give memory back
// now.
func (l *leanness) rests(allocated uint64) bool {
	if allocated-l.at > quietBytes {
		l.quiet = 0
	} else {
		l.quiet++
	}
	l.at = allocated
	return l.quiet == quietLooks
}

// allocated returns how many bytes this process has allocated since its start.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
