//go:build unix

package watcher

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// groups knows which groups have no member but this user and root. Their files come with the umask
// of many systems, 0002, and are no danger.
var groups = groupCache{ask: getent}

const (
	groupsHold    = time.Minute     // how long an answer is believed
	getentTimeout = 5 * time.Second // a directory server may not answer
)

// groupCache asks the system about groups and keeps the answers for a while.
type groupCache struct {
	// ask returns the lines of a database of the system, "group" or "passwd", with a key or, for
	// "", all. It fails when the system does not answer or does not have the key.
	ask func(database, key string) ([]string, error)

	mu      sync.Mutex
	answers map[uint32]groupAnswer
}

type groupAnswer struct {
	private bool
	at      time.Time
}

// private reports whether no user other than this user and root is in a group. It is false for a
// group of which that can't be found out. Users of a directory that lists no users, as many do not,
// are seen only if the group names them.
func (c *groupCache) private(gid uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.answers[gid]; ok && time.Since(a.at) < groupsHold {
		return a.private
	}
	if c.answers == nil {
		c.answers = map[uint32]groupAnswer{}
	}
	a := groupAnswer{c.look(gid), time.Now()}
	c.answers[gid] = a
	return a.private
}

// look answers what private does, by asking. A group without any member is not private: such
// groups belong to programs that raise their rights.
func (c *groupCache) look(gid uint32) bool {
	id := strconv.FormatUint(uint64(gid), 10)
	lines, err := c.ask("group", id)
	if err != nil || len(lines) == 0 {
		return false
	}
	me, err := user.Current()
	if err != nil {
		return false
	}
	trustedNames := []string{me.Username, "root"}
	members := 0
	for _, line := range lines { // name:password:number:members
		fields := strings.Split(line, ":")
		if len(fields) < 4 {
			return false
		}
		for _, name := range strings.Split(fields[3], ",") {
			if name == "" {
				continue
			}
			if members++; !slices.Contains(trustedNames, name) {
				return false
			}
		}
	}
	users, err := c.ask("passwd", "")
	if err != nil {
		return false
	}
	for _, line := range users { // name:password:number:group:…
		fields := strings.Split(line, ":")
		if len(fields) < 4 || fields[3] != id {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		if members++; err != nil || !trusted(uint32(uid)) {
			return false
		}
	}
	if uint32(os.Getegid()) == gid { // a user of a directory that lists no users
		members++
	}
	return members > 0
}

// getent returns lines of a database by getent(1), which asks directory servers, too. Where there
// is no getent, it reads the files in /etc.
func getent(database, key string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), getentTimeout)
	defer cancel()
	args := []string{database}
	if key != "" {
		args = append(args, key)
	}
	if path, err := exec.LookPath("getent"); err == nil {
		out, err := exec.CommandContext(ctx, path, args...).Output()
		return nonEmptyLines(string(out)), err
	}
	text, err := os.ReadFile("/etc/" + database)
	if err != nil {
		return nil, err
	}
	lines := nonEmptyLines(string(text))
	if key == "" {
		return lines, nil
	}
	return slices.DeleteFunc(lines, func(line string) bool {
		fields := strings.Split(line, ":")
		return len(fields) < 3 || fields[2] != key
	}), nil
}

func nonEmptyLines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return line == "" || line[0] == '#' })
}
