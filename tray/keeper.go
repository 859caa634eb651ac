//go:build !headless

package tray

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// keeper has the window shown by a process of its own, which ends when the window is closed: so the
// tray needs no memory for the window, and outlives its faults.
type keeper struct {
	// command returns the command of the window's process, which keeper starts.
	command func() *exec.Cmd
	// heard is called with each request of the window, and failed with the reason when the window's
	// process could not be started or has ended with an error. They must not block.
	heard  func(request)
	failed func(error)
	// prints receives what the window's process prints on its standard error.
	prints io.Writer

	orders chan order
	mu     sync.Mutex
	facts  facts
}

// windowProcess is a running process of the window.
type windowProcess struct {
	pid      int
	kill     func() error
	orders   chan order // closed to end the process
	requests chan request
	ended    chan error
}

// leaving is how long the window's process may take to end when the tray ends.
const leaving = 3 * time.Second

// show has the window come to the front, and show a run or ask a question if the order has one.
func (k *keeper) show(o order) {
	select {
	case k.orders <- o:
	default: // so many orders wait that the window is going to be shown
	}
}

// know tells the window what the tray knows.
func (k *keeper) know(f facts) {
	k.mu.Lock()
	changed := k.facts != f
	k.facts = f
	k.mu.Unlock()
	if changed {
		select {
		case k.orders <- order{Facts: &f}:
		default: // the window hears it with the next order
		}
	}
}

// serve keeps the window's process until ctx ends, and ends the process then.
func (k *keeper) serve(ctx context.Context) {
	var p *windowProcess
	var waiting []order // those that no window has carried out yet
	last, again := 0, false
	begin := func() {
		var err error
		if p, err = k.start(); err != nil {
			waiting = nil
			k.failed(fmt.Errorf("start the window: %w", err))
			return
		}
		for _, o := range waiting {
			k.send(p, o)
		}
	}
	hear := func(r request) {
		for r.Shown > 0 && len(waiting) > 0 && waiting[0].Show <= r.Shown {
			waiting, again = waiting[1:], false
		}
		k.heard(r)
	}
	for {
		var requests <-chan request
		var ended <-chan error
		if p != nil {
			requests, ended = p.requests, p.ended
		}
		select {
		case o := <-k.orders:
			if o.Facts != nil {
				if p != nil {
					k.send(p, o)
				}
				continue
			}
			last++
			o.Show = last
			waiting = append(waiting, o)
			if p == nil {
				begin()
			} else {
				k.send(p, o)
			}
		case r := <-requests:
			hear(r)
		case err := <-ended:
			for left := true; left; { // what the window has asked for last
				select {
				case r := <-requests:
					hear(r)
				default:
					left = false
				}
			}
			p = nil
			k.heard(request{Focus: new(bool)})
			if err != nil {
				k.failed(fmt.Errorf("the window has ended by a fault: %w", err))
			}
			switch {
			case len(waiting) > 0 && !again:
				again = true
				begin() // the order came while the last window was ending
			case len(waiting) > 0:
				waiting, again = nil, false
				if err == nil {
					k.failed(errors.New("the window has ended before it was shown"))
				}
			}
		case <-ctx.Done():
			if p != nil {
				p.end()
			}
			return
		}
	}
}

// send gives the window an order, and what the tray knows.
func (k *keeper) send(p *windowProcess, o order) {
	k.mu.Lock()
	f := k.facts
	k.mu.Unlock()
	o.Facts = &f
	if o.Show != 0 {
		letRaise(p.pid)
	}
	select {
	case p.orders <- o:
	default: // the window does not read; it is stuck, and knows of the orders before
	}
}

// start starts the window's process.
func (k *keeper) start() (*windowProcess, error) {
	cmd := k.command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said := &lastWords{to: k.prints}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &windowProcess{
		pid: cmd.Process.Pid, kill: cmd.Process.Kill, orders: make(chan order, 32), requests: make(chan request, 32), ended: make(chan error, 1),
	}
	go func() {
		defer in.Close()
		for o := range p.orders {
			if tell(in, o) != nil {
				return // the process is ending
			}
		}
	}()
	go func() {
		messages(out, func(r request) { p.requests <- r })
		err := cmd.Wait()
		if words := said.last(); err != nil && words != "" {
			err = fmt.Errorf("%w: %s", err, words)
		}
		p.ended <- err
	}()
	return p, nil
}

// end ends the process by the end of its input, and kills it when it does not end in time.
func (p *windowProcess) end() {
	close(p.orders)
	patience := time.After(leaving)
	for {
		select {
		case <-p.requests: // nobody hears them any more
		case <-p.ended:
			return
		case <-patience:
			_ = p.kill() // it fails where the process has just ended
			return
		}
	}
}

// lastWords passes text on, and keeps the line that says why a process has ended.
type lastWords struct {
	to     io.Writer
	mu     sync.Mutex
	line   []byte // the beginning of the line that is being written
	cause  string // the first line of a panic, or ""
	before string // the last whole line
}

// maxWords is how much of a line is kept.
const maxWords = 500

func (t *lastWords) Write(b []byte) (int, error) {
	t.mu.Lock()
	for _, c := range b {
		switch {
		case c == '\n':
			t.endLocked()
		case len(t.line) < maxWords:
			t.line = append(t.line, c)
		}
	}
	t.mu.Unlock()
	if t.to != nil {
		return t.to.Write(b)
	}
	return len(b), nil
}

// endLocked notes that a line is whole.
func (t *lastWords) endLocked() {
	text := strings.TrimSpace(string(t.line))
	t.line = t.line[:0]
	if text == "" {
		return
	}
	t.before = text
	for _, begins := range []string{"panic: ", "fatal error: ", "SIG", "runtime: "} {
		if t.cause == "" && strings.HasPrefix(text, begins) {
			t.cause = text
		}
	}
}

// last returns the line that says most about the end: the first of a panic, or else the last.
func (t *lastWords) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endLocked()
	if t.cause != "" {
		return t.cause
	}
	return t.before
}
