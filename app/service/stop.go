package service

import (
	"context"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// StopTime returns how long an engine takes to end at most that waits for its runs for a time; 0 is no limit.
func StopTime(wait time.Duration) time.Duration {
	if wait == 0 {
		wait = 24 * time.Hour
	}
	return wait + 30*time.Second // for its Blenders
}

// askTime is how long an engine may take to say what its settings are.
const askTime = 5 * time.Second

// TimeToStop returns how long an engine may take to end, as its setting runs.stop_timeout says; half a minute and
// the default of that setting for an engine that does not say so.
func TimeToStop(client *control.Client) time.Duration {
	ctx, stop := context.WithTimeout(context.Background(), askTime)
	defer stop()
	wait := api.Duration(time.Minute)
	if report, err := client.Settings(ctx); err == nil {
		if s, ok := report.Find("runs.stop_timeout"); ok {
			text, _ := s.Value.(string)
			_ = wait.UnmarshalText([]byte(text)) // the engine has checked it
		}
	}
	return StopTime(time.Duration(wait))
}
