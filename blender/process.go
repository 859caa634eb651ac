package blender

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is one Blender that was started, with its life line and the one pipe that it
// prints into.
type process struct {
	cmd      *exec.Cmd
	lifeline io.WriteCloser
	read     atomic.Int64 // bytes read from the pipe
	// exited is closed when the process is gone and what it printed has been read.
	exited chan struct{}
	state  *os.ProcessState

	pauses pauses

	mu    sync.Mutex
	group group
	dead  bool // its number may be another process's by now
}

// What a dead Blender printed is read until the pipe ends. A process that left the group may
// hold that open for ever: then until nothing has come for drainQuiet, drainTime at most.
const (
	drainQuiet = 250 * time.Millisecond
	drainTime  = 2 * time.Second
)

// startProcess starts a program and passes what it prints to output, which is closed at the
// end. The first line of its standard input is given; the rest of it is the life line. When the
// process is gone, buried is called, and then exited is closed.
func startProcess(cmd *exec.Cmd, firstLine []byte, output io.WriteCloser, buried func()) (*process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer writer.Close()
	cmd.Stdout, cmd.Stderr = writer, writer
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		reader.Close()
		return nil, err
	}
	p := &process{cmd: cmd, lifeline: lifeline, exited: make(chan struct{})}
	waited := make(chan struct{})
	// What starts the process also waits for it: see start on Linux.
	if err := p.start(func() { close(waited) }); err != nil {
		reader.Close()
		lifeline.Close()
		return nil, err
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		p.pump(output, reader)
	}()
	go func() {
		<-waited
		p.awaitDrained(drained)
		reader.Close()
		<-drained
		lifeline.Close()
		output.Close() // it only passes on what it held back
		p.state = cmd.ProcessState
		p.mu.Lock()
		p.group.close()
		p.mu.Unlock()
		buried()
		close(p.exited)
	}()
	go func() {
		// A pipe takes such a line at once unless the program never reads, and then the
		// end of the process ends this.
		_, _ = lifeline.Write(firstLine)
	}()
	return p, nil
}

// pump reads the pipe to its end, or until it is closed here.
func (p *process) pump(output io.Writer, pipe io.Reader) {
	buf := make([]byte, 128<<10)
	for {
		n, err := pipe.Read(buf)
		if n > 0 {
			p.read.Add(int64(n))
			_, _ = output.Write(buf[:n]) // it never fails
		}
		if err != nil {
			return
		}
	}
}

// awaitDrained waits until what the process printed has been read.
func (p *process) awaitDrained(drained chan struct{}) {
	for deadline := time.Now().Add(drainTime); time.Now().Before(deadline); {
		before := p.read.Load()
		select {
		case <-drained:
			return
		case <-time.After(drainQuiet):
			if p.read.Load() == before {
				return
			}
		}
	}
}

// bury kills what the process has left running, and has nothing more sent there. It is
// called when the process has ended, before its number can be another one's where the system
// lets us.
func (p *process) bury() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.group.kill()
	p.dead = true
}

// kill ends the process and what it started, at once.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.group.kill()
	}
}

// killOthers ends what the process and its descendants have started since a time.
func (p *process) killOthers(since startTime) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.group.killOthers(since)
	}
}

// terminate asks the process and what it started to end.
func (p *process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.group.terminate()
	}
}

// killWithTrace ends the process and what it started, after it had a moment to print where
// it hangs.
func (p *process) killWithTrace() {
	p.mu.Lock()
	traces := !p.dead && p.group.trace()
	p.mu.Unlock()
	if traces {
		p.wait(traceTime)
	}
	p.kill()
}

// pid is the process's number.
func (p *process) pid() int { return p.cmd.Process.Pid }

// gone tells whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// wait waits until the process has ended, at most for a time; it tells whether it has.
func (p *process) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return p.gone()
	}
}

// commandLine is a command as a person would type it into a shell.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\$`*?[]{}()<>|&;#~!") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		quoted[i] = arg
	}
	return strings.Join(quoted, " ")
}

// errEnded says how a process ended, in words.
func errEnded(state *os.ProcessState) error {
	if state == nil {
		return errors.New("it could not be waited for")
	}
	if text := signalText(state); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("exit code %d", state.ExitCode())
}
