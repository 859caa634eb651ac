package blender

import (
	"sync"
	"time"
)

// briefTime is within which time most runs end. The goroutine of such a run is woken when the run is
// over, and not at each step before, and has no timer of its own: each may wake a thread, which costs
// more than the run itself. A run that is not over after twice this time is watched step by step.
const briefTime = 100 * time.Millisecond

// briefs tells runs of a session that they are not brief. All runs share a timer, which goes on
// while there are runs. mu guards its state; any goroutine may call its methods.
type briefs struct {
	mu    sync.Mutex
	runs  []*brief // in the order in which they began
	timer *time.Timer
	armed bool
}

// brief is a run that may be brief.
type brief struct {
	began time.Time
	long  chan struct{} // closed when the run is not brief
}

// begin notes that a run begins. Its caller calls end.
func (b *briefs) begin() *brief {
	run := &brief{began: time.Now(), long: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs = append(b.runs, run)
	b.armLocked()
	return run
}

// end notes that nobody waits for the run any more.
func (b *briefs) end(run *brief) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.runs {
		if other == run {
			b.runs = append(b.runs[:i], b.runs[i+1:]...)
			return
		}
	}
}

func (b *briefs) armLocked() {
	switch {
	case b.armed:
		return
	case b.timer == nil:
		b.timer = time.AfterFunc(briefTime, b.look)
	default:
		b.timer.Reset(briefTime)
	}
	b.armed = true
}

// look tells the runs that they are not brief which began long ago.
func (b *briefs) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	for len(b.runs) > 0 && time.Since(b.runs[0].began) >= briefTime {
		close(b.runs[0].long)
		b.runs = b.runs[1:]
	}
	if len(b.runs) > 0 {
		b.armLocked()
	}
}
