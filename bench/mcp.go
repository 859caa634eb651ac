//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"blendtray/api"
)

// agent is `blendtray mcp`, spoken to line by line, so that only the server is measured.
type agent struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	n   int
}

// startAgent starts `blendtray mcp` beside the engine and returns when the handshake is done.
func (p *program) startAgent(ctx context.Context) (*agent, error) {
	cmd := exec.CommandContext(ctx, p.cmd.Path, "mcp")
	cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+filepath.Join(p.dir, "home"))
	cmd.Stderr = os.Stderr
	return begin(cmd)
}

// begin starts a server of the protocol and returns when the handshake is done.
func begin(cmd *exec.Cmd) (*agent, error) {
	a := &agent{cmd: cmd}
	var err error
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.out = bufio.NewReader(out)
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	_, err = a.ask("initialize", map[string]any{
		"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "bench", "version": "1"},
	})
	if err == nil {
		_, err = io.WriteString(a.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	}
	if err != nil {
		return nil, errors.Join(err, a.stop())
	}
	return a, nil
}

// stop ends the agent and waits for its end.
func (a *agent) stop() error {
	a.in.Close()
	return a.cmd.Wait()
}

// ask sends a request and returns the result. It fails when the answer is an error.
func (a *agent) ask(method string, params map[string]any) (json.RawMessage, error) {
	a.n++
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": a.n, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	if _, err := a.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	for {
		line, err := a.out.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		var answer struct {
			ID            int
			Result, Error json.RawMessage
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			return nil, err
		}
		switch {
		case answer.ID != a.n:
			continue // a notification
		case answer.Error != nil || bytes.Contains(answer.Result, []byte(`"isError":true`)):
			return nil, errors.New(string(line))
		}
		return answer.Result, nil
	}
}

// call calls a tool and returns the answer.
func (a *agent) call(tool string, arguments map[string]any) (json.RawMessage, error) {
	return a.ask("tools/call", map[string]any{"name": tool, "arguments": arguments})
}

// measureAgents measures what an agent over `blendtray mcp` waits for: `x = 1` against control, in turn; the
// documentation while code loops; and the start of the program.
func (p *program) measureAgents(ctx context.Context, runs int) error {
	a, err := p.startAgent(ctx)
	if err != nil {
		return err
	}
	if err := p.measureAgentRuns(ctx, a, runs); err != nil {
		return err
	}
	if err := p.measureAgentDocs(ctx, a, runs); err != nil {
		return err
	}
	if err := a.stop(); err != nil {
		return err
	}
	var ready sample
	for range 20 {
		at := time.Now()
		a, err := p.startAgent(ctx)
		if err != nil {
			return err
		}
		ready = append(ready, time.Since(at))
		if err := a.stop(); err != nil {
			return err
		}
	}
	timed("from its start to ready", ready, 50*time.Millisecond, 0)
	return nil
}

// measureAgentRuns measures `x = 1` over an agent's pipe and over control in turn.
func (p *program) measureAgentRuns(ctx context.Context, a *agent, runs int) error {
	var control, agents sample
	for range runs {
		at := time.Now()
		if err := p.submit(ctx); err != nil {
			return err
		}
		control = append(control, time.Since(at))
		if _, err := p.finished(ctx); err != nil {
			return err
		}
		at = time.Now()
		if _, err := a.call("run_python", map[string]any{"code": "x = 1", "checkpoint": false}); err != nil {
			return err
		}
		agents = append(agents, time.Since(at))
		if _, err := p.finished(ctx); err != nil {
			return err
		}
	}
	of := control.quantile(0.5)
	bound := of*12/10 + 500*time.Microsecond
	row("x = 1 over control, p50", ms(of), false, "")
	timed("x = 1 over mcp", agents, bound, 0)
	row("ratio", fmt.Sprintf("%.2f times", float64(agents.quantile(0.5))/float64(of)), false, "the bound is 1.2 times and 0.5 ms")
	return nil
}

// docsAsked are questions about the API: paths, words, and names that are gone.
var docsAsked = []string{
	"bpy.types.Object.location", "bpy.ops.mesh.primitive_cube_add", "bevel edges of a mesh", "Object.select",
	"bmesh.ops.bevel", "mathutils.Vector.lerp", "bpy.data.objects['Cube'].data.vertices", "keyframe an object",
	"scene.render.engin", "bpy.context.scene.cursor_location",
}

// measureAgentDocs measures the documentation while code of the same agent loops.
func (p *program) measureAgentDocs(ctx context.Context, a *agent, times int) error {
	// It is written down once for each Blender, which takes seconds.
	if _, err := a.call("api_docs", map[string]any{"query": docsAsked[0]}); err != nil {
		return err
	}
	loop, err := a.call("run_python", map[string]any{"code": "while True: pass", "checkpoint": false, "wait": 0.1})
	if err != nil {
		return err
	}
	var took sample
	for n := range times {
		at := time.Now()
		if _, err := a.call("api_docs", map[string]any{"query": docsAsked[n%len(docsAsked)]}); err != nil {
			return err
		}
		took = append(took, time.Since(at))
	}
	var answer struct {
		Meta map[string]any `json:"_meta"`
	}
	if err := json.Unmarshal(loop, &answer); err != nil {
		return err
	}
	run, err := p.client.Run(ctx, fmt.Sprint(answer.Meta["blendtray/run"]))
	if err != nil || run.State != api.Running {
		return fmt.Errorf("the code does not loop any more: %v, %v", run.State, err)
	}
	if _, err := a.call("cancel_run", map[string]any{"run": run.ID}); err != nil {
		return err
	}
	if _, err := p.finished(ctx); err != nil {
		return err
	}
	bound := 20 * time.Millisecond
	timed("api_docs while code loops", took, bound, bound)
	return nil
}
