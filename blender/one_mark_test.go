//go:build unix

package blender

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

// oneMark returns a request for a run of which the output has a mark at its end alone.
func oneMark(t *testing.T, code string) Request {
	t.Helper()
	file := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return Request{
		Name: "it", Code: []byte(code), Isolation: api.IsolateKeep, Scene: "keep", Journal: file,
		Begun: func() bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), "begun\n")
		},
	}
}

func TestOutputWithOneMarkIsThatOfItsRun(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	for _, word := range []string{"first", "second"} {
		out, printed := do(t, s, oneMark(t, "print('"+word+"')"))
		if out.Verdict != Succeeded || printed.text() != word+"\n" {
			t.Errorf("%s, %q", out.Verdict, printed.text())
		}
	}
}

func TestACrashOfARunWithOneMarkIsItsOwn(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	out, printed := do(t, s, oneMark(t, "print('first')\nimport ctypes; ctypes.string_at(0)"))
	if out.Verdict != Crashed || out.Error == nil || out.Error.Line != 2 || !strings.HasPrefix(printed.text(), "first\n") {
		t.Errorf("%+v, %+v, %q", out, out.Error, printed.text())
	}
}
