package watcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"blendtray/api"
)

var defaultInclude = []string{"**/*.py"}

// folder is a watched folder. Its fields are guarded by Watcher.mu, except WatchSettings, which
// never changes.
type folder struct {
	api.WatchSettings
	only func(path string) bool // see [Config]

	root       os.FileInfo // what lay at Path when it was last checked; nil when nothing is there
	problem    string      // why the root is not watched at all
	distrusted bool        // that is because others may write to it

	// checked is when the root was last found there, or when the wait for it began.
	checked time.Time
	// closed is set while the folder may not be watched after it was watched or waited for. before is
	// then what was watched until that, or nil.
	closed bool
	before os.FileInfo
	began  time.Time // when the first full scan began
	// next is how the next full scan looks.
	next look
	// places are the file systems that it lies on; nil before the first look. placed is set when they
	// were known when the last full scan began, and moved when the owner is to be told of them.
	places Places
	placed bool
	moved  bool

	own []string // folders of the engine's own files in it, by paths from Path

	unwatched int  // folders in it without events
	watched   int  // folders in it with events
	needsScan bool // a full scan is to be made
	scanning  bool // a full scan is being made
	announce  bool // Scanned is to be called when pending is 0
	pending   int  // entries that a full scan found and that are not dealt with yet
	removed   bool // it is not watched any more

	links     int // scripts in it that can be written by other names than their own
	nextPoll  time.Time
	nextLinks time.Time          // when to look at them
	twins     map[string]string  // folders in it that are watched under another path already
	refused   map[string]refusal // files and folders in it that others could have put there
}

func newFolder(f api.WatchSettings, only func(path string) bool) *folder {
	return &folder{WatchSettings: f, only: only, needsScan: true, twins: map[string]string{}, refused: map[string]refusal{}}
}

// check returns what is wrong with a list of folders, or nil.
func check(folders []api.WatchSettings) error {
	seen := map[string]bool{}
	for _, f := range folders {
		switch {
		case !filepath.IsAbs(f.Path) || filepath.Clean(f.Path) != f.Path:
			return fmt.Errorf("folder %q: give its absolute path, without . and .. in it", f.Path)
		case seen[f.Path]:
			return fmt.Errorf("folder %s is named twice", f.Path)
		case f.Poll < 0:
			return fmt.Errorf("folder %s: poll interval %s is negative", f.Path, f.Poll)
		}
		seen[f.Path] = true
		for _, p := range slices.Concat(f.Include, f.Exclude) {
			if !doublestar.ValidatePattern(p) || p == "" {
				return fmt.Errorf("folder %s: %q is not a valid pattern", f.Path, p)
			}
		}
	}
	return nil
}

// equal reports whether two folders have the same settings.
func equal(a, b api.WatchSettings) bool {
	return a.Path == b.Path && a.Recursive == b.Recursive && a.Poll == b.Poll && a.Settle == b.Settle && a.Trust == b.Trust &&
		slices.Equal(a.Include, b.Include) && slices.Equal(a.Exclude, b.Exclude)
}

// below returns path relative to root ("." for root itself), and false when path is neither root
// nor below it.
func below(root, path string) (rel string, ok bool) {
	rest, ok := strings.CutPrefix(path, root)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return ".", true
	case os.IsPathSeparator(rest[0]):
		return rest[1:], true
	case os.IsPathSeparator(root[len(root)-1]): // "/" and "C:\"
		return rest, true
	}
	return "", false
}

// covers reports whether files that lie directly in dir can belong to f.
func (f *folder) covers(dir string) bool {
	rel, ok := below(f.Path, dir)
	return ok && (rel == "." || f.Recursive && !Ignored(rel)) &&
		!slices.ContainsFunc(f.own, func(own string) bool { _, in := below(own, dir); return in })
}

// ownerLocked returns the folder that files directly in dir belong to: the innermost folder that
// covers dir, or nil. It needs mu.
func (w *Watcher) ownerLocked(dir string) *folder {
	var best *folder
	for _, f := range w.folders {
		if f.covers(dir) && (best == nil || len(f.Path) > len(best.Path)) {
			best = f
		}
	}
	return best
}

// script reports whether the file at path, which f owns, counts as a script.
func (f *folder) script(path string) bool {
	if f.only != nil {
		return f.only(path)
	}
	rel, ok := below(f.Path, path)
	if !ok || rel == "." || Ignored(rel) {
		return false
	}
	rel = filepath.ToSlash(rel)
	include := f.Include
	if len(include) == 0 {
		include = defaultInclude
	}
	match := func(pattern string) bool { return doublestar.MatchUnvalidated(pattern, rel) }
	return slices.ContainsFunc(include, match) && !slices.ContainsFunc(f.Exclude, match)
}

// IsScript reports whether a file is a script of a watched folder.
func IsScript(f api.WatchSettings, path string) bool {
	one := &folder{WatchSettings: f}
	return one.covers(filepath.Dir(path)) && one.script(path)
}

// enters reports whether a scan of f goes into dir, which lies below f. It does not when
// everything in dir is excluded.
func (f *folder) enters(dir string) bool {
	if !f.covers(dir) {
		return false
	}
	rel, _ := below(f.Path, dir)
	rel = filepath.ToSlash(rel)
	return !slices.ContainsFunc(f.Exclude, func(p string) bool {
		return strings.HasSuffix(p, "/**") && doublestar.MatchUnvalidated(p, rel)
	})
}

// statusLocked returns how f is watched; method is the name of the source of events, and troubles
// what is wrong in f, the worst first. It needs mu.
func (f *folder) statusLocked(method string, troubles []string) api.FolderStatus {
	st := api.FolderStatus{Path: f.Path, Error: f.problem, Refused: len(f.refused)}
	switch {
	case f.distrusted: // with all that is in it
		st.Refused = 1
		return st
	case f.problem != "":
		st.Refused = 0
		return st
	case f.watched > 0:
		st.Method = method
	case f.unwatched > 0:
		st.Method = methodPoll
	}
	st.Error = lines(append([]string{f.refusalLocked()}, troubles...)...)
	return st
}

var errServing = errors.New("the watcher is serving already")
