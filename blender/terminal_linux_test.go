package blender

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"blendtray/api"
)

// terminalVariable makes the test binary a program in a terminal that has Blender ask for a
// password there, and prints what came of it.
const terminalVariable = "BLENDTRAY_TEST_TERMINAL"

func init() { programs[terminalVariable] = askForPassword }

// askForPassword is that program.
func askForPassword(dir string) {
	s := New(Config{BlenderSpec: api.BlenderSpec{Dir: dir, BlenderSettings: api.BlenderSettings{FactoryStartup: true}}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx) }()
	code := `import getpass, os, subprocess
assert os.getsid(0) == os.getpgid(0) == os.getpid()
assert subprocess.run(["sh", "-c", "exec 3</dev/tty"], stderr=subprocess.DEVNULL).returncode
getpass.getpass()`
	out, err := s.Run(ctx, Request{ID: "1", Code: []byte(code), Scene: "keep", TimeLimit: 20 * time.Second}, newRecorder())
	cancel()
	<-done
	if out.Error == nil {
		out.Error = &api.ScriptError{}
	}
	fmt.Printf("verdict %s, %s: %s %v\n", out.Verdict, out.Error.Type, out.Error.Message, err)
	os.Exit(0)
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

func TestAScriptThatAsksForAPasswordFailsAtOnce(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := openTerminal(t)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), terminalVariable+"="+t.TempDir())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	printed, _ := io.ReadAll(ours) // it ends with an error when the terminal has no other end
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(printed), "verdict failed, EOFError") {
		t.Errorf("printed %q", printed)
	}
}
