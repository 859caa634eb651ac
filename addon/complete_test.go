//go:build unix

package addon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// complete returns how code may go on at "|", which is taken out of the code.
func (s *session) complete(code string) (start int, matches []string, signature string) {
	s.t.Helper()
	before, after, _ := strings.Cut(code, "|")
	found, ok := s.succeed(before+after, message{"complete": len([]rune(before))}).(map[string]any)
	if !ok {
		s.t.Fatalf("%s: no object", code)
	}
	for _, m := range found["matches"].([]any) {
		matches = append(matches, m.(string))
	}
	signature, _ = found["signature"].(string)
	return int(found["start"].(float64)), matches, signature
}

func asText(s *session, code string) string {
	start, matches, _ := s.complete(code)
	return fmt.Sprint(start, " ", matches)
}

const completed = `
import bpy
class Thing:
    def __init__(self): self.colour, self._secret = 1, 2
    def paint(self, coat, times=1):
        "Paint it."
    @property
    def broken(self): raise SystemExit("no")
    @property
    def counted(self):
        calls.append(1)
        return self
    @property
    def hanging(self):
        while True: pass
calls = []
thing, third = Thing(), {"a key": 1, "an\"other": 2, 3: 4}
many = {f"k{i:04}": i for i in range(5000)}
größe = 7
result = 5
`

// completedInBlender adds what only a real Blender has.
const completedInBlender = completed + `
bpy.data.objects.new("Cu's own", None)
`

func TestCodeIsCompletedFromTheNamesOfTheSession(t *testing.T) {
	p := startSupervised(t)
	s := connect(t, p)
	check(t, "before the first run", asText(s, "bpy.da|"), "0 [bpy.data]")
	s.succeed(completedInBlender, message{"echo": true, "isolation": "keep"})
	for _, c := range []struct {
		code  string
		start int
		want  []string // all matches
		has   []string // some of the matches
		lacks []string
	}{
		{code: "bpy.da|", want: []string{"bpy.data"}},
		{code: "x = bpy.da|ta", start: 4, want: []string{"bpy.data"}},
		{code: "thing.|", has: []string{"thing.colour", "thing.paint", "thing.broken", "thing.hanging"}, lacks: []string{"thing._secret", "thing.__init__"}},
		{code: "thing._|", has: []string{"thing._secret", "thing.__init__"}, lacks: []string{"thing.colour"}},
		{code: "thing._s|", want: []string{"thing._secret"}},
		{code: "thi|", want: []string{"thing", "third"}},
		{code: "print(thi|)", start: 6, want: []string{"thing", "third"}},
		{code: "wh|", want: []string{"while "}},
		{code: "for a in third:\n    gr|", start: 20, want: []string{"größe"}},
		{code: "größe.bit|", want: []string{"größe.bit_count", "größe.bit_length"}},
		{code: "x = |", start: 4, has: []string{"thing", "bpy", "many"}, lacks: []string{"print", "__name__"}},
		{code: `bpy.data.objects["Cu|`, want: []string{`bpy.data.objects["Cu's own"]`, `bpy.data.objects["Cube"]`}},
		{code: `bpy.data.objects['Cu|`, want: []string{`bpy.data.objects['Cu\'s own']`, `bpy.data.objects['Cube']`}},
		{code: `bpy.data.objects["Cub|"]`, want: []string{`bpy.data.objects["Cube`}},
		{code: `bpy.data.objects["Cube"].locat|`, want: []string{`bpy.data.objects["Cube"].location`}},
		{code: `third["|`, want: []string{`third["a key"]`, `third["an\"other"]`}},
		{code: "bpy.ops.mesh.primitive_cu|", has: []string{"bpy.ops.mesh.primitive_cube_add"}},
		{code: "thing.counted.col|", want: []string{"thing.counted.colour"}},
		{code: "thing.broken.|"},
		{code: "thing.nothing.|"},
		{code: "nothing.|"},
		{code: "print('|"},
		{code: "'bpy.da|"},
		{code: "'''x\nbpy.da|"},
		{code: "# bpy.da|"},
		{code: "print(1).|"},
		{code: "12|"},
		{code: "1.|"},
		{code: "|", has: []string{"thing"}},
	} {
		start, matches, _ := s.complete(c.code)
		if c.has == nil && !slices.Equal(matches, c.want) {
			t.Errorf("%s: %q, want %q", c.code, matches, c.want)
		}
		for _, m := range c.has {
			if !slices.Contains(matches, m) {
				t.Errorf("%s: %q lack %s", c.code, matches, m)
			}
		}
		for _, m := range c.lacks {
			if slices.Contains(matches, m) {
				t.Errorf("%s: %q have %s", c.code, matches, m)
			}
		}
		if len(matches) > 0 && start != c.start {
			t.Errorf("%s: from %d, want %d", c.code, start, c.start)
		}
	}
	if _, matches, _ := s.complete(`many["|`); len(matches) != 200 || matches[0] != `many["k0000"]` {
		t.Errorf("of 5,000 keys: %d, %v", len(matches), matches[:min(3, len(matches))])
	}
	check(t, "the properties that were called, and the names", s.succeed("result = [len(calls), result_is_gone if 'result_is_gone' in globals() else 0, __file__]", message{"name": "<a>"}), []any{1.0, 0.0, "<a>"})
}

