//go:build !headless

package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// openOnDesktop opens a file or folder with the desktop's program for it. It fails when no program
// opens path, or nothing is at path.
func openOnDesktop(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	program, args := opener(path)
	return launch(program, args...)
}

// launchTime is how long a program may take to say that it can't open what it was given. A program
// that still runs then has opened it.
const launchTime = 5 * time.Second

// launch starts a program, and fails with the program's last words when the program soon ends with an
// error. It does not wait for the end of a program that goes on.
func launch(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	standAlone(cmd) // the end of the tray's terminal would end an editor with what is not saved
	// The program writes into a file: a pipe would end what it leaves running when this process ends.
	words, err := os.CreateTemp("", "blendtray-open-*")
	if err == nil {
		defer os.Remove(words.Name())
		defer words.Close()
		cmd.Stderr = words
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // Wait prevents a zombie
	select {
	case err := <-ended:
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s %s: %w%s", filepath.Base(program), strings.Join(args, " "), err, saidLast(words))
	case <-time.After(launchTime):
		return nil
	}
}

// saidLast returns the last line of a file after a colon, or "" where there is none.
func saidLast(file *os.File) string {
	if file == nil {
		return ""
	}
	text, err := os.ReadFile(file.Name())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if last := lines[len(lines)-1]; err == nil && last != "" {
		return ": " + last
	}
	return ""
}
