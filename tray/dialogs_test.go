//go:build !headless

package tray

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fyne.io/fyne/v2"

	"blendtray/tray/chooser"
)

// chooserOf stands for a person who chooses a path.
func chooserOf(path string) func(context.Context, chooser.Request) (string, error) {
	return func(context.Context, chooser.Request) (string, error) { return path, nil }
}

func TestAFolderIsChosenInTheDialogOfTheSystem(t *testing.T) {
	o := openWindow(t)
	folder := t.TempDir()
	var asked chooser.Request
	o.shell.cfg.Choose = func(_ context.Context, r chooser.Request) (string, error) {
		asked = r
		return folder, nil
	}
	press(o.folders.another)
	o.until("the folder is added", func() bool { return slices.Equal(o.owned.changes(), []string{"folder=" + folder}) })
	if asked.Kind != chooser.Folder || asked.Title == "" || o.choosing {
		t.Errorf("asked is %+v; still choosing: %v", asked, o.choosing)
	}
}

func TestWithoutASystemsDialogTheWindowShowsItsOwn(t *testing.T) {
	o := openWindow(t)
	o.shell.cfg.Choose = func(context.Context, chooser.Request) (string, error) { return "", chooser.ErrNone }
	for _, show := range []func(){
		func() { chooseFolder(o.window, "Watch", t.TempDir(), func(string) {}) },
		func() { chooseFile(o.window, "Choose", "", func(string) {}) },
		func() { saveFile(o.window, "Save", t.TempDir(), "a.blend", func(string) {}) },
	} {
		show()
		o.until("a dialog is there", o.covered)
		if o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape}); o.covered() {
			t.Error("Escape does not close it")
		}
	}
	// An error of the system's dialog is told, and a choice of nothing does nothing.
	o.shell.cfg.Choose = func(context.Context, chooser.Request) (string, error) { return "", errors.New("not on this machine") }
	chooseFile(o.window, "Choose", "", func(string) { t.Error("something was chosen") })
	o.until("it is told", func() bool { return o.dialogSays("on this machine") })
	o.shell.cfg.Choose = func(context.Context, chooser.Request) (string, error) { return "", nil }
	chooseFile(o.window, "Choose", "", func(string) { t.Error("something was chosen") })
	o.until("it is over", func() bool { return !o.choosing })
}

func TestASavedFileHasItsExtensionAndReplacesNothingUnasked(t *testing.T) {
	o := openWindow(t)
	folder, got := t.TempDir(), ""
	o.shell.cfg.Choose = func(context.Context, chooser.Request) (string, error) { return filepath.Join(folder, "scene"), nil }
	save := func() { saveFile(o.window, "Save", folder, "a.blend", func(path string) { got = path }) }
	save()
	want := filepath.Join(folder, "scene.blend")
	o.until("it has the extension", func() bool { return got == want })
	if err := os.WriteFile(want, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	got = ""
	save()
	o.until("it asks", o.covered)
	if got != "" {
		t.Errorf("%s is replaced unasked", got)
	}
	press(o.dialogButtons()["Replace"])
	if got != want {
		t.Errorf("chosen is %q", got)
	}
	for path, want := range map[string]string{"/a/b": "/a/b.blend", "/a/b.BLEND": "/a/b.BLEND", "/a/b.v2": "/a/b.v2.blend"} {
		if got := withExtension(path, ".blend"); got != want {
			t.Errorf("%s becomes %s", path, got)
		}
	}
}
