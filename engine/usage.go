package engine

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/mem"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/pulse"
)

const (
	// usagePace is the time between two measurements while somebody looks, and idlePace while nobody does.
	usagePace = 2 * time.Second
	idlePace  = 10 * time.Second
	// usageShare and idleShare bound what measuring takes on a machine with very many processes: after a
	// measurement the engine waits for so many times as long as it took.
	usageShare = 200
	idleShare  = 5000
	// lookedFor is for how long after a client has asked somebody counts as looking.
	lookedFor = 10 * time.Second
	// maxSamples bounds how many samples of a process are kept, and maxEnded of how many processes that
	// have ended.
	maxSamples = int(api.UsageSpan/usagePace) + 10
	maxEnded   = 200
)

// usage is what the engine has measured of itself and its Blenders.
type usage struct {
	woken chan struct{} // holds a value when somebody begins to look

	// measuring is held during a measurement. It is taken before mu, and before Engine.mu.
	measuring sync.Mutex
	before    map[int]blender.Measured // of the Blenders, by process id
	self      blender.Measured         // of the engine

	mu        sync.Mutex
	asked     time.Time // when a client has asked last
	at        time.Time // when the last measurement began
	took      time.Duration
	engine    []api.UsageSample
	processes []api.ProcessUsage
}

// keepUsage measures until ctx ends.
func (e *Engine) keepUsage(ctx context.Context) {
	u := &e.usage
	for {
		e.measure()
		for wait := u.wait(time.Now()); wait > 0; wait = u.wait(time.Now()) {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-u.woken:
				timer.Stop()
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	}
}

// wait returns how long it is until the next measurement.
func (u *usage) wait(now time.Time) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return nextUsage(u.at, u.took, now.Sub(u.asked) < lookedFor).Sub(now)
}

// nextUsage returns when to measure after a measurement that began at a moment and took so long.
func nextUsage(at time.Time, took time.Duration, looked bool) time.Time {
	wait := usageWait(looked, took)
	if wait != idlePace {
		return at.Add(wait)
	}
	// The moment nearest to the end of the wait: a measurement begins a little after its moment.
	return pulse.Next(at.Add(idlePace/2), idlePace)
}

// usageWait returns the time between the beginnings of two measurements, of which the first took so long.
func usageWait(looked bool, took time.Duration) time.Duration {
	if looked {
		return max(usagePace, took*usageShare)
	}
	return max(idlePace, took*idleShare)
}

// measure measures the engine and its Blenders, unless that was done a short time ago: clients that ask
// often have it done no more often.
func (e *Engine) measure() {
	u := &e.usage
	u.measuring.Lock()
	defer u.measuring.Unlock()
	u.mu.Lock()
	interval, least := time.Since(u.at), usageWait(true, u.took)
	u.mu.Unlock()
	if interval < least*9/10 {
		return
	}
	began := time.Now()
	var found []api.ProcessStatus
	for _, w := range e.allWorkers() {
		found = append(found, w.processes()...)
	}
	pids := make([]int, 0, len(found))
	for _, p := range found {
		pids = append(pids, p.PID)
	}
	now := blender.Measure(pids)
	self, selfOK := blender.MeasureSelf()
	u.mu.Lock()
	defer u.mu.Unlock()
	if selfOK {
		u.engine = keepSample(u.engine, sampleOf(self, u.self, interval, began), began)
	}
	u.noteLocked(found, now, interval, began)
	u.before, u.self = now, self
	u.at, u.took = began, time.Since(began)
}

// sampleOf returns the sample of a measurement at a moment; the measurement before was interval ago.
func sampleOf(now, before blender.Measured, interval time.Duration, at time.Time) api.UsageSample {
	over := interval
	if !now.Same(before) {
		over = max(min(now.Age(), interval), usagePace/10) // it was not there before
	}
	return api.UsageSample{
		At: at.Round(0).UTC(), MemoryBytes: now.MemoryBytes, Processes: now.Processes,
		CPUCores: now.Spent(before, interval).Seconds() / over.Seconds(),
	}
}

