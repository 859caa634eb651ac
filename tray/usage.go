//go:build !headless

package tray

import (
	"slices"
	"time"

	"blendtray/api"
)

// graphSpan is how much time a graph shows.
const graphSpan = 5 * time.Minute

// usageKept is what the window has of the engine's measurements: enough for the graphs.
type usageKept struct {
	at        time.Time // of the newest sample
	engine    []api.UsageSample
	processes []api.ProcessUsage
}

// add adds an answer of the engine to what was asked for since u.at. A process that the engine has
// forgotten is forgotten here, too.
func (u *usageKept) add(answer api.Usage) {
	u.engine = u.keep(append(u.engine, answer.Engine...))
	before := u.processes
	u.processes = slices.Clone(answer.Processes)
	for i := range u.processes {
		p := &u.processes[i]
		for _, old := range before {
			if old.PID == p.PID && old.SeenAt.Equal(p.SeenAt) {
				p.Samples = append(old.Samples, p.Samples...)
			}
		}
		p.Samples = u.keep(p.Samples)
	}
}

// keep notes the time of the newest sample, and drops the samples that no graph shows any more.
func (u *usageKept) keep(samples []api.UsageSample) []api.UsageSample {
	if n := len(samples); n > 0 && samples[n-1].At.After(u.at) {
		u.at = samples[n-1].At
	}
	i := 0
	for i < len(samples) && u.at.Sub(samples[i].At) > graphSpan+time.Minute {
		i++
	}
	return slices.Delete(samples, 0, i)
}

// samplesOf returns the samples of a process that is there, or nil.
func (u *usageKept) samplesOf(pid int) []api.UsageSample {
	for _, p := range u.processes {
		if p.PID == pid && !p.Ended {
			return p.Samples
		}
	}
	return nil
}

// noValue is the point of a graph at a time at which nothing was measured.
const noValue = -1

// longestGap is how long before a sample the sample may stand for: the engine measures every 10 s
// at the rarest, and a little less often on a machine with very many processes.
const longestGap = time.Minute

// graphPoints returns the points of a graph with so many columns, which ends at now. The point of a column
// is the highest value that was measured in its time. A sample stands for the time since the sample
// before; where there was none, or a long gap, the point is noValue.
func graphPoints(samples []api.UsageSample, now time.Time, columns int, value func(api.UsageSample) float64) []float64 {
	points := make([]float64, columns)
	for i := range points {
		points[i] = noValue
	}
	if columns == 0 {
		return points
	}
	column := func(at time.Time) int {
		back := now.Sub(at)
		return columns - 1 - int(int64(back)*int64(columns)/int64(graphSpan))
	}
	for i, s := range samples {
		last := column(s.At)
		first := last
		if i > 0 && s.At.Sub(samples[i-1].At) <= longestGap {
			first = min(last, column(samples[i-1].At)+1)
		}
		for c := max(0, first); c <= min(last, columns-1); c++ {
			points[c] = max(points[c], value(s))
		}
	}
	// The newest sample holds until the next.
	if n := len(samples); n > 0 && now.Sub(samples[n-1].At) < longestGap {
		for c := max(0, column(samples[n-1].At)+1); c < columns; c++ {
			points[c] = value(samples[n-1])
		}
	}
	return points
}

// top returns the value at the upper edge of a graph: a little more than the highest point, and at least
// least.
func top(points []float64, least float64) float64 {
	highest := 0.0
	for _, p := range points {
		highest = max(highest, p)
	}
	return max(least, highest*1.1)
}

func memoryOf(s api.UsageSample) float64 { return float64(s.MemoryBytes) }
func coresOf(s api.UsageSample) float64  { return s.CPUCores }
