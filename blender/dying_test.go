//go:build unix

package blender

import (
	"strings"
	"testing"
	"time"
)

func TestABlenderThatHangsWhileItCrashesIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, code, want string }{
		{"after Python's words", "import ctypes, os\nos.write(2, b'Fatal Python error: x\\n')\nctypes.PyDLL(None).sleep(1000)", "x: it hung"},
		{"in Blender's handler, with Python's lock", "ctypes.string_at(0)", "Segmentation fault: it hung"},
		{"in Blender's handler, without Python's lock", "ctypes.CDLL(None).memset(0, 0, 1)", "Segmentation fault: it hung"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Config{})
			code := c.code
			if strings.HasPrefix(code, "ctypes") { // nobody reads the report that Blender writes
				code = "import bpy, ctypes, os\nos.mkfifo(os.path.join(bpy.app.tempdir, '../blender.crash.txt'))\n" + code
			}
			began := time.Now()
			out, _ := do(t, s, Request{Name: "it", Code: []byte(code)})
			if took := time.Since(began); took < lastWords || took > 6*lastWords {
				t.Errorf("it took %s", took)
			}
			if out.Verdict != Crashed || out.Error == nil || !strings.Contains(out.Error.Message, c.want) {
				t.Errorf("%+v, %+v", out, out.Error)
			}
			if strings.HasPrefix(c.code, "ctypes") && out.Error.Line != 3 {
				t.Errorf("%+v", out.Error)
			}
			if next, _ := do(t, s, Request{Code: []byte("pass")}); next.Verdict != Succeeded {
				t.Errorf("the next run: %+v, %+v", next, next.Error)
			}
		})
	}
}

func TestAScriptMayPrintTheWordsOfACrash(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	// The child's words are those of Blender, whose memory it has.
	code := `import ctypes, os, time
child = os.fork()
if child == 0:
    ctypes.string_at(0)
os.waitpid(child, 0)
time.sleep(12)
result = os.getpid()`
	out, r := do(t, s, Request{Code: []byte(code)})
	if out.Verdict != Succeeded || !strings.Contains(r.text(), "Fatal Python error: Segmentation fault") || !strings.Contains(r.text(), "Writing: ") {
		t.Errorf("%+v, %+v, printed:\n%s", out, out.Error, r.text())
	}
}

func TestTheWordsOfACrashAreHeardInPieces(t *testing.T) {
	t.Parallel()
	text := "something\nWriting: /tmp/own/blender.crash.txt\n"
	for cut := range text {
		h := newHearsDeath("/tmp/own")
		_, first := h.hear([]byte(text[:cut]))
		if _, second := h.hear([]byte(text[cut:])); !first && !second {
			t.Errorf("cut at %d it is not heard", cut)
		}
	}
	h := newHearsDeath("/tmp/own")
	for _, letter := range []byte(text) {
		if _, reports := h.hear([]byte{letter}); reports {
			return
		}
	}
	t.Error("not heard letter by letter")
}
