package addon

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// treeOf returns every file and folder below dir, with the content of the files.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || d.IsDir() {
			all[name] = "folder"
			return err
		}
		text, err := os.ReadFile(path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func stateOf(t *testing.T, dir string, want State) Installed {
	t.Helper()
	in, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if in.State != want {
		t.Errorf("it is %q, want %q", in.State, want)
	}
	return in
}

func TestUninstallLeavesAFolderAsItWas(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(scripts string){
		"nothing at all": func(string) {},
		"other add-ons":  func(scripts string) { put(t, filepath.Join(scripts, "addons", "other", "__init__.py"), "1") },
		"another of that name": func(scripts string) {
			put(t, filepath.Join(scripts, "addons", Name, "__init__.py"), "# mine")
			put(t, filepath.Join(scripts, "addons", Name, "sub", "data.bin"), "\x00\x01")
		},
		"one file of that name": func(scripts string) { put(t, filepath.Join(scripts, "addons", Name), "odd") },
	} {
		top := t.TempDir()
		scripts := filepath.Join(top, "scripts")
		prepare(scripts)
		before := treeOf(t, top)
		dir := filepath.Join(scripts, "addons")
		_, err := Install(dir, "auto", false)
		if strings.Contains(name, "of that name") {
			if !errors.Is(err, ErrForeign) {
				t.Errorf("%s: %v", name, err)
			}
			if !maps.Equal(treeOf(t, top), before) {
				t.Errorf("%s: it was not left alone", name)
			}
			if _, err := Uninstall(dir); !errors.Is(err, ErrForeign) {
				t.Errorf("%s: uninstall: %v", name, err)
			}
			_, err = Install(dir, "auto", true)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		stateOf(t, dir, Current)
		// An update does not forget the add-on that was there before the first installation.
		if kept, err := Install(dir, "posix", false); err != nil || kept != "" {
			t.Errorf("%s: again: %v, kept %q", name, err, kept)
		}
		if in := stateOf(t, dir, Current); in.Loop != "posix" {
			t.Errorf("%s: the loop is %q", name, in.Loop)
		}
		put(t, filepath.Join(dir, Name, "__pycache__", "x.pyc"), "byte-code") // by Python
		if kept, err := Uninstall(dir); err != nil || kept != "" {
			t.Errorf("%s: uninstall: %v, kept %q", name, err, kept)
		}
		if after := treeOf(t, top); !maps.Equal(after, before) {
			t.Errorf("%s: before %q, after %q", name, before, after)
		}
	}
}

func TestWhatAPersonHasChangedIsKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "addons")
	change := func() {
		t.Helper()
		put(t, filepath.Join(dir, Name, "server.py"), "# changed")
		stateOf(t, dir, Modified)
	}
	isKept := func(kept string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(kept, "server.py")); err != nil || string(text) != "# changed" {
			t.Errorf("kept in %q: %q, %v", kept, text, err)
		}
	}
	if _, err := Install(dir, "auto", false); err != nil {
		t.Fatal(err)
	}
	change()
	isKept(Install(dir, "auto", false))
	stateOf(t, dir, Current)
	change()
	isKept(Uninstall(dir))
	stateOf(t, dir, Missing)
	if _, err := Uninstall(dir); !errors.Is(err, ErrMissing) {
		t.Errorf("twice: %v", err)
	}
}

func TestOtherVersionsAreKnown(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "addons")
	for version, want := range map[string]State{"0.0.9": Older, "99.0.0": Newer} {
		put(t, filepath.Join(dir, Name, "__init__.py"), "other")
		put(t, filepath.Join(dir, Name, markFile), `{"version": "`+version+`", "loop": "auto", "files": {"__init__.py": "`+hashOf([]byte("other"))+`"}}`)
		if in := stateOf(t, dir, want); in.Version != version {
			t.Errorf("version %q", in.Version)
		}
		if kept, err := Install(dir, "auto", false); err != nil || kept != "" {
			t.Errorf("over %s: %v, kept %q", version, err, kept)
		}
		stateOf(t, dir, Current)
		if _, err := Uninstall(dir); err != nil {
			t.Error(err)
		}
	}
}
