//go:build unix

package watcher

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"blendtray/api"
)

// other is the number of a user that every machine has and that is neither root nor the user of
// the tests.
const other = 65534

// asRoot fails a test that needs files of another user.
func asRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test makes files of another user, so it must run as root; CI does")
	}
}

// asOther runs a command of the shell as the other user.
func asOther(t testing.TB, command string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "umask 022; "+command)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: other, Gid: other}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// reachable returns a folder of the test into which every user may go.
func reachable(t testing.TB) string {
	t.Helper()
	top := t.TempDir()
	for dir := top; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		chmod(t, dir, 0o755)
	}
	return top
}

func chmod(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
	return path
}

func chown(t testing.TB, path string, uid, gid int) {
	t.Helper()
	if err := os.Lchown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, target, path string) string {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return path
}

const sticky = os.ModeSticky

func TestAFolderIsTrustedWhenNobodyElseCanChangeIt(t *testing.T) {
	asRoot(t)
	for name, c := range map[string]struct {
		make func(t *testing.T, top string) string
		says string // "" when the folder is trusted
	}{
		"of this user alone": {func(t *testing.T, top string) string { return mkdir(t, top+"/a", 0o755) }, ""},
		"open to all":        {func(t *testing.T, top string) string { return mkdir(t, top+"/a", 0o777) }, "everybody may write to"},
		"sticky":             {func(t *testing.T, top string) string { return mkdir(t, top+"/a", 0o777|sticky) }, "everybody may write to"},
		"of somebody else": {func(t *testing.T, top string) string {
			dir := mkdir(t, top+"/a", 0o755)
			chown(t, dir, other, other)
			return dir
		}, "belongs to the user nobody"},
		"below a folder that is open to all": {func(t *testing.T, top string) string {
			return mkdir(t, mkdir(t, top+"/a", 0o777)+"/b", 0o755)
		}, "everybody may write to"},
		"below a sticky folder": {func(t *testing.T, top string) string {
			return mkdir(t, mkdir(t, top+"/a", 0o777|sticky)+"/b", 0o755)
		}, ""},
		"somebody else's below a sticky folder": {func(t *testing.T, top string) string {
			dir := mkdir(t, mkdir(t, top+"/a", 0o777|sticky)+"/b", 0o755)
			chown(t, dir, other, other)
			return dir
		}, "belongs to"},
		"below a folder of somebody else": {func(t *testing.T, top string) string {
			dir := mkdir(t, mkdir(t, top+"/a", 0o755)+"/b", 0o755)
			chown(t, top+"/a", other, other)
			return dir
		}, "belongs to"},
		"of a group of others": {func(t *testing.T, top string) string {
			dir := mkdir(t, top+"/a", 0o775)
			chown(t, dir, 0, other)
			return dir
		}, "the group nogroup may write to"},
		"of a group of nobody": {func(t *testing.T, top string) string {
			dir := mkdir(t, top+"/a", 0o775)
			chown(t, dir, 0, 3999999999)
			return dir
		}, "the group 3999999999 may write to"},
		"of a group of this user alone": {func(t *testing.T, top string) string { return mkdir(t, top+"/a", 0o775) }, ""},
		"behind a link": {func(t *testing.T, top string) string {
			mkdir(t, top+"/a", 0o755)
			return link(t, "a/../a", top+"/l")
		}, ""},
		"behind a link in a folder that is open to all": {func(t *testing.T, top string) string {
			mkdir(t, top+"/a", 0o755)
			return link(t, top+"/a", mkdir(t, top+"/open", 0o777)+"/l")
		}, "everybody may write to"},
		"behind a link through a folder that is open to all": {func(t *testing.T, top string) string {
			mkdir(t, top+"/a", 0o755)
			link(t, top+"/a", mkdir(t, top+"/open", 0o777)+"/l")
			return link(t, "open/l", top+"/m")
		}, "everybody may write to"},
		"behind somebody else's link in a sticky folder": {func(t *testing.T, top string) string {
			mkdir(t, top+"/a", 0o755)
			l := link(t, top+"/a", mkdir(t, top+"/s", 0o777|sticky)+"/l")
			chown(t, l, other, other)
			return l
		}, "the link"},
		"behind this user's link in a sticky folder": {func(t *testing.T, top string) string {
			mkdir(t, top+"/a", 0o755)
			return link(t, top+"/a", mkdir(t, top+"/s", 0o777|sticky)+"/l")
		}, ""},
		"behind a circle": {func(t *testing.T, top string) string { return link(t, "l", top+"/l") }, "where the link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := distrust(c.make(t, t.TempDir()))
			if (why == "") != (c.says == "") || !strings.Contains(why, c.says) {
				t.Errorf("it says %q, want %q", why, c.says)
			}
		})
	}
}

