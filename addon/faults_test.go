//go:build unix

package addon

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"
)

// What a run leaves in the file would be told of the crash of a later run. The supervisor asks for the file on
// Windows alone; the add-on keeps it in the same way on each system.
func TestTheFileOfFaultsIsEmptyWhenARunBegins(t *testing.T) {
	if onWindows {
		return // the script below looks its descriptors up as POSIX numbers them
	}
	path := filepath.Join(t.TempDir(), "faults")
	p := startProcess(t, nil, "blender", "--background", "--factory-startup", "--python", launcherPath(t), "--", "--supervised")
	line := fmt.Sprintf(`{"token":%q,"mark":%q,"port":0,"faults":%q}`+"\n", testToken, testMark, path)
	if _, err := io.WriteString(p.stdin.(io.Writer), line); err != nil {
		t.Fatal(err)
	}
	s := connect(t, awaitReady(t, p))
	args := message{"args": []string{path}}
	const look = `
import os, sys
path = sys.argv[-1]
def is_ours(number):
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except OSError:
        return False
ours = [n for n in range(3, 256) if is_ours(n)]
result = [os.path.getsize(path), len(ours)]
`
	const write = `
with open(path, "a") as file:
    file.write("a fault")
`
	empty := []any{0.0, 1.0}
	check(t, "the size and the descriptors in the first run", s.succeed(look+write, args), any(empty))
	check(t, "after a run that wrote", s.succeed(look+write+"os.close(ours[0])", args), any(empty))
	check(t, "after a run that closed the descriptor", s.succeed(look, args), any(empty))
}
