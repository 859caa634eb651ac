package blender

import (
	"bytes"
	"context"
	"time"
)

// lastWords is how long a Blender may live on after it has printed that it dies. The handlers that
// print run in the process that is broken, and may hang there: in the memory allocator, for
// example.
const lastWords = 5 * time.Second

// hearsDeath finds in the printed text the words that a process prints when it dies.
type hearsDeath struct {
	report []byte // what Blender prints before the path of its report
	end    []byte // the end of what was printed before
}

func newHearsDeath(temp string) hearsDeath {
	return hearsDeath{report: []byte("Writing: " + temp)}
}

// hear returns whether the next bytes that were printed hold the words of a dying process, and
// whether these words are those of Blender's own handler.
func (h *hearsDeath) hear(p []byte) (dies, reports bool) {
	keep := max(len(fatalLine), len(h.report)) - 1 // too short for words that were found before
	seam := append(h.end, p[:min(len(p), keep)]...)
	dies = bytes.Contains(p, fatalLine) || bytes.Contains(seam, fatalLine)
	reports = bytes.Contains(p, h.report) || bytes.Contains(seam, h.report)
	if len(p) < keep {
		p = seam
	}
	h.end = append(h.end[:0], p[max(0, len(p)-keep):]...)
	return dies || reports, reports
}

// watchDeath kills the process when it has printed that it dies and then lives on without being
// sound. It returns when the process ends.
func (i *instance) watchDeath() {
	for {
		select {
		case <-i.proc.exited:
			return
		case <-i.dies:
		}
		if i.livesOn() {
			continue
		}
		i.mu.Lock()
		i.hung = true
		i.mu.Unlock()
		i.sup.log.Warn("blender hangs while it crashes; killing it", "pid", i.proc.pid())
		i.proc.kill()
		return
	}
}

// livesOn returns, after a while, whether a process that seems to die is sound. A script may print
// such words, and so may its child, which prints into the same pipe and dies: then Blender answers,
// and is in no handler. livesOn also returns true for a process that has ended.
func (i *instance) livesOn() bool {
	i.mu.Lock()
	session := i.greeted
	i.mu.Unlock()
	for range 2 { // a process may answer once more before it hangs
		ctx, cancel := context.WithTimeout(context.Background(), lastWords)
		// A thread that crashes with Python's lock keeps all others of Python from answering.
		answers := session != nil && session.Ping(ctx) == nil
		select {
		case <-i.proc.exited:
		case <-ctx.Done():
		}
		cancel()
		switch {
		case i.proc.gone():
			return true
		case !answers || i.handlesCrash():
			return false
		}
	}
	return true
}

// handlesCrash returns whether the process is in its handler for crashes. Where the system does not
// tell, it returns whether the process has printed that it writes a report.
func (i *instance) handlesCrash() bool {
	if is, known := inCrashHandler(i.proc.pid()); known {
		return is
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.reports
}
