package engine

import (
	"sync"
	"time"

	"blendtray/api"
)

// progressEvery bounds the progress events of a run to 20 a second.
const progressEvery = 50 * time.Millisecond

// sink takes what a run does while it runs to where it is kept and shown. It is called by
// the goroutine that reads Blender's pipe and therefore waits for nothing: no disk, no client.
type sink struct {
	engine *Engine
	job    *job
	shown  bool // that it runs was published

	mu    sync.Mutex
	sent  time.Time   // when the last progress event was
	timer *time.Timer // set while one is due
	ended bool
}

// Started is when the run begins in Blender, which is when the event of its state comes.
func (s *sink) Started(at time.Time) { s.show(at) }

func (s *sink) show(at time.Time) {
	e, j := s.engine, s.job
	at = at.UTC().Round(0)
	e.mu.Lock()
	j.run.StartedAt = &at
	if j.began.IsZero() {
		j.began = time.Now()
	}
	e.rememberLocked(j)
	r := e.snapshotLocked(j)
	e.mu.Unlock()
	if !s.shown {
		s.shown = true
		e.publishRun(r)
	}
}

// Output may come a moment before Started, because it comes by another way.
func (s *sink) Output(p []byte) {
	if !s.shown {
		s.show(time.Now())
	}
	s.engine.hub.output(s.job.run.ID, s.job.out.write(p))
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

// late sends the progress that came too soon after the one before.
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

// end is called when the run has ended, before the event that says so.
func (s *sink) end() {
	s.mu.Lock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.engine.hub.output(s.job.run.ID, s.job.out.end())
}
