package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// heapRoom is how many bytes of garbage a small heap may hold before it is collected. With Go's
	// own default a heap of 1 MB is collected each 3 MB, which takes 10 % of the processor time that
	// runs of a millisecond take.
	heapRoom = 4 << 20
	// leastPercent is how much garbage a large heap may hold, as a share of what is in use. Go's
	// own default is 100, which doubles the memory of an engine for which thousands of saves wait.
	leastPercent = 15
	mostPercent  = 200
	percentStep  = 15
)

// percentOf returns the percentage for [debug.SetGCPercent] where a number of bytes is in use.
func percentOf(inUse uint64) int {
	p := int(heapRoom * 100 / max(inUse, 1<<20))
	return min(max(p-p%percentStep, leastPercent), mostPercent)
}

// boundHeap has the heap of this process collected as [percentOf] says: after each collection it
// sets the percentage for the next. It returns a function that ends this. It does nothing where
// GOGC is set, because then a person has chosen.
func boundHeap() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(mostPercent)
	var ended atomic.Bool
	percent := mostPercent
	var collected func(int)
	watch := func() {
		// The next collection finds that nobody uses the object. It has a pointer, because Go puts
		// small objects without one together with others.
		runtime.AddCleanup(&struct{ _ *int }{}, collected, 0)
	}
	collected = func(int) {
		if ended.Load() {
			return
		}
		if p := percentOf(heapInUse()); p != percent {
			percent = p
			debug.SetGCPercent(p)
		}
		watch()
	}
	watch()
	return func() {
		ended.Store(true)
		debug.SetGCPercent(before)
	}
}

// heapInUse returns how many bytes the last collection has found in use.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
