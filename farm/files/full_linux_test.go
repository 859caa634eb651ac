package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a disk of its own of so many bytes and returns its folder. Only root may.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		// Nothing else fills a disk: the test of the error's text is all that is left.
		if err := diskError(unix.ENOSPC); !errors.Is(err, ErrDiskFull) || passes(err) {
			t.Errorf("the error is %v", err)
		}
		return
	}
	f := newFarm(t)
	s := f.store()
	c, err := OpenCache(filepath.Join(smallDisk(t, "8m"), "cache"), func() int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	used := c.get(t, s, send(t, f.store(), map[string][]byte{"a": random(1, 2<<20)}))
	idle := send(t, f.store(), map[string][]byte{"a": random(2, 3<<20)})
	c.get(t, s, idle).Release()
	// What no run uses makes room.
	list := send(t, f.store(), map[string][]byte{"a": random(3, 4<<20)})
	out, err := c.CheckOut(t.Context(), s, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	// And here nothing does.
	list = send(t, f.store(), map[string][]byte{"a/b.png": random(4, 4<<20)})
	if _, err := c.CheckOut(t.Context(), s, list, nil); !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "a/b.png") {
		t.Errorf("the error is %v", err)
	}
	if used.read(t, "a") != string(random(1, 2<<20)) || out.read(t, "a") != string(random(3, 4<<20)) {
		t.Error("files that are used are others")
	}
	if left, err := os.ReadDir(c.incoming()); err != nil || len(left) > 0 {
		t.Errorf("left half done: %v %v", left, err)
	}
	out.Release()
	again := c.get(t, s, list)
	if again.read(t, "a/b.png") != string(random(4, 4<<20)) {
		t.Error("the file is another")
	}
	// The same for what a person has brought to a full disk.
	to := smallDisk(t, "1m")
	blob, err := s.PutBytes(t.Context(), random(5, 2<<20))
	if err != nil {
		t.Fatal(err)
	}
	if err := Receive(t.Context(), s, []Entry{{"0001.png", blob}}, to); !errors.Is(err, ErrDiskFull) {
		t.Errorf("the error is %v", err)
	}
	if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
		t.Errorf("left half done: %v %v", left, err)
	}
}
