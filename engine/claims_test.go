package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"blendtray/api"
	"blendtray/watcher"
)

// claims is what stands for the claims of all engines.
type claims struct {
	mu      sync.Mutex
	other   bool  // another engine watches every folder
	fails   error // why no claim can be made
	made    []string
	current bool
}

type claim struct {
	*claims
	path string
}

func (c *claims) claim(path string, _ bool) (Claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.other {
		return nil, fmt.Errorf("process 7: %w", ErrClaimed)
	}
	if c.fails != nil {
		return nil, c.fails
	}
	c.made = append(c.made, path)
	return claim{c, path}, nil
}

func (c claim) Current() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

func (c claim) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = slices.DeleteFunc(c.made, func(path string) bool { return path == c.path })
}

func TestAFolderThatAnotherEngineWatchesIsNotWatchedUntilThatIsGone(t *testing.T) {
	t.Parallel()
	c := &claims{other: true, current: true}
	h := open(t, func(cfg *Config) { cfg.Claim = c.claim })
	if all := h.w.cfg.Folders; len(all) != 0 {
		t.Errorf("watched: %v", all)
	}
	if st := h.Status().Folders; len(st) != 1 || st[0].Path != h.watched || st[0].Method != "" || st[0].Error != "process 7: "+ErrClaimed.Error() || st[0].Waiting == nil {
		t.Errorf("status: %+v", st)
	}
	c.other = false
	h.renewClaims()
	if len(h.w.folders) != 1 || h.w.folders[0].Path != h.watched || len(h.Status().Folders) != 0 {
		t.Errorf("then watched: %v, status %+v", h.w.folders, h.Status().Folders)
	}
	c.current = false // another folder is there now
	c.other = true
	h.renewClaims()
	if len(h.w.folders) != 0 || len(c.made) != 0 {
		t.Errorf("the new folder is watched: %v, claims %v", h.w.folders, c.made)
	}
}

func TestAFolderThatComesIntoBeingIsClaimedBeforeItsFirstSave(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]bool{"free": false, "another engine was first": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &claims{current: true, fails: fs.ErrNotExist}
			h := open(t, func(cfg *Config) { cfg.Claim = c.claim })
			c.fails, c.other = nil, other
			h.serve()
			a := watcher.Save{Path: h.path("a.py"), Code: []byte("1")}
			h.arranging.Lock() // while the watcher is given other folders, the save is handed on again
			if h.w.give(a) {
				t.Error("it is taken without a claim")
			}
			h.arranging.Unlock()
			if other {
				if h.w.give(a) {
					t.Error("it is taken, and the other engine takes it, too")
				}
				eventually(t, "the folder is not watched", func() bool {
					h.arranging.Lock()
					defer h.arranging.Unlock()
					return h.w.folders != nil && len(h.w.folders) == 0
				})
				h.expect()
				return
			}
			eventually(t, "it is taken", func() bool { return h.w.give(a) })
			if c.mu.Lock(); !slices.Equal(c.made, []string{h.watched}) {
				t.Errorf("claims %v", c.made)
			}
			c.current = false // another folder is there now, and another engine was first
			c.other = true
			c.mu.Unlock()
			if h.w.give(watcher.Save{Path: h.path("b.py"), Code: []byte("1")}) {
				t.Error("a save in another folder of the same path is taken without a claim")
			}
		})
	}
}

func TestAFolderThatBecomesRecursiveIsClaimedAnew(t *testing.T) {
	t.Parallel()
	c := &claims{current: true}
	h := open(t, func(cfg *Config) { cfg.Claim = c.claim })
	c.other = true // which watches a folder in it
	settings := api.FolderSettings{WatchSettings: api.WatchSettings{Path: h.watched, Recursive: true}}
	if err := h.SetFolders([]api.FolderSettings{settings}); err != nil {
		t.Fatal(err)
	}
	if len(c.made) != 0 || len(h.w.folders) != 0 {
		t.Errorf("claims %v, watched %v", c.made, h.w.folders)
	}
}

func TestOfTwoNamesTheFirstIsClaimed(t *testing.T) {
	t.Parallel()
	c := &claims{current: true}
	h := open(t, func(cfg *Config) {
		cfg.Claim = c.claim
		for i := range 50 {
			path := filepath.Join(filepath.Dir(cfg.Database), fmt.Sprint(50-i))
			cfg.Folders = append(cfg.Folders, api.FolderSettings{WatchSettings: api.WatchSettings{Path: path}})
		}
	})
	if !slices.Equal(c.made, h.order) {
		t.Errorf("claims %v, settings %v", c.made, h.order)
	}
}

func TestAFolderThatCannotBeClaimedIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := &claims{fails: errors.New("no place")}
	h := open(t, func(cfg *Config) { cfg.Claim, cfg.Logger = c.claim, slog.New(slog.NewTextHandler(&log, nil)) })
	times := func(text string, want int) {
		t.Helper()
		h.renewClaims()
		h.renewClaims()
		if got := strings.Count(log.String(), text); got != want {
			t.Errorf("%q is logged %d times, want %d", text, got, want)
		}
	}
	times("no place", 1)
	c.fails = errors.New("no room")
	times("no room", 1)
	c.fails, c.current = nil, true
	times("no room", 1)
	c.fails, c.current = errors.New("no place"), false
	times("no place", 2)
	if len(h.w.cfg.Folders) != 1 {
		t.Error("it is not watched")
	}
}

func TestClaimsAreReleased(t *testing.T) {
	t.Parallel()
	c := &claims{current: true}
	h := open(t, func(cfg *Config) { cfg.Claim = c.claim }).serve()
	if !slices.Equal(c.made, []string{h.watched}) {
		t.Errorf("claims %v", c.made)
	}
	if err := h.SetFolders(nil); err != nil {
		t.Fatal(err)
	}
	if len(c.made) != 0 {
		t.Errorf("a folder that is not watched any more is claimed: %v", c.made)
	}
	if err := h.SetFolders([]api.FolderSettings{{WatchSettings: api.WatchSettings{Path: h.watched}}}); err != nil {
		t.Fatal(err)
	}
	h.stop()
	if len(c.made) != 0 {
		t.Errorf("an engine that has ended claims %v", c.made)
	}
	cfg := h.cfg
	cfg.Blenders = []api.BlenderSpec{{}}
	if _, err := Open(cfg); !errors.Is(err, api.ErrBad) || len(c.made) != 0 {
		t.Errorf("an engine that was not opened claims %v, %v", c.made, err)
	}
}
