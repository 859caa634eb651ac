package doctor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyLimits are the system's limits on watching, and how much of each is enough for Blendtray.
// A watch is for one folder. An instance is for one watcher; editors use some of them as well.
var inotifyLimits = []struct {
	key    string
	enough int
}{
	{"max_user_watches", 8192},
	{"max_user_instances", 64},
}

// examineWatching examines the limits on watching.
func examineWatching() []Finding {
	var all, low []Finding
	var have []string
	for _, l := range inotifyLimits {
		data, err := os.ReadFile("/proc/sys/fs/inotify/" + l.key)
		if err != nil {
			low = append(low, Wrong("inotify", "", "%v", err))
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil {
			low = append(low, Wrong("inotify", "", "fs.inotify.%s: %v", l.key, err))
			continue
		}
		if n < l.enough {
			low = append(low, Wrong("inotify", fmt.Sprintf("sudo sysctl fs.inotify.%s=%d", l.key, l.enough),
				"fs.inotify.%s is %d, too low for many folders", l.key, n))
		}
		have = append(have, fmt.Sprintf("%s %d", l.key, n))
	}
	if len(low) == 0 {
		all = append(all, Right("inotify", "%s", strings.Join(have, ", ")))
	}
	return append(all, low...)
}
