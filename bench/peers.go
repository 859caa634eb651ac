//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
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
)

// peers is where `make bench` installs the servers of others.
const peers = "build/peers"

// peer is a server that is measured.
type peer struct {
	name      string
	agent     *agent
	tool      string
	arguments map[string]any
	says      string // what is in the answer when the code has run
	runs      bool   // its calls are runs of the engine
	took      sample
}

// measurePeers measures `x = 1` over the servers of others and over ours in turn: Blender Lab's with Blendtray
// in the place of Blender, and mcp-for-blender with its add-on in a Blender with a window.
func (p *program) measurePeers(ctx context.Context, calls int) error {
	if _, err := os.Stat(peers); err != nil {
		row("others", "not measured", false, "`make "+peers+"` installs them")
		return nil
	}
	ours, err := p.startAgent(ctx)
	if err != nil {
		return err
	}
	defer ours.stop()
	lab, err := p.startLab(ctx)
	if err != nil {
		return fmt.Errorf("the server of Blender Lab: %w", err)
	}
	defer lab.stop()
	other, stop, err := p.startForBlender(ctx)
	if err != nil {
		return fmt.Errorf("mcp-for-blender: %w", err)
	}
	defer stop()
	x := map[string]any{"code": "x = 1"}
	all := []*peer{
		{name: "blendtray mcp", agent: ours, tool: "run_python", arguments: map[string]any{"code": "x = 1", "checkpoint": false}, says: "succeeded", runs: true},
		{name: "Blender Lab's over Blendtray", agent: lab, tool: "execute_blender_code", arguments: x, says: `\"status\": \"ok\"`, runs: true},
		{name: "mcp-for-blender", agent: other, tool: "execute_blender_code", arguments: x, says: "successfully"},
	}
	for n := range calls + 1 {
		for _, one := range all {
			at := time.Now()
			answer, err := one.agent.call(one.tool, one.arguments)
			if err != nil || !bytes.Contains(answer, []byte(one.says)) {
				return fmt.Errorf("%s: %s, %v", one.name, answer, err)
			}
			if n > 0 { // the first begins the session
				one.took = append(one.took, time.Since(at))
			}
			if !one.runs {
				continue
			}
			if _, err := p.finished(ctx); err != nil {
				return err
			}
		}
	}
	for _, one := range all {
		row(one.name+", p50", ms(one.took.quantile(0.5)), false, "")
	}
	_, err = p.client.UnsetSetting(ctx, "mcp.lab_port")
	return err
}

// startLab has Blender Lab's server ask the engine, as if the engine were Blender.
func (p *program) startLab(ctx context.Context) (*agent, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if _, err := p.client.SetSetting(ctx, "mcp.lab_port", port); err != nil {
		return nil, err
	}
	if err := answers(ctx, port); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(peers, "bin", "blender-mcp-connect"))
	cmd.Env = append(os.Environ(), "BLENDER_MCP_HOST=127.0.0.1", fmt.Sprint("BLENDER_MCP_PORT=", port))
	return begin(cmd)
}

// addOnCode starts the add-on of mcp-for-blender on a port. It wants a module that Blender of Debian lacks.
const addOnCode = `
import importlib, sys
sys.path.append(%q)
peer = importlib.import_module("blender_mcp.bundled.addon")
peer.register()
server = peer.BlenderMCPServer("127.0.0.1", %d)
server.start()
`

// startForBlender has mcp-for-blender ask its add-on, which needs a window, and returns what ends them.
func (p *program) startForBlender(ctx context.Context) (server *agent, stop func(), err error) {
	found, err := filepath.Glob(filepath.Join(peers, "lib", "python3*", "site-packages"))
	if err != nil || len(found) == 0 {
		return nil, nil, fmt.Errorf("it is not in %s: %v", peers, err)
	}
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	display, hide, err := startDisplay(ctx)
	if err != nil {
		return nil, nil, err
	}
	// What it would send and look for on the network is switched off, and its files are ours.
	private := append(os.Environ(), "DISPLAY="+display, "DISABLE_TELEMETRY=true", "BLENDERMCP_NO_UPDATE_CHECK=1",
		"HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir, "XDG_DATA_HOME="+p.dir, "LIBGL_ALWAYS_SOFTWARE=1")
	blender := exec.CommandContext(ctx, p.blender.Path, "--factory-startup", "--python-expr", fmt.Sprintf(addOnCode, found[0], port))
	blender.Env = private
	var said strings.Builder
	blender.Stdout, blender.Stderr = &said, &said
	if err := blender.Start(); err != nil {
		hide()
		return nil, nil, err
	}
	if err = answers(ctx, port); err == nil {
		cmd := exec.CommandContext(ctx, filepath.Join(peers, "bin", "mcp-for-blender"), "--host", "127.0.0.1", "--port", fmt.Sprint(port))
		cmd.Env = private
		server, err = begin(cmd)
	}
	stop = func() {
		if server != nil {
			_ = server.stop() // its end is not what is measured
		}
		end(blender)
		hide()
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("%w: %s", err, said.String())
	}
	return server, stop, nil
}

// startDisplay starts a display without a screen and returns its name and what ends it.
func startDisplay(ctx context.Context) (name string, stop func(), err error) {
	in, out, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	cmd := exec.CommandContext(ctx, "Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{out}
	err = cmd.Start()
	out.Close()
	if err != nil {
		return "", nil, err
	}
	number, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		end(cmd)
		return "", nil, errors.Join(errors.New("the display has not started"), err, io.EOF)
	}
	return ":" + strings.TrimSpace(number), func() { end(cmd) }, nil
}

// end ends a program and waits for its end.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = cmd.Wait()                          // it was told to end
}

// answers waits until a port of this machine answers.
func answers(ctx context.Context, port int) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond): // between two attempts
		case <-ctx.Done():
			return err
		}
	}
}
