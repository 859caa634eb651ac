//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// windowTitle finds the window in what xwininfo prints.
var windowTitle = regexp.MustCompile(`(0x[0-9a-f]+) "Blendtray ·`)

// window returns the window of the tray as the display knows it, or "".
func (d *desktop) window() string {
	d.t.Helper()
	if found := windowTitle.FindStringSubmatch(d.windows()); found != nil {
		return found[1]
	}
	return ""
}

// windowProcess returns the id of the process of the tray's window, or 0 when there is none.
func (i *trayIcon) windowProcess() int {
	i.t.Helper()
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(i.cmd.Process.Pid), "-f", " window$").Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: no process matches
		i.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || !alive(pid) {
		return 0
	}
	return pid
}

// opened waits until the window is there, and returns its process.
func (i *trayIcon) opened() int {
	i.t.Helper()
	pid := 0
	i.eventually("the window is there", func() bool {
		pid = i.windowProcess()
		return pid != 0 && i.window() != ""
	})
	return pid
}

// closed waits until neither the window nor its process is there.
func (i *trayIcon) closed(pid int) {
	i.t.Helper()
	i.eventually("the window and its process have ended", func() bool { return !alive(pid) && i.window() == "" })
}

// closeWindow closes the window by its key, and waits until its process has ended. A window that is
// being drawn does not hear the key yet.
func (i *trayIcon) closeWindow(pid int) {
	i.t.Helper()
	i.eventually("the window is closed", func() bool {
		if id := i.window(); id != "" && alive(pid) {
			cmd := exec.Command("xdotool", "windowfocus", id, "key", "ctrl+w")
			cmd.Env = i.env
			_ = cmd.Run() // it fails for a window that is gone or not to be seen yet
		}
		return !alive(pid)
	})
	i.closed(pid)
}

// ownTray returns a tray with an engine of its own, which watches the folder of a program.
func (d *desktop) ownTray() (*program, *trayIcon) {
	d.t.Helper()
	d.panel()
	p := newProgram(d.t, "")
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.home, "settings.toml"), fmt.Appendf(nil, "[[folder]]\npath = %q\n", p.folder), 0o600); err != nil {
		d.t.Fatal(err)
	}
	icon := d.tray(p)
	icon.says("· ready")
	return p, icon
}

// memoryOf returns what a process takes of the machine's memory, in bytes: its share of what it
// shares counts (PSS).
func memoryOf(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("process %d does not tell its memory:\n%s", pid, text)
	return 0
}

// residentOf returns how much of a file the memory of a process has, in bytes.
func residentOf(t testing.TB, pid int, file string) (sum int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	ofFile := false
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") {
			ofFile = fields[len(fields)-1] == file
		} else if ofFile && fields[0] == "Rss:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += kib << 10
		}
	}
	return sum
}

func TestTheWindowIsAProcessThatEndsWhenItIsClosed(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	p, icon := d.ownTray()
	if pid := icon.windowProcess(); pid != 0 {
		t.Errorf("a window runs before anybody has asked for it: process %d", pid)
	}
	icon.click("Show the window")
	first := icon.opened()
	// Who asks again gets the window that is there.
	icon.click("Show the window")
	again := exec.Command(trayBinary(t))
	again.Env = icon.cmd.Env
	if out, err := again.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the second start: %v, %s", err, out)
	}
	if pid := icon.opened(); pid != first {
		t.Errorf("another window was started: process %d beside %d", pid, first)
	}
	icon.closeWindow(first)
	icon.click("Show the window")
	second := icon.opened()
	// Runs go on while windows come and go, and leave nothing in the tray.
	for n := range 30 {
		p.save(fmt.Sprintf("many_%d.py", n), "print('x' * 10000)\n")
	}
	p.eventually("all have run", func() bool { return len(p.runs("--state", "succeeded")) == 30 })
	icon.closeWindow(second)
	const most = 45 << 20
	d.eventually("the tray takes little memory", func() bool { return memoryOf(t, icon.cmd.Process.Pid) < most })
	// Trays of other tests share these pages with this tray, and so the sum above.
	d.eventually("the tray has let go of most of its file", func() bool { return residentOf(t, icon.cmd.Process.Pid, trayBinary(t)) < 25<<20 })
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", icon.cmd.Process.Pid))
	if err != nil || strings.Contains(string(maps), "_dri.so") || strings.Contains(string(maps), "libgallium") {
		t.Errorf("the tray has loaded a driver for pictures, %v", err)
	}
	icon.click("Quit")
	if err := icon.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAWindowThatCrashesCostsNeitherTheTrayNorARun(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	p, icon := d.ownTray()
	p.save("long.py", "import time\nwhile True: time.sleep(0.05)\n")
	icon.says("long.py · ")
	icon.click("Show the window")
	pid := icon.opened()
	if err := syscall.Kill(pid, syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	icon.closed(pid)
	if s, ok := p.status(); !ok || s.Running != 1 {
		t.Errorf("the run is gone: %+v", s)
	}
	icon.says("long.py · ")
	icon.click("Show the window")
	icon.opened()
	icon.click("Cancel the current run")
	icon.says("· ready")
}

func TestTheWindowEndsWithItsTrayHoweverThatEnds(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			d := newDesktop(t)
			d.panel()
			icon := d.tray(started(t, "")) // whose engine outlives the tray
			icon.says("· ready")
			icon.click("Show the window")
			pid := icon.opened()
			if err := icon.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = icon.cmd.Wait() // it was killed
			icon.closed(pid)
		})
	}
}

