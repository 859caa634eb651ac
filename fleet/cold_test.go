//go:build unix

package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// What a cold Blender does with a script is the measure for what a fleet does with it.

// attempts is how often a run is asked for that was not begun, as the engine does it.
const attempts = 3

// coldLimit bounds the life of a cold Blender.
const coldLimit = 2 * time.Minute

// account is what is to be seen of a script when it has ended.
type account struct {
	// code is the exit code, or the number that a shell has for the signal that ended Blender.
	code int
	// lines are what was printed, sorted: a cold Blender writes to two pipes and buffers one.
	lines []string
	// files are the files in the script's folder, and what is new in the folder for temporary files.
	files []string
}

// differs returns what an account has (+) and lacks (-) beside another one, or "".
func (a account) differs(from account) string {
	var text strings.Builder
	if a.code != from.code {
		fmt.Fprintf(&text, "\n- exit code %s\n+ exit code %s", ended(from.code), ended(a.code))
	}
	for _, list := range [][2][]string{{a.lines, from.lines}, {a.files, from.files}} {
		lacks := slices.Clone(list[1])
		for _, line := range list[0] {
			if i := slices.Index(lacks, line); i >= 0 {
				lacks = slices.Delete(lacks, i, i+1)
			} else {
				text.WriteString("\n+ " + line)
			}
		}
		for _, line := range lacks {
			text.WriteString("\n- " + line)
		}
	}
	if lines := strings.SplitAfter(text.String(), "\n"); len(lines) > 20 {
		return strings.Join(lines[:20], "") + "…"
	}
	return text.String()
}

func ended(code int) string {
	if code > 128 && code < 255 {
		return syscall.Signal(code - 128).String()
	}
	return strconv.Itoa(code)
}

// bench is where scripts are tried: a folder for temporary files, and what some scripts find beside
// them.
type bench struct {
	temp     string
	embedded string // a .blend with a script that runs when the file is opened
	packages string // a folder of installed modules
}

// newBench makes a place to try scripts in. The .blend is made once in a test process.
func newBench(t *testing.T) *bench {
	t.Helper()
	temp := t.TempDir()
	data, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{temp: filepath.Join(temp, "temp"), embedded: filepath.Join(temp, "embedded.blend"), packages: filepath.Join(temp, "site-packages")}
	if err := errors.Join(os.Mkdir(b.temp, 0o700), os.WriteFile(b.embedded, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("BLENDTRAY_SITE_PACKAGES"); folder != "" {
		b.packages = folder
		return b
	}
	// Blender's NumPy stands for a NumPy that a person has installed.
	numpy, err := numpyOfBlender()
	if err == nil {
		err = errors.Join(os.Mkdir(b.packages, 0o700), os.Symlink(numpy, filepath.Join(b.packages, "numpy")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// numpyOfBlender returns the folder of the NumPy that Blender finds by itself.
var numpyOfBlender = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("blender", "-b", "--factory-startup", "--python-expr", "import numpy; print('NUMPY', numpy.__file__)")
	out, err := cmd.CombinedOutput()
	_, rest, found := strings.Cut(string(out), "NUMPY ")
	if err != nil || !found {
		return "", errors.Join(err, errors.New(string(out)))
	}
	line, _, _ := strings.Cut(rest, "\n")
	return filepath.Dir(line), nil
})

// embedded returns the bytes of a .blend with a script that Blender runs when it opens the file and
// the preferences allow it.
var embedded = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "blendtray-embedded-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "embedded.blend")
	code := `import bpy, sys
text = bpy.data.texts.new("embedded.py")
text.use_module = True
text.from_string("import bpy\nbpy.app.driver_namespace['CASE'] = 1\nprint('EMBEDDED SCRIPT')\n")
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
`
	cmd := exec.Command("blender", "-b", "--factory-startup", "--python-expr", code, "--", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(string(out)))
	}
	return os.ReadFile(path)
})

// lay copies a case's script, and what lies beside it for the script, into a folder of its own, and
// returns the path of the copy.
func (b *bench) lay(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(source))
	b.layInto(t, source, path)
	return path
}

