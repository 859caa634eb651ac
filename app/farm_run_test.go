package app

import (
	"testing"

	"blendtray/farm"
)

func TestAJobOfSeveralThatHasNotSucceededIsTold(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]farm.JobStatus{
		"blendtray: job a (frames 5-6) is cancelled on one: cancelled by desk\n": {ID: "a", Frames: "5-6", Args: []string{}, State: farm.StateCancelled, Machine: "one", Reason: "cancelled by desk"},
		"blendtray: job b (chair.blend 7) is failed on one: ValueError: no\n":    {ID: "b", Args: []string{"chair.blend", "7"}, State: farm.StateFailed, Machine: "one", Reason: "ValueError: no"},
		"blendtray: job c is refused: no machine has the roles for it\n":         {ID: "c", State: farm.StateRefused, Reason: "no machine has the roles for it"},
	} {
		if got := jobEnded(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
