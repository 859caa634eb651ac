//go:build wine

package wine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// installerOf makes the installer of a version in a folder and returns its path. Its programs have no
// window, and it is not compressed, so that it is made within seconds.
func installerOf(t *testing.T, folder, version string) string {
	t.Helper()
	source := filepath.Join(folder, "files-"+version)
	if err := os.MkdirAll(source, 0o700); err != nil {
		t.Fatal(err)
	}
	build := func(file, path string) {
		t.Helper()
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "headless", "-ldflags", "-s -w -X blendtray/app.version="+version, "-o", file, path)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", path, err, out)
		}
	}
	setup := filepath.Join(folder, "setup.exe")
	if _, err := os.Stat(setup); err != nil {
		build(setup, "blendtray/app/setup")
	}
	build(filepath.Join(source, "blendtray.exe"), "blendtray")
	if err := os.Link(filepath.Join(source, "blendtray.exe"), filepath.Join(source, "blendtrayw.exe")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"LICENSE.txt", "README.txt", "THIRD-PARTY.txt", "MINGW-W64.txt", "blendtray.cdx.json"} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	icon, err := filepath.Abs("../../assets/ico/app.ico")
	if err == nil {
		err = os.Symlink(icon, filepath.Join(source, "app.ico"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return makeInstaller(t, source, setup, version)
}

// makeInstaller makes the installer of a version from a folder with its files and the program app/setup,
// beside that program, and returns its path.
func makeInstaller(t *testing.T, source, setup, version string) string {
	t.Helper()
	file := filepath.Join(filepath.Dir(setup), "blendtray-"+version+"-setup.exe")
	cmd := exec.Command("makensis", "-V2", "-XSetCompressor /FINAL zlib", "-XSetCompress off", "-DSETUP="+setup, "-DVERSION="+version,
		"-DNUMBERS="+version+".0", "-DSOURCE="+source, "-DOUTPUT="+file, "../../packaging/windows/installer.nsi")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("makensis: %v\n%s", err, out)
	}
	return file
}

// installed is what an installer has put on the machine, for one user or for all.
type installed struct {
	m      *machine
	folder string // on Linux
	root   string // HKCU or HKLM
}

// in returns what is installed in a folder of drive C.
func (m *machine) in(folder, root string) installed {
	return installed{m, filepath.Join(prefix, "drive_c", folder), root}
}

// ofUser returns what is installed for this user in the usual place.
func (m *machine) ofUser() installed {
	m.t.Helper()
	homes, err := filepath.Glob(filepath.Join(prefix, "drive_c/users/*/AppData/Local"))
	homes = slices.DeleteFunc(homes, func(path string) bool { return strings.Contains(path, "/Public/") })
	if err != nil || len(homes) != 1 {
		m.t.Fatalf("%v, %v", homes, err)
	}
	return installed{m, filepath.Join(homes[0], "Programs/Blendtray"), "HKCU"}
}

// program returns the path of the program as Windows programs see it: on the drive on which it was installed.
func (i installed) program() string { return i.onC("blendtray.exe") }

// onC returns the path of a file of what is installed, on drive C.
func (i installed) onC(name string) string {
	i.m.t.Helper()
	below, err := filepath.Rel(filepath.Join(prefix, "drive_c"), filepath.Join(i.folder, name))
	if err != nil {
		i.m.t.Fatal(err)
	}
	return `C:\` + strings.ReplaceAll(below, "/", `\`)
}

// wants fails unless all files of a version are there, with Windows knowing of them.
func (i installed) wants(version string) {
	i.m.t.Helper()
	if r := i.m.runProgram(i.program(), "version"); !strings.Contains(r.out, "blendtray "+version+" ") {
		i.m.t.Errorf("what is installed says %s, not %s", r.out, version)
	}
	files, err := os.ReadDir(i.folder)
	if err != nil || len(files) != 8 {
		i.m.t.Errorf("there is %v, %v", files, err)
	}
	if known := i.query(`Software\Microsoft\Windows\CurrentVersion\Uninstall\Blendtray`, "DisplayVersion"); !strings.Contains(known, version) {
		i.m.t.Errorf("Windows does not know %s: %s", version, known)
	}
	if len(i.shortcuts()) != 1 {
		i.m.t.Errorf("the start menu has %v", i.shortcuts())
	}
}

// wantsNothing waits until nothing of it is left.
func (i installed) wantsNothing() {
	i.m.t.Helper()
	// The uninstaller goes on as a copy of itself, which can remove the original.
	i.m.eventually("all of it is gone", func() bool {
		_, err := os.Stat(i.folder)
		return os.IsNotExist(err) && len(i.shortcuts()) == 0
	})
	for _, key := range []string{`Software\Microsoft\Windows\CurrentVersion\Uninstall\Blendtray`, `Software\Blendtray`} {
		if left := i.query(key, ""); strings.Contains(left, "Blendtray") && !strings.Contains(left, "unable") {
			i.m.t.Errorf("Windows still has %s", left)
		}
	}
	if path := i.path(); strings.Contains(path, "Blendtray") {
		i.m.t.Errorf("PATH is still %s", path)
	}
	if left := i.running(); len(left) > 0 {
		i.m.t.Errorf("%v still run", left)
	}
}

// running returns the ids, on Linux, of the processes that run a program of it in this Windows; another test may
// have another.
func (i installed) running() []int {
	return slices.DeleteFunc(processes(i.m.t, i.onC("blendtray")), func(pid int) bool {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		return err != nil || !strings.Contains("\x00"+string(environment), "\x00WINEPREFIX="+prefix+"\x00")
	})
}

// query returns what the registry has, as reg.exe prints it. With the name "" it is all values of a key.
func (i installed) query(key, name string) string {
	args := []string{"query", i.root + `\` + key}
	if name != "" {
		args = append(args, "/v", name)
	}
	return i.m.runProgram("reg.exe", args...).out
}

func (i installed) path() string {
	if i.root == "HKLM" {
		return i.query(`SYSTEM\CurrentControlSet\Control\Session Manager\Environment`, "Path")
	}
	return i.query("Environment", "Path")
}

func (i installed) login() string {
	return i.query(`Software\Microsoft\Windows\CurrentVersion\Run`, "Blendtray")
}

func (i installed) shortcuts() []string {
	where := "drive_c/users/*/AppData/Roaming"
	if i.root == "HKLM" {
		where = "drive_c/ProgramData"
	}
	found, err := filepath.Glob(filepath.Join(prefix, where, "Microsoft/Windows/Start Menu/Programs/Blendtray.lnk"))
	if err != nil {
		i.m.t.Fatal(err)
	}
	return found
}

// install runs an installer without questions and fails unless it ends with 0.
func (m *machine) install(installer string, args ...string) {
	m.t.Helper()
	if r := m.runProgram(installer, append([]string{"/S"}, args...)...); r.code != 0 {
		m.t.Fatalf("%s %v ends with %d: %s", filepath.Base(installer), args, r.code, r.out)
	}
}

// uninstall runs the uninstaller of what is installed, and waits until it has ended.
func (i installed) uninstall(args ...string) {
	i.m.t.Helper()
	i.m.runProgram(filepath.Join(i.folder, "uninstall.exe"), append([]string{"/S"}, args...)...)
	i.wantsNothing()
}

// engine returns the id of the engine's process, or "".
func (i installed) engine() string {
	_, rest, _ := strings.Cut(i.m.runProgram(i.program(), "status").out, ", process ")
	number, _, _ := strings.Cut(rest, ",")
	return number
}

// made has the installers that [installers] has made.
var made struct{ first, later string }

// installers makes the installers of two versions, once for all tests.
func installers(t *testing.T) (first, later string) {
	t.Helper()
	if made.later == "" {
		folder := filepath.Join(filepath.Dir(program), "installers")
		made.first = installerOf(t, folder, "0.1.0")
		made.later = installerOf(t, folder, "0.2.0")
	}
	return made.first, made.later
}

func TestTheInstallerReplacesAnEngineAtWorkWithoutLosingItsRun(t *testing.T) {
	first, later := installers(t)
	m := newMachine(t)
	here := m.ofUser()
	m.install(first)
	t.Cleanup(func() { m.runProgram(filepath.Join(here.folder, "uninstall.exe"), "/S") }) // fails when all went well
	here.wants("0.1.0")
	if !strings.Contains(here.path(), `Programs\Blendtray`) || strings.Contains(here.login(), "blendtray") {
		t.Errorf("PATH is %s, and at login %s starts", here.path(), here.login())
	}

	engine, log := m.command(context.Background(), "serve", "--blender", windows(blender), "--folder", windows(m.folder))
	engine.Args[1] = here.program()
	m.serving, m.log = engine, log
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
	m.eventually("Blender is ready", func() bool { return strings.Contains(m.said(), "ready: Blender "+version) })
	before := here.engine()
	run := m.startGatedRun(here.program())
	m.eventually("the run is running", func() bool { return strings.Contains(m.said(), "| begun") })

	m.upgradeAcross(run, later)
	_ = engine.Wait() // the installer has ended it
	here.wants("0.2.0")
	m.eventually("the new engine answers", func() bool { now := here.engine(); return now != "" && now != before })
	status := m.runProgram(here.program(), "status").out
	if !strings.Contains(status, "version 0.2.0") || !strings.Contains(status, windows(m.folder)) {
		t.Errorf("the new engine is not as the engine before: %s", status)
	}
	if runs := m.runProgram(here.program(), "runs").out; !strings.Contains(runs, "succeeded") || strings.Contains(runs, "interrupted") {
		t.Errorf("the runs are %s", runs)
	}

	// Another folder takes the place of the folder before, with the engine.
	before = here.engine()
	m.install(later, "/AUTOSTART", `/D=C:\elsewhere`)
	elsewhere := m.in("elsewhere", "HKCU")
	elsewhere.wants("0.2.0")
	if _, err := os.Stat(here.folder); !os.IsNotExist(err) || strings.Contains(here.path(), `Programs\Blendtray`) || !strings.Contains(here.path(), `C:\elsewhere`) {
		t.Errorf("the folder before is left, or PATH is %s", here.path())
	}
	if !strings.Contains(elsewhere.login(), `C:\elsewhere\blendtrayw.exe`) {
		t.Errorf("at login starts %s", elsewhere.login())
	}
	m.eventually("the engine answers from there", func() bool { now := elsewhere.engine(); return now != "" && now != before })

	// An older version is refused, unless that is said.
	if r := m.runProgram(first, "/S"); r.code != 1638&0xff {
		t.Errorf("a downgrade ends with %d", r.code)
	}
	elsewhere.wants("0.2.0")
	m.install(first, "/DOWNGRADE")
	elsewhere.wants("0.1.0")
	m.eventually("the older engine answers", func() bool {
		return strings.Contains(m.runProgram(elsewhere.program(), "status").out, "version 0.1.0")
	})

	elsewhere.uninstall()
	if _, err := os.Stat(filepath.Join(m.home, "runs.db")); err != nil {
		t.Errorf("the runs are gone, too: %v", err)
	}
	if strings.Contains(elsewhere.login(), "blendtray") || strings.Contains(elsewhere.path(), "elsewhere") {
		t.Errorf("left is %s, %s", elsewhere.login(), elsewhere.path())
	}
}

func TestTheInstallerStartsTheTrayAgainAsItWas(t *testing.T) {
	installers(t)
	// The files of the first version, with a stand-in in the place of the tray, which the program without a
	// window does not have.
	folder := filepath.Dir(made.first)
	source := filepath.Join(t.TempDir(), "files")
	if out, err := exec.Command("cp", "-a", filepath.Join(folder, "files-0.1.0"), source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Remove(filepath.Join(source, "blendtrayw.exe")); err != nil {
		t.Fatal(err)
	}
	compile(t, filepath.Join(source, "blendtrayw.exe"), "standin/tray.c")
	setup := filepath.Join(t.TempDir(), "setup.exe")
	if err := os.Symlink(filepath.Join(folder, "setup.exe"), setup); err != nil {
		t.Fatal(err)
	}
	installer := makeInstaller(t, source, setup, "0.1.0")

	m := newMachine(t)
	here := m.ofUser()
	m.install(installer)
	t.Cleanup(func() { m.runProgram(filepath.Join(here.folder, "uninstall.exe"), "/S") }) // fails when all went well
	note, place := filepath.Join(t.TempDir(), "note"), t.TempDir()
	tray, _ := m.command(context.Background())
	tray.Args[1] = here.onC("blendtrayw.exe")
	tray.Dir = place
	tray.Env = append(slices.Clone(m.environment), "TRAY_NOTE="+windows(note))
	if err := tray.Start(); err != nil {
		t.Fatal(err)
	}
	started := func(times int) func() bool {
		return func() bool {
			text, err := os.ReadFile(note)
			return err == nil && strings.Count(strings.ReplaceAll(string(text), "\r", ""), windows(place)+"\n") == times
		}
	}
	m.eventually("the tray runs", started(1))
	for i, c := range []struct {
		name string
		code func() int
	}{
		{"an upgrade", func() int { return m.runProgram(installer, "/S").code }},
		{"an upgrade that fails", func() int {
			defer m.holding(filepath.Join(here.folder, "uninstall.exe"))()
			return m.runProgram(installer, "/S").code ^ failed
		}},
	} {
		before := here.running()
		if code := c.code(); code != 0 {
			t.Errorf("%s ends with %d", c.name, code)
		}
		m.eventually(c.name+" starts the tray again", started(i+2))
		if now := here.running(); len(now) != 1 || slices.Equal(now, before) {
			t.Errorf("after %s %v runs, and before it was %v", c.name, now, before)
		}
	}
	_ = tray.Wait() // the installer has ended it
	here.uninstall()
}

// gatedRun is a run that ends by itself when its gate is opened.
type gatedRun struct {
	cmd        *exec.Cmd
	said, gate string
}

// startGatedRun has an installed program start a run that ends when its gate is opened.
func (m *machine) startGatedRun(program string) gatedRun {
	m.t.Helper()
	dir := m.t.TempDir()
	gate, script := filepath.Join(dir, "gate"), filepath.Join(dir, "long.py")
	code := "import os, time\nprint('begun', flush=True)\nwhile not os.path.exists(r'" + windows(gate) + "'):\n    time.sleep(0.05)\nprint('ended by itself')\n"
	if err := os.WriteFile(script, []byte(code), 0o600); err != nil {
		m.t.Fatal(err)
	}
	cmd, said := m.command(context.Background(), "run", windows(script))
	cmd.Args[1] = program
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	return gatedRun{cmd, said, gate}
}

// text returns what the run has printed so far.
func (r gatedRun) text() string {
	text, _ := os.ReadFile(r.said) // "" is not what anybody waits for
	return string(text)
}

// upgradeAcross runs an installer while a run runs, opens the gate of the run when the installer waits for
// it, and fails unless both end well.
func (m *machine) upgradeAcross(run gatedRun, installer string, args ...string) {
	m.t.Helper()
	upgrade, log := m.command(context.Background(), append([]string{"/S"}, args...)...)
	upgrade.Args[1] = installer
	if err := upgrade.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.eventually("the installer waits for the run", func() bool {
		waits, err := filepath.Glob(filepath.Join(prefix, "drive_c/users/*/Temp/*/running.json"))
		return err == nil && len(waits) > 0
	})
	if err := os.WriteFile(run.gate, nil, 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := upgrade.Wait(); err != nil {
		text, _ := os.ReadFile(log) // the error is told anyway
		m.t.Errorf("the upgrade: %v: %s", err, text)
	}
	if err := run.cmd.Wait(); err != nil || !strings.Contains(run.text(), "ended by itself") {
		m.t.Errorf("the run is lost: %v: %s", err, run.text())
	}
}
