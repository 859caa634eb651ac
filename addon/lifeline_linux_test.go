package addon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The kernel tells Blender with a signal that the supervisor is gone. On the main thread the signal would end the
// call in C that a script waits in, and the script would go on as if it had waited.
func TestTheEndOfTheSupervisorWakesNoScript(t *testing.T) {
	p := startSupervised(t)
	s := connect(t, p)
	file := filepath.Join(t.TempDir(), "went on")
	// No other Python thread can run meanwhile: pause() is called with Python's lock.
	s.startToHold(fmt.Sprintf("import ctypes; ctypes.PyDLL(None).pause(); open(%q, 'w')", file))
	awaitCall(t, p, "pause", "34 ", "73 ") // on x86-64; on ARM64 it is ppoll
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	p.exitCode(t)
	if _, err := os.Stat(file); err == nil {
		t.Error("the script went on after pause()")
	}
}

// awaitCall waits until the main thread of a process is in a call of the kernel, which the kernel names by one of
// these numbers.
func awaitCall(t *testing.T, p *process, name string, numbers ...string) {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/syscall", p.command.Process.Pid)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		call, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range numbers {
			if strings.HasPrefix(string(call), number) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s was not called: %s", name, call)
		}
	}
}
