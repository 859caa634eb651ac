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
	"time"

	"blendtray/blender"
)

// measureMessages measures `x = 1` on an open session, from request to result.
func (p *program) measureMessages(ctx context.Context, messages int) error {
	text, err := os.ReadFile(p.doorFile)
	if err != nil {
		return err
	}
	var door struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(text, &door); err != nil {
		return err
	}
	session, err := blender.Dial(ctx, fmt.Sprintf("127.0.0.1:%d", p.blender.Port), door.Token)
	if err != nil {
		return err
	}
	defer session.Close()
	var took sample
	for i := range messages {
		at := time.Now()
		call, err := session.Run(blender.Request{ID: fmt.Sprint(i), Code: []byte("x = 1")}, nil, nil, nil)
		if err != nil {
			return err
		}
		<-call.Done()
		took = append(took, time.Since(at))
		if _, err := call.Result(); err != nil {
			return err
		}
	}
	timed("x = 1", took, 200*time.Microsecond, 0)
	floor, err := measureFloor(ctx, messages)
	if err != nil {
		return err
	}
	row("a byte through a thread and a queue, p50", ms(floor), false, "")
	row("ratio", fmt.Sprintf("%.1f times", float64(took.quantile(0.5))/float64(floor)), false, "")
	return nil
}

// floorScript echoes bytes in the way in which the add-on hands on runs, and does nothing else: a
// thread reads into a queue, and the main thread answers.
const floorScript = `
import queue, socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
taken = queue.SimpleQueue()
def read():
    while data := peer.recv(1):
        taken.put(data)
    taken.put(None)
threading.Thread(target=read, daemon=True).start()
while data := taken.get():
    peer.send(data)
`

// measureFloor returns the median time in which two processes and two threads of this machine wake
// each other. No message can be faster.
func measureFloor(ctx context.Context, times int) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "python3", "-c", floorScript)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait() // it ends with its connection
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, err
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+strings.TrimSpace(line))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var took sample
	data := []byte{1}
	for range times {
		at := time.Now()
		if _, err := conn.Write(data); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(conn, data); err != nil {
			return 0, err
		}
		took = append(took, time.Since(at))
	}
	return took.quantile(0.5), nil
}

// measureCold compares an isolated run of a script, from its save to its end, with a cold
// Blender that runs the same file, in turn.
func (p *program) measureCold(ctx context.Context, times int) error {
	path := filepath.Join(p.folder("process"), "script.py")
	var warm, cold sample
	for range times {
		if err := p.awaitWaiting(ctx); err != nil {
			return err
		}
		p.number++
		at := time.Now()
		if _, err := saveByRename(path, script(p.number)); err != nil {
			return err
		}
		run, err := p.finished(ctx)
		if err != nil {
			return err
		}
		warm = append(warm, time.Since(at))
		if _, err := answerOf(run); err != nil {
			return err
		}
		at = time.Now()
		if err := exec.CommandContext(ctx, p.blender.Path, "-b", "--factory-startup", "--python", path).Run(); err != nil {
			return fmt.Errorf("a cold Blender: %w", err)
		}
		cold = append(cold, time.Since(at))
	}
	row("isolated run, save to end, p50", ms(warm.quantile(0.5)), false, "")
	row("cold Blender, p50", ms(cold.quantile(0.5)), false, "")
	ratio := float64(cold.quantile(0.5)) / float64(warm.quantile(0.5))
	row("ratio", fmt.Sprintf("%.0f times", ratio), ratio < 50, "at least 50 times")
	return nil
}

// measureOutput has a script print 100 MB, and then measures the engine's memory.
func (p *program) measureOutput(ctx context.Context) error {
	path := filepath.Join(p.folder("keep"), "loud.py")
	code := "for i in range(1_000_000):\n    print('%099d' % i)\n"
	if _, err := saveByRename(path, []byte(code)); err != nil {
		return err
	}
	run, err := p.finished(ctx)
	if err != nil {
		return err
	}
	if run.OutputBytes != 100_000_000 {
		return fmt.Errorf("100,000,000 bytes were printed and %d counted", run.OutputBytes)
	}
	peak, err := peakMemory(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	row("time", fmt.Sprintf("%.2f s", run.Seconds), false, "")
	row("engine, peak memory of all so far", fmt.Sprintf("%d MB", peak>>20), peak > 100<<20, "at most 100 MB")
	return nil
}

// measureIdle measures the processor time that the engine and Blender take while nothing happens.
func (p *program) measureIdle(ctx context.Context, idle time.Duration) error {
	used := func() (time.Duration, error) {
		engine, err := cpuTime(p.cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		status, err := p.client.Status(ctx)
		for _, process := range status.Processes {
			blender, cpuErr := cpuTime(process.PID)
			engine, err = engine+blender, errors.Join(err, cpuErr)
		}
		return engine, err
	}
	time.Sleep(3 * time.Second) // the runs before have left work that is not idling
	before, err := used()
	if err != nil {
		return err
	}
	select {
	case <-time.After(idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := used()
	if err != nil {
		return err
	}
	share := float64(after-before) / float64(idle)
	row("engine and Blenders together", fmt.Sprintf("%.3f %%", 100*share), share > 0.002, "at most 0.2 % of a core")
	return nil
}
