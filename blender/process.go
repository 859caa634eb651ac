package blender

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// process is one Blender that was started, with its life line and the one pipe that it
// prints into.
type process struct {
	cmd      *exec.Cmd
	lifeline io.WriteCloser
	group    group
	// exited is closed when the process is gone and what it printed has been read.
	exited chan struct{}
	state  *os.ProcessState
}

// drainTime bounds how long what a dead Blender printed is read: a process that a script
// left behind may hold the pipe open for ever.
const drainTime = time.Second

// startProcess starts a program and passes what it prints to output, which is closed at the
// end. The first line of its standard input is given; the rest of it is the life line.
func startProcess(cmd *exec.Cmd, firstLine []byte, output io.WriteCloser) (*process, error) {
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
	if err := p.start(func() {
		close(waited)
	}); err != nil {
		reader.Close()
		lifeline.Close()
		return nil, err
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		// An error is the end of the pipe, or the deadline below.
		_, _ = io.CopyBuffer(struct{ io.Writer }{output}, reader, make([]byte, 256<<10))
	}()
	go func() {
		<-waited
		p.group.kill() // what the script started must not live on with no one to own it
		select {
		case <-drained:
		case <-time.After(drainTime):
			reader.Close()
			<-drained
		}
		reader.Close()
		lifeline.Close()
		output.Close() // it only passes on what it held back
		p.state = cmd.ProcessState
		p.group.close()
		close(p.exited)
	}()
	go func() {
		// A pipe takes such a line at once unless the program never reads, and then the
		// end of the process ends this.
		_, _ = lifeline.Write(firstLine)
	}()
	return p, nil
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
