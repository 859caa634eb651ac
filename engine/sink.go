package engine

import (
	"os"
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
	// drawing is true while a thumbnail of a picture of the render is made.
	drawing bool
	drew    bool // a thumbnail was begun, so that there may be a file
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

// Rendered shows clients a picture that the run has rendered while it goes on. Of a format that clients
// do not read, Blender makes a thumbnail first, and pictures that come meanwhile are left out.
func (s *sink) Rendered(picture string) {
	e := s.engine
	switch api.PictureKindOf(picture) {
	case api.PlainPicture:
		s.live(picture)
	case api.OtherPicture:
		e.mu.Lock()
		run, ctx := s.job.run, s.job.ctx
		e.mu.Unlock()
		file := e.liveFile(run)
		s.mu.Lock()
		busy := s.drawing || s.ended || file == "" || e.cfg.Thumbnails == nil
		s.drawing, s.drew = s.drawing || !busy, s.drew || !busy
		s.mu.Unlock()
		if busy {
			return
		}
		go func() {
			if err := e.drawLive(ctx, run, picture, file); err == nil {
				s.live(file)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.drawing = false; s.ended {
				_ = os.Remove(file) // the run has ended meanwhile
			}
		}()
	}
}

// live publishes the picture of a render that goes on.
func (s *sink) live(picture string) {
	e := s.engine
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	e.mu.Lock()
	s.job.run.Preview = picture
	r := e.snapshotLocked(s.job)
	e.mu.Unlock()
	e.hub.publish(api.Event{Kind: api.KindPreview, ID: r.ID, Run: &r, Live: true})
}

// end stops the timer after the run has ended, before the event of its end.
func (s *sink) end() {
	s.mu.Lock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	drew := s.drew
	s.mu.Unlock()
	s.engine.mu.Lock()
	s.job.run.Preview = "" // the live picture goes with the end of the render
	run := s.job.run
	s.engine.mu.Unlock()
	if file := s.engine.liveFile(run); drew && file != "" {
		_ = os.Remove(file) // where the drawing goes on, it removes the file itself
	}
	at := s.job.out.next()
	s.engine.hub.output(s.job.run.ID, at, s.job.out.end())
}
