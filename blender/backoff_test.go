package blender

import (
	"testing"
	"time"
)

func TestFiveFailuresWithinAMinuteAreTooMany(t *testing.T) {
	t.Parallel()
	var b backOff
	now := time.Unix(1000, 0)
	last := time.Duration(0)
	for i := range maxFailures - 1 {
		b.succeeded() // it was ready each time
		wait, giveUp := b.failed(now)
		if giveUp || wait < firstBackOff<<i/2 || wait >= firstBackOff<<i*3/2 {
			t.Errorf("failure %d: wait %s, give up %v", i+1, wait, giveUp)
		}
		last = wait
		now = now.Add(10 * time.Second)
	}
	if last < time.Second {
		t.Errorf("the last wait is %s", last)
	}
	b.succeeded()
	if _, giveUp := b.failed(now); !giveUp {
		t.Error("the fifth within a minute is not the end")
	}
	b.reset()
	if _, giveUp := b.failed(now); giveUp {
		t.Error("the first one after a start by hand is the end")
	}
}

func TestFailuresFarApartAreForgiven(t *testing.T) {
	t.Parallel()
	var b backOff
	now := time.Unix(1000, 0)
	for i := range 20 {
		if wait, giveUp := b.failed(now); giveUp || wait >= 2*time.Second {
			t.Fatalf("failure %d: wait %s, give up %v", i+1, wait, giveUp)
		}
		b.succeeded()
		now = now.Add(20 * time.Second)
	}
}

func TestABlenderThatIsNeverReadyIsGivenUpHoweverLongEachAttemptTook(t *testing.T) {
	t.Parallel()
	var b backOff
	now := time.Unix(1000, 0)
	for i := range maxFailures {
		if _, giveUp := b.failed(now); giveUp != (i == maxFailures-1) {
			t.Fatalf("failure %d: give up %v", i+1, giveUp)
		}
		now = now.Add(2 * time.Minute)
	}
}
