//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"

	"blendtray/api"
)

func TestTwoHomesOnOneFolderRunEachSaveOnce(t *testing.T) {
	first := started(t, "")
	second := newProgram(t, "")
	second.folder = first.folder
	link := second.home + ".link"
	if err := os.Symlink(first.folder, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(second.config, []byte("[[folder]]\npath = '"+link+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second.start()
	second.eventually("it says who watches", func() bool {
		s, ok := second.status()
		return ok && len(s.Folders) == 1 && strings.Contains(s.Folders[0].Error, "another engine watches it") && strings.Contains(s.Folders[0].Error, first.home)
	})
	path := first.save("a.py", "result = 1")
	if run := first.lastOf(path); run.State != api.Succeeded {
		t.Errorf("%+v", run)
	}
	if runs := second.runs(); len(runs) != 0 {
		t.Errorf("the second engine has run it too: %+v", runs)
	}
	first.terminate()
	second.eventually("the folder is watched", func() bool {
		s, _ := second.status()
		return s.Folders[0].Error == "" && s.Folders[0].Method == "inotify"
	})
	first.save("b.py", "result = 2")
	second.eventually("it runs", func() bool { return len(second.runs("--state", "succeeded")) == 1 })
}

func TestAnEngineWhoseHomeIsRemovedEnds(t *testing.T) {
	p := started(t, "")
	if err := os.RemoveAll(p.home); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	p.eventually("it has ended", func() bool {
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(p.printed(), "home of this engine was removed") {
				t.Errorf("%v", err)
			}
			return true
		default:
			return false
		}
	})
}
