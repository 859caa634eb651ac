//go:build wine

package wine

import (
	"bufio"
	"bytes"
	"context"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"
)

// windowed is the path of the program with a window, if it was built.
var windowed = os.Getenv("WINDOWED_PROGRAM")

const none = "there is no program with a window; `make test-windows ARGS=window` makes it"

func TestTheWindowOpensAndFollowsTheEngine(t *testing.T) {
	if windowed == "" {
		t.Fatal(none)
	}
	m := newMachine(t)
	if err := os.MkdirAll(m.home, 0o700); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("[blender]\npath = '%s'\n[[folder]]\npath = '%s'\n", windows(blender), windows(m.folder))
	if err := os.WriteFile(filepath.Join(m.home, "settings.toml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	display := os.Getenv("DISPLAY")
	// Wine sets up its desktop for the first program that asks for it, and now and then gives that
	// program no window. Then the test starts the program again.
	for attempt := 1; !m.startTray(); attempt++ {
		if attempt == 3 {
			t.Fatalf("it does not start: %s", m.said())
		}
	}
	titles := func(text string) func() bool {
		return func() bool {
			out, err := exec.Command("xwininfo", "-display", display, "-root", "-tree").Output()
			return err == nil && strings.Contains(string(out), text) // it fails when a window closes meanwhile
		}
	}
	// Another start shows the window of the first, and ends.
	again := exec.Command("wine", windowed)
	again.Env = m.environment
	if err := again.Run(); err != nil {
		t.Errorf("the second start: %v", err)
	}
	m.eventually("the window says that Blender is ready", titles(`"Blendtray · Blender `+version+` · ready"`))
	m.wants(0, []string{"stop"}, "stopped")
	m.eventually("the window says that Blender is stopped", titles(`"Blendtray · Blender is stopped"`))
	if picture := os.Getenv("PICTURE"); picture != "" {
		if out, err := exec.Command("import", "-display", display, "-window", "root", picture).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// startTray starts the program and waits until its engine is ready. It returns false when the
// program ended instead.
func (m *machine) startTray() bool {
	m.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	tray, log := m.command(ctx)
	m.log = log
	tray.Args[1] = windowed
	if err := tray.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = tray.Wait() // what it printed says how it ended
		close(ended)
	}()
	m.t.Cleanup(func() { stop(); <-ended; m.endAll() })
	for {
		select {
		case <-ended:
			return false
		case <-time.After(100 * time.Millisecond):
			if strings.Contains(m.run("status").out, "ready: Blender "+version) {
				return true
			}
		}
	}
}

// endAll ends the programs that have the machine's home, such as the window, which writes there until its end. The
// programs of Windows itself, some of which have its environment, stay.
func (m *machine) endAll() {
	m.t.Helper()
	mark := []byte("\x00BLENDTRAY_HOME=" + windows(m.home) + "\x00")
	m.eventually("all of its programs have ended", func() bool {
		left := slices.DeleteFunc(processes(m.t, "blend"), func(pid int) bool {
			environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			return err != nil || !bytes.Contains(environment, mark)
		})
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		return len(left) == 0
	})
}

// screen starts a display and returns its name.
func screen() (name string, end func(), err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer reader.Close()
	server := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset")
	server.ExtraFiles = []*os.File{writer}
	err = server.Start()
	writer.Close()
	if err != nil {
		return "", nil, err
	}
	end = func() {
		_ = server.Process.Kill() // it may have ended
		_ = server.Wait()
	}
	// To the end of the line: Xvfb, which writes it in parts, ends when nobody reads.
	number, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		end()
		return "", nil, fmt.Errorf("Xvfb says no number: %w", err)
	}
	return ":" + strings.TrimSpace(number), end, nil
}

func TestTheProgramHasVersionAndIcon(t *testing.T) {
	if windowed == "" {
		t.Fatal(none)
	}
	file, err := pe.Open(windowed)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	resources := file.Section(".rsrc")
	if resources == nil {
		t.Fatal("it has no resources")
	}
	data, err := resources.Data()
	if err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile("../../app/version.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(version, []byte(`version = "`))
	number, _, _ := strings.Cut(string(rest), `-`)
	for _, text := range []string{"ProductVersion", "Blendtray", number} {
		wide := new(bytes.Buffer)
		if err := binary.Write(wide, binary.LittleEndian, utf16.Encode([]rune(text))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, wide.Bytes()) {
			t.Errorf("its resources do not say %q", text)
		}
	}
	icon, err := os.Open("../../assets/ico/app.ico")
	if err != nil {
		t.Fatal(err)
	}
	defer icon.Close()
	head := make([]byte, 22) // of the file and of its first picture
	if _, err := io.ReadFull(icon, head); err != nil {
		t.Fatal(err)
	}
	size, at := binary.LittleEndian.Uint32(head[14:]), binary.LittleEndian.Uint32(head[18:])
	picture := make([]byte, size)
	if _, err := icon.ReadAt(picture, int64(at)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, picture) {
		t.Error("its resources have no icon")
	}
}
