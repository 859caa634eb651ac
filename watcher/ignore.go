package watcher

import (
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Suffixes and infixes of the files that editors, browsers and copying programs write
// before they rename them, or keep beside what they edit; in lower case.
var (
	temporarySuffixes = []string{
		"~", "#",
		".swp", ".swo", ".swn", ".swx", ".swpx", // vim, nano
		".tmp", ".temp", ".bak", ".orig", ".rej",
		".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download",
		".kate-swp", ".vsctmp", ".lock",
		"___jb_tmp___", "___jb_old___", "___jb_bak___", // JetBrains
	}
	temporaryPrefixes = []string{
		".", // hidden, which .#lock, .goutputstream-*, rsync's and Syncthing's .name.* are too
		"_", // a module or folder beside the scripts that is none itself
		"#", // emacs auto-save
		"~", // ~syncthing~, ~$ and ~RF*.TMP of Windows programs
	}
)

// Ignored tells whether a file or folder is never a script, nor holds any: it is hidden, an
// editor's or a copying program's temporary, __pycache__, or begins with "_". rel is its path
// relative to the watched folder; what that folder itself is named plays no part.
func Ignored(rel string) bool {
	for name := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if name != "" && name != "." && ignoredName(name) {
			return true
		}
	}
	return false
}

func ignoredName(name string) bool {
	for _, p := range temporaryPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	lower := strings.ToLower(name)
	for _, s := range temporarySuffixes {
		if strings.HasSuffix(lower, s) {
			return true
		}
	}
	// vim tries whether it may write in a folder with a file 4913, then 5036 and so on.
	if path.Ext(name) == "" {
		if n, err := strconv.Atoi(name); err == nil && n >= 4913 && (n-4913)%123 == 0 {
			return true
		}
	}
	return false
}
