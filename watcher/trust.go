package watcher

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// A watched folder is a way to have code run as this user. So the watcher takes no script that
// somebody else could have put there: as ssh (StrictModes) and git (safe.directory) do, it refuses
// a file, and a folder up to the root, that anyone but this user and root owns or may write to.
// [Refusal] has the rule. The setting trust = "anyone" switches it off for one folder.
//
// What is refused is told: in the folder's status, which every client shows, and in the log.

// Refusal returns why a folder, which exists, is not watched and what a person can do, or "" when
// nobody but this user and root could have put scripts there or the folder's settings trust anyone.
func Refusal(f api.WatchSettings) string {
	if f.Trust == api.TrustAnyone {
		return ""
	}
	why := distrust(f.Path)
	if why == "" {
		return ""
	}
	return "it is not watched, because " + why + remedy(f)
}

// Distrust returns why somebody other than this user and root could have written a file that is
// there, or "". It is for other files than scripts.
func Distrust(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return distrustFile(file, nil, info)
}

// remedy returns the end of a sentence on what others may write to.
func remedy(f api.WatchSettings) string {
	return fmt.Sprintf(", so that others could have scripts run as you; take that away from them, or trust everybody who may write there: `blendtray folder set %s --trust anyone`", shellWord(f.Path))
}

// refusesFolder reports whether a folder in f is not to be entered, and notes that for the status.
func (w *Watcher) refusesFolder(f *folder, path string) bool {
	why := ""
	if f.Trust != api.TrustAnyone && path != f.Path { // checkRoot has looked at f itself
		why = distrust(path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why == "" {
		delete(f.refused, path)
		return false
	}
	d := w.dirs[path]
	w.refuseLocked(f, path, refusal{
		why:    api.NameInLine(path) + " is not watched, because " + why + remedy(f.WatchSettings),
		folder: true, looked: d != nil && d.listed,
	})
	w.unwatchTreeLocked(path)
	return true
}

// refusesFile reports whether e's file, which is open, is not to be run, and notes that for the
// status. Such a file is not read before it changes.
func (w *Watcher) refusesFile(e *entry, open *os.File, fi fs.FileInfo) bool {
	f := e.folder
	if f.Trust == api.TrustAnyone {
		return false
	}
	why := distrustFile(e.path, open, fi)
	if why == "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, was := f.refused[e.path]; was {
			delete(f.refused, e.path)
			poke(w.wake) // for the status
		}
		return false
	}
	w.noteUnread(e, fi, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuseLocked(f, e.path, refusal{why: api.NameInLine(e.path) + " is not run, because " + why + remedy(f.WatchSettings)})
	w.roots = true // perhaps it is a folder above that others may write to, and all of f is to be refused
	poke(w.wake)
	return true
}

// refusal is a file or folder in a watched folder that others could have put there.
type refusal struct {
	why    string // a sentence for the status
	folder bool
	looked bool // the folder was looked through before it was refused
}

// refuseLocked notes and logs why a file or folder in f is refused. It needs mu.
func (w *Watcher) refuseLocked(f *folder, path string, r refusal) {
	before, was := f.refused[path]
	if was && before.folder {
		r.looked = before.looked
	}
	f.refused[path] = r
	if before.why != r.why {
		w.log.Warn(r.why)
	}
}

// reconsider looks again at what was refused in f. A folder that may be entered now is looked
// through, for the first time unless it was looked through before. A file that may be run now is
// examined: it is a save if it was saved while it was refused, and else a find of the first look.
func (w *Watcher) reconsider(f *folder) {
	w.mu.Lock()
	refused := maps.Clone(f.refused)
	if f.problem != "" {
		refused = nil // what is in f is considered when f may be watched
	}
	w.mu.Unlock()
	for path, r := range refused {
		why, is := refusedStill(f, path, r)
		w.mu.Lock()
		is = is && w.ownerLocked(r.dir(path)) == f
		w.mu.Unlock()
		switch {
		case is && why != "":
		case is && r.folder:
			w.mu.Lock()
			w.arrivals[path] = r.look() // enter forgets the refusal
			w.mu.Unlock()
		default:
			w.mu.Lock()
			delete(f.refused, path)
			w.markUnreadLocked(path, time.Now())
			w.mu.Unlock()
		}
	}
}

// refusedStill returns why what was refused in f is still to be refused, or "", and whether it is
// still there.
func refusedStill(f *folder, path string, r refusal) (why string, is bool) {
	stat := os.Stat
	if r.folder {
		stat = os.Lstat // a link to a folder is not entered
	}
	info, err := stat(path)
	switch {
	case isGone(err) || err == nil && info.IsDir() != r.folder:
		return "", false
	case f.Trust == api.TrustAnyone:
		return "", true
	case err != nil:
		return err.Error(), true
	case r.folder:
		return distrust(path), true
	}
	return distrustFile(path, nil, info), true
}

// dir returns the folder that was refused, or in which the file lies that was.
func (r refusal) dir(path string) string {
	if r.folder {
		return path
	}
	return filepath.Dir(path)
}

// look returns how a folder is looked through when it is not refused any more. What lies in it was
// there before and was not saved just now, whatever the times say that chmod has changed.
func (r refusal) look() look { return look{mode: scanFull, anew: !r.looked} }

// refusedLook returns how a folder in f that was refused is looked through, and false when it was
// not refused.
func (w *Watcher) refusedLook(f *folder, path string) (look, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, was := f.refused[path]
	return r.look(), was && r.folder
}

// inheritLocked hands what was refused in a watched folder, which is removed, to the watched folder
// that has its place now. It needs mu.
func (w *Watcher) inheritLocked(from *folder) {
	for path, r := range from.refused {
		f := w.ownerLocked(r.dir(path))
		if f != nil && (r.folder && path != f.Path && f.enters(path) || !r.folder && f.script(path)) {
			f.refused[path] = r
		}
	}
}

// refusalLocked returns the sentence for the status on what was refused in f, or "". It needs mu.
func (f *folder) refusalLocked() string {
	if len(f.refused) == 0 {
		return ""
	}
	paths := make([]string, 0, len(f.refused))
	for path := range f.refused {
		paths = append(paths, path)
	}
	text := f.refused[slices.Min(paths)].why
	if more := len(paths) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more like it", more)
	}
	return text
}

var plainWord = regexp.MustCompile(`^[\pL\pN/._+:@%-]+$`)

// shellWord returns a path as a person types it into a shell.
func shellWord(path string) string {
	if plainWord.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
