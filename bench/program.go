//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// kinds are the watched folders that are measured, by what a run in them shares with others.
var kinds = []string{"keep", "scene", "process"}

// program is a running `blendtray serve` with one watched folder for each kind.
type program struct {
	dir      string
	cmd      *exec.Cmd
	client   *control.Client
	events   <-chan api.Event
	blender  api.BlenderStatus
	doorFile string // how its Blender is reached
	number   int    // number of the last saved script
}

// build builds the program without a window.
func build(ctx context.Context, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "headless", "-o", binary, "blendtray")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build blendtray: %w", err)
	}
	return nil
}

// start starts the program with a home of its own in dir, which it makes, and waits until Blender is
// ready.
func start(ctx context.Context, binary, dir string) (*program, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := makeScene(ctx, filepath.Join(dir, "scene.blend")); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("[blender]\nport = %d\n", port)
	for _, kind := range append(kinds, "open") {
		folder := filepath.Join(dir, kind)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, err
		}
		scene, isolation := "fresh", kind
		switch kind {
		case "keep":
			scene = "keep"
		case "open":
			scene, isolation = filepath.Join(dir, "scene.blend"), "process"
		}
		settings += fmt.Sprintf("[[folder]]\npath = %q\nisolation = %q\nscene = %q\n", folder, isolation, scene)
	}
	config := filepath.Join(dir, "settings.toml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "home")
	cmd := exec.CommandContext(ctx, binary, "serve", "--quiet", "--config", config)
	cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+home)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start blendtray: %w", err)
	}
	p := &program{dir: dir, cmd: cmd, doorFile: filepath.Join(home, "ports", "default.json")}
	if err := p.connect(ctx, stdout); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// connect waits until the program serves and its Blender is ready, and follows its events.
func (p *program) connect(ctx context.Context, stdout io.Reader) error {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() { // "… engine     version …, process …, on ADDRESS"
		if _, address, ok := strings.Cut(lines.Text(), ", on "); ok {
			go io.Copy(io.Discard, stdout)
			return p.follow(ctx, control.NewClient(address))
		}
	}
	return errors.New("blendtray ended without saying where it listens")
}

func (p *program) follow(ctx context.Context, client *control.Client) error {
	events := make(chan api.Event, 100_000) // nobody reads while many scripts are written
	p.events, p.client = events, client
	opened := make(chan error, 1)
	go func() {
		defer close(events)
		for ev, err := range client.Events(ctx, false) {
			select {
			case opened <- err: // the first event says that the stream is open
			default:
			}
			if err != nil {
				return
			}
			events <- ev
		}
	}()
	if err := <-opened; err != nil {
		return err
	}
	for {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		switch p.blender = status.Blenders[0]; p.blender.State {
		case api.BlenderReady:
			if p.blender.Port != 0 {
				return nil
			}
		case api.BlenderFailed:
			return errors.New(p.blender.Reason)
		}
		time.Sleep(20 * time.Millisecond) // between two requests
	}
}

// stop ends the program as a person would, and waits for it.
// stop ends the program, if there is one.
func (p *program) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	_ = p.cmd.Wait()                          // what it says about its end is on standard error
}

// freePort returns a port that nobody uses just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// folder returns the watched folder of a kind.
func (p *program) folder(kind string) string { return filepath.Join(p.dir, kind) }

// scene returns the .blend with which runs of the folder "open" begin.
func (p *program) scene() string { return filepath.Join(p.dir, "scene.blend") }

// awaitWaiting waits until a Blender waits in which nothing has run, with no file open.
func (p *program) awaitWaiting(ctx context.Context) error { return p.awaitWaitingWith(ctx, "") }

