package farm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/pulse"
)

// A machine that leaves a farm keeps its key until it has reported the jobs that it has: [Leave] moves the file
// of the membership into a folder, and the worker goes on with what it has taken and takes nothing more.

// giveUpTime bounds the time in which a machine that has left tells the farm which jobs it gives up.
const giveUpTime = 15 * time.Second

// LeaveOptions say how a machine leaves a farm.
type LeaveOptions struct {
	// Membership is the file of the membership, Leaving the folder of the memberships that are being given up, and
	// HeldDir the folder of the jobs that the machine has, as in [WorkerConfig].
	Membership, Leaving, HeldDir string
	// Now has the machine give up the jobs that it has.
	Now bool
	// Engine is true while an engine of this home runs, whose worker does the rest.
	Engine bool
}

// Leave has this machine leave its farm. It returns how many jobs the machine still has, which the worker of
// its engine reports first, or, with Now, tells the farm that they are given up. Without an engine, Leave tells
// the farm itself, for as long as ctx lasts. It fails with [ErrNotMember] when there is nothing to leave.
func Leave(ctx context.Context, o LeaveOptions) (jobs int, err error) {
	files := leavingFiles(o.Leaving)
	m, err := ReadMembership(o.Membership)
	if errors.Is(err, ErrNotMember) && (!o.Now || len(files) == 0) {
		return 0, err
	}
	if err != nil && !errors.Is(err, ErrNotMember) {
		return 0, err
	}
	if !o.Now {
		key, err := m.key()
		if err != nil {
			return 0, errors.Join(err, os.Remove(o.Membership)) // nobody takes such a member
		}
		jobs = heldBy(o.HeldDir, key)
		if jobs == 0 && !o.Engine {
			return 0, os.Remove(o.Membership)
		}
		if err := os.MkdirAll(o.Leaving, 0o700); err != nil {
			return jobs, err
		}
		return jobs, os.Rename(o.Membership, filepath.Join(o.Leaving, key+".json"))
	}
	var told error
	for _, path := range append(files, o.Membership) {
		m, err := ReadMembership(path)
		if errors.Is(err, ErrNotMember) {
			continue
		}
		if err != nil {
			return jobs, err
		}
		if err := os.Remove(path); err != nil {
			return jobs, err
		}
		key, err := m.key()
		if err != nil {
			continue // nobody takes such a member
		}
		jobs += heldBy(o.HeldDir, key)
		if !o.Engine {
			told = errors.Join(told, abandon(ctx, m, o.HeldDir))
		}
	}
	return jobs, told
}

// key returns the public key of the member.
func (m *Membership) key() (string, error) {
	card, err := m.OpenCard()
	return card.Key, err
}

// leavingFiles returns the paths of the memberships that are being given up.
func leavingFiles(dir string) []string {
	files, _ := filepath.Glob(filepath.Join(dir, "*.json")) // the pattern is right
	return files
}

// heldBy returns how many jobs a member has here.
func heldBy(dir, key string) (n int) {
	for _, h := range readHeld(dir) {
		if h.Key == key {
			n++
		}
	}
	return n
}

// abandon tells the farm that a member gives up the jobs that it has here. No engine runs, so none of
// these jobs is running.
func abandon(ctx context.Context, m *Membership, heldDir string) error {
	key, err := m.key()
	if err != nil || heldBy(heldDir, key) == 0 {
		return err
	}
	c, err := Dial(ctx, m, DialOptions{})
	if err != nil {
		return err // the farm finds out when the leases end
	}
	defer c.Close()
	s := newShift(NewWorker(WorkerConfig{HeldDir: heldDir}), c)
	for id, h := range readHeld(heldDir) {
		if h.Key != key {
			continue
		}
		j := newWork(s, id, nil)
		j.job, j.attempt, j.claim = h.Job, h.Attempt, Claim{Run: h.Run}
		if j.mine(ctx) {
			j.cutOff(ctx, api.Run{}, StateInterrupted, s.name+" has left the farm")
		}
	}
	return ctx.Err()
}

