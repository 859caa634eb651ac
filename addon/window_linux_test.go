package addon

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startDisplay starts an X server on a display of its own and returns its name.
func startDisplay(t *testing.T) string {
	t.Helper()
	xvfb, err := exec.LookPath("Xvfb")
	if err != nil {
		t.Fatalf("the tests of a Blender with a window need Xvfb (apt-get install xvfb): %v", err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	command := exec.Command(xvfb, "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset")
	command.ExtraFiles = []*os.File{writer}
	err = command.Start()
	_ = writer.Close() // the server has its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended by itself
		_ = command.Wait()         // killed
	})
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	number, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb does not say its display: %v", err)
	}
	return ":" + strings.TrimSpace(number)
}

// startWindow starts a Blender with a window that serves without a token.
func startWindow(t *testing.T) *process {
	t.Helper()
	env := append(ownHome(t), "DISPLAY="+startDisplay(t), "LIBGL_ALWAYS_SOFTWARE=1",
		"WAYLAND_DISPLAY=", "BLENDER_HTTP_ECHO_PORT=0")
	p := startProcess(t, env, "blender", "--factory-startup", "--no-window-focus", "--window-geometry", "0", "0", "400", "300",
		"--python", launcherPath(t))
	const serving = "tcp_echo: serving on 127.0.0.1:"
	p.await(t, serving)
	var text string
	for deadline := time.Now().Add(patience); ; {
		_, rest, _ := strings.Cut(p.text(), serving)
		line, _, whole := strings.Cut(rest, "\n")
		if whole {
			text = line
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("does not say its port:\n%s", p.text())
		}
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	p.port = port
	return p
}

// awaitMore runs code until its result, a number, is larger than before.
func awaitMore(t *testing.T, s *session, what, code string) {
	t.Helper()
	before := s.succeed(code).(float64)
	for deadline := time.Now().Add(patience); s.succeed(code).(float64) <= before; {
		if time.Now().After(deadline) {
			t.Fatalf("%s stays %v", what, before)
		}
	}
}

func TestBlenderWithAWindowServes(t *testing.T) {
	t.Parallel()
	p := startWindow(t)
	s := connect(t, p)
	check(t, "whether there is no window", s.succeed("import bpy; result = [bpy.app.background, len(bpy.context.window_manager.windows)]"), []any{false, 1.0})
	check(t, "tcp_echo_server_running", s.succeed("import bpy; result = bpy.context.scene.tcp_echo_server_running"), true)
	check(t, "how many objects there are", s.succeed("import bpy; bpy.ops.mesh.primitive_cube_add(); result = len(bpy.data.objects)"), 4.0)
	// A person can undo what a script did.
	const undo = `
import bpy
with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
    bpy.ops.ed.undo()
result = len(bpy.data.objects)
`
	check(t, "how many objects there are after Ctrl-Z", s.succeed(undo), 3.0)
	s.fail("1 / 0")
	check(t, "what was awaited", s.succeed("import asyncio; result = await asyncio.sleep(0, 5)"), 5.0)

	// Between runs the window goes on: its timers tick, and it is drawn.
	s.succeed(`
import bpy
count = bpy.app.driver_namespace["count"] = {"tick": 0, "draw": 0}
def tick():
    count["tick"] += 1
    for area in bpy.context.window_manager.windows[0].screen.areas:
        area.tag_redraw()
    return 0.01
def draw():
    count["draw"] += 1
bpy.app.timers.register(tick, persistent=True)
bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")
`)
	const count = "import bpy; result = bpy.app.driver_namespace['count'][%q]"
	awaitMore(t, s, "the count of ticks", fmt.Sprintf(count, "tick"))
	awaitMore(t, s, "the count of redraws", fmt.Sprintf(count, "draw"))

	// A cancel stops what blocks the window.
	id := s.start("while True: pass")
	s.receiveType("started")
	s.send(message{"type": "cancel", "id": id})
	check(t, "the state", s.receiveType("finished")["state"], "cancelled")

	// Loading a file ends every modal operator, and the server goes on.
	blend := filepath.Join(t.TempDir(), "s.blend")
	for _, code := range []string{
		"bpy.ops.wm.read_homefile()",
		"bpy.ops.wm.read_homefile(use_empty=True)",
		"bpy.ops.wm.read_factory_settings()",
		fmt.Sprintf("bpy.ops.wm.save_as_mainfile(filepath=%q)", blend),
		fmt.Sprintf("bpy.ops.wm.open_mainfile(filepath=%q)", blend),
		"bpy.app.timers.register(lambda: bpy.ops.wm.read_homefile() and None)",
	} {
		s.succeed("import bpy; " + code)
		check(t, "after "+code, s.succeed("import bpy; result = bpy.context.scene.tcp_echo_server_running"), true)
	}
	for _, scene := range []string{"fresh", blend, "keep"} {
		s.succeed("", message{"scene": scene})
	}
	// One operator drives the loop, however many files were loaded.
	check(t, "the original client's answer", ask(t, p.port, message{"code": "result = 1", "wait": true})["result"], 1.0)

	s.start("while True: pass")
	s.receiveType("started")
	check(t, "the response to quit", ask(t, p.port, message{"code": "quit_blender"})["message"], "Shutdown requested by client.")
	check(t, "the exit code", p.exitCode(t), 0)
}

func TestBlenderWithAWindowEndsWhenItIsIdleToo(t *testing.T) {
	t.Parallel()
	p := startWindow(t)
	check(t, "the response to code", ask(t, p.port, message{"code": "", "wait": true})["response"], "OK")
	check(t, "the response to quit", ask(t, p.port, message{"code": "quit_blender"})["message"], "Shutdown requested by client.")
	check(t, "the exit code", p.exitCode(t), 0)
}

// Before Python 3.12, an operator that is called with an overridden context crashes Blender when another thread
// leaves Python's lock at a bad moment. So no step for Ctrl-Z is made in that way.
func TestBlenderWithAWindowMakesStepsForUndoBesideThreads(t *testing.T) {
	t.Parallel()
	p := startWindow(t)
	s := connect(t, p)
	s.succeed(`
import sys, threading, time
sys.setswitchinterval(1e-5)
def work():
    while True:
        time.sleep(0)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
`)
	for range 60 {
		s.succeed("import bpy; bpy.context.scene.frame_current += 1")
	}
}
