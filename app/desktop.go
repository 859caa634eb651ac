//go:build !headless

package app

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// editors holds the programs that open a file at a line, with the arguments that say which line.
var editors = []struct{ program, args string }{
	{"code", "--goto FILE:LINE"},
	{"codium", "--goto FILE:LINE"},
	{"subl", "FILE:LINE"},
	{"zed", "FILE:LINE"},
	{"kate", "--line LINE FILE"},
	{"gnome-text-editor", "FILE +LINE"},
	{"gedit", "FILE +LINE"},
	{"mousepad", "--line LINE FILE"},
}

// openOnDesktop opens a file or folder with the desktop's program for it. With a line it opens
// the file with the first editor that is installed and can open a file at a line. It fails when
// no program opens path, or nothing is at path.
func openOnDesktop(path string, line int) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if line > 0 {
		for _, editor := range editors {
			program, err := exec.LookPath(editor.program)
			if err != nil {
				continue
			}
			var args []string
			for _, arg := range strings.Fields(editor.args) {
				args = append(args, strings.NewReplacer("FILE", path, "LINE", strconv.Itoa(line)).Replace(arg))
			}
			return launch(program, args...)
		}
	}
	program, args := opener(path)
	return launch(program, args...)
}

// launch starts a program and does not wait for it.
func launch(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	go func() { _ = cmd.Wait() }() // Wait prevents a zombie; how the program ended does not matter
	return nil
}
