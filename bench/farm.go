//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/farm"
)

const (
	farmEngines = 3
	// farmRuns runs of farmSleep each are shared by the engines. They sleep, so that the cores are no limit.
	farmRuns  = 30
	farmSleep = 0.5
	// farmQueued jobs wait that no machine takes.
	farmQueued = 5000
)

// hall is a farm of this program: a server, and engines with homes of their own.
type hall struct {
	program string
	dir     string
	token   string
	client  *farm.Client
	started []*exec.Cmd
}

func (h *hall) start(ctx context.Context, name string, args ...string) (out string, err error) {
	out = filepath.Join(h.dir, name+".out")
	file, err := os.Create(out)
	if err != nil {
		return out, err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, h.program, args...)
	cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+filepath.Join(h.dir, name))
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return out, err
	}
	h.started = append(h.started, cmd)
	return out, nil
}

// stop ends the engines, and then the server.
func (h *hall) stop() {
	if h.client != nil {
		h.client.Close()
	}
	for i := len(h.started) - 1; i >= 0; i-- {
		_ = h.started[i].Process.Signal(os.Interrupt) // it may have ended
		_ = h.started[i].Wait()                       // that it was interrupted is known
	}
}

var farmLine = regexp.MustCompile(`farm join (bt1\.[A-Za-z0-9_-]+)`)

// open starts the server and connects to it.
func (h *hall) open(ctx context.Context) error {
	out, err := h.start(ctx, "server", "farm", "serve", "--listen", "127.0.0.1:0", "--name", "server")
	if err != nil {
		return err
	}
	for h.token == "" {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, _ := os.ReadFile(out) // it is written in a moment
		if found := farmLine.FindSubmatch(text); found != nil {
			h.token = string(found[1])
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	m, err := farm.ReadMembership(filepath.Join(h.dir, "server", "farm", "membership.json"))
	if err != nil {
		return err
	}
	h.client, err = farm.Dial(ctx, m, farm.DialOptions{})
	return err
}

// join starts an engine that works, and waits until the farm knows its Blender.
func (h *hall) join(ctx context.Context, name string) error {
	cmd := exec.CommandContext(ctx, h.program, "farm", "join", h.token, "--name", name, "--yes")
	cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+filepath.Join(h.dir, name))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("join: %w: %s", err, out)
	}
	// One Blender goes on from run to run, because to start one for each would take the cores.
	if err := os.WriteFile(filepath.Join(h.dir, name, "settings.toml"), []byte("[runs]\nisolation = \"scene\"\n"), 0o600); err != nil {
		return err
	}
	if _, err := h.start(ctx, name, "serve", "--quiet"); err != nil {
		return err
	}
	for ctx.Err() == nil {
		machines, err := h.client.Machines(ctx)
		if err != nil {
			return err
		}
		for _, m := range machines {
			if m.Name == name && len(m.Blenders) > 1 {
				return h.run(ctx, farm.Job{Kind: farm.KindScript, Name: "first", Code: []byte("x = 1"), Needs: farm.Needs{Machines: []string{name}}})
			}
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	return ctx.Err()
}

// run has jobs executed and returns when all have ended.
func (h *hall) run(ctx context.Context, jobs ...farm.Job) error {
	made, err := h.client.SubmitAll(ctx, jobs)
	if err != nil {
		return err
	}
	var ids []string
	for _, job := range made {
		ids = append(ids, job.ID)
	}
	ended, failed := map[string]bool{}, ""
	err = h.client.Follow(ctx, ids, func(u farm.Update) bool {
		if u.Result != nil {
			ended[u.Job] = true
			if u.Result.State != farm.StateSucceeded {
				failed = u.Result.Reason
			}
		}
		return len(ended) < len(ids)
	})
	if err == nil && failed != "" {
		err = errors.New(failed)
	}
	return err
}

// measureFarm measures what a queue of several machines costs, and what it brings.
func (p *program) measureFarm(ctx context.Context, times int) error {
	h := &hall{program: p.cmd.Path, dir: filepath.Join(p.dir, "farm")}
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		return err
	}
	defer h.stop()
	if err := h.open(ctx); err != nil {
		return err
	}
	var one time.Duration
	for n := 1; n <= farmEngines; n++ {
		if err := h.join(ctx, fmt.Sprintf("engine%d", n)); err != nil {
			return err
		}
		if n == 1 {
			if err := h.measureLatency(ctx, p, times); err != nil {
				return err
			}
		}
		jobs := make([]farm.Job, farmRuns)
		for i := range jobs {
			jobs[i] = farm.Job{Kind: farm.KindScript, Name: "sleep", Code: fmt.Appendf(nil, "import time\ntime.sleep(%v)", farmSleep)}
		}
		began := time.Now()
		if err := h.run(ctx, jobs...); err != nil {
			return err
		}
		took := time.Since(began)
		if n == 1 {
			one = took
		}
		share := float64(one) / float64(took) / float64(n)
		row(fmt.Sprintf("%d runs of %v s on %d engines", farmRuns, farmSleep, n), fmt.Sprintf("%.1f s", took.Seconds()), share < 0.9,
			fmt.Sprintf("%.2f of linear, at least 0.9", share))
	}
	return h.measureQueue(ctx)
}

// measureLatency compares a job with a run of the same script on one engine of its own, in turn.
func (h *hall) measureLatency(ctx context.Context, p *program, times int) error {
	var far, near sample
	for range times {
		began := time.Now()
		if err := h.run(ctx, farm.Job{Kind: farm.KindScript, Name: "x", Code: []byte("x = 1"), Priority: farm.PriorityHigh}); err != nil {
			return err
		}
		far = append(far, time.Since(began))
		began = time.Now()
		for _, err := range p.client.SubmitAndFollow(ctx, api.Submission{Code: []byte("x = 1"), Name: "x", Scene: "fresh", Isolation: api.IsolateScene}) {
			if err != nil {
				return err
			}
		}
		near = append(near, time.Since(began))
	}
	timed("a job, from submit to result", far, 4*near.quantile(0.5), 0)
	row("the same run without a farm, p50", ms(near.quantile(0.5)), false, "")
	return nil
}

// measureQueue measures the memory of the server with many jobs that wait.
func (h *hall) measureQueue(ctx context.Context) error {
	before, err := memoryOf(h.started[0].Process.Pid)
	if err != nil {
		return err
	}
	jobs := make([]farm.Job, farmQueued)
	for i := range jobs {
		jobs[i] = farm.Job{Kind: farm.KindScript, Name: "wait", Code: []byte("x = 1"), Needs: farm.Needs{Labels: []string{"nobody"}}}
	}
	began := time.Now()
	if _, err := h.client.SubmitAll(ctx, jobs); err != nil {
		return err
	}
	row(fmt.Sprintf("%d jobs submitted", farmQueued), fmt.Sprintf("%.1f s", time.Since(began).Seconds()), false, "")
	after, err := memoryOf(h.started[0].Process.Pid)
	if err != nil {
		return err
	}
	row("memory of the server, before and with", fmt.Sprintf("%d, %d MB", before>>20, after>>20), after > 200<<20, "at most 200 MB")
	return nil
}

// memoryOf returns how many bytes of memory a process has.
func memoryOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the process does not tell its memory")
}