// awaitWaitingWith waits until a Blender waits with a .blend open, or "".
func (p *program) awaitWaitingWith(ctx context.Context, scene string) error {
	for {
		status, err := p.client.Status(ctx)
		if err != nil {
			return err
		}
		for _, process := range status.Processes {
			if process.Use == "waiting" && process.State == api.BlenderReady && process.Scene == scene {
				return nil
			}
		}
		select {
		case <-time.After(5 * time.Millisecond): // between two looks
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answer is the result of the bench's scripts: the time of their first line, and their number.
type answer struct{ firstLine, number int64 }

// finished waits for the end of the next run and returns the run.
func (p *program) finished(ctx context.Context) (api.Run, error) {
	for {
		select {
		case <-ctx.Done():
			return api.Run{}, ctx.Err()
		case <-time.After(30 * time.Second):
			return api.Run{}, errors.New("no run ended within 30 s: a save was lost")
		case ev, ok := <-p.events:
			switch {
			case !ok:
				return api.Run{}, io.ErrUnexpectedEOF
			case ev.Kind == api.KindGap:
				return api.Run{}, errors.New("the event stream has a gap")
			case ev.Kind == api.KindRun && ev.Run.State.Final():
				return *ev.Run, nil
			}
		}
	}
}

// answerOf returns the result of a run. It fails when the run did not execute a whole script.
func answerOf(run api.Run) (answer, error) {
	var numbers []int64
	if err := json.Unmarshal(run.Result, &numbers); err != nil || len(numbers) != 2 {
		return answer{}, fmt.Errorf("run %s is torn: %s, result %s, error %+v", run.ID, run.State, run.Result, run.Error)
	}
	return answer{numbers[0], numbers[1]}, nil
}

// measureSaves makes saves one after another and times each up to its first line in Blender.
func (p *program) measureSaves(ctx context.Context, kind string, w writer, saves int) (sample, error) {
	var took sample
	for range saves {
		t, err := p.measureSave(ctx, kind, w)
		if err != nil {
			return nil, err
		}
		took = append(took, t)
	}
	timedSaves(kind, w, took)
	return took, nil
}

// measureInTurn times saves that run in the Blender that keeps its state and saves that each run in
// a new Blender, in turn. Before each of them a Blender is started, so that all find the machine
// alike: threads that have slept for half a second need longer to begin than threads that were busy
// a moment ago.
func (p *program) measureInTurn(ctx context.Context, w writer, saves int) error {
	var keep, process sample
	for range saves {
		took, err := p.measureSave(ctx, "process", w)
		if err != nil {
			return err
		}
		process = append(process, took)
		if err := p.awaitWaiting(ctx); err != nil { // the start that follows a run
			return err
		}
		if took, err = p.measureSave(ctx, "keep", w); err != nil {
			return err
		}
		keep = append(keep, took)
	}
	for kind, took := range map[string]sample{"keep": keep, "process": process} {
		row(kind+", paused, "+w.name+", p50", ms(took.quantile(0.5)), false, "")
		p99 := took.quantile(0.99)
		row(kind+", paused, "+w.name+", p99", ms(p99), p99 > 10*time.Millisecond, "at most 10 ms")
	}
	ratio := float64(process.quantile(0.5)) / float64(keep.quantile(0.5))
	row("process to keep, "+w.name+", p50", fmt.Sprintf("%.2f times", ratio), ratio > 1.3, "at most 1.3 times")
	return nil
}

// timedSaves prints the median and the 99th percentile of a sample of saves beside their bounds.
func timedSaves(kind string, w writer, took sample) {
	p50, p99 := 2*time.Millisecond, 10*time.Millisecond
	if kind == "scene" {
		p50, p99 = p50+5*time.Millisecond, p99+5*time.Millisecond
	}
	timed(kind+", "+w.name, took, p50, p99)
}

// measureSave makes one save and returns the time up to its first line in Blender. It waits first for
// the Blender that the kind of run needs.
func (p *program) measureSave(ctx context.Context, kind string, w writer) (time.Duration, error) {
	var err error
	switch kind {
	case "process":
		err = p.awaitWaiting(ctx)
	case "open":
		err = p.awaitWaitingWith(ctx, p.scene())
	}
	if err != nil {
		return 0, err
	}
	p.number++
	at, err := w.save(filepath.Join(p.folder(kind), "script.py"), script(p.number))
	if err != nil {
		return 0, err
	}
	run, err := p.finished(ctx)
	if err != nil {
		return 0, err
	}
	got, err := answerOf(run)
	if err != nil {
		return 0, err
	}
	if got.number != int64(p.number) {
		return 0, fmt.Errorf("save %d was lost: run %s is of save %d", p.number, run.ID, got.number)
	}
	return time.Duration(got.firstLine - at), nil
}
