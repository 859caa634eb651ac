package pulse

import (
	"testing"
	"time"
)

func TestWhoLooksEveryFewSecondsLooksAtTheSameMoments(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]time.Duration{
		0:                                   Slow,
		time.Nanosecond:                     Slow,
		Slow - time.Nanosecond:              Slow,
		Slow:                                2 * Slow,
		Slow + 300*time.Millisecond:         2 * Slow,
		100*Slow + 4999*time.Millisecond:    101 * Slow,
		time.Hour + 10*time.Microsecond:     time.Hour + Slow,
		365 * 24 * time.Hour:                365*24*time.Hour + Slow,
		365*24*time.Hour + time.Millisecond: 365*24*time.Hour + Slow,
	} {
		if got := Next(began.Add(after), Slow).Sub(began); got != want {
			t.Errorf("%v after the begin: the next moment is at %v, want %v", after, got, want)
		}
	}
	now := time.Now()
	if d := Until(Slow); d <= 0 || d > Slow {
		t.Errorf("the next moment is in %v", d)
	}
	// A multiple of the period has its moments among those of the period.
	if next := Next(now, 3*Slow); next.Sub(began)%Slow != 0 {
		t.Errorf("a longer period has a moment of its own, %v after the begin", next.Sub(began))
	}
}
