//go:build unix

package blender

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

func TestARenderTellsHowFarItIsAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	picture := filepath.Join(t.TempDir(), "picture.png")
	render := func(size, samples int) []byte {
		return fmt.Appendf(nil, `import bpy
scene = bpy.context.scene
scene.render.engine = 'CYCLES'
scene.cycles.use_denoising = False
scene.cycles.samples = %d
scene.render.resolution_x = scene.render.resolution_y = %d
scene.render.filepath = %q
bpy.ops.render.render(write_still=True)
`, samples, size, picture)
	}
	out, r := do(t, s, Request{Scene: "fresh", Code: render(128, 64)})
	if out.Verdict != Succeeded || len(out.Outputs) != 1 || out.Outputs[0] != picture {
		t.Errorf("a render: %+v, %+v", out, out.Error)
	}
	r.mu.Lock()
	if n := len(r.progress); n < 2 || r.progress[n-1].Fraction <= 0 {
		t.Errorf("progress %+v of a render that printed:\n%s", r.progress, r.output.String())
	}
	r.mu.Unlock()

	pid := s.Status().PID
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	long := newRecorder()
	done := make(chan Outcome, 1)
	go func() {
		out, err := s.Run(ctx, Request{ID: "long", Scene: "fresh", Code: render(1024, 4096)}, long)
		if err != nil {
			t.Errorf("the long render: %v", err)
		}
		done <- out
	}()
	eventually(t, "the render is on", func() bool {
		long.mu.Lock()
		defer long.mu.Unlock()
		return len(long.progress) > 1
	})
	cancel(errors.New("enough of it"))
	out = <-done
	if out.Verdict != Cancelled || out.Error == nil || !strings.HasPrefix(out.Error.Message, "enough of it") {
		t.Errorf("a cancelled render: %+v, %+v", out, out.Error)
	}
	do(t, s, Request{Code: []byte("pass")})
	if s.Status().PID == pid {
		t.Error("a Blender that had its SIGINT goes on")
	}
}

func TestErrorsThatBlenderPrintsOfACancelledRunAreExplained(t *testing.T) {
	t.Parallel()
	const explained = "tcp_echo: the run was cancelled while Blender executed an operator"
	for _, c := range []struct {
		name, code string
		want       int
	}{
		{"a render", fmt.Sprintf(`import bpy
scene = bpy.context.scene
scene.render.engine = 'CYCLES'
scene.cycles.use_denoising = False
scene.cycles.samples = 256
scene.frame_end = 1000
scene.render.resolution_x = scene.render.resolution_y = 128
scene.render.filepath = %q
bpy.app.handlers.render_post.append(lambda *_: print("on", flush=True))
bpy.ops.render.render(animation=True)
`, filepath.Join(t.TempDir(), "picture")), 1},
		{"no operator", "import time\nprint('on', flush=True)\nwhile True: time.sleep(0.01)", 0},
	} {
		s := serve(t, Config{})
		ctx, cancel := context.WithCancelCause(context.Background())
		r := newRecorder()
		go func() {
			eventually(t, c.name+" is on", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return strings.Contains(r.output.String(), "on\n")
			})
			cancel(errors.New("enough"))
		}()
		out, err := s.Run(ctx, Request{ID: "1", Scene: "fresh", Code: []byte(c.code)}, r)
		cancel(nil)
		if err != nil || out.Verdict != Cancelled {
			t.Fatalf("%s: %+v, %v", c.name, out, err)
		}
		if strings.Contains(out.Error.Message, "killed") {
			continue // the machine is too busy for it
		}
		text := r.output.String()
		if n := strings.Count(text, explained); n != c.want {
			t.Errorf("%s: explained %d times\n%s", c.name, n, text)
		}
	}
}

func TestALoudRunIsHeardToTheEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	out, r := do(t, s, Request{Code: []byte("for i in range(1_000_000): print('%099d' % i)")})
	if out.Verdict != Succeeded || r.bytes != 100_000_000 {
		t.Errorf("%s, %d bytes of 100,000,000", out.Verdict, r.bytes)
	}
}

func TestAChildThatHoldsTheOutputDelaysNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	code := "import subprocess, sys\nchild = subprocess.Popen(['sleep', '1000'], start_new_session=%s)\nprint(child.pid, flush=True)\n"
	for _, detached := range []string{"False", "True"} {
		out, r := do(t, s, Request{Code: []byte(fmt.Sprintf(code, detached) + "import os\nos.abort()")})
		if out.Verdict != Crashed {
			t.Errorf("%+v", out)
		}
		first, _, _ := strings.Cut(r.text(), "\n")
		child, err := strconv.Atoi(first)
		if err != nil {
			t.Fatalf("printed %q", r.text())
		}
		if detached == "True" && runtime.GOOS != "linux" { // it left the group, and is not found
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
		eventually(t, "the child is gone", func() bool { return !alive(child) })
	}
}

func TestARunCancelledBeforeItBeganIsNotExecuted(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Run(ctx, Request{ID: "1", Code: []byte("pass")}, newRecorder()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestAScriptThatIsTooLargeIsRefusedAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	out, _ := do(t, s, Request{Code: make([]byte, api.MaxCode+1)})
	if out.Verdict != Errored || out.Error == nil || !strings.Contains(out.Error.Message, "32 MiB") {
		t.Errorf("%+v, %+v", out, out.Error)
	}
	if out, _ := do(t, s, Request{Code: []byte("pass")}); out.Verdict != Succeeded {
		t.Errorf("the next run: %+v", out)
	}
}

// parentVariable makes the test binary a parent that starts Blender, hangs it in C with the
// interpreter locked, prints its number and waits to be killed.
const parentVariable = "BLENDTRAY_TEST_PARENT"

// programs are what the test binary can be instead, by the variable that names the folder for
// Blender.
var programs = map[string]func(dir string){parentVariable: parent}

func TestMain(m *testing.M) {
	for variable, program := range programs {
		if dir := os.Getenv(variable); dir != "" {
			program(dir)
		}
	}
	os.Exit(m.Run())
}

func parent(dir string) {
	s := New(Config{BlenderSpec: api.BlenderSpec{Dir: dir, BlenderSettings: api.BlenderSettings{FactoryStartup: true}}})
	go s.Serve(context.Background())
	r := newRecorder()
	go s.Run(context.Background(), Request{ID: "1", Code: []byte("import ctypes\nprint(1, flush=True)\nctypes.PyDLL(None).sleep(1000)")}, r)
	<-r.printed
	fmt.Println(s.Status().PID)
	select {}
}

func TestWhenItsParentIsKilledEvenAHangingBlenderEnds(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), parentVariable+"="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(stdout, &pid); err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatalf("process %d is not there", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	_ = cmd.Wait() // killed, as it is meant to be
	eventually(t, "Blender is gone", func() bool { return !alive(pid) })
	t.Logf("Blender outlived its parent by %s", time.Since(died))
}
