package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestASavedScriptIsHandedOnWithItsBytes(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.write("a.py", "print(1)\n")
	s := r.gets("a.py", "print(1)\n")
	if s.Scan || s.Folder != r.dir {
		t.Errorf("got %+v", s)
	}
	r.write("a.py", "print(2)\n")
	r.gets("a.py", "print(2)\n")
	r.drained()
	r.wantTexts("a.py", "print(1)\n", "print(2)\n")
}

func TestTheSameBytesSavedAgainAreHandedOnAgain(t *testing.T) {
	t.Parallel()
	r := start(t)
	for n := range 20 {
		r.write("a.py", "same\n")
		r.getsCount("a.py", n+1)
	}
	if err := os.Remove(r.path("a.py")); err != nil {
		t.Fatal(err)
	}
	r.write("a.py", "same\n")
	r.getsCount("a.py", 21)
}

func TestTenThousandFilesInABurstAllArrive(t *testing.T) {
	t.Parallel()
	r := start(t)
	const count = 10_000
	for n := range count {
		if n%1000 == 0 {
			r.mkdir(fmt.Sprintf("d%d", n/1000))
		}
		r.write(fmt.Sprintf("d%d/f%d.py", n/1000, n), fmt.Sprintf("n = %d\n", n))
	}
	r.until("all files", func() bool { return len(r.saves) >= count })
	r.drained()
	r.mu.Lock()
	defer r.mu.Unlock()
	byPath := map[string]int{}
	for _, s := range r.saves {
		var n int
		if _, err := fmt.Sscanf(string(s.Code), "n = %d\n", &n); err == nil {
			if filepath.Base(s.Path) != fmt.Sprintf("f%d.py", n) {
				t.Fatalf("%s has the bytes of another", s.Path)
			}
			byPath[s.Path]++
		}
	}
	if len(byPath) != count {
		t.Errorf("%d of %d arrived", len(byPath), count)
	}
	for path, n := range byPath {
		if n != 1 {
			t.Errorf("%s arrived %d times", path, n)
		}
	}
}
