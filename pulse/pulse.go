// Package pulse has all parts of a program that look at something every few seconds look at the same moments, so that
// an idle machine is woken once for all of them: to wake a thread takes longer than most of what the threads look at.
//
// It is not for what has to happen a certain time after something else.
package pulse

import "time"

// Slow is how often a program looks at what seldom changes, where nobody minds to hear of a change some seconds later.
// A part that looks less often chooses a multiple of Slow.
const Slow = 5 * time.Second

// began is the first of the moments, to which whole periods are added.
var began = time.Now()

// Next returns the first moment after t that lies whole periods after the begin of the program.
func Next(t time.Time, period time.Duration) time.Time {
	return t.Add(period - t.Sub(began)%period)
}

// Until returns how long it is until the next such moment: more than nothing, and at most a period.
func Until(period time.Duration) time.Duration { return time.Until(Next(time.Now(), period)) }
