package blender

import (
	"math/rand/v2"
	"time"
)

const (
	// maxFailures failures within failureWindow make a Blender failed. As many failures in a row do
	// so too, however long each took: a Blender that hangs at its start would otherwise be started
	// for ever.
	maxFailures   = 5
	failureWindow = time.Minute
	// firstBackOff is the wait after the first failure; the wait doubles with each failure.
	firstBackOff = 250 * time.Millisecond
)

// backOff decides how long to wait after a failure, and when to give up.
type backOff struct {
	at    []time.Time // of the failures within the window
	inRow int         // failures since Blender was last ready
}

// failed notes a failure. It returns the wait before the next attempt, or giveUp when there should
// be no other attempt.
func (b *backOff) failed(now time.Time) (wait time.Duration, giveUp bool) {
	recent := b.at[:0]
	for _, at := range b.at {
		if now.Sub(at) < failureWindow {
			recent = append(recent, at)
		}
	}
	b.at = append(recent, now)
	b.inRow++
	if len(b.at) >= maxFailures || b.inRow >= maxFailures {
		return 0, true
	}
	wait = firstBackOff << (max(len(b.at), b.inRow) - 1)
	return wait/2 + rand.N(wait), false // jitter, so that many engines on one machine spread out
}

// succeeded notes that Blender became ready. The failures within the window still count: a Blender
// that dies as soon as it is ready does no work either.
func (b *backOff) succeeded() { b.inRow = 0 }

// reset forgets every failure.
func (b *backOff) reset() { *b = backOff{} }
