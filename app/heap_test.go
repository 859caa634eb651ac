package app

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestALargeHeapHoldsLittleGarbageAndASmallOneIsSeldomCollected(t *testing.T) {
	t.Parallel()
	for inUse, want := range map[uint64]int{0: 200, 1 << 20: 200, 2 << 20: 195, 4 << 20: 90, 8 << 20: 45, 15 << 20: 15, 1 << 30: 15} {
		if got := percentOf(inUse); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d %%", inUse, got, want)
		}
	}
}

// It looks at the heap of the whole process and therefore is not parallel.
func TestThePercentageFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	end := boundHeap()
	defer end()
	becomes := func(ok func(percent uint64) bool) {
		t.Helper()
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		for deadline := time.Now().Add(20 * time.Second); ; {
			runtime.GC()
			metrics.Read(sample)
			switch percent := sample[0].Value.Uint64(); {
			case ok(percent):
				return
			case time.Now().After(deadline):
				t.Fatalf("the percentage stays %d", percent)
			}
		}
	}
	kept := make([]byte, 64<<20)
	becomes(func(percent uint64) bool { return percent == leastPercent })
	runtime.KeepAlive(kept)
	kept = nil
	becomes(func(percent uint64) bool { return percent > leastPercent })
}
