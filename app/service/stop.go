package service

import "time"

// StopTime returns how long an engine takes to end at most that waits for its runs for a time; 0 is no limit.
func StopTime(wait time.Duration) time.Duration {
	if wait == 0 {
		wait = 24 * time.Hour
	}
	return wait + 30*time.Second // for its Blenders
}
