//go:build linux

package e2e

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"blendtray/api"
)

// desktop is a session of its own: a display, a bus, and a real panel that shows tray icons.
type desktop struct {
	t    testing.TB
	home string
	env  []string
	conn *dbus.Conn
}

// daemon starts a program that runs for as long as the test.
func daemon(t testing.TB, env []string, out io.Writer, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if out == nil {
		cmd.Stderr = nil
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s, which the tests of the tray need: %v", name, err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = cmd.Wait()                                      // how it ended does not matter
	})
	return cmd
}

// firstLine starts a program and returns the first line that it prints, which shows that it is
// ready.
func firstLine(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	daemon(t, env, writer, name, args...)
	writer.Close()
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("%s says nothing: %v", name, err)
	}
	t.Cleanup(func() { reader.Close() })
	return strings.TrimSpace(line)
}

const panelSettings = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"/>
  </property>
</channel>
`

func newDesktop(t testing.TB) *desktop {
	t.Helper()
	home := t.TempDir()
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "WAYLAND_DISPLAY=") || strings.HasPrefix(v, "XDG_") || strings.HasPrefix(v, "DBUS_")
	})
	runtime := filepath.Join(home, "run")
	for path, text := range map[string]string{
		filepath.Join(home, ".config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml"): panelSettings,
		filepath.Join(runtime, ".keep"): "",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env = append(env, "HOME="+home, "XDG_RUNTIME_DIR="+runtime, "LIBGL_ALWAYS_SOFTWARE=1", "NO_AT_BRIDGE=1")
	// An X server that loses its last client starts anew, and drops who connects at that moment: xdotool may be
	// the last client, and the program that a test waits for may connect then.
	env = append(env, "DISPLAY=:"+firstLine(t, env, "Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"))
	env = append(env, "DBUS_SESSION_BUS_ADDRESS="+firstLine(t, env, "dbus-daemon", "--session", "--nofork", "--print-address=1"))
	d := &desktop{t: t, home: home, env: env}
	conn, err := dbus.Connect(strings.TrimPrefix(env[len(env)-1], "DBUS_SESSION_BUS_ADDRESS="))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d.conn = conn
	return d
}

// panel starts the panel and waits until it shows tray icons.
func (d *desktop) panel() {
	d.t.Helper()
	daemon(d.t, d.env, nil, "xfce4-panel")
	d.eventually("the panel shows tray icons", func() bool {
		v, err := d.conn.Object("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher").
			GetProperty("org.kde.StatusNotifierWatcher.IsStatusNotifierHostRegistered")
		return err == nil && v.Value() == true
	})
}

func (d *desktop) eventually(what string, holds func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// trayIcon is a running tray, as the desktop sees it.
type trayIcon struct {
	*desktop
	cmd  *exec.Cmd
	name string
}

// tray starts the program without arguments.
func (d *desktop) tray(p *program) *trayIcon {
	d.t.Helper()
	// Somebody has seen the window before, so it does not open by itself.
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.home, "window.json"), []byte("{}"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return d.firstTray(p)
}

// firstTray starts the program without arguments, as a user does for the first time, or again.
func (d *desktop) firstTray(p *program) *trayIcon {
	d.t.Helper()
	cmd := exec.Command(trayBinary(d.t))
	cmd.Env = append(slices.Clone(d.env), "BLENDTRAY_HOME="+p.home)
	cmd.Dir = p.folder
	cmd.Stdout, cmd.Stderr = lockedWriter{p}, lockedWriter{p}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	i := &trayIcon{desktop: d, cmd: cmd, name: fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", cmd.Process.Pid)}
	d.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
			_ = cmd.Wait()                          // the tests that care about the exit wait themselves
		}
		if d.t.Failed() {
			d.t.Logf("the tray printed:\n%s", p.printed())
		}
	})
	return i
}

// entry is one line of the menu.
type entry struct {
	id      int32
	label   string
	enabled bool
	checked bool
}

// layout is a menu in the form of D-Bus.
type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// menu returns the lines of the menu as a panel would show them now, or nil before there is a menu.
func (i *trayIcon) menu() (all []entry) {
	i.t.Helper()
	var revision uint32
	var root layout
	err := i.conn.Object(i.name, "/StatusNotifierItem/menu").
		Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root)
	if err != nil {
		return nil
	}
	for _, child := range root.Children {
		var l layout
		if err := dbus.Store([]any{child.Value()}, &l); err != nil {
			i.t.Fatal(err)
		}
		e := entry{id: l.ID, enabled: true}
		if v, ok := l.Properties["visible"]; ok && v.Value() == false {
			continue
		}
		if v, ok := l.Properties["label"].Value().(string); ok {
			e.label = strings.ReplaceAll(v, "__", "_")
		}
		if v, ok := l.Properties["enabled"].Value().(bool); ok {
			e.enabled = v
		}
		if v, ok := l.Properties["toggle-state"].Value().(int32); ok {
			e.checked = v == 1
		}
		if e.label != "" {
			all = append(all, e)
		}
	}
	return all
}

func (i *trayIcon) line(label string) (entry, bool) {
	for _, e := range i.menu() {
		if e.label == label {
			return e, true
		}
	}
	return entry{}, false
}

// says waits until the first line of the menu contains a text.
func (i *trayIcon) says(part string) {
	i.t.Helper()
	var last []entry
	deadline := time.Now().Add(patience)
	for {
		last = i.menu()
		if len(last) > 0 && strings.Contains(last[0].label, part) {
			return
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("the menu does not say %q: %+v", part, last)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// click waits until a line is enabled, and clicks it.
func (i *trayIcon) click(label string) {
	i.t.Helper()
	var e entry
	i.eventually(label+" can be clicked", func() bool {
		found, ok := i.line(label)
		e = found
		return ok && found.enabled
	})
	i.event(e.id, "clicked")
}

// event sends the menu what a person does with a line.
func (i *trayIcon) event(id int32, what string) {
	i.t.Helper()
	call := i.conn.Object(i.name, "/StatusNotifierItem/menu").
		Call("com.canonical.dbusmenu.Event", 0, id, what, dbus.MakeVariant(int32(0)), uint32(0))
	if call.Err != nil {
		i.t.Fatalf("%s: %v", what, call.Err)
	}
}

// icon returns a hash of the icon that is shown.
func (i *trayIcon) icon() [sha256.Size]byte {
	i.t.Helper()
	v, err := i.conn.Object(i.name, "/StatusNotifierItem").GetProperty("org.kde.StatusNotifierItem.IconPixmap")
	if err != nil {
		i.t.Fatal(err)
	}
	return sha256.Sum256(fmt.Append(nil, v.Value()))
}

// ends waits for the end of the tray.
func (i *trayIcon) ends() error {
	i.t.Helper()
	done := make(chan error, 1)
	go func() { done <- i.cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		i.t.Fatal("the tray does not end")
		return nil
	}
}

func TestTheTrayStartsStopsAndCancelsInRealBlender(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.panel()
	p := newProgram(t, "")
	settings := filepath.Join(p.home, "settings.toml")
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, fmt.Appendf(nil, "[[folder]]\npath = %q\n", p.folder), 0o600); err != nil {
		t.Fatal(err)
	}
	icon := d.tray(p)
	icon.says("· ready")
	d.eventually("the panel knows the icon", func() bool {
		v, err := d.conn.Object("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher").
			GetProperty("org.kde.StatusNotifierWatcher.RegisteredStatusNotifierItems")
		items, _ := v.Value().([]string)
		return err == nil && slices.ContainsFunc(items, func(s string) bool { return strings.Contains(s, "/StatusNotifierItem") })
	})
	ready := icon.icon()
	for _, label := range []string{"Stop Blender", "Restart Blender", "Pause watching", "Open the scripts folder", "Show the window", "Start at login", "Quit"} {
		if e, ok := icon.line(label); !ok || !e.enabled {
			t.Errorf("%s: %+v", label, e)
		}
	}
	for _, label := range []string{"Start Blender", "Cancel the current run"} {
		if e, ok := icon.line(label); !ok || e.enabled {
			t.Errorf("%s: %+v", label, e)
		}
	}

	p.save("quick_one.py", "print(1)\n")
	d.eventually("the menu shows the run and its verdict", func() bool {
		return slices.ContainsFunc(icon.menu(), func(e entry) bool { return strings.HasPrefix(e.label, "✓ quick_one.py · ") })
	})
	p.save("long.py", "import tcp_echo, time\nfor i in range(1000):\n    tcp_echo.progress(i / 1000)\n    time.sleep(0.1)\n")
	icon.says("long.py · ")
	d.eventually("the icon changes while it runs", func() bool { return icon.icon() != ready })
	icon.click("Cancel the current run")
	icon.says("· ready")
	d.eventually("the icon is as before", func() bool { return icon.icon() == ready })
	if run := p.lastOf(filepath.Join(p.folder, "long.py")); run.State != api.Cancelled {
		t.Errorf("the run is %s", run.State)
	}

	icon.click("Stop Blender")
	icon.says("Blender is stopped")
	if s, ok := p.status(); !ok || s.Blenders[0].PID != 0 || icon.icon() == ready {
		t.Errorf("status %+v %v", s, ok)
	}
	icon.click("Start Blender")
	icon.says("· ready")
	icon.click("Pause watching")
	icon.says("watching is paused")
	if e, _ := icon.line("Pause watching"); !e.checked {
		t.Error("the mark is missing")
	}
	icon.click("Pause watching")
	icon.says("· ready")

	// The menu shows whether the tray starts at login, even when another program has changed that.
	entryFile := filepath.Join(d.home, ".config/autostart/blendtray.desktop")
	icon.click("Start at login")
	d.eventually("it starts at login", func() bool {
		e, _ := icon.line("Start at login")
		_, err := os.Stat(entryFile)
		return e.checked && err == nil
	})
	if err := os.Remove(entryFile); err != nil {
		t.Fatal(err)
	}
	d.eventually("the mark is gone when the menu is opened", func() bool {
		icon.event(0, "opened")
		e, ok := icon.line("Start at login")
		return ok && !e.checked
	})

	// A second start shows the window of the first.
	if strings.Contains(d.windows(), `"Blendtray ·`) {
		t.Error("the window is open already")
	}
	second := exec.Command(trayBinary(t))
	second.Env = icon.cmd.Env
	if out, err := second.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the second start: %v, %s", err, out)
	}
	d.eventually("the window is there", func() bool { return strings.Contains(d.windows(), `"Blendtray ·`) })
	pid := p.waitReady().Blenders[0].PID
	icon.click("Quit")
	if err := icon.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if alive(pid) {
		t.Error("it left its Blender behind")
	}
}

