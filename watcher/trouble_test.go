package watcher

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blendtray/api"
)

// says waits for a status whose error contains a text, or is empty for "".
func (r *rig) says(text string) {
	r.t.Helper()
	r.until("a status that says: "+text, func() bool {
		st := r.w.Status()[0].Error
		return strings.Contains(st, text) && (text == "") == (st == "")
	})
	// Those who are told of changes hear the same.
	r.until("a call of Changed that says: "+text, func() bool {
		if len(r.changed) == 0 {
			return text == ""
		}
		return strings.Contains(r.changed[0].Error, text) && (text == "") == (r.changed[0].Error == "")
	})
}

func TestTheStatusForgetsWhatIsNotWrongAnyMore(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("#", 1001)
	for name, mend := range map[string]func(*rig){
		"removed":          func(r *rig) { r.remove("sub/a.py") },
		"made smaller":     func(r *rig) { r.write("sub/a.py", "a\n") },
		"made empty":       func(r *rig) { r.write("sub/a.py", "") },
		"renamed away":     func(r *rig) { rename(r.t, r.path("sub/a.py"), r.path("a.txt")) },
		"its folder gone":  func(r *rig) { r.remove("sub") },
		"its folder moved": func(r *rig) { rename(r.t, r.path("sub"), r.path("_sub")) },
		"excluded": func(r *rig) {
			if err := r.w.SetFolders([]api.WatchSettings{{Path: r.dir, Recursive: true, Exclude: []string{"sub/a.py"}}}); err != nil {
				r.t.Fatal(err)
			}
		},
		"its folder excluded": func(r *rig) {
			if err := r.w.SetFolders([]api.WatchSettings{{Path: r.dir, Recursive: true, Exclude: []string{"sub/**"}}}); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		for how, method := range methods {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				r := start(t, method, func(c *Config, _ *options) { c.MaxFileBytes = 1000 })
				r.write("sub/a.py", large)
				r.says("sub/a.py is not read: its 1001 bytes")
				r.write("sub/b.py", large)
				r.says("sub/a.py is not read: its 1001 bytes are more than the 1000 that a script may have (and 1 more)")
				r.remove("sub/b.py")
				r.until("a status without the second", func() bool { return !strings.Contains(r.w.Status()[0].Error, "more)") })
				mend(r)
				r.says("")
			})
		}
	}
}

func (r *rig) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// refusing is a source that the system refuses more watches.
type refusing struct {
	source
	refuses *atomic.Bool
	dir     string
}

func (s refusing) add(dir string) (bool, error) {
	if s.refuses.Load() && strings.HasPrefix(dir, s.dir) {
		return false, os.NewSyscallError("add a watch", os.ErrInvalid)
	}
	return s.source.add(dir)
}

func TestTheStatusForgetsThatTheSystemWatchedTooFewFolders(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	refuses.Store(true)
	var r *rig
	r = prepare(t, func(_ *Config, o *options) {
		o.pollEvery = 20 * time.Millisecond
		o.newSource = func(h hintFunc) (source, error) {
			s, err := newSource(h)
			return refusing{s, &refuses, r.path("sub")}, err
		}
	})
	r.mkdir("sub/one")
	r.mkdir("sub/two")
	r.serve()
	r.says("it is polled, because the system does not watch it")
	refuses.Store(false)
	r.says("")
}

// Whoever mends the worst would believe that all is well.
func TestTheStatusTellsEachKindOfWhatIsWrong(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	refuses.Store(true)
	var r *rig
	r = prepare(t, func(c *Config, o *options) {
		c.MaxFileBytes = 1000
		o.pollEvery = 20 * time.Millisecond
		o.newSource = func(h hintFunc) (source, error) {
			s, err := newSource(h)
			return refusing{s, &refuses, r.path("sub")}, err
		}
	})
	r.write("a.py", strings.Repeat("#", 1001))
	r.write("b.py", strings.Repeat("#", 1001))
	r.mkdir("sub")
	r.serve()
	polled := "it is polled, because the system does not watch it: add a watch: " + os.ErrInvalid.Error()
	large := r.path("a.py") + " is not read: its 1001 bytes are more than the 1000 that a script may have (and 1 more)"
	r.says(polled + "\n" + large)
	refuses.Store(false)
	r.until("a status with the scripts alone", func() bool { return r.w.Status()[0].Error == large })
	r.remove("b.py")
	r.says(r.path("a.py") + " is not read")
	r.write("a.py", "")
	r.says("")
}