func TestACallIsToldHowItsFunctionIsCalled(t *testing.T) {
	p := startSupervised(t)
	s := connect(t, p)
	s.succeed(completedInBlender)
	for code, want := range map[string]string{
		"thing.paint(|":                      "paint(coat, times=1)",
		"thing.paint(1, times=(2, 3)[0], |)": "paint(coat, times=1)",
		"print(thing.paint(|":                "paint(coat, times=1)",
		"len(|":                              "len(obj, /)",
		"thing.paint(')', |":                 "paint(coat, times=1)",
		"thing.paint(1) |":                   "",
		"thing.paint([|":                     "",
		"thing.colour(|":                     "",
		"thing.broken(|":                     "",
		"(|":                                 "",
		"# len(|":                            "",
	} {
		if _, _, got := s.complete(code); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	for code, begins := range map[string]string{
		"bpy.ops.mesh.primitive_cube_add(|": "bpy.ops.mesh.primitive_cube_add(size=2",
		"bpy.data.objects.new(|":            "BlendDataObjects.new(",
	} {
		if _, _, got := s.complete(code); !strings.HasPrefix(got, begins) {
			t.Errorf("%s: %q", code, got)
		}
	}
}

func TestAPropertyThatHangsIsCancelledAndTheSessionGoesOn(t *testing.T) {
	p := startSupervised(t)
	s := connect(t, p)
	s.succeed(completed)
	id := s.start("thing.hanging.x", message{"complete": 15})
	s.receiveType("started")
	s.send(message{"type": "cancel", "id": id, "reason": "timeout"})
	check(t, "its state", s.receiveType("finished")["state"], any("cancelled"))
	check(t, "what the session has", s.succeed("result = thing.colour"), any(1.0))
	check(t, "a completion after it", asText(s, "thing.col|"), "0 [thing.colour]")
}

func TestACursorThatIsNotInTheCodeIsRefused(t *testing.T) {
	s := connect(t, sharedBlender(t))
	for _, cursor := range []any{-1, 4, 1.5, "1", true} {
		s.start("abc", message{"complete": cursor})
		if got := s.receive(); got.text("code") != "bad_run" {
			t.Errorf("%v: %v", cursor, got)
		}
	}
	s.start("", message{"code": nil, "code_base64": "/w==", "complete": 0})
	if got := s.receive(); got.text("code") != "bad_run" {
		t.Errorf("code that is no UTF-8: %v", got)
	}
}
