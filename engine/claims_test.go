package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"blendtray/api"
)

// claims is what stands for the claims of all engines.
type claims struct {
	mu      sync.Mutex
	other   bool // another engine watches every folder
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
