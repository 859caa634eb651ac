package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// acquire waits until a member is free for a run and takes it. It fails as [Fleet.Ready] does.
func (f *Fleet) acquire(ctx context.Context, n need) (*member, error) {
	if f.mayTakeNew(n) {
		f.checkFor(ctx, n.scene)
	}
	var m *member
	err := f.await(ctx, n, func(i int) {
		m = f.members[i]
		m.busy, m.pid = true, m.status.PID
		f.runs++
		if f.runs == 1 {
			f.since = time.Now()
		}
		f.tellServeLocked()
	})
	return m, err
}

// mayTakeNew reports whether a run may get a Blender in which nothing has run, judged by the Blenders
// that are free now.
func (f *Fleet) mayTakeNew(n need) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.sessions[n.session]; n.session != "" && s != nil && s.m != nil {
		return false // it has its Blender
	}
	i := choose(f.viewsLocked(), n)
	return i < 0 || f.members[i].use == clean
}

// Await waits until a Blender is free for a run like the request. It fails as [Fleet.Ready] does.
func (f *Fleet) Await(ctx context.Context, req blender.Request) error {
	if req.Session != "" {
		f.askForWalls(req)
		f.mu.Lock()
		refused := f.wanted && f.refusalLocked(req) != ""
		f.mu.Unlock()
		if refused {
			return nil // the run is told so at once
		}
	}
	return f.await(ctx, needOf(req), func(int) {})
}

// await waits until a member is free for a run and calls found with its number, with mu held.
func (f *Fleet) await(ctx context.Context, n need, found func(member int)) error {
	asked := &n
	f.mu.Lock()
	f.asked = append(f.asked, asked)
	defer func() {
		f.mu.Lock()
		for i, a := range f.asked {
			if a == asked {
				f.asked = append(f.asked[:i:i], f.asked[i+1:]...)
				break
			}
		}
		f.mu.Unlock()
	}()
	for told := false; ; told = true {
		if err := ctx.Err(); err != nil {
			f.mu.Unlock()
			return err
		}
		if i := choose(f.viewsLocked(), n); i >= 0 && f.wanted {
			found(i)
			f.mu.Unlock()
			return nil
		}
		if err := f.hopelessLocked(n); err != nil {
			f.mu.Unlock()
			return err
		}
		changed := f.changed
		if !told { // what is asked for stays the same, and other news wakes Serve by itself
			wake(f.poke)
		}
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		f.mu.Lock()
	}
}

// hopelessLocked returns why no member will be free for a run, or nil. It needs mu.
func (f *Fleet) hopelessLocked(n need) error {
	if !f.wanted || f.over {
		return blender.ErrStopped
	}
	uses := n.uses(f.viewsLocked())
	var failed *member
	for _, m := range f.members {
		switch {
		case m.parked || !slices.Contains(uses, m.use) && !(m.use == spent && m.busy):
		case m.use == clean && m.scene != "" && (m.scene != n.scene || m.shownLocked().State == api.BlenderFailed):
			// It is for another run, or can't open the file; then a Blender without a file tells why.
		case m.shownLocked().State == api.BlenderFailed:
			failed = m
		default:
			return nil // it is there, or will be
		}
	}
	if failed != nil {
		return &blender.FailedError{Reason: failed.shownLocked().Reason}
	}
	return nil
}

// needOf returns what a run asks for.
func needOf(req blender.Request) need {
	n := need{isolation: req.Isolation, look: req.Look, session: req.Session, confined: req.Confined}
	if n.session == "" && n.isolation == api.IsolateProcess && filepath.IsAbs(req.Scene) {
		n.scene = req.Scene
	}
	return n
}

