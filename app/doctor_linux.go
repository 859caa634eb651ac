package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyLimits are the system's limits on watching and what Blendtray should have of each: a
// watch is one folder, an instance one watcher, of which an editor takes some as well.
var inotifyLimits = []struct {
	key    string
	enough int
}{
	{"max_user_watches", 8192},
	{"max_user_instances", 64},
}

func examineWatching() []finding {
	var all, low []finding
	var have []string
	for _, l := range inotifyLimits {
		data, err := os.ReadFile("/proc/sys/fs/inotify/" + l.key)
		if err != nil {
			low = append(low, wrong("inotify", "", "%v", err))
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil {
			low = append(low, wrong("inotify", "", "fs.inotify.%s: %v", l.key, err))
			continue
		}
		if n < l.enough {
			low = append(low, wrong("inotify", fmt.Sprintf("sudo sysctl fs.inotify.%s=%d", l.key, l.enough),
				"fs.inotify.%s is %d, too low for many folders", l.key, n))
		}
		have = append(have, fmt.Sprintf("%s %d", l.key, n))
	}
	if len(low) == 0 {
		all = append(all, right("inotify", "%s", strings.Join(have, ", ")))
	}
	return append(all, low...)
}
