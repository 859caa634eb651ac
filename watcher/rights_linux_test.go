package watcher

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// asUser is set in the processes of the tests that must not be root.
const asUser = "BLENDTRAY_TEST_USER"

// nobody is a user without rights.
const nobodysID = 65534

// withoutRights runs the test that calls it again as a user who may not do everything, if the test
// runs as root. It returns true in the process that is to make the test, with a folder for it, in
// which root has made what prepare makes.
func withoutRights(t *testing.T, prepare func(dir string)) (dir string, here bool) {
	t.Helper()
	if dir = os.Getenv(asUser); dir != "" {
		return dir, true
	}
	dir = t.TempDir()
	if os.Geteuid() != 0 {
		prepare(dir)
		return dir, true
	}
	program := filepath.Join(dir, "program")
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o777); err != nil {
		t.Fatal(err)
	}
	prepare(own)
	for _, p := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(own, nobodysID, nobodysID); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir = own
	cmd.Env = append(os.Environ(), asUser+"="+own, "TMPDIR="+own)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodysID, Gid: nobodysID}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return "", false
}

func TestWhatIsSavedWhileItCanNotBeReadIsASaveWhenItCan(t *testing.T) {
	t.Parallel()
	dir, here := withoutRights(t, func(string) {})
	if !here {
		return
	}
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			h := watch(t, recursive(filepath.Join(dir, strings.ReplaceAll(name, " ", "_"))), method, func(_ *Config, o *options) {
				o.pollEvery, o.retryEvery = 20*time.Millisecond, 20*time.Millisecond
			})
			r := &rig{h, h.w.cfg.Folders[0].Path}
			r.write("mark.py", "0\n")
			r.gets("mark.py", "0\n")
			r.write("known.py", "known\n")
			r.gets("known.py", "known\n")
			r.write(".new", "secret\n")
			chmod(t, r.path(".new"), 0)
			rename(t, r.path(".new"), r.path("a.py"))
			r.write("mark.py", "1\n")
			r.gets("mark.py", "1\n")
			r.settle()
			r.wantTexts("a.py")
			r.says("a.py cannot be read, so it does not run: permission denied")
			chmod(t, r.path("a.py"), 0o600)
			r.gets("a.py", "secret\n")
			r.says("")
			chmod(t, r.path("known.py"), 0) // its bytes were handed on already
			chmod(t, r.path("known.py"), 0o600)
			r.write("mark.py", "2\n")
			r.gets("mark.py", "2\n")
			r.settle()
			if n := len(r.texts("a.py")); n != 1 {
				t.Errorf("a.py was handed on %d times", n)
			}

			// Folders that can not be read, in which a script is saved meanwhile.
			for n, found := range []bool{false, true} {
				name := fmt.Sprintf("closed%d", n)
				r.mkdir("." + name)
				r.write("."+name+"/old.py", "old\n")
				nextStep(t, r.path("."+name+"/old.py"))
				chmod(t, r.path("."+name), 0o300)
				rename(t, r.path("."+name), r.path(name))
				r.until("a status that says so", func() bool { return strings.Contains(r.w.Status()[0].Error, name+" cannot be read") })
				if found { // by a look through a folder that was watched before, as at the start
					r.settle() // the event of its arrival has been dealt with, too
					r.w.mu.Lock()
					r.w.dirs[r.path(name)].arrived = false
					r.w.mu.Unlock()
				}
				r.write(name+"/b.py", "b\n")
				chmod(t, r.path(name), 0o700)
				r.gets(name+"/b.py", "b\n")
				r.says("")
				if s := r.once(r.path(name+"/old.py"), "old\n"); s.Scan != found || s.First != found {
					t.Errorf("the old script: found %v, by a first look %v, want %v", s.Scan, s.First, found)
				}
			}
		})
	}
}

// Of the file of another user there is no lease. Without root, the file is the test's own.
func TestTheWriterOfAnotherUsersFileIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir, here := withoutRights(t, func(dir string) {
		write(t, filepath.Join(dir, "a.py"), "old\n")
		chmod(t, filepath.Join(dir, "a.py"), 0o666)
	})
	if !here {
		return
	}
	shared := recursive(dir)
	shared[0].Trust = api.TrustAnyone
	r := &rig{watch(t, shared, func(_ *Config, o *options) { o.reportAfter = 1500 * time.Millisecond }), dir}
	r.gets("a.py", "old\n")
	f, err := os.OpenFile(r.path("a.py"), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("one\n"); err != nil {
		t.Fatal(err)
	}
	r.until("a status that says that it waits", func() bool { return len(r.w.Status()[0].Waiting) == 1 })
	if _, err := f.WriteString("two\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r.gets("a.py", "one\ntwo\n")
	r.wantTexts("a.py", "old\n", "one\ntwo\n")
}

// Not parallel, for the same reason as TestServeMayBeCalledAgain.
func TestOtherBytesOfTheSameSizeAndTimeAreFound(t *testing.T) {
	stamps := map[string]Stamp{}
	r := prepare(t, func(c *Config, _ *options) {
		c.Known = func(path string) (Stamp, bool) { s, ok := stamps[filepath.Base(path)]; return s, ok }
	})
	age := func(name string) {
		t.Helper()
		if err := os.Chtimes(r.path(name), hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"same.py", "written.py", "replaced.py", "moved.py"}
	for _, name := range names {
		r.write(name, "one\n")
		age(name)
	}
	r.write("moved.txt", "two\n")
	age("moved.txt")
	for stop := r.serve(); stop != nil; stop = nil {
		stop()
	}
	for _, s := range r.saves {
		stamps[filepath.Base(s.Path)] = s.Stamp
	}
	if len(stamps) != len(names) {
		t.Fatalf("handed on: %v", stamps)
	}
	r.saves, r.scanned = nil, nil
	nextTick(t, r.path("moved.txt"))
	r.write("written.py", "two\n")
	age("written.py")
	r.write(".new", "two\n")
	age(".new")
	rename(t, r.path(".new"), r.path("replaced.py"))
	rename(t, r.path("moved.txt"), r.path("moved.py"))
	r.serve()
	r.settle()
	r.wantTexts("same.py")
	for _, name := range names[1:] {
		r.wantTexts(name, "two\n")
	}
}
