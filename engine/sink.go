package engine

import (
	"sync"
	"time"

	"blendtray/api"
)

// progressEvery limits the progress events of a run to 20 a second.
const progressEvery = 50 * time.Millisecond

// sink passes what a run does on to the history and to the subscribers. The goroutine that reads
// Blender's pipe calls the sink, which therefore waits for nothing: no disk, no client.
type sink struct {
	engine *Engine
	job    *job
	shown  bool // the event that the run is running was published

	mu    sync.Mutex
	sent  time.Time   // time of the last progress event
	timer *time.Timer // set while a progress event is due
	ended bool
}

// Taken notes that a Blender was chosen for the run, so that other Blenders that are free are free for
// others.
func (s *sink) Taken(pid int) {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	s.job.run.PID = pid
	s.job.takeLocked(e)
}

// takeLocked notes that the job has its Blender. It needs mu.
func (j *job) takeLocked(e *Engine) {
	if j.stake != nil && j.stake.sent && e.queue.len() > 0 {
		e.wakeWorkersLocked()
	}
	e.load.take(j)
}

// Started publishes that the run has begun in Blender, at the time at.
func (s *sink) Started(at time.Time) { s.show(at) }

func (s *sink) show(at time.Time) {
	e, j := s.engine, s.job
	at = at.UTC().Round(0)
	e.mu.Lock()
	j.run.StartedAt = &at
	if j.began.IsZero() {
		j.began = time.Now()
	}
	j.takeLocked(e)
	e.rememberLocked(j)
	r := e.snapshotLocked(j)
	e.mu.Unlock()
	if !s.shown {
		s.shown = true
		e.publishRun(r)
	}
}

// Output takes printed bytes. It may be called a moment before Started, because output comes on
// another way.
func (s *sink) Output(p []byte) {
	if !s.shown {
		s.show(time.Now())
	}
	at := s.job.out.next()
	s.engine.hub.output(s.job.run.ID, at, s.job.out.write(p))
}

func (s *sink) Progress(p api.Progress) {
	e := s.engine
	e.mu.Lock()
	s.job.run.Progress = &p
	e.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil || s.ended {
		return
	}
	if wait := progressEvery - time.Since(s.sent); wait > 0 {
		s.timer = time.AfterFunc(wait, s.late)
		return
	}
	s.send()
}

// late publishes the progress that came too soon after the last progress event.
func (s *sink) late() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = nil
	if !s.ended {
		s.send()
	}
}

func (s *sink) send() {
	e := s.engine
	e.mu.Lock()
	p := s.job.run.Progress
	e.mu.Unlock()
	s.sent = time.Now()
	e.hub.publish(api.Event{Kind: api.KindProgress, ID: s.job.run.ID, Progress: p})
}

// end stops the timer after the run has ended, before the event of its end.
func (s *sink) end() {
	s.mu.Lock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	at := s.job.out.next()
	s.engine.hub.output(s.job.run.ID, at, s.job.out.end())
}