func TestTheTooltipIsTheFirstLineOfTheMenu(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	_, icon := d.ownTray()
	d.eventually("the tooltip says how things are", func() bool {
		v, err := d.conn.Object(icon.name, "/StatusNotifierItem").GetProperty("org.kde.StatusNotifierItem.ToolTip")
		if err != nil {
			return false
		}
		parts, _ := v.Value().([]any)
		lines := icon.menu()
		return len(parts) == 4 && len(lines) > 0 && parts[2] == lines[0].label && strings.Contains(lines[0].label, "· ready")
	})
}

// BenchmarkTrayAtRest measures what the tray takes while its window is closed, and what the window
// takes while it is open and nothing happens: memory (PSS) and processor time. The program promises
// 45 MB and 0.05 % of a core for the tray with its engine after any number of runs, and 1 % of a core
// for the window.
func BenchmarkTrayAtRest(b *testing.B) {
	const watched = 30 * time.Second
	d := newDesktop(b)
	p, icon := d.ownTray()
	tray := icon.cmd.Process.Pid
	for b.Loop() {
		for n := range 200 {
			p.save(fmt.Sprintf("many_%d.py", n), "print('x' * 1000)\n")
		}
		p.eventually("all have run", func() bool { s, ok := p.status(); return ok && s.Running == 0 && s.Queued == 0 && len(p.runs()) >= 200 })
		icon.click("Show the window")
		window := icon.opened()
		time.Sleep(watched / 3) // what the opening takes is not part of the rest
		share := shareOfCore(b, window, watched)
		b.ReportMetric(share, "%-core/open-window")
		b.ReportMetric(float64(memoryOf(b, window))/1e6, "MB/open-window")
		icon.closeWindow(window)
		time.Sleep(watched / 3)
		b.ReportMetric(shareOfCore(b, tray, watched), "%-core/tray")
		b.ReportMetric(float64(memoryOf(b, tray))/1e6, "MB/tray")
	}
}

// shareOfCore returns the part of a core that a process takes for a while, in percent.
func shareOfCore(b *testing.B, pid int, watched time.Duration) float64 {
	b.Helper()
	before := processorTime(b, pid)
	time.Sleep(watched)
	return 100 * float64(processorTime(b, pid)-before) / float64(watched)
}

// processorTime returns how long all threads of a process have been on a processor, by the
// scheduler's account, because the clock ticks of /proc/PID/stat are too coarse.
func processorTime(b *testing.B, pid int) (sum time.Duration) {
	b.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		b.Fatalf("no scheduler account of process %d: %v", pid, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended since
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// BenchmarkTrayOpensItsWindow measures the time from a click in the menu until the display shows the
// window. The program promises half a second.
func BenchmarkTrayOpensItsWindow(b *testing.B) {
	d := newDesktop(b)
	_, icon := d.ownTray()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		icon.click("Show the window")
		for id := ""; ; {
			if id == "" {
				id = d.window()
				continue
			}
			cmd := exec.Command("xwininfo", "-id", id)
			cmd.Env = d.env
			if out, err := cmd.Output(); err == nil && strings.Contains(string(out), "IsViewable") {
				break
			}
		}
		took = append(took, time.Since(began))
		pid := icon.opened()
		icon.closeWindow(pid)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms/p50")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms/max")
}