// Run has a Blender execute a request, as [blender.Supervisor.Run] does. Which one depends on
// the request's isolation: a new one, one that goes on, or for a look the one that the last
// isolated run has left, or the Blender of the request's session.
func (f *Fleet) Run(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
	if req.Session != "" {
		return f.runInSession(ctx, req, sink)
	}
	n := needOf(req)
	// Rendering a scene is mostly done once: no other Blender opens the scene for the next time.
	rendersAlone := req.Render != nil && len(req.Code) == 0
	var scene os.FileInfo
	if n.scene != "" && !rendersAlone {
		scene = f.useScene(n.scene)
	}
	m, err := f.acquire(ctx, n)
	if err != nil {
		return blender.Outcome{}, err
	}
	f.mu.Lock()
	if req.Left != "" && req.Left != m.left {
		after := m.left
		m.busy = false
		f.runs--
		m.renewLocked() // its process may be another one meanwhile
		f.newsLocked()
		f.mu.Unlock()
		f.publish()
		if after == "" {
			return refused(api.LeftGone + "the Blender that had it has ended"), nil
		}
		return refused(fmt.Sprintf("%srun %s came after run %s", api.LeftGone, after, req.Left)), nil
	}
	first := m.use == clean
	if first {
		m.use = spent
		m.takeTurnLocked() // what the run before has left goes now that another run begins
	}
	f.mu.Unlock()
	if t, ok := sink.(blender.Taker); ok {
		t.Taken(m.pid)
	}
	out, err := m.b.Run(ctx, req, sink)
	f.mu.Lock()
	m.busy = false
	f.runs--
	if err == nil {
		m.ran = req.ID
	}
	m.status = m.b.Status()
	if goesOn := m.status.State == api.BlenderReady || m.status.State == api.BlenderRunning; first && err == nil && goesOn {
		m.left = req.ID
		m.takeTurnLocked()
	}
	switch {
	case n.scene == "" || err != nil:
	case out.Verdict == blender.Succeeded:
		f.openedLocked(n.scene)
	case !rendersAlone && out.Verdict == blender.Errored && out.Error.Type == "SceneError" && strings.HasPrefix(out.Error.Message, n.scene+blender.CantOpen):
		f.noteUnopenedLocked(n.scene, out.Error.Message, scene)
	}
	switch {
	case first && err != nil: // nothing was executed
		m.use = clean
		m.forgetLocked()
	case m.status.State != api.BlenderReady && m.status.State != api.BlenderRunning:
		m.pid, m.kept = -1, time.Time{} // another process, soon
	default:
		// The process that is there now may be another than the one that acquire saw; the run
		// was executed in one of the two, and counts for this one.
		m.pid = m.status.PID
		if err == nil && n.isolation == api.IsolateKeep {
			m.kept = f.cfg.Now()
		}
	}
	m.renewLocked()
	if err == nil && m.use.goesOn() && m.pid > 0 {
		f.runNewsLocked()
	} else {
		f.newsLocked()
	}
	f.mu.Unlock()
	f.publish()
	return out, err
}

// takeTurnLocked makes the member the one that has what the last isolated run left. It needs
// Fleet.mu.
func (m *member) takeTurnLocked() {
	m.fleet.turns++
	m.turn = m.fleet.turns
}

// Free reports whether a run like the request would begin at once.
func (f *Fleet) Free(req blender.Request) bool {
	f.askForWalls(req)
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.Session != "" && f.wanted && f.refusalLocked(req) != "" {
		return true // the run is told so at once
	}
	return f.wanted && choose(f.viewsLocked(), needOf(req)) >= 0
}

// Preview has the Blender of an isolated run make a picture of the scene that the run has left; see
// [blender.Supervisor.Preview]. It holds up no isolated run: the next one has another
// Blender. It fails with [blender.ErrNoPreview] when what the run left is gone. Where how.Left is false,
// that is so as soon as another run has looked at it, or looks at it; else Preview waits for runs that look
// at it, until ctx ends.
func (f *Fleet) Preview(ctx context.Context, run, path string, how blender.Drawing) error {
	m, err := f.takeLeft(ctx, run, how.Left)
	if err != nil {
		return err
	}
	err = m.b.Preview(ctx, path, how)
	f.mu.Lock()
	m.busy = false
	m.renewLocked()
	f.newsLocked()
	f.mu.Unlock()
	return err
}

// takeLeft takes the member that has what an isolated run left, for a picture. See [Fleet.Preview].
func (f *Fleet) takeLeft(ctx context.Context, run string, looked bool) (*member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(f.members, func(m *member) bool {
			// A picture is a run of its own, which may have to be ended with its Blender: Blenders that go on
			// are left alone.
			is := m.ran == run && !m.busy
			if looked {
				is = m.left == run
			}
			return is && m.use == spent && !m.parked && (m.busy || m.status.State == api.BlenderReady)
		})
		if i < 0 {
			return nil, fmt.Errorf("%w: what the run left is gone", blender.ErrNoPreview)
		}
		if m := f.members[i]; !m.busy {
			m.busy = true
			return m, nil
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		f.mu.Lock()
	}
}