func TestToQuitDuringARunAsksFirst(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.panel()
	p := newProgram(t, "")
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.home, "settings.toml"), fmt.Appendf(nil, "[[folder]]\npath = %q\n", p.folder), 0o600); err != nil {
		t.Fatal(err)
	}
	icon := d.tray(p)
	icon.says("· ready")
	p.save("long.py", "import time\ntime.sleep(1000)\n")
	icon.says("long.py · ")
	icon.click("Quit")
	d.eventually("the window asks", func() bool { return strings.Contains(d.windows(), `"Blendtray ·`) })
	if s, ok := p.status(); !ok || s.Running != 1 {
		t.Errorf("the run has ended: %+v", s)
	}
	// A signal ends the tray without a question.
	if err := icon.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := icon.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestTheTrayWaitsForTheMendedSettings(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.panel()
	p := newProgram(t, "")
	settings := filepath.Join(p.home, "settings.toml")
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	right := fmt.Sprintf("# mine\n[[folder]]\npath = %q\n", p.folder)
	if err := os.WriteFile(settings, []byte(right+"x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	icon := d.tray(p)
	icon.says("The settings file has an error")
	if s, ok := p.status(); ok {
		t.Errorf("an engine runs: %+v", s)
	}
	if err := os.WriteFile(settings, []byte(right), 0o600); err != nil {
		t.Fatal(err)
	}
	icon.says("· ready")
	if _, ok := icon.line("Quit"); !ok {
		t.Error("the engine is not taken for the tray's own")
	}
	// The menu shows a later mistake in the settings, too, and the engine goes on.
	if err := os.WriteFile(settings, []byte(right+"x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	icon.says("the settings file has an error")
	if run := p.lastOf(p.save("a.py", "result = 1\n")); run.State != api.Succeeded {
		t.Errorf("the run: %+v", run)
	}
	icon.click("Quit")
	if err := icon.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestTheTrayFollowsAnEngineThatIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.panel()
	p := started(t, "")
	icon := d.tray(p)
	icon.says("· ready")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
	icon.says("The engine has ended")
	if e, ok := icon.line("Stop Blender"); !ok || e.enabled {
		t.Errorf("without an engine: %+v", e)
	}
	p.start()
	icon.says("· ready")
	icon.click("Quit (the engine keeps running)")
	if err := icon.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	p.waitReady()
}

func TestWithoutADisplayTheTrayNamesServe(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	cmd := exec.Command(trayBinary(t))
	cmd.Env = slices.DeleteFunc(append(os.Environ(), "BLENDTRAY_HOME="+p.home), func(v string) bool {
		return strings.HasPrefix(v, "DISPLAY=") || strings.HasPrefix(v, "WAYLAND_DISPLAY=")
	})
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "needs a display") || !strings.Contains(string(out), "`blendtray serve`") {
		t.Errorf("it says %s, %v", out, err)
	}
}

func TestWithoutATrayHostTheWindowOpens(t *testing.T) {
	t.Parallel()
	d := newDesktop(t) // no panel
	p := started(t, "")
	d.tray(p)
	d.eventually("a window is there", func() bool { return strings.Contains(d.windows(), `"Blendtray ·`) })
}

// windows returns a list of the windows on the display, with their names in quotes.
func (d *desktop) windows() string {
	d.t.Helper()
	text := ""
	d.eventually("the windows are listed", func() bool { // it fails when one goes while they are listed
		cmd := exec.Command("xwininfo", "-root", "-tree")
		cmd.Env = d.env
		out, err := cmd.Output()
		text = string(out)
		return err == nil
	})
	return text
}

// buildTray builds the program with its tray, once.
var buildTray = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "blendtray-tray")
	built := path + "-built"
	out, err := exec.Command("go", "build", "-trimpath", "-tags", "migrated_fynedo", "-o", built, "blendtray").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the tray: %w\n%s", err, out)
	}
	// Of a file that the linker has just written, Linux 6.18 holds parts of 2 MB, and counts a whole part as the
	// process's when one page of it is used. An installed program was copied, and is held in small parts.
	if out, err := exec.Command("cp", built, path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy the tray: %w\n%s", err, out)
	}
	return path, os.Remove(built)
})

func trayBinary(t testing.TB) string {
	t.Helper()
	path, err := buildTray()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFirstStartMakesAFolderAndRunsTheExample(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.panel()
	p := newProgram(t, "")
	// What lies in a folder of that name already may be anything, and does not run.
	theirs := filepath.Join(d.home, "Blendtray", "theirs.py")
	if err := os.MkdirAll(filepath.Dir(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(theirs, []byte("print('it ran')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	icon := d.firstTray(p)
	icon.says("first_light.py · ")
	d.eventually("the window is there", func() bool { return strings.Contains(d.windows(), `"Blendtray ·`) })
	run := p.lastOf(filepath.Join(d.home, "Blendtray", "first_light.py"))
	if run.State != api.Succeeded || len(run.Outputs) != 1 {
		t.Errorf("%+v", run)
	}
	if all := p.runs(); len(all) != 1 {
		t.Errorf("more than the example ran: %+v", all)
	}
	icon.click("Quit")
	if err := icon.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
