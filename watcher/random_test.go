package watcher

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWhateverHappensTheLastSaveIsHandedOn does what programs and persons do, in random order, and
// compares what was handed on last of each script with what is on the disk.
func TestWhateverHappensTheLastSaveIsHandedOn(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]set{
		"the system's best":         methods["the system's best"],
		"without asking who writes": methods["without asking who writes"],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 1))
			dir := filepath.Join(t.TempDir(), "root")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			h := watch(t, recursive(dir), method, func(_ *Config, o *options) {
				o.checkEvery, o.retryEvery, o.pollEvery = 50*time.Millisecond, 10*time.Millisecond, 50*time.Millisecond
			})
			sub := func() string { return filepath.Join(dir, fmt.Sprintf("d%d", random.IntN(4))) }
			file := func() string { return filepath.Join(sub(), fmt.Sprintf("s%d.py", random.IntN(4))) }
			for n := range 600 {
				text := script(n, 1+random.IntN(30))
				path := file()
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					t.Fatal(err)
				}
				var err error
				switch random.IntN(16) {
				case 0, 1, 2, 3:
					_, err = writeRename(path, text)
				case 4, 5, 6, 7:
					_, err = writeTruncate(path, text)
				case 8:
					_, err = writeChunks(path, text, time.Millisecond)
				case 9: // as cp -p does
					if _, err = writeRename(path, text); err == nil {
						err = os.Chtimes(path, hourAgo, hourAgo)
					}
				case 10:
					err = os.RemoveAll(filepath.Dir(path))
				case 11:
					if err = os.RemoveAll(filepath.Dir(path)); err == nil {
						if err = os.Mkdir(filepath.Dir(path), 0o777); err == nil {
							_, err = writeTruncate(path, text)
						}
					}
				case 12:
					to := sub()
					if err = os.RemoveAll(to); err == nil && to != filepath.Dir(path) {
						err = os.Rename(filepath.Dir(path), to)
					}
				case 13:
					target := file()
					if _, e := os.Lstat(target); e == nil && target != path {
						err = os.Rename(target, path)
					}
				case 14:
					_ = os.Remove(path)
				case 15:
					if random.IntN(10) == 0 {
						if err = os.RemoveAll(dir); err == nil {
							err = os.Mkdir(dir, 0o777)
						}
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				if n%100 == 99 {
					h.agrees(dir)
				}
			}
		})
	}
}

// agrees waits until each script in dir was handed on last with the bytes that it has.
func (h *harness) agrees(dir string) {
	h.t.Helper()
	want := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".py" {
			return err
		}
		code, err := os.ReadFile(path)
		want[path] = string(code)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	for path, code := range want {
		h.wants(path, code)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.saves {
		var version, line, lines int
		if _, err := fmt.Sscanf(string(s.Code), "version %d line %d of %d\n", &version, &line, &lines); err != nil || string(s.Code) != script(version, lines) {
			h.t.Errorf("%s was handed on torn: %d bytes", s.Path, len(s.Code))
		}
	}
}
