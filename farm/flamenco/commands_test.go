package flamenco

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/farm/flamenco/flamencotest"
)

func TestACommandLineOfBlenderIsARender(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		exeArgs      string
		before, args []string
		frames, want string // engine, output, format
		scripts      bool
	}{
		// As the job type simple-blender-render writes it.
		{"-b -y", nil, []string{"--render-output", "/out/######", "--render-format", "PNG", "--render-frame", "1..30,47"}, "1..30,47", " /out/###### PNG", true},
		{"", nil, []string{"-E", "CYCLES", "-f", "12"}, "12", "CYCLES  ", false},
		{"-b", []string{"-Y"}, []string{"-s", "3", "-e", "9", "-j", "2", "-a"}, "3..9x2", "  ", false},
		{"", nil, []string{"-e", "9", "--render-anim"}, "+0..9", "  ", false},
		{"", nil, []string{"-s", "9", "-a"}, "9..-1", "  ", false},
		{"", nil, []string{"-a"}, "", "  ", false},
		{"", nil, []string{"-x", "1", "-o", "//p_", "-a"}, "", " //p_ ", false},
	} {
		p := blenderParameters{Exe: "blender", ExeArgs: c.exeArgs, ArgsBefore: c.before, BlendFile: abs("a.blend"), Args: c.args}
		sub, scripts, err := p.submission()
		if err != nil {
			t.Errorf("%v: %v", c.args, err)
			continue
		}
		r := sub.Render
		if got := r.Engine + " " + r.Output + " " + r.Format; got != c.want || r.Frames.String() != c.frames || scripts != c.scripts || sub.Scene != abs("a.blend") {
			t.Errorf("%v: %q, frames %s, scripts %v", c.args, got, r.Frames, scripts)
		}
	}
}

// abs returns an absolute path on this system.
func abs(name string) string { return filepath.Join(os.TempDir(), name) }

