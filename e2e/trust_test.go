//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asNobody runs a command of the shell as another user of the machine.
func (p *program) asNobody(command string) {
	p.t.Helper()
	if os.Getuid() != 0 {
		p.t.Fatal("this test changes its user, so it must run as root; CI does")
	}
	cmd := p.command()
	cmd.Path, cmd.Args, cmd.Dir = "/bin/sh", []string{"sh", "-c", "umask 022; " + command}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// What another user saves does not run, and everything says so, until the folder is trusted.
func TestAFolderInWhichOthersWriteIsRefusedLoudly(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	openTo(t, p.folder)
	if err := os.Chmod(p.folder, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	trusts := "blendtray folder set " + p.folder + " --trust anyone"
	says := func(what, text string) {
		t.Helper()
		if !strings.Contains(text, "everybody may write to "+p.folder) || !strings.Contains(text, trusts) {
			t.Errorf("%s says\n%s", what, text)
		}
	}
	// Without an engine the doctor looks by itself.
	doctor := p.command("doctor")
	doctor.Env = append(doctor.Env, "BLENDTRAY_HOME="+p.home)
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.home, "settings.toml"), []byte("[[folder]]\npath = '"+p.folder+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := doctor.Output() // it ends with 1
	says("the doctor without an engine", string(out))

	p.start()
	p.waitReady()
	p.asNobody("echo 'print(\"theirs\")' > " + p.folder + "/theirs.py")
	st, _ := p.status()
	if f := st.Folders[0]; f.Method != "" || f.Refused == 0 {
		t.Errorf("the status is %+v", f)
	}
	says("status --json", st.Folders[0].Error)
	says("status", p.call("status").stdout)
	says("the doctor", p.call("doctor").stdout)
	p.eventually("serve says it", func() bool { return strings.Contains(p.printed(), trusts) })
	log, err := os.ReadFile(filepath.Join(p.home, "log", "engine.log"))
	if err != nil {
		t.Fatal(err)
	}
	says("the log", string(log))
	if runs := p.runs(); len(runs) != 0 {
		t.Errorf("it has run: %+v", runs)
	}

	// What everything says is what helps.
	if r := p.call(strings.Fields(trusts)[1:]...); r.code != 0 {
		t.Fatalf("%s: %+v", trusts, r)
	}
	p.eventually("the folder is watched", func() bool {
		st, _ := p.status()
		return st.Folders[0].Method != "" && st.Folders[0].Error == "" && st.Folders[0].Refused == 0
	})
	p.asNobody("echo 'print(\"trusted\")' > " + p.folder + "/trusted.py")
	if run := p.lastOf(filepath.Join(p.folder, "trusted.py")); !strings.Contains(run.Output, "trusted") {
		t.Errorf("it is %+v", run)
	}
}

// A user whose files come with the umask 0002 has folders that the group may write to; the group is
// that of the user alone. The users and groups are those of this machine.
func TestTheGroupOfAUserAloneIsNoDanger(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test changes its user, so it must run as root; CI does")
	}
	const id = 1 // daemon, which has a group of its own on every Debian
	home := t.TempDir()
	openTo(t, home)
	openTo(t, filepath.Dir(binary))
	settings := ""
	for name, f := range map[string]struct {
		mode os.FileMode
		gid  int
	}{"own": {0o775, id}, "shared": {0o775, 65534}, "open": {0o757, id}} {
		dir := filepath.Join(home, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, id, f.gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, f.mode); err != nil {
			t.Fatal(err)
		}
		settings += "[[folder]]\npath = '" + dir + "'\n"
	}
	if err := os.WriteFile(filepath.Join(home, "settings.toml"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(home, "settings.toml"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, id, id); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "doctor")
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "BLENDTRAY_HOME=" + home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	out, _ := cmd.CombinedOutput() // it ends with 1: no engine runs
	for _, want := range []string{
		"right  folder     " + home + "/own can be read",
		"wrong  folder     " + home + "/shared: it is not watched, because the group nogroup may write to",
		"wrong  settings   others could have changed " + home + "/settings.toml, and so have code run as you: everybody may write to it",
		"wrong  folder     " + home + "/open: it is not watched, because everybody may write to",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the doctor does not say %q:\n%s", want, out)
		}
	}
}
