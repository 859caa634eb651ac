package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"blendtray/api"
)

// checkpoints are the copies of the scene of a session, the oldest first.
type checkpoints struct {
	dir  string // made with the first of them
	last int    // the number of the checkpoint that was made last
	all  []api.Checkpoint
	// undone: the scene is that of the newest checkpoint, by an undo with nothing after it.
	undone bool
}

// back returns which checkpoint an undo goes back to, or -1. It is the newest or, right after an
// undo, the one before.
func (c *checkpoints) back() int {
	if c.undone {
		return len(c.all) - 2
	}
	return len(c.all) - 1
}

// at returns the number of the checkpoint whose scene the session has by an undo, or 0.
func (c *checkpoints) at() int {
	if n := len(c.all); c.undone && n > 0 {
		return c.all[n-1].Number
	}
	return 0
}

// wentBack notes that an undo has gone back to a checkpoint, and returns those that came after it.
func (c *checkpoints) wentBack(to int) (gone []api.Checkpoint) {
	gone = append(gone, c.all[to+1:]...)
	c.all, c.undone = c.all[:to+1:to+1], true
	return gone
}

// add notes a new checkpoint, and returns those that the limits of the settings leave no room for.
// The new one always has room.
func (c *checkpoints) add(made api.Checkpoint, limits api.SessionSettings) (gone []api.Checkpoint) {
	c.all, c.undone = append(c.all, made), false
	bytes := uint64(0)
	for _, one := range c.all {
		bytes += one.Bytes
	}
	for len(c.all) > 1 && (limits.Checkpoints > 0 && len(c.all) > int(limits.Checkpoints) ||
		limits.CheckpointBytes > 0 && bytes > uint64(limits.CheckpointBytes)) {
		bytes -= c.all[0].Bytes
		gone = append(gone, c.all[0])
		c.all = c.all[1:]
	}
	return gone
}

// folder returns the folder of the checkpoints, and makes one in parent if there is none yet. It fails
// when that can't be done.
func (c *checkpoints) folder(parent string) (string, error) {
	if c.dir != "" {
		return c.dir, nil
	}
	if parent == "" {
		return "", errors.New("there is no folder for checkpoints")
	}
	err := os.MkdirAll(parent, 0o700)
	if err == nil {
		var dir string
		if dir, err = os.MkdirTemp(parent, "session-"); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("make the folder of the checkpoints: %w", err)
}

// moveTo brings the checkpoints into another folder, where there are any. Where that fails, they stay,
// and there are no new checkpoints.
func (c *checkpoints) moveTo(parent string) {
	if c.dir == "" || parent == "" || filepath.Dir(c.dir) == parent {
		return
	}
	dir := filepath.Join(parent, filepath.Base(c.dir))
	if os.Rename(c.dir, dir) == nil {
		c.dir = dir
	}
}

// file returns the .blend of a checkpoint. What a .blend can't hold lies beside it.
func (c *checkpoints) file(number int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%06d.blend", number))
}

// measured returns the checkpoint with a number, whose files are there. It fails when they are not.
func (c *checkpoints) measured(number int, now time.Time) (api.Checkpoint, error) {
	made := api.Checkpoint{Number: number, MadeAt: now.UTC().Round(0)}
	for i, file := range c.files(number) {
		info, err := os.Stat(file)
		switch {
		case err == nil:
			made.Bytes += uint64(info.Size())
		case i == 0 || !errors.Is(err, fs.ErrNotExist):
			return made, fmt.Errorf("the checkpoint is not there: %w", err)
		}
	}
	return made, nil
}

// files returns the files that a checkpoint may have, the .blend first.
func (c *checkpoints) files(number int) []string {
	file := c.file(number)
	return []string{file, file + ".json", file + ".pixels"}
}

// remove removes the files of a checkpoint. What can't be removed goes with the folder.
func (c *checkpoints) remove(number int) {
	for _, file := range append(c.files(number), c.file(number)+"@") { // Blender writes FILE@ first
		_ = os.Remove(file)
	}
}

// removeAll removes the folder, from which the session has no use any more. What can't be removed
// goes at the next start of the engine.
func (c *checkpoints) removeAll() {
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