func TestWhatARenderCannotDoIsRefused(t *testing.T) {
	t.Parallel()
	file := abs("a.blend")
	for want, p := range map[string]blenderParameters{
		"names no .blend":                  {Args: []string{"-a"}},
		"has no absolute path":             {BlendFile: "a.blend", Args: []string{"-a"}},
		"does not know the argument -P":    {BlendFile: file, Args: []string{"-P", "x.py", "-a"}},
		"does not know the argument -S":    {BlendFile: file, Args: []string{"-S", "Other", "-a"}},
		"stands before the .blend file":    {BlendFile: file, ArgsBefore: []string{"-E", "CYCLES"}, Args: []string{"-a"}},
		"stands behind the render":         {BlendFile: file, Args: []string{"-a", "-o", "/x"}},
		"the argument -f stands behind":    {BlendFile: file, Args: []string{"-f", "1", "-f", "2"}},
		"the argument --engine has no":     {BlendFile: file, Args: []string{"--engine"}},
		"--render-frame: \"one\" are no":   {BlendFile: file, Args: []string{"-f", "one"}},
		"--frame-jump 0 is no step":        {BlendFile: file, Args: []string{"-j", "0", "-a"}},
		"render nothing":                   {BlendFile: file, Args: []string{"-E", "CYCLES"}},
		"exeArgs: EOF found":               {BlendFile: file, ExeArgs: `-b "x`, Args: []string{"-a"}},
		"can't leave out the extension":    {BlendFile: file, Args: []string{"-x", "0", "-a"}},
		"the argument --python-expr of Bl": {BlendFile: file, ExeArgs: `-b --python-expr "import x"`, Args: []string{"-a"}},
	} {
		if _, _, err := p.submission(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func command1(name string, parameters map[string]any) flamencotest.Command {
	return flamencotest.Command{Name: name, Parameters: parameters}
}

func TestFilesAreMovedAndCopied(t *testing.T) {
	t.Parallel()
	w := started(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(in(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		text, _ := os.ReadFile(in(name)) // what is not there is ""
		return string(text)
	}
	put("new/p.png", "new")
	put("frames/p.png", "old")
	w.ended(w.manager.Add("file-management",
		command1("make-directory", map[string]any{"path": in("a/b")}),
		command1("copy-file", map[string]any{"src": in("new/p.png"), "dest": in("c/d/p.png")}),
		command1("move-directory", map[string]any{"src": in("new"), "dest": in("frames")}),
	), "completed")
	if read("c/d/p.png") != "new" || read("frames/p.png") != "new" {
		t.Errorf("c/d/p.png is %q and frames/p.png %q", read("c/d/p.png"), read("frames/p.png"))
	}
	aside, err := filepath.Glob(in("frames-*/p.png"))
	if err != nil || len(aside) != 1 {
		t.Errorf("what was there before is at %v: %v", aside, err)
	}
	for want, c := range map[string]flamencotest.Command{
		"file exists":         command1("copy-file", map[string]any{"src": in("frames/p.png"), "dest": in("c/d/p.png")}),
		"no such file":        command1("move-directory", map[string]any{"src": in("gone"), "dest": in("x")}),
		"is no absolute path": command1("copy-file", map[string]any{"src": in("frames/p.png"), "dest": "x"}),
		"is no file":          command1("copy-file", map[string]any{"src": in("frames"), "dest": in("y")}),
	} {
		expectIn(t, "the log", w.ended(w.manager.Add("file-management", c), "failed").Log, want)
	}
}

func TestProgramsRunWithTheirOutputInTheLog(t *testing.T) {
	t.Parallel()
	w := started(t)
	task := w.ended(w.manager.Add("misc",
		command1("sleep", map[string]any{"duration_in_seconds": 0.01}),
		command1("exec", map[string]any{"exe": "sh", "args": []string{"-c", "echo out; echo err >&2; exit 3"}, "new": 1}),
	), "failed")
	expectIn(t, "the log", task.Log, "out\n", "err\n", "exit status 3", `passed over: its parameters: unknown field "new"`)

	id := w.manager.Add("misc", command1("exec", map[string]any{"exe": "sh", "args": []string{"-c", "echo begun; exec sleep 1000"}}))
	eventually(t, "it is running", func() bool { return strings.Contains(w.manager.Task(id).Log, "begun\n") })
	w.manager.Cancel(id)
	eventually(t, "it is killed", func() bool { return strings.Contains(w.manager.Task(id).Log, "stopped: ") })
}

// FFmpeg itself is not needed to see what it is given.
func TestAVideoIsMadeOfTheFrames(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	dir := filepath.Join(t.TempDir(), "it's here")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"0002.png", "0001.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "ffmpeg")
	const shows = "#!/bin/sh\nprintf '%s\\n' \"$@\"\nwhile [ $# -gt 1 ]; do [ \"$1\" != -i ] || cat \"$2\"; shift; done\n"
	if err := os.WriteFile(program, []byte(shows), 0o700); err != nil {
		t.Fatal(err)
	}
	w.start()
	task := w.ended(w.manager.Add("misc", command1("frames-to-video", map[string]any{
		"exe": program, "fps": 24, "inputGlob": filepath.Join(dir, "*.png"), "outputFile": filepath.Join(dir, "out", "v.mp4"),
		"args": []any{"-c:v", "h264", "-r", 24, "-y"},
	})), "completed")
	quoted := strings.ReplaceAll(filepath.Join(dir, "0001.png"), "'", `'\''`)
	expectIn(t, "the log", task.Log, "-safe\n0\n-r\n24\n-i\n", "-c:v\nh264\n-r\n24\n-y\n"+filepath.Join(dir, "out", "v.mp4"),
		"file '"+quoted+"'\nduration 0.041667\nfile '")
	expectIn(t, "the log", w.ended(w.manager.Add("misc", command1("frames-to-video", map[string]any{
		"exe": program, "fps": "24", "inputGlob": filepath.Join(dir, "*.exr"), "outputFile": filepath.Join(dir, "v.mp4"),
	})), "failed").Log, "no file matches")
}
