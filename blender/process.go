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

// process is one Blender that was started, with its life line and the one pipe that it prints into.
type process struct {
	cmd      *exec.Cmd
	lifeline io.WriteCloser
	read     atomic.Int64 // bytes read from the pipe
	// exited is closed when the process is gone and all that it printed has been read.
	exited chan struct{}
	state  *os.ProcessState

	pauses pauses

	mu     sync.Mutex
	group  group
	dead   bool // another process may have its number by now
	killed bool // kill has ended it
}

// The output of a dead Blender is read until the pipe ends. A process that has left the group may
// hold the pipe open for ever: then the output is read until nothing has come for drainQuiet, and
// for drainTime at most.
const (
	drainQuiet = 250 * time.Millisecond
	drainTime  = 2 * time.Second
)

// startProcess starts a program and returns its process. What the program prints is passed to
// output, which is closed at the end. firstLine is the first line of standard input; the rest of
// standard input is the life line. When the process is gone, buried is called, and then exited is
// closed. startProcess fails when the program can't be started.
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
	// The function that starts the process also waits for its end: see start on Linux.
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
		output.Close() // closing only passes on what was held back
		p.state = cmd.ProcessState
		p.mu.Lock()
		p.group.close()
		p.mu.Unlock()
		buried()
		close(p.exited)
	}()
	go func() {
		// A pipe takes such a line at once. If the program never reads, the end of the process ends
		// this write.
		_, _ = lifeline.Write(firstLine)
	}()
	return p, nil
}

// pump reads the pipe until it ends or is closed, and passes the text to output.
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

// bury kills the processes that the process has left running, and keeps later signals from being
// sent. It is called when the process has ended; where the system permits, its number can't belong
// to another process before that.
func (p *process) bury() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.group.kill()
	p.dead = true
}

// kill ends the process and the processes that it started, at once.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.group.kill()
		p.killed = true
	}
}

// how says how the process has ended, once exited is closed.
func (p *process) how() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errors.New("killed by the engine")
	}
	return errEnded(p.state)
}

// running is a list of running processes: process ids, and when each process was started. The time
// tells a process from a later process with the same id.
type running map[int]startTime

// has returns whether the list has the process.
func (r running) has(pid int, began startTime) bool {
	at, listed := r[pid]
	return listed && at == began
}

// others returns the processes that the process and its descendants have started and that are
// running.
func (p *process) others() running {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil
	}
	return p.group.others()
}

// killOthers ends the processes that the process and its descendants have started, except those in
// the list.
func (p *process) killOthers(spared running) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.group.killOthers(spared)
	}
}

// terminate asks the process and the processes that it started to end.
func (p *process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.group.terminate()
	}
}

// killWithTrace ends the process and the processes that it started, but first gives the process a
// moment to print where it hangs.
func (p *process) killWithTrace() {
	p.mu.Lock()
	traces := !p.dead && p.group.trace()
	p.mu.Unlock()
	if traces {
		p.wait(traceTime)
	}
	p.kill()
}

// pid returns the process id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// gone returns whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// wait waits until the process has ended, but not longer than d, and returns whether it has ended.
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

// commandLine returns a command as a person would type it into a shell.
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

// errEnded returns an error that says in words how a process ended.
func errEnded(state *os.ProcessState) error {
	if state == nil {
		return errors.New("it could not be waited for")
	}
	if text := signalText(state); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("exit code %d", state.ExitCode())
}
