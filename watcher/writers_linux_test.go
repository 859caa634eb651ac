package watcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// tool runs a program in the watched folder. A missing program fails the test.
func (r *rig) tool(name string, args ...string) {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "HOME="+r.t.TempDir(), "LC_ALL=C", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

func (r *rig) python(code string, args ...string) {
	r.t.Helper()
	r.tool("python3", append([]string{"-c", code}, args...)...)
}

// outside writes a file that is not watched.
func outside(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.py")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatProgramsSaveArrivesWholeAndOnce(t *testing.T) {
	t.Parallel()
	long := script(1, 20_000) // 600 kB: more than one write for most programs
	vim := func(settings string) func(*rig) {
		return func(r *rig) {
			r.tool("vim", "-es", "-u", "NONE", "-i", "NONE", "-c", "set "+settings, "-c", "%!cat "+outside(r.t, long),
				"-c", "w", "-c", "q!", "a.py")
		}
	}
	for name, save := range map[string]func(*rig){
		"vim, copying the backup":     vim("backup writebackup backupcopy=yes"),
		"vim, renaming to the backup": vim("backup writebackup backupcopy=no"),
		"vim, without a backup":       vim("nobackup nowritebackup"),
		"rsync":                       func(r *rig) { r.tool("rsync", "-t", outside(r.t, long), r.path("a.py")) },
		"rsync, in place":             func(r *rig) { r.tool("rsync", "--inplace", outside(r.t, long), r.path("a.py")) },
		"gio copy":                    func(r *rig) { r.tool("gio", "copy", outside(r.t, long), r.path("a.py")) },
		"gio save":                    func(r *rig) { r.tool("sh", "-c", "gio save a.py <"+outside(r.t, long)) },
		"cp":                          func(r *rig) { r.tool("cp", outside(r.t, long), r.path("a.py")) },
		"cp -p":                       func(r *rig) { r.tool("cp", "-p", outside(r.t, long), r.path("a.py")) },
		"cat >":                       func(r *rig) { r.tool("sh", "-c", "cat "+outside(r.t, long)+" > a.py") },
		"mv":                          func(r *rig) { r.tool("mv", outside(r.t, long), r.path("a.py")) },
		"install":                     func(r *rig) { r.tool("install", "-m", "600", outside(r.t, long), r.path("a.py")) },
		"dd":                          func(r *rig) { r.tool("dd", "bs=1000", "if="+outside(r.t, long), "of="+r.path("a.py")) },
		"tar": func(r *rig) {
			s := outside(r.t, long)
			r.tool("sh", "-c", "cd "+filepath.Dir(s)+" && mv source.py a.py && tar c a.py | tar x -C "+r.dir)
		},
		"python, a mapping":            func(r *rig) { r.python(mmapWriter, r.path("a.py"), outside(r.t, long)) },
		"python, renamed before close": func(r *rig) { r.python(renameFirst, r.path("a.py"), outside(r.t, long)) },
		"a link made from a nameless file": func(r *rig) {
			r.python(nameless, r.path("a.py"), outside(r.t, long))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, before := range []string{"", "old\n"} {
				r := start(t)
				if before != "" {
					r.write("a.py", before)
					r.gets("a.py", before)
				}
				save(r)
				r.gets("a.py", long)
				r.settle()
				want := []string{long}
				if before != "" {
					want = []string{before, long}
				}
				if got := r.texts("a.py"); !slices.Equal(got, want) {
					t.Errorf("over %q it was handed on %d times with %d bytes", before, len(got), lengths(got))
				}
				for _, s := range r.saves {
					if base := filepath.Base(s.Path); base != "a.py" {
						t.Errorf("%s was handed on too", base)
					}
				}
			}
		})
	}
}

func lengths(texts []string) (all []int) {
	for _, s := range texts {
		all = append(all, len(s))
	}
	return all
}

const mmapWriter = `
import mmap, os, sys, time
text = open(sys.argv[2], "rb").read()
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.ftruncate(fd, len(text))
m = mmap.mmap(fd, len(text))
os.close(fd)  # the mapping alone is left
for i in range(10):
    m[i * len(text) // 10:(i + 1) * len(text) // 10] = text[i * len(text) // 10:(i + 1) * len(text) // 10]
    time.sleep(0.03)
m.close()
`

const renameFirst = `
import os, sys, time
text = open(sys.argv[2]).read()
with open(sys.argv[1] + ".new", "w") as f:
    f.write(text[:1000])
    f.flush()
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(0.1)
    f.write(text[1000:])
`

const nameless = `
import ctypes, os, sys
text = open(sys.argv[2], "rb").read()
if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
fd = os.open(os.path.dirname(sys.argv[1]), os.O_TMPFILE | os.O_RDWR, 0o644)
os.write(fd, text)
AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
if ctypes.CDLL(None).linkat(AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, os.fsencode(sys.argv[1]), AT_SYMLINK_FOLLOW):
    sys.exit("linkat failed")
os.close(fd)
`