// tidy removes what jobs have left of which this machine knows no farm any more, and what attempts have left
// that are over.
func (w *Worker) tidy() {
	known := map[string]bool{}
	for _, path := range append(leavingFiles(w.cfg.Leaving), w.cfg.Membership) {
		m, err := ReadMembership(path)
		if errors.Is(err, ErrNotMember) {
			continue
		}
		if err != nil {
			return // it may be mended
		}
		if key, err := m.key(); err == nil {
			known[key] = true
		}
	}
	attempts := []string{}
	for id, h := range readHeld(w.cfg.HeldDir) {
		if known[h.Key] {
			attempts = append(attempts, attemptName(id, h.Attempt))
			continue
		}
		w.log.Warn("what a job of the farm has made is lost, because this machine has left the farm", "job", id)
		_ = os.Remove(filepath.Join(w.cfg.HeldDir, id+".json")) // it is tried again at the next start
	}
	w.cfg.Porter.Tidy(attempts)
}

// serveLeaving works as the members that this machine is giving up, until ctx ends.
func (w *Worker) serveLeaving(ctx context.Context) {
	if w.cfg.Leaving == "" {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	var serving sync.Map
	for ctx.Err() == nil {
		for _, path := range leavingFiles(w.cfg.Leaving) {
			if _, already := serving.LoadOrStore(path, true); !already {
				all.Go(func() {
					defer serving.Delete(path)
					w.serveFile(ctx, path, true)
				})
			}
		}
		pause(ctx, pulse.Until(absentTime))
	}
}

// untilLeft returns when this shift is to end: when ctx ends, when the file of its membership is another or is
// gone, or when a machine that leaves has no job any more.
func (s *shift) untilLeft(ctx context.Context, file membershipFile) {
	for ctx.Err() == nil {
		if file.changed() {
			if !s.isStillMember() {
				s.giveUpAll(ctx)
				s.forgetMachine(ctx)
			}
			return
		}
		if s.leaving && s.count() == 0 && s.c.Connected() {
			s.forgetMachine(ctx)
			if err := os.Remove(file.path); err != nil {
				s.log.Warn("the key for a farm that this machine has left can't be removed", "error", err)
			}
			return
		}
		pause(ctx, lookTime)
	}
}

// isStillMember reports whether a file of this home has the membership of this shift.
func (s *shift) isStillMember() bool {
	m, err := ReadMembership(s.cfg.Membership)
	if err != nil && !errors.Is(err, ErrNotMember) {
		return true // as far as is known
	}
	if err == nil {
		if key, err := m.key(); err == nil && key == s.key {
			return true
		}
	}
	for _, path := range leavingFiles(s.cfg.Leaving) {
		if strings.TrimSuffix(filepath.Base(path), ".json") == s.key {
			return true
		}
	}
	return false
}

// count returns how many jobs this machine has as this member.
func (s *shift) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

// giveUpAll ends the runs of the jobs that this machine has, and tells the farm so, for a limited time.
func (s *shift) giveUpAll(ctx context.Context) {
	s.mu.Lock()
	s.leaving = true
	for _, j := range s.held {
		j.giveUp()
	}
	s.mu.Unlock()
	for end := time.Now().Add(giveUpTime); s.count() > 0 && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, lookTime/10)
	}
	for id, h := range readHeld(s.cfg.HeldDir) {
		if h.Key == s.key && ctx.Err() == nil {
			s.log.Warn("what a job of the farm has made is lost, because this machine has left the farm", "job", id)
			s.cfg.Porter.Discard(h.Job, attemptName(id, h.Attempt), false)
			_ = os.Remove(s.heldFile(id)) // it is tried again at the next start
		}
	}
}

// forgetMachine removes this machine from the list of the farm.
func (s *shift) forgetMachine(ctx context.Context) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.left = true
	ctx, stop := context.WithTimeout(ctx, pullTime)
	defer stop()
	if kv, err := s.c.js.KeyValue(ctx, bucketMachines); err == nil {
		_ = kv.Delete(ctx, s.key) // otherwise it is listed as gone for a day
	}
}
