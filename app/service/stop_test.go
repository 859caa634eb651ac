package service

import (
	"testing"
	"time"
)

func TestAnEngineHasTheTimeOfItsSettingsAndSomeForItsBlenders(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]time.Duration{time.Minute: 90 * time.Second, 0: 24*time.Hour + 30*time.Second} {
		if got := StopTime(wait); got != want {
			t.Errorf("%s: %s, want %s", wait, got, want)
		}
	}
}