func TestAGitCheckoutArrivesWhole(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.tool("git", "init", "-q", "-b", "main")
	for n := range 20 {
		r.mkdir(fmt.Sprintf("p%d", n%3))
		r.write(fmt.Sprintf("p%d/s%d.py", n%3, n), script(1, n*50+1))
	}
	r.tool("git", "add", ".")
	r.tool("git", "commit", "-q", "-m", "one")
	r.tool("git", "checkout", "-q", "-b", "two")
	for n := range 20 {
		r.write(fmt.Sprintf("p%d/s%d.py", n%3, n), script(2, n*50+1))
	}
	r.tool("git", "commit", "-q", "-a", "-m", "two")
	r.settle()
	r.tool("git", "checkout", "-q", "main")
	r.settle()
	for n := range 20 {
		name := fmt.Sprintf("p%d/s%d.py", n%3, n)
		r.wantTexts(name, script(1, n*50+1), script(2, n*50+1), script(1, n*50+1))
	}
	r.tool("rm", "-rf", "p0", "p1", "p2")
	r.tool("git", "checkout", "-q", "--", ".")
	r.settle()
	for n := range 20 {
		if name := fmt.Sprintf("p%d/s%d.py", n%3, n); len(r.texts(name)) != 4 {
			t.Errorf("%s was handed on %d times, want 4", name, len(r.texts(name)))
		}
	}
}

func TestASlowWriterIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := start(t)
	text := script(1, 100)
	if _, err := writeChunks(r.path("a.py"), text, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	r.gets("a.py", text)
	r.settle()
	r.wantTexts("a.py", text)
}

func TestTheLastOfTwoWritersIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := start(t)
	first, err := os.Create(r.path("a.py"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.OpenFile(r.path("a.py"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	put := func(f *os.File, text string) {
		if _, err := f.WriteString(text); err != nil {
			t.Error(err)
		}
	}
	put(first, "one\n")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		r.write("b.py", strings.Repeat("b\n", n+1))
		r.gets("b.py", strings.Repeat("b\n", n+1)) // other scripts come through meanwhile
		put(second, "two\n")
	}
	if n := len(r.texts("a.py")); n != 0 {
		t.Errorf("handed on %d times while somebody wrote", n)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	r.gets("a.py", "one\ntwo\ntwo\ntwo\n")
	r.settle()
	r.wantTexts("a.py", "one\ntwo\ntwo\ntwo\n")
}

func TestAFileThatSomebodyHasOpenIsNotHandedOn(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]set{
		"the system says who has it open": func(*Config, *options) {},
		"another user's, of which only events are told": func(_ *Config, o *options) {
			o.adaptive = true
		},
		"through FUSE": func(_ *Config, o *options) {
			o.isRemote = func(string) bool { return true }
			o.pollEvery = 20 * time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method, func(c *Config, o *options) {
				c.Folders[0].Settle = api.Duration(time.Millisecond) // the pause below is longer than any wait
				o.reportAfter, o.holderEvery = 1500*time.Millisecond, 20*time.Millisecond
			})
			writer := exec.Command("sh", "-c", "echo 'print(1)'; read line; echo 'print(2)'")
			goOn, err := writer.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := os.Create(r.path("a b.py"))
			if err != nil {
				t.Fatal(err)
			}
			writer.Stdout = out
			if err := writer.Start(); err != nil {
				t.Fatal(err)
			}
			_ = out.Close() // the writer has it now
			r.until("a status that says whom it waits for", func() bool {
				waiting := r.w.Status()[0].Waiting
				if len(waiting) != 1 {
					return false
				}
				s := waiting[0]
				return s.Path == r.path("a b.py") && s.PID == writer.Process.Pid && s.Process == "sh" && !s.Since.IsZero() &&
					strings.Contains(s.Hint, "blendtray run '"+r.path("a b.py")+"'")
			})
			r.until("a call of Changed with it", func() bool { return len(r.changed) == 1 && len(r.changed[0].Waiting) == 1 })
			if got := r.texts("a b.py"); len(got) != 0 {
				t.Errorf("handed on while it was open: %q", got)
			}
			if _, err := goOn.Write([]byte("\n")); err != nil {
				t.Fatal(err)
			}
			if err := writer.Wait(); err != nil {
				t.Fatal(err)
			}
			r.gets("a b.py", "print(1)\nprint(2)\n")
			r.wantTexts("a b.py", "print(1)\nprint(2)\n")
			r.until("a status without it", func() bool { return len(r.w.Status()[0].Waiting) == 0 })
		})
	}
}

func TestAMappingOfAFileThatWasClosedIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := start(t, func(_ *Config, o *options) { o.reportAfter, o.holderEvery = 100*time.Millisecond, 20*time.Millisecond })
	writer := exec.Command("python3", "-c", `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.posix_fallocate(fd, 0, 6)
m = mmap.mmap(fd, 6)
os.close(fd)
m[0:2] = b"# "
sys.stdin.readline()
m[2:6] = b"end\n"
m.close()
`, r.path("a.py"))
	goOn, err := writer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("a status that says whom it waits for", func() bool {
		waiting := r.w.Status()[0].Waiting
		return len(waiting) == 1 && waiting[0].PID == writer.Process.Pid
	})
	if _, err := goOn.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if err := writer.Wait(); err != nil {
		t.Fatal(err)
	}
	r.gets("a.py", "# end\n")
	r.wantTexts("a.py", "# end\n")
}

func TestAScanDoesNotTakeAFileThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	text := script(1, 100)
	f, err := os.Create(r.path("a.py"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text[:50]); err != nil {
		t.Fatal(err)
	}
	r.write("b.py", "b\n")
	go func() {
		defer f.Close()
		r.until("b.py", func() bool { return len(r.savesLocked(r.path("b.py"))) == 1 })
		if _, err := f.WriteString(text[50:]); err != nil {
			t.Error(err)
		}
	}()
	r.serve()
	r.gets("a.py", text)
	r.wantTexts("a.py", text)
	if r.saves[len(r.saves)-1].Scan {
		t.Error("it was saved while it was watched, and is said to be found by the scan")
	}
}

func TestTruncatingByNameIsASave(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.write("a.py", "one\ntwo\n")
	r.gets("a.py", "one\ntwo\n")
	if err := os.Truncate(r.path("a.py"), 4); err != nil {
		t.Fatal(err)
	}
	r.gets("a.py", "one\n")
}

func TestLinksToScriptsAreScripts(t *testing.T) {
	t.Parallel()
	r := start(t)
	source := outside(t, "linked\n")
	if err := os.Symlink(source, r.path("soft.py")); err != nil {
		t.Fatal(err)
	}
	r.gets("soft.py", "linked\n")
	hard := r.path("x.txt")
	r.write("x.txt", "hard\n")
	if err := os.Link(hard, r.path("hard.py")); err != nil {
		t.Fatal(err)
	}
	r.gets("hard.py", "hard\n")
}

func TestNamesNeedNotBeText(t *testing.T) {
	t.Parallel()
	r := start(t)
	for n, name := range []string{"\xff\xfe.py", "a\nb.py", "tab\t.py", "back\\slash.py", "*?[x].py", "日本.py", "sub\xff/x.py"} {
		r.mkdir(filepath.Dir(name))
		text := fmt.Sprintf("n = %d\n", n)
		r.write(name, text)
		r.gets(name, text)
	}
}

func TestWhatIsNoFileBlocksNothing(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.tool("mkfifo", "pipe.py")
	r.serve()
	r.tool("mkfifo", "pipe2.py")
	r.mkdir("folder.py")
	r.write("folder.py/in.py", "in\n")
	r.python("import socket, sys; socket.socket(socket.AF_UNIX).bind('sock.py')")
	for link, target := range map[string]string{
		"null.py": "/dev/null", "proc.py": "/proc/self/status", "nowhere.py": "/nonexistent",
		"self.py": "self.py", "pipelink.py": "pipe.py", "dirlink.py": "folder.py",
	} {
		if err := os.Symlink(target, r.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	r.gets("folder.py/in.py", "in\n")
	r.w.Rescan()
	r.until("the second scan", func() bool { return len(r.scanned) == 2 })
	r.settle()
	for _, s := range r.saves {
		if base := filepath.Base(s.Path); base != "in.py" {
			t.Errorf("%s was handed on", s.Path)
		}
	}
}

func TestAFileThatMayNotBeReadIsLeftAlone(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		// Root may read everything, so the test passes in the error that the kernel would return.
		r := start(t)
		e := &entry{path: r.path("a.py"), folder: r.w.folders[0]}
		if v := r.w.cannotRead(e, verdict{}, nil, &os.PathError{Op: "open", Path: e.path, Err: os.ErrPermission}); v.what != drop {
			t.Errorf("it is kept: %+v", v)
		}
		return
	}
	r := start(t)
	r.write(".new", "secret\n")
	if err := os.Chmod(r.path(".new"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(r.path(".new"), r.path("a.py")); err != nil {
		t.Fatal(err)
	}
	r.settle()
	r.wantTexts("a.py")
}

func TestAMergeWithGitRunsOnlyTheScript(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.tool("git", "init", "-q", "-b", "main")
	save := func(code string) {
		r.write("a.py", code)
		r.tool("git", "add", "a.py")
		r.tool("git", "commit", "-q", "-m", "x")
	}
	save("x = 0\n")
	r.tool("git", "checkout", "-q", "-b", "other")
	save("x = 1\n")
	r.tool("git", "checkout", "-q", "main")
	save("x = 2\n")
	r.tool("sh", "-c", "git merge other || true")
	r.serve()
	r.forget()
	r.tool("git", "-c", "mergetool.t.cmd=sleep 0.3; cat \"$LOCAL\" \"$REMOTE\" >\"$MERGED\"", "-c", "mergetool.t.trustExitCode=true",
		"mergetool", "-y", "--tool=t")
	r.gets("a.py", "x = 2\nx = 1\n")
	r.settle()
	for _, s := range r.saves {
		if filepath.Base(s.Path) != "a.py" {
			t.Errorf("%s was handed on", s.Path)
		}
	}
}
