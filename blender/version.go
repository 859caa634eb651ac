package blender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// askTimeout is how long `blender --version` may take. It takes some 0.1 s, and seconds on a cold
// disk. It is a variable for the tests.
var askTimeout = 10 * time.Second

// oldest is the first Blender whose Python (3.9) can run the add-on.
var oldest = [2]int{2, 93}

var versionLine = regexp.MustCompile(`(?m)^\s*Blender (\d+)\.(\d+)(\S*)(.*)$`)

// version is the answer of a program, and the state of the file for which that answer holds.
type version struct {
	text    string
	size    int64
	modTime time.Time
}

// versions holds the answers, so that a restart does not ask again.
var versions = struct {
	sync.Mutex
	of map[string]version
}{of: map[string]version{}}

// Version asks a program for its version and returns it, as in "3.4.1". It fails when the file does
// not exist, can't be started, does not answer within 10 s, is no Blender, or is older than 2.93.
// Version remembers the version for as long as the file does not change.
func Version(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: there is no such file", path)
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("%s is a folder; name the program in it", path)
	}
	versions.Lock()
	known, ok := versions.of[path]
	versions.Unlock()
	if ok && known.size == info.Size() && known.modTime.Equal(info.ModTime()) {
		return known.text, nil
	}
	text, err := askVersion(ctx, path)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err == nil { // a failure is not remembered: its cause may go without a change of the file
		versions.Lock()
		versions.of[path] = version{text, info.Size(), info.ModTime()}
		versions.Unlock()
	}
	return text, err
}

// unknownError says that a program could not be asked for its version just now: the machine is busy,
// or short of memory. It may be a Blender all the same.
type unknownError struct{ text string }

func (e *unknownError) Error() string { return e.text }

// isPassing reports whether a program could not be started for a reason that passes by itself.
func isPassing(err error) bool {
	for _, passing := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, etxtbsy} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var exit *exec.ExitError
	return errors.As(err, &exit) && signalText(exit.ProcessState) != ""
}

func askVersion(ctx context.Context, path string) (string, error) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	cmd := exec.CommandContext(asking, path, "--background", "--version")
	var out limitedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // a process that it started may hold the pipe open
	alone(cmd)
	err := cmd.Run()
	if asking.Err() != nil {
		return "", &unknownError{fmt.Sprintf("%s did not tell its version within %s", path, askTimeout)}
	}
	found := versionLine.FindSubmatch(out.Bytes())
	if found == nil {
		if err != nil {
			err = fmt.Errorf("%s can't be started: %w%s", path, err, firstLineOf(out.Bytes()))
			if isPassing(err) {
				err = &unknownError{err.Error()}
			}
			return "", err
		}
		return "", fmt.Errorf("%s is no Blender: asked for its version it said nothing of the kind%s", path, firstLineOf(out.Bytes()))
	}
	major, _ := strconv.Atoi(string(found[1])) // the pattern admits digits alone
	minor, _ := strconv.Atoi(string(found[2]))
	text := fmt.Sprintf("%s.%s%s", found[1], found[2], found[3])
	if major < oldest[0] || major == oldest[0] && minor < oldest[1] {
		return "", fmt.Errorf("%s is Blender %s; the oldest that works is %d.%d", path, text, oldest[0], oldest[1])
	}
	return text, nil
}

func firstLineOf(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	if len(line) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.200q)", line)
}

// limitedBuffer keeps the first 64 KiB and discards the rest.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := 64<<10 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// Newer compares two versions; it returns a negative number when a is newer than b, and 0 when they
// are equal.
func Newer(a, b string) int {
	numbers := func(s string) (n [3]int) {
		for i, part := range regexp.MustCompile(`\d+`).FindAllString(s, 3) {
			n[i], _ = strconv.Atoi(part) // the pattern admits digits alone
		}
		return n
	}
	x, y := numbers(a), numbers(b)
	for i := range x {
		if x[i] != y[i] {
			return y[i] - x[i]
		}
	}
	return 0
}