func TestAGroupIsPrivateWhenItHasNoOtherMember(t *testing.T) {
	t.Parallel()
	me := os.Getuid()
	users := []string{"root:x:0:0::/root:/bin/sh", fmt.Sprintf("me:x:%d:4001::/:/bin/sh", me), "bob:x:4002:4002::/:/bin/sh", "eve:x:4003:4004::/:/bin/sh"}
	for group, want := range map[string]bool{
		"mine:x:4001:":         true,
		"mine:x:4001:root":     true,
		"mine:x:4001:bob":      false,
		"both:x:4001:root,bob": false,
		"bob:x:4002:":          false, // the group of another user
		"root:x:4004:root":     false, // eve is in it without being named
		"some:x:4005:root":     true,
		"none:x:4006:":         false,
		"strange":              false,
	} {
		gid := uint32(4001)
		if fields := strings.Split(group, ":"); len(fields) > 2 {
			if _, err := fmt.Sscan(fields[2], &gid); err != nil {
				t.Fatal(err)
			}
		}
		c := groupCache{ask: func(database, _ string) ([]string, error) {
			if database == "group" {
				return []string{group}, nil
			}
			return users, nil
		}}
		if got := c.private(gid); got != want {
			t.Errorf("%s is private: %v", group, got)
		}
	}
	silent := groupCache{ask: func(string, string) ([]string, error) { return nil, errors.New("no answer") }}
	if silent.private(4001) {
		t.Error("a group that the system does not know is private")
	}
}

// refusal waits until the status of the only folder has a text, and returns the status.
func (h *harness) refusal(text string) (st api.FolderStatus) {
	h.t.Helper()
	h.until("a status with "+text, func() bool {
		st = h.w.Status()[0]
		return strings.Contains(st.Error, text) && st.Refused > 0
	})
	if !strings.Contains(st.Error, "blendtray folder set") || !strings.Contains(st.Error, "--trust anyone") {
		h.t.Errorf("it does not say what to do: %s", st.Error)
	}
	return st
}

func (h *harness) noRefusal() {
	h.t.Helper()
	h.until("a status without a refusal", func() bool {
		st := h.w.Status()[0]
		return st.Refused == 0 && st.Error == "" && st.Method != ""
	})
}