// keepSample adds a sample, and drops those that are too old.
func keepSample(samples []api.UsageSample, s api.UsageSample, now time.Time) []api.UsageSample {
	return recentSamples(append(samples, s), now)
}

// recentSamples drops the samples that are too old, and those that are too many.
func recentSamples(samples []api.UsageSample, now time.Time) []api.UsageSample {
	i := 0
	for i < len(samples) && (len(samples)-i > maxSamples || now.Sub(samples[i].At) > api.UsageSpan) {
		i++
	}
	return slices.Delete(samples, 0, i) // the memory of the slice is used again
}

// noteLocked notes a measurement of the processes in a list, and which processes have ended. It needs mu,
// and measuring.
func (u *usage) noteLocked(found []api.ProcessStatus, now map[int]blender.Measured, interval time.Duration, at time.Time) {
	there := map[int]bool{}
	for _, p := range found {
		m, ok := now[p.PID]
		if !ok {
			continue // it has just ended
		}
		there[p.PID] = true
		i := slices.IndexFunc(u.processes, func(k api.ProcessUsage) bool { return k.PID == p.PID && !k.Ended })
		if i >= 0 && !m.Same(u.before[p.PID]) { // another process has its id now
			u.processes[i].Ended, i = true, -1
		}
		if i < 0 {
			i = len(u.processes)
			u.processes = append(u.processes, api.ProcessUsage{Blender: p.Blender, PID: p.PID, SeenAt: at.Round(0).UTC()})
		}
		k := &u.processes[i]
		k.Samples = keepSample(k.Samples, sampleOf(m, u.before[p.PID], interval, at), at)
	}
	ended := 0
	for i := len(u.processes) - 1; i >= 0; i-- { // the newest first
		k := &u.processes[i]
		k.Ended = k.Ended || !there[k.PID]
		if k.Samples = recentSamples(k.Samples, at); k.Ended {
			ended++
		}
		if k.Ended && (len(k.Samples) == 0 || ended > maxEnded) {
			u.processes = slices.Delete(u.processes, i, i+1)
		}
	}
}

// Usage returns what the engine and its Blenders took after a moment, in the last ten minutes at most. For
// a while after that the engine measures every 2 s, and else every 10 s.
func (e *Engine) Usage(since time.Time) api.Usage {
	u := &e.usage
	u.mu.Lock()
	u.asked = time.Now()
	u.mu.Unlock()
	poke(u.woken)
	e.measure()
	out := api.Usage{Cores: runtime.NumCPU(), Processes: []api.ProcessUsage{}}
	if memory, err := mem.VirtualMemory(); err == nil { // else it is not known
		out.MemoryBytes = memory.Total
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	out.Engine = samplesAfter(u.engine, since)
	for _, k := range u.processes {
		k.Samples = samplesAfter(k.Samples, since)
		out.Processes = append(out.Processes, k)
	}
	return out
}

// samplesAfter returns a copy of the samples after a moment.
func samplesAfter(samples []api.UsageSample, since time.Time) []api.UsageSample {
	i := len(samples)
	for i > 0 && samples[i-1].At.After(since) {
		i--
	}
	return append([]api.UsageSample{}, samples[i:]...)
}

// addUsage puts the newest samples into a status.
func (u *usage) addUsage(st *api.Status) {
	u.mu.Lock()
	defer u.mu.Unlock()
	newest := func(samples []api.UsageSample) *api.UsageSample {
		if len(samples) == 0 {
			return nil
		}
		s := samples[len(samples)-1]
		return &s
	}
	st.Engine.Usage = newest(u.engine)
	for i := range st.Processes {
		for _, k := range u.processes {
			if k.PID == st.Processes[i].PID && !k.Ended {
				st.Processes[i].Usage = newest(k.Samples)
			}
		}
	}
}
