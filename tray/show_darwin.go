//go:build !headless

package tray

import (
	"context"
	"os/exec"
)

// notification returns the command that shows a notification. The texts are arguments and no part of
// the script: scripts have written them.
func notification(ctx context.Context, title, text string) *exec.Cmd {
	return exec.CommandContext(ctx, "/usr/bin/osascript",
		"-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run", "--", title, text)
}
