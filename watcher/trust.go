package watcher

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

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
	if f.Trust == api.TrustAnyone || path == f.Path { // checkRoot has looked at f itself
		return false
	}
	why := distrust(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	if why == "" {
		delete(f.refused, path)
		return false
	}
	w.refuseLocked(f, path, path+" is not watched, because "+why+remedy(f.WatchSettings))
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
	w.noteUnread(e, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuseLocked(f, e.path, e.path+" is not run, because "+why+remedy(f.WatchSettings))
	w.roots = true // perhaps it is a folder above that others may write to, and all of f is to be refused
	poke(w.wake)
	return true
}

// refuseLocked notes and logs why a file or folder in f is refused. It needs mu.
func (w *Watcher) refuseLocked(f *folder, path, why string) {
	if f.refused[path] != why {
		f.refused[path] = why
		w.log.Warn(why)
	}
}

// reconsider looks again at what was refused in f. A folder that may be entered now is scanned; a
// file that may be run now is run when it is saved again.
func (w *Watcher) reconsider(f *folder) {
	w.mu.Lock()
	var paths []string
	for path := range f.refused {
		paths = append(paths, path)
	}
	w.mu.Unlock()
	for _, path := range paths {
		why, isDir := "", false
		if info, err := os.Stat(path); err == nil {
			if isDir = info.IsDir(); isDir {
				why = distrust(path)
			} else {
				why = distrustFile(path, nil, info)
			}
		}
		if why != "" {
			continue
		}
		w.mu.Lock()
		delete(f.refused, path)
		f.needsScan = f.needsScan || isDir
		w.mu.Unlock()
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
	text := f.refused[slices.Min(paths)]
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
