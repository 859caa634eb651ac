package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"blendtray/api"
	"blendtray/blender"
)

// mount gives the test a small disk of its own.
func mount(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a disk of its own can be had by root alone: %v; the other tests of faults bring them about by SQLite", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestOnAFullDiskNothingIsLostAndTheEngineLives(t *testing.T) {
	t.Parallel()
	dir := mount(t, "2m")
	h := openIn(t, Config{Database: filepath.Join(dir, "runs.db")}).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.submit("1")
	running := h.call()
	running.sink.Output(bytes.Repeat([]byte("x"), 500_000))
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	_, err := h.Submit(ctx, api.Submission{Code: bytes.Repeat([]byte("# much\n"), 50_000)})
	if !errors.Is(err, api.ErrStorage) || !strings.Contains(err.Error(), "full") {
		t.Errorf("submit: %v", err)
	}
	running.finish(blender.Succeeded)
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "not written down yet") })
	if r := h.run("1"); r.State != api.Succeeded || len(r.Output) != 500_000 {
		t.Errorf("1: %s, %d bytes", r.State, len(r.Output))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	await(t, sub, "note", func(ev api.Event) bool { return ev.Message == "run 1 is written down now" })
	h.submit("2")
	h.call().finish(blender.Succeeded)
	h.ended("2")
	h = h.again()
	h.expect("1 <message> succeeded", "2 <message> succeeded")
	if n := len(h.run("1").Output); n != 500_000 {
		t.Errorf("%d bytes of output", n)
	}
}

func TestAReadOnlyDiskIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()
	dir := mount(t, "8m")
	h := openIn(t, Config{Database: filepath.Join(dir, "runs.db")})
	h.submit("1")
	if err := h.Engine.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := Open(h.cfg)
	if err == nil || !strings.Contains(err.Error(), h.cfg.Database) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("open: %v", err)
	}
	if aside, _ := filepath.Glob(h.cfg.Database + ".*"); len(aside) != 0 {
		t.Errorf("it was moved aside: %v", aside)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	h = openIn(t, h.cfg)
	h.expect("1 <message> queued")
}

// A file that can't be removed stands for a file that a process has open on Windows.
func TestAJournalThatCannotBeRemovedBringsNoRunBack(t *testing.T) {
	t.Parallel()
	h := noting(t)
	c := h.send(api.Submission{Code: []byte("a")})
	f, err := os.OpenFile(c.req.Journal, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h.turn.Lock()
	h.running[1].journal.path = fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	h.turn.Unlock()
	c.sink.Output([]byte("x"))
	c.writes(t, "begun\nchild") // it is not kept for another run
	c.finish(blender.Succeeded)
	h.ended("1")
	if err := h.DeleteRun(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	h.die().expect()
}
