package fleet

import (
	"os"
	"slices"
	"time"

	"blendtray/api"
)

const (
	// sceneTime is for how long a Blender waits with a file after the last run that began with it,
	// where nobody has said that more such runs will come.
	sceneTime = 10 * time.Minute
	// waitingMemory is how much memory of its own a Blender has that waits without a file, in
	// bytes: 86 MB in Blender 3.4.1, 97 MB in 4.5.
	waitingMemory = 90 << 20
	// growth is how much more memory than its file has a scene needs when it is open: a file of
	// 207 MB with meshes and packed pictures needed 626 MB in Blender 3.4.1.
	growth = 3
)

// file is a .blend that runs begin with. Its fields are guarded by Fleet.mu.
type file struct {
	path     string
	used     time.Time // when a run last began with it
	expected bool      // more runs will begin with it, as far as the engine knows
	there    bool      // the file was there when it was last looked at
	bytes    uint64    // its size then
	// measuredOnce: somebody has looked at the file.
	measuredOnce bool
	measured     uint64 // how much memory a Blender had that waited with it, or 0
	// info is what the system told of the file when it was last looked at, or nil.
	info os.FileInfo
	// unopened is why no Blender waits with the file: it can't be opened. "" when it can be, as far as
	// is known. tried is the file as it was then; nil is as it is at the next look.
	unopened string
	tried    os.FileInfo
}

// cost returns how much memory a Blender has that waits with the file, in bytes.
func (s *file) cost() uint64 { return max(waitingMemory+growth*s.bytes, s.measured) }

// expectScenesLocked notes which files runs will begin with, and returns whether these are others
// than before. It needs mu.
func (f *Fleet) expectScenesLocked(paths []string) (news bool) {
	for _, s := range f.scenes {
		if expected := slices.Contains(paths, s.path); expected != s.expected {
			s.expected, news = expected, true
		}
	}
	for _, path := range paths {
		if f.sceneLocked(path) == nil {
			f.scenes = append(f.scenes, &file{path: path, expected: true})
			news = true
		}
	}
	return news
}

// sceneLocked returns the file with a path, or nil. It needs mu.
func (f *Fleet) sceneLocked(path string) *file {
	for _, s := range f.scenes {
		if s.path == path {
			return s
		}
	}
	return nil
}

// useScene notes that a run begins with a file, and returns what is known of the file, or nil.
func (f *Fleet) useScene(path string) os.FileInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sceneLocked(path)
	if s == nil {
		s = &file{path: path}
	}
	s.used = time.Now()
	others := slices.DeleteFunc(slices.Clone(f.scenes), func(other *file) bool { return other == s })
	f.scenes = append([]*file{s}, others...)
	wake(f.poke)
	return s.info
}

// checkScenes looks at the files that runs begin with and at the Blenders that wait with them, on a
// goroutine of its own: a network drive that is gone may never answer.
func (f *Fleet) checkScenes() {
	f.mu.Lock()
	due := len(f.scenes) > 0 && !f.looking && (f.unmeasuredLocked() || time.Since(f.looked) >= lookTime)
	f.looking = f.looking || due
	f.mu.Unlock()
	if !due {
		return
	}
	go func() {
		f.measureScenes()
		f.markOutdated(func(m *member) bool { return m.scene != "" })
		f.mu.Lock()
		f.looking, f.looked = false, time.Now()
		f.mu.Unlock()
		wake(f.poke)
	}()
}

// unmeasuredLocked returns whether a file is new. It needs mu.
func (f *Fleet) unmeasuredLocked() bool {
	return slices.ContainsFunc(f.scenes, func(s *file) bool { return !s.measuredOnce })
}

// measureScenes looks at the files that runs begin with, and forgets those that are not used any
// more.
func (f *Fleet) measureScenes() {
	f.mu.Lock()
	f.scenes = slices.DeleteFunc(slices.Clone(f.scenes), func(s *file) bool {
		return !s.expected && time.Since(s.used) > sceneTime
	})
	scenes := f.scenes
	f.mu.Unlock()
	for _, s := range scenes {
		f.mu.Lock()
		tried, before := s.tried, s.info
		f.mu.Unlock()
		info, err := os.Stat(s.path)
		there := err == nil && info.Mode().IsRegular()
		// A file that is still being written can't be opened either.
		another := there && tried != nil && !sameFile(tried, info) && sameFile(before, info)
		f.mu.Lock()
		s.measuredOnce = true
		if s.there = there; there {
			s.bytes, s.info = uint64(info.Size()), info
		}
		switch {
		case another && s.tried == tried:
			s.unopened, s.tried = "", nil
		case there && s.unopened != "" && s.tried == nil:
			s.tried = info
		}
		f.mu.Unlock()
	}
}

// sameFile reports whether nothing has changed between two looks at a file, as far as the system tells.
func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// wantedScenesLocked returns the files with which Blenders should wait, the most recently used
// first, and how much memory all of these Blenders together may have, in bytes. It needs mu.
func (f *Fleet) wantedScenesLocked() (scenes []scene, room uint64) {
	others, waiting := uint64(0), uint64(0)
	for _, m := range f.members {
		if m.use != clean || m.scene == "" || m.parked {
			others += m.status.MemoryBytes
			continue
		}
		waiting += m.status.MemoryBytes
		if s := f.sceneLocked(m.scene); s != nil && m.status.State == api.BlenderReady {
			s.measured = m.status.MemoryBytes
		}
	}
	room = f.free + waiting - min(f.free+waiting, scarceMemory)
	if limit := uint64(f.spec.Fleet.MaxMemory); limit > 0 {
		room = min(room, limit-min(limit, others))
	}
	for _, s := range f.scenes {
		if s.there && s.unopened == "" {
			scenes = append(scenes, scene{s.path, s.cost()})
		}
	}
	return scenes, room
}

// opensLocked notes as what a member's Blender will find its file. It needs mu.
func (f *Fleet) opensLocked(m *member) {
	m.finds = nil
	if s := f.sceneLocked(m.scene); s != nil {
		m.finds = s.info
	}
}

// noteUnopenedLocked notes that a Blender could not open a file, as it was when the Blender was about to.
// No Blender opens the file beforehand until the file has changed, a run with it has succeeded, or
// Blenders are started in another way. It needs mu.
func (f *Fleet) noteUnopenedLocked(path, why string, was os.FileInfo) {
	s := f.sceneLocked(path)
	if s == nil {
		return
	}
	if was == nil {
		was = s.info
	}
	s.unopened, s.tried = why, was
}

// openedLocked notes that a Blender has opened a file: one that waits with the file is started, and one
// that failed tries again soon. It needs mu.
func (f *Fleet) openedLocked(path string) {
	if s := f.sceneLocked(path); s != nil {
		s.unopened, s.tried = "", nil
	}
	for _, m := range f.members {
		if m.scene == path && m.status.State == api.BlenderFailed {
			m.retried = time.Time{}
		}
	}
}
