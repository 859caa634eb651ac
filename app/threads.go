package app

import (
	"os"
	"runtime"
)

// coresOfThread is for how many cores an engine has one thread that executes Go code. An engine mostly
// passes on what Blender, the disk and clients do, and takes less than one core when it executes as many
// runs as it can. With a thread for each core, each step of a run wakes another thread, and a
// short run in a session takes a quarter more of the engine's processor time; on two cores, Blender lacks that
// time.
const coresOfThread = 4

// threadsFor returns how many threads may execute Go code at the same time on so many cores.
func threadsFor(cores int) int { return (cores + coresOfThread - 1) / coresOfThread }

// boundThreads leaves the cores of the machine to Blender, as [threadsFor] says. Threads that wait for the
// system do not count: a slow disk holds up nothing else. boundThreads returns a function that ends this. It does
// nothing where GOMAXPROCS is set, because then a person has chosen.
func boundThreads() (end func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(threadsFor(runtime.GOMAXPROCS(0)))
	return func() { runtime.GOMAXPROCS(before) }
}
