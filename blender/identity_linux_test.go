package blender

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestAProcessIsKnownByItsNumberItsUserAndItsStart(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test starts a process of another user, so it must run as root; CI does")
	}
	is := func(pid int, ticks startTime) bool { return IsProcess(pid, uint64(ticks), time.Now()) }
	own := os.Getpid()
	if !is(own, startedAt(own)) {
		t.Error("a process that runs is not known")
	}
	if is(own, startedAt(own)-1) || is(own, 0) {
		t.Error("a process is taken for one that was started at another time")
	}
	for name, who := range map[string]*syscall.Credential{"of this user": nil, "of another user": {Uid: 65534, Gid: 65534}} {
		cmd := exec.Command("sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		started := startedAt(cmd.Process.Pid)
		if got := is(cmd.Process.Pid, started); got != (who == nil) {
			t.Errorf("a process %s is believed: %v", name, got)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if is(cmd.Process.Pid, started) {
			t.Errorf("a process %s that is gone is believed", name)
		}
	}
}
