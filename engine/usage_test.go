package engine

import (
	"testing"
	"time"

	"blendtray/api"
	"blendtray/pulse"
)

func TestNobodyWaitsLongForAMeasurementAndMeasuringTakesLittle(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		looked bool
		took   time.Duration
		want   time.Duration
	}{
		{true, time.Millisecond, 2 * time.Second},
		{false, time.Millisecond, 10 * time.Second},
		{true, 50 * time.Millisecond, 10 * time.Second},
		{false, 50 * time.Millisecond, 250 * time.Second},
	} {
		if got := usageWait(x.looked, x.took); got != x.want {
			t.Errorf("%+v: %s", x, got)
		}
	}
}

func TestWhileNobodyLooksTheEngineMeasuresAtTheMomentsOfItsOtherLooks(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for range 3 * int(idlePace/time.Second) {
		at = at.Add(997 * time.Millisecond)
		next := nextUsage(at, time.Millisecond, false)
		if wait := next.Sub(at); wait < idlePace/2 || wait > idlePace*3/2 || pulse.Next(next.Add(-time.Nanosecond), pulse.Slow) != next {
			t.Errorf("after a measurement at %v comes the next at %v", at, next)
		}
		late := next.Add(time.Millisecond) // as late as a timer is
		if after := nextUsage(late, time.Millisecond, false); after.Sub(next) != idlePace {
			t.Errorf("after a measurement at %v comes the next at %v", late, after)
		}
	}
	if next := nextUsage(at, time.Millisecond, true); next.Sub(at) != usagePace {
		t.Errorf("while somebody looks, the next measurement comes after %v", next.Sub(at))
	}
}

func TestSamplesAreKeptForTenMinutesAndAreBounded(t *testing.T) {
	t.Parallel()
	var kept []api.UsageSample
	began := time.Now()
	for i := range 2000 {
		at := began.Add(time.Duration(i) * time.Second)
		kept = keepSample(kept, api.UsageSample{At: at, Processes: i}, at)
		if len(kept) > maxSamples || kept[len(kept)-1].Processes != i || at.Sub(kept[0].At) > api.UsageSpan {
			t.Fatalf("%d samples are kept, from %s to %s", len(kept), kept[0].At, at)
		}
	}
	if got := samplesAfter(kept, kept[len(kept)-3].At); len(got) != 2 || got[0].Processes != 1998 {
		t.Errorf("after the third last: %+v", got)
	}
	if got := recentSamples(kept, began.Add(time.Hour)); len(got) != 0 {
		t.Errorf("%d are kept after an hour", len(got))
	}
}

func TestProcessesThatHaveEndedAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	u := &usage{}
	now := time.Now()
	sample := []api.UsageSample{{At: now}}
	for i := range 2 * maxEnded {
		u.processes = append(u.processes, api.ProcessUsage{PID: i + 1, Samples: sample})
	}
	u.noteLocked(nil, nil, time.Second, now)
	if len(u.processes) != maxEnded || !u.processes[0].Ended || u.processes[0].PID != maxEnded+1 {
		t.Errorf("%d are kept, from %+v", len(u.processes), u.processes[0])
	}
	u.noteLocked(nil, nil, time.Second, now.Add(api.UsageSpan+time.Minute))
	if len(u.processes) != 0 {
		t.Errorf("%d are kept after the span", len(u.processes))
	}
}

func TestAClientThatAsksOftenHasNothingMeasuredMoreOften(t *testing.T) {
	t.Parallel()
	h := open(t)
	for ago, want := range map[time.Duration]bool{time.Minute: false, 4 * time.Minute: true} {
		at := time.Now().Add(-ago)
		h.usage.mu.Lock()
		h.usage.at, h.usage.took = at, time.Second // of a machine with very many processes
		h.usage.mu.Unlock()
		h.Usage(time.Time{})
		h.usage.mu.Lock()
		if measured := !h.usage.at.Equal(at); measured != want {
			t.Errorf("%s after a measurement of a second: %v", ago, measured)
		}
		h.usage.mu.Unlock()
	}
}
