//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// typed runs the program in a terminal and returns what the terminal was sent. A program that does
// not end by itself is ended when until holds for what it has sent.
func (p *program) typed(until func(sent string) bool, args ...string) string {
	p.t.Helper()
	return p.typedIn(0, func(screen *os.File, end func(), sent func() string) {
		if until != nil {
			p.eventually(strings.Join(args, " ")+" has said it", func() bool { return until(sent()) })
			end()
		}
	}, args...)
}

// setWidth sets how many columns a terminal has.
func (p *program) setWidth(screen *os.File, columns uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		p.t.Fatal(err)
	}
}

// typedIn runs the program in a terminal of so many columns, 0 for a terminal that does not know, and
// calls during meanwhile, with the terminal, a function that ends the program and a function that
// returns what the terminal was sent so far. It returns what the terminal was sent in all.
func (p *program) typedIn(columns uint16, during func(screen *os.File, end func(), sent func() string), args ...string) string {
	p.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.setWidth(screen, columns)
	cmd := p.command(args...)
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	screen.Close()
	var mu sync.Mutex
	var sent bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			mu.Lock()
			sent.Write(buf[:n])
			mu.Unlock()
			if err != nil {
				return // EIO: nobody has the terminal any more
			}
		}
	}()
	now := func() string {
		mu.Lock()
		defer mu.Unlock()
		return sent.String()
	}
	during(master, func() { _ = cmd.Process.Signal(unix.SIGTERM) }, now)
	_ = cmd.Wait() // how it ends is another test's
	<-read
	return now()
}

const ordering = `import sys
sys.stdout.buffer.write(b"before \x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\ \x1b]52;c;ZXZpbA==\x07 \x1b[2J \xe2\x80\xae \x9b2J \x1b[31mred\x1b[0m after\n")
sys.stdout.flush()
raise ValueError("\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202e of the error")
`

// What a script prints does not order the terminal about; where it is piped, it is exact.
func TestNothingOrdersATerminalAbout(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	path := p.save("ordering.py", ordering)
	run := p.lastOf(path)
	obeyed := func(what, sent string) {
		t.Helper()
		for _, order := range []string{"\x1b]", "\x1b[2J", "\x1b\\", "\u202e", "\u009b", "\a", "\x1b[H"} {
			if strings.Contains(strings.ToValidUTF8(sent, "?"), order) {
				t.Errorf("%s sends %q in %q", what, order, sent)
			}
		}
		if !strings.Contains(sent, "after") && !strings.Contains(sent, "ValueError: ") {
			t.Errorf("%s has lost what the script printed: %q", what, sent)
		}
	}
	sent := p.typed(nil, "run", path)
	obeyed("run", sent)
	if !strings.Contains(sent, "\x1b[31mred\x1b[0m") || !strings.Contains(sent, "^[]52;c;ZXZpbA==^G") {
		t.Errorf("run sends %q", sent)
	}
	obeyed("run --json", p.typed(nil, "run", "--json", path))
	obeyed("log", p.typed(nil, "log"))
	obeyed("log -f", p.typed(func(sent string) bool { return strings.Contains(sent, "after") }, "log", "-f"))
	obeyed("runs", p.typed(nil, "runs"))
	obeyed("runs show", p.typed(nil, "runs", "show", run.ID))
	obeyed("serve", p.printed()) // into a pipe, and so at all events into a terminal

	// In a pipe the bytes are those of the script.
	cmd := p.command("run", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	piped, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the script fails
	if !bytes.Contains(piped, []byte("\x1b]52;c;ZXZpbA==\a \x1b[2J")) {
		t.Errorf("in a pipe it is %q", piped)
	}
}

// far reports how far it is, and goes on when a file is there.
const far = `import os, sys, time, tcp_echo
for i, name in enumerate(["wide", "narrow"], 1):
    while not os.path.exists(os.path.join(os.path.dirname(__file__), name)):
        tcp_echo.progress(i / 4, name + " is the text of this progress, which is longer than any line may be")
        time.sleep(0.01)
`

// The progress bar never wraps, in a window that is made narrower while a run is running, too.
func TestTheProgressBarFollowsTheWidthOfTheTerminal(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	script := p.saveIn(t.TempDir(), "far.py", far)
	goOn := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(filepath.Dir(script), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := ""
	sent := p.typedIn(80, func(screen *os.File, _ func(), sent func() string) {
		p.eventually("the bar is there", func() bool { return strings.Contains(sent(), "25 %") })
		before = sent()
		p.setWidth(screen, 50)
		goOn("wide")
		p.eventually("the bar goes on", func() bool { return strings.Contains(sent(), "50 %") })
		goOn("narrow")
	}, "run", script)
	bars := func(sent string, width int) {
		t.Helper()
		for line := range strings.FieldsFuncSeq(sent, func(r rune) bool { return r == '\r' || r == '\n' }) {
			line = strings.TrimSuffix(line, "\x1b[K")
			if n := utf8.RuneCountInString(line); strings.Contains(line, "%") && (n >= width || !strings.Contains(line, "#")) {
				t.Errorf("in %d columns the bar has %d: %q", width, n, line)
			}
		}
	}
	bars(before, 80)
	bars(strings.TrimPrefix(sent, before), 50)

	// What ran is listed in the colours in which it was shown.
	for _, x := range [][2]string{{"runs", "\x1b[32msucceeded\x1b[0m"}, {"status", "\x1b[32mready\x1b[0m"}} {
		if sent := p.typed(nil, x[0]); !strings.Contains(sent, x[1]) {
			t.Errorf("%s has no colours: %q", x[0], sent)
		}
		if r := p.call(x[0]); strings.Contains(r.stdout, "\x1b") {
			t.Errorf("%s has colours in a pipe: %q", x[0], r.stdout)
		}
	}
}
