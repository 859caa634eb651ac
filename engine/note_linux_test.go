package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/blender"
)

// openJournals returns how many files of the journals' folder this process has open.
func (h *house) openJournals() (n int) {
	h.t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, entry := range entries {
		file, _ := os.Readlink(filepath.Join("/proc/self/fd", entry.Name())) // it may be closed meanwhile
		if strings.HasPrefix(file, h.cfg.JournalDir+string(filepath.Separator)) {
			n++
		}
	}
	return n
}

func TestNoJournalStaysOpenButThoseThatAreKept(t *testing.T) {
	t.Parallel()
	h := noting(t)
	for _, end := range []func(c *call){
		func(c *call) { c.plain(t) },
		func(c *call) { c.finish(blender.Succeeded) },
		func(c *call) { c.writes(t, "child"); c.plain(t) },
		func(c *call) { os.Remove(c.req.Journal); c.finish(blender.Succeeded) },
		func(c *call) {
			h.refuse(c)
			h.sendNext().plain(t)
		},
		func(c *call) {
			h.pragma(faults["read-only"].begin)
			h.refuse(c) // its journal says that it waits
			h.pragma(faults["read-only"].end)
			h.sendNext().plain(t)
		},
		func(c *call) {
			h.pragma(faults["read-only"].begin)
			c.finish(blender.Crashed)
			h.ended(c.req.ID) // its journal says so
			h.pragma(faults["read-only"].end)
		},
	} {
		c := h.send(api.Submission{Code: []byte("a")})
		end(c)
		h.ended(c.req.ID)
		if err := h.writeUnsaved(); err != nil {
			t.Fatal(err)
		}
		h.spares.mu.Lock()
		kept := len(h.spares.all)
		h.spares.mu.Unlock()
		if n := h.openJournals(); n != kept {
			t.Errorf("after run %s %d journals are open, and %d are kept", c.req.ID, n, kept)
		}
		h.mu.Lock() // a crash makes the session one that is not quick
		h.load.quick[line{sessionLine, "s", api.DefaultBlender}] = true
		h.mu.Unlock()
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if n := h.openJournals(); n != 0 {
		t.Errorf("%d journals are open after the end of the engine", n)
	}
}