func (b *bench) layInto(t *testing.T, source, path string) {
	t.Helper()
	code, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(filepath.Base(source), "symlink") {
		target := filepath.Join(t.TempDir(), "target.py")
		err = errors.Join(os.WriteFile(target, code, 0o600), os.Symlink(target, path))
	} else {
		err = os.WriteFile(path, code, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(code, []byte("embedded.blend")) {
		beside := filepath.Join(filepath.Dir(path), "embedded.blend")
		if err := os.Symlink(b.embedded, beside); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	if bytes.Contains(code, []byte(`"site-packages"`)) {
		if err := os.Symlink(b.packages, filepath.Join(filepath.Dir(path), "site-packages")); err != nil {
			t.Fatal(err)
		}
	}
}

// arguments are what scripts are given.
var arguments = []string{"a", "b"}

// cores bounds how many cold Blenders run side by side.
var cores = make(chan struct{}, runtime.NumCPU())

// cold returns what a cold Blender does with a script.
func (b *bench) cold(t *testing.T, script string) account {
	t.Helper()
	cores <- struct{}{}
	defer func() { <-cores }()
	temp := t.TempDir()
	args := append([]string{"-b", "--factory-startup", "--python-exit-code", "1", "--python", script, "--"}, arguments...)
	cmd := exec.Command("blender", args...)
	cmd.Dir = filepath.Dir(script)
	cmd.Env = append(blender.Environ(os.Environ(), ""), "TMPDIR="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = coldLimit
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(coldLimit, func() { _ = cmd.Process.Kill() }) // the test then says that a signal ended it
	defer kill.Stop()
	_ = cmd.Wait() // how it ended is looked at below
	code := cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return account{code, told(out.String()+"\n"+errs.String(), filepath.Dir(script), temp), leftBy(t, filepath.Dir(script), temp, nil)}
}

// warm returns what a fleet does with a script. It does not return before Blender is ready for the
// next script.
func (b *bench) warm(t *testing.T, f *Fleet, isolation api.Isolation, script string) account {
	t.Helper()
	code, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	before := entries(t, b.temp)
	r := newRecorder()
	var out blender.Outcome
	for range attempts {
		out, err = f.Run(t.Context(), blender.Request{
			ID: "case", File: script, Code: code, Args: arguments, Scene: "fresh", Isolation: isolation,
		}, r)
		if !errors.Is(err, blender.ErrNotStarted) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	text := r.text.String()
	exit := out.ExitCode
	if out.Error != nil {
		text += out.Error.Traceback
	}
	switch out.Verdict {
	case blender.Succeeded, blender.Errored:
	case blender.Crashed:
		exit = signalIn(out.Error.Message)
	default:
		t.Errorf("the verdict is %v: %+v", out.Verdict, out.Error)
	}
	return account{exit, told(text, filepath.Dir(script), b.temp), leftBy(t, filepath.Dir(script), b.temp, before)}
}

// signalIn returns 128 and the number of the signal that a message names, or 255.
func signalIn(message string) int {
	for number := 1; number < 32; number++ {
		if strings.Contains(message, syscall.Signal(number).String()) {
			return 128 + number
		}
	}
	return 255
}

// What differs from one start of Blender to the next.
var (
	varies = []struct {
		pattern *regexp.Regexp
		text    string
	}{
		{regexp.MustCompile(`\btmp[a-z0-9_]{8}\b`), "tmp#"},
		{regexp.MustCompile(`\bblender_[A-Za-z0-9]{6}\b`), "blender_#"},
		{regexp.MustCompile(`0x[0-9a-f]+`), "0x#"},
		{regexp.MustCompile(`\d+:\d\d(:\d\d)?([.,]\d+)?`), "#:#"},
		{regexp.MustCompile(`\d+\.\d+ ?(s|ms|seconds)\b`), "# s"},
		{regexp.MustCompile(`(Password:|\(Pdb\)) `), "$1\n"}, // what follows comes through another pipe
		{regexp.MustCompile(`Thread-\d+`), "Thread-#"},
		{regexp.MustCompile(`repeated \d+ more`), "repeated # more"}, // some frames of the add-on are below the script
		{regexp.MustCompile(`\b[0-9]+(\.[0-9]+)?[KM]\b`), "#M"},
	}
	// What Blender says of its own beginning and end, of its progress, and of nodes in its first file.
	version   = regexp.MustCompile(`Blender \d+\.\d+\.\d+\S*\n`)
	probe     = regexp.MustCompile(`^([a-z0-9_]{8}|pymp-.*)$`) // Python of another Blender that starts, which tries the folder
	ofBlender = regexp.MustCompile(`^(Blender quit|Read prefs: |Fra:|Error: script failed, file: |` +
		`graph_id_tag_update: id=NT|Writing: .*blender.*\.crash\.txt|Error: Not freed memory blocks|Saved session recovery|Warning: .*_freed memory|` +
		`\s*\^+[~^]*\s*$)`)
)

// told returns the lines of a text without what differs from one start of Blender to the next,
// sorted. Tracebacks lose the frames of the program that stands in for Blender's command line.
func told(text, folder, temp string) []string {
	text = version.ReplaceAllString(strings.ReplaceAll(text, "Error: Python: ", ""), "")
	text = strings.NewReplacer(folder, "FOLDER", temp, "TEMP").Replace(text)
	for _, v := range varies {
		text = v.pattern.ReplaceAllString(text, v.text)
	}
	var lines []string
	foreign := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if strings.HasPrefix(line, "  File ") {
			foreign = strings.Contains(line, "/bpy_blender.py")
		} else if !strings.HasPrefix(line, "    ") {
			foreign = false
		}
		if line != "" && !foreign && !ofBlender.MatchString(line) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// entries returns the names in a folder and in the folders in it.
func entries(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return nil // it has just been removed
		}
		name, _ := filepath.Rel(folder, path) // it lies in the folder
		names = append(names, name)
		if d.Type()&fs.ModeSymlink == 0 && d.IsDir() && strings.Contains(name, string(filepath.Separator)) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// leftBy returns the files in a script's folder, and those in the folder for temporary files that were
// not there before; what Blender itself keeps there does not count.
func leftBy(t *testing.T, folder, temp string, before []string) []string {
	t.Helper()
	files := entries(t, folder)
	for _, name := range entries(t, temp) {
		if slices.Contains(before, name) || strings.HasPrefix(name, "blender_") || strings.HasSuffix(name, ".crash.txt") ||
			probe.MatchString(name) {
			continue
		}
		for _, v := range varies {
			name = v.pattern.ReplaceAllString(name, v.text)
		}
		files = append(files, "TEMP/"+name)
	}
	slices.Sort(files)
	return files
}
