package app

import (
	"runtime"
	"testing"
)

func TestAnEngineLeavesTheCoresToBlender(t *testing.T) {
	t.Parallel()
	for cores, want := range map[int]int{1: 1, 2: 1, 4: 1, 5: 2, 8: 2, 16: 4, 64: 16} {
		if got := threadsFor(cores); got != want {
			t.Errorf("%d cores: %d threads, want %d", cores, got, want)
		}
	}
}

// It changes the whole process and therefore is not parallel.
func TestAPersonMayChooseTheThreads(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Setenv("GOMAXPROCS", "3")
	boundThreads()()
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("%d threads, want %d", got, before)
	}
	t.Setenv("GOMAXPROCS", "")
	end := boundThreads()
	if got, want := runtime.GOMAXPROCS(0), threadsFor(before); got != want {
		t.Errorf("%d threads, want %d", got, want)
	}
	if end(); runtime.GOMAXPROCS(0) != before {
		t.Errorf("%d threads in the end, want %d", runtime.GOMAXPROCS(0), before)
	}
}
