package blender

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stackOfAScript is what Python prints at a fault in the third line of s.py.
const stackOfAScript = `
Thread 0x00000001 (most recent call first):
  File "C:\bt\addon\tcp_echo\server.py", line 9 in run

Current thread 0x00000002 (most recent call first):
  File "C:\py\Lib\ctypes\__init__.py", line 519 in string_at
  File "C:\scripts\s.py", line 3 in <module>
  File "C:\bt\addon\tcp_echo\runner.py", line 71 in _exec
`

func TestTheStackOfACrashIsFoundOnEachSystem(t *testing.T) {
	t.Parallel()
	req := Request{File: `C:\scripts\s.py`}
	for first, cause := range map[string]string{
		"Fatal Python error: Aborted":                 "Aborted",
		"Windows fatal exception: access violation":   "access violation",
		"Windows fatal exception: stack overflow":     "stack overflow",
		"Windows fatal exception: code 0xc0000374":    "code 0xc0000374",
		"Windows fatal exception: int divide by zero": "int divide by zero",
	} {
		for _, end := range []string{"\n", "\r\n"} {
			tail := []byte("before\n" + strings.ReplaceAll(first+"\n"+stackOfAScript, "\n", end))
			line, stack := crashPlace(tail, req)
			if line != 3 || !strings.HasPrefix(stack, first+"\n\nCurrent thread") || strings.Contains(stack, "tcp_echo") {
				t.Errorf("%q: line %d, %q", first, line, stack)
			}
			if got := fatalText(tail); got != cause || !saysTheSignal(got) {
				t.Errorf("%q: the cause is %q", first, got)
			}
		}
	}
}

func TestTheLastOfManyFaultsCounts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faults.txt")
	lived := "Windows fatal exception: access violation\n" + strings.ReplaceAll(stackOfAScript, "line 3", "line 2")
	text := strings.Repeat(lived, 1+maxReport/len(lived)) + "Windows fatal exception: stack overflow\n" + stackOfAScript
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	words := faultsIn(path)
	if line, _ := crashPlace(words, Request{File: `C:\scripts\s.py`}); line != 3 || fatalText(words) != "stack overflow" || len(words) > maxReport {
		t.Errorf("line %d, %q, %d bytes", line, fatalText(words), len(words))
	}
	aborted := "Fatal Python error: Aborted\n" + stackOfAScript
	for _, text := range []string{aborted, lived + aborted, aborted + lived + lived} {
		words := deathIn([]byte(text))
		if line, _ := crashPlace(words, Request{File: `C:\scripts\s.py`}); line != 3 || fatalText(words) != "Aborted" {
			t.Errorf("line %d, %q", line, fatalText(words))
		}
	}
	if faultsIn("") != nil || faultsIn(path+".none") != nil {
		t.Error("there are faults without a file")
	}
}
