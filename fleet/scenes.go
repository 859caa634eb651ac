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

// useScene notes that a run begins with a file.
func (f *Fleet) useScene(path string) {
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
		info, err := os.Stat(s.path)
		f.mu.Lock()
		s.measuredOnce = true
		if s.there = err == nil && info.Mode().IsRegular(); s.there {
			s.bytes = uint64(info.Size())
		}
		f.mu.Unlock()
	}
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
		if s.there {
			scenes = append(scenes, scene{s.path, s.cost()})
		}
	}
	return scenes, room
}

// retrySceneLocked has a Blender that could not open a file try again soon, because another Blender
// has opened the file. It needs mu.
func (f *Fleet) retrySceneLocked(path string) {
	for _, m := range f.members {
		if m.scene == path && m.status.State == api.BlenderFailed {
			m.retried = time.Time{}
		}
	}
}
