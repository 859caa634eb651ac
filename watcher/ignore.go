package watcher

import (
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Suffixes and prefixes of the files that editors, browsers and copying programs write before
// they rename them, or keep beside the file that they edit. The suffixes are in lower case.
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
		".",                     // hidden files, among them .#lock, .goutputstream-*, and .name.* of rsync and Syncthing
		"_",                     // a module or folder that scripts use and that is no script itself
		"#",                     // emacs auto-save
		"~",                     // ~syncthing~, ~$ and ~RF*.TMP of Windows programs
		"flycheck_", "flymake_", // emacs checks a copy of the file that is being edited
	}
)

// Copies that programs put beside a script and that nobody has asked to run.
var copies = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`_(BASE|LOCAL|REMOTE|BACKUP)_\d+(\.[^.]*)?$`,     // git mergetool: a_BASE_123.py
	`_flymake(\.[^.]*)?$`,                            // emacs: a_flymake.py
	`\.sync-conflict-\d{8}-\d{6}`,                    // Syncthing: a.sync-conflict-20260102-030405-ABCDEFG.py
	`[(\[][^)\]]*\bconflicted( copy)?\b[^)\]]*[)\]]`, // Dropbox, Nextcloud, Insync: a (Ada's conflicted copy 2026-01-02).py
	`\((sfconflict|case conflict|conflict( on)?|unicode encoding conflict)\b[^)]*\)`, // Seafile, Dropbox, Unison
	`_conflict-\d{8}-\d{6}`,                             // Nextcloud and ownCloud, older
	`\.conflict(\.[^.]*)?$`,                             // Resilio: a.Conflict.py
	`-(DESKTOP|LAPTOP)-[0-9A-Z]{7,8}(-\d+)?(\.[^.]*)?$`, // OneDrive: a-DESKTOP-1A2B3C4.py
}, "|"))

// Ignored reports whether a file is never a script, or a folder never holds scripts: it is hidden,
// a temporary file of an editor or a copying program, a copy that holds one side of a conflict,
// __pycache__, or its name begins with "_".
// rel is its path relative to the watched folder; the name of that folder does not matter.
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
	if copies.MatchString(name) {
		return true
	}
	lower := strings.ToLower(name)
	for _, s := range temporarySuffixes {
		if strings.HasSuffix(lower, s) {
			return true
		}
	}
	// vim tests whether it may write in a folder with a file named 4913, then 5036 and so on.
	if path.Ext(name) == "" {
		if n, err := strconv.Atoi(name); err == nil && n >= 4913 && (n-4913)%123 == 0 {
			return true
		}
	}
	return false
}
