//go:build unix

package watcher

import (
	"context"
	"errors"
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
	groupsHold = time.Minute // how long an answer is believed
	// silenceHold is how long the system is not asked again when it has not answered, so that a
	// server that is slow is not asked for each file.
	silenceHold   = 2 * time.Second
	getentNoKey   = 2               // its exit code when the database does not have the key
	getentTimeout = 5 * time.Second // a directory server may not answer
)

// groupCache asks the system about groups and keeps the answers for a while.
type groupCache struct {
	// ask returns the lines of a database of the system, "group" or "passwd", with a key or, for
	// "", all. It returns no line when the system does not have the key, and fails when the system
	// does not answer.
	ask func(database, key string) ([]string, error)

	mu      sync.Mutex
	answers map[uint32]groupAnswer
}

type groupAnswer struct {
	private bool
	until   time.Time // when to ask again
}

// private reports whether no user other than this user and root is in a group. It is false for a
// group of which that can't be found out. Users of a directory that lists no users, as many do not,
// are seen only if the group names them.
func (c *groupCache) private(gid uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.answers[gid]; ok && time.Now().Before(a.until) {
		return a.private
	}
	if c.answers == nil {
		c.answers = map[uint32]groupAnswer{}
	}
	private, err := c.look(gid)
	hold := groupsHold
	if err != nil {
		hold = silenceHold
	}
	c.answers[gid] = groupAnswer{private, time.Now().Add(hold)}
	return private
}

// look answers what private does, by asking, and fails when the system does not answer. A group
// without any member is not private: such groups belong to programs that raise their rights.
func (c *groupCache) look(gid uint32) (private bool, err error) {
	id := strconv.FormatUint(uint64(gid), 10)
	lines, err := c.ask("group", id)
	if err != nil || len(lines) == 0 {
		return false, err
	}
	me, err := user.Current()
	if err != nil {
		return false, err
	}
	trustedNames := []string{me.Username, "root"}
	members := 0
	for _, line := range lines { // name:password:number:members
		fields := strings.Split(line, ":")
		if len(fields) < 4 {
			return false, nil
		}
		for _, name := range strings.Split(fields[3], ",") {
			if name == "" {
				continue
			}
			if members++; !slices.Contains(trustedNames, name) {
				return false, nil
			}
		}
	}
	users, err := c.ask("passwd", "")
	if err != nil {
		return false, err
	}
	for _, line := range users { // name:password:number:group:…
		fields := strings.Split(line, ":")
		if len(fields) < 4 || fields[3] != id {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		if members++; err != nil || !trusted(uint32(uid)) {
			return false, nil
		}
	}
	if uint32(os.Getegid()) == gid { // a user of a directory that lists no users
		members++
	}
	return members > 0, nil
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
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == getentNoKey {
			return nil, nil
		}
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