func TestAFolderThatOthersMayWriteToIsNotWatched(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := mkdir(t, reachable(t)+"/open folder", 0o777|sticky)
	path := filepath.Join(dir, "theirs.py")
	h := watchUntil(t, api.WatchSettings{Path: dir, Recursive: true})
	if st := h.refusal("everybody may write to"); st.Method != "" || !strings.Contains(st.Error, "'"+dir+"'") {
		t.Errorf("it is %+v", st)
	}
	asOther(t, "echo 'print(1)' > '"+path+"'")
	h.nothing(path)
	chmod(t, dir, 0o755)
	h.refusal("belongs to the user nobody") // the folder is watched now; the file is theirs
	h.nothing(path)
	mine := filepath.Join(dir, "mine.py")
	write(t, mine, "print(2)\n")
	h.wants(mine, "print(2)\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	h.noRefusal()
	// A mode that is changed while the folder is watched counts, too.
	chmod(t, dir, 0o777)
	asOther(t, "echo 'print(3)' > '"+path+"'")
	h.refusal("everybody may write to")
	h.nothing(path)
}

func TestAFolderThatSomebodyElseMakesIsNotWatched(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := filepath.Join(mkdir(t, reachable(t)+"/tmp", 0o777|sticky), "later")
	h := watchUntil(t, api.WatchSettings{Path: dir, Recursive: true})
	h.until("a status", func() bool { return strings.Contains(h.w.Status()[0].Error, "does not exist") })
	asOther(t, "mkdir "+dir+" && echo 'print(1)' > "+dir+"/a.py")
	h.refusal("belongs to the user nobody")
	h.nothing(filepath.Join(dir, "a.py"))
}

func TestAFolderInAFolderIsRefusedAlone(t *testing.T) {
	t.Parallel()
	asRoot(t)
	top := reachable(t)
	inner := mkdir(t, top+"/inner", 0o777)
	h := watch(t, []api.WatchSettings{{Path: top, Recursive: true}})
	if st := h.refusal(inner); st.Method == "" {
		t.Errorf("all of it is refused: %+v", st)
	}
	theirs, mine := filepath.Join(inner, "theirs.py"), filepath.Join(top, "mine.py")
	asOther(t, "echo 'print(1)' > "+theirs)
	write(t, mine, "print(2)\n")
	h.wants(mine, "print(2)\n")
	h.nothing(theirs)
	// Made while its parent is watched.
	later := mkdir(t, top+"/later", 0o755)
	chown(t, later, other, other)
	asOther(t, "echo 'print(3)' > "+later+"/a.py")
	h.until("two refusals", func() bool { return h.w.Status()[0].Refused >= 2 })
	h.nothing(later + "/a.py")
	// As soon as nobody else may write there, it is watched.
	if err := os.Remove(theirs); err != nil {
		t.Fatal(err)
	}
	chmod(t, inner, 0o755)
	own := filepath.Join(inner, "own.py")
	h.until("the folder is watched", func() bool { return !strings.Contains(h.w.Status()[0].Error, inner) })
	write(t, own, "print(4)\n")
	h.wants(own, "print(4)\n")
}

func TestAFileThatOthersMayWriteToIsNotRun(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for _, method := range []string{"events", "poll"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			top := reachable(t)
			dir := mkdir(t, top+"/watched", 0o755)
			f := api.WatchSettings{Path: dir, Recursive: true}
			if method == "poll" {
				f.Poll = api.Duration(20_000_000)
			}
			h := watch(t, []api.WatchSettings{f})
			path := filepath.Join(dir, "a.py")
			put := func(change func(path string)) {
				t.Helper()
				fresh := filepath.Join(dir, "_new")
				write(t, fresh, "print(1)\n")
				change(fresh)
				if err := os.Rename(fresh, path); err != nil {
					t.Fatal(err)
				}
			}
			put(func(p string) { chmod(t, p, 0o666) })
			h.refusal("everybody may write to it")
			put(func(p string) { chown(t, p, other, other) })
			h.refusal("it belongs to the user nobody")
			put(func(p string) { chown(t, p, 0, other); chmod(t, p, 0o664) })
			h.refusal("the group nogroup may write to it")
			open := mkdir(t, top+"/open", 0o777)
			write(t, open+"/target.py", "print(1)\n")
			put(func(p string) {
				if err := os.Remove(p); err != nil {
					t.Fatal(err)
				}
				link(t, "../open/target.py", p)
			})
			h.refusal("everybody may write to " + open)
			h.nothing(path)
			put(func(p string) { chmod(t, p, 0o664) }) // of root's group, in which only root is
			h.wants(path, "print(1)\n")
			h.noRefusal()
		})
	}
}

func TestAFolderThatAPersonTrustsRunsWhatOthersSave(t *testing.T) {
	t.Parallel()
	asRoot(t)
	dir := mkdir(t, reachable(t)+"/share", 0o777|sticky)
	f := api.WatchSettings{Path: dir, Recursive: true}
	h := watchUntil(t, f)
	h.refusal("everybody may write to")
	f.Trust = api.TrustAnyone
	if err := h.w.SetFolders([]api.WatchSettings{f}); err != nil {
		t.Fatal(err)
	}
	h.noRefusal()
	path := filepath.Join(dir, "theirs.py")
	asOther(t, "mkdir "+dir+"/sub && chmod 777 "+dir+"/sub && echo 'print(1)' > "+path+" && echo 'print(2)' > "+dir+"/sub/b.py")
	h.wants(path, "print(1)\n")
	h.wants(dir+"/sub/b.py", "print(2)\n")
	h.noRefusal()
}

// watchUntil starts a watcher on a folder that it will not scan.
func watchUntil(t testing.TB, f api.WatchSettings) *harness {
	t.Helper()
	h := newHarness(t, []api.WatchSettings{f})
	serve(t, h.w)
	return h
}

func TestWhatIsRefusedHidesNothingElseThatIsWrong(t *testing.T) {
	t.Parallel()
	r := prepare(t, func(c *Config, _ *options) { c.MaxFileBytes = 1000 })
	r.write("large.py", strings.Repeat("#", 1001))
	r.write("open.py", "open\n")
	chmod(t, r.path("open.py"), 0o666)
	r.serve()
	large := r.path("large.py") + " is not read: its 1001 bytes are more than the 1000 that a script may have"
	r.until("a status that tells both", func() bool {
		first, second, _ := strings.Cut(r.w.Status()[0].Error, "\n")
		return strings.Contains(first, "open.py") && second == large
	})
}
