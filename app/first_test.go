//go:build !headless

package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/app/home"
	"blendtray/examples"
)

// firstHome returns a home in which nothing was started yet. The test sets the environment of its
// process, so it is not parallel.
func firstHome(t *testing.T) (home.Paths, string) {
	t.Helper()
	user := t.TempDir()
	t.Setenv("HOME", user)
	t.Setenv("USERPROFILE", user)
	t.Setenv("BLENDTRAY_HOME", filepath.Join(user, "bt"))
	paths, err := home.Find()
	if err != nil {
		t.Fatal(err)
	}
	if err := paths.Make(); err != nil {
		t.Fatal(err)
	}
	return paths, filepath.Join(user, "Blendtray", "first_light.py")
}

func TestTheExampleIsPutByTheNextStartWhenTheFirstHasFailed(t *testing.T) {
	paths, want := firstHome(t)
	starts := func(example string) {
		t.Helper()
		got, err := firstStart(paths)
		if err != nil || got != example {
			t.Fatalf("to put is %q, want %q: %v", got, example, err)
		}
	}
	starts(want)
	// The engine could not be opened, and the program has ended: the settings are there, and the example is not.
	starts(want)
	if err := os.Remove(paths.SettingsFile()); err != nil { // nor could the settings be written
		t.Fatal(err)
	}
	starts(want)
	text, err := os.ReadFile(paths.SettingsFile())
	if err != nil || !strings.Contains(string(text), "Blendtray") {
		t.Errorf("the settings are %q: %v", text, err)
	}
	// It was put, and the program ended before it could note that.
	if err := os.WriteFile(want, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	starts("")
	if first, ok := readFirst(paths); !ok || !first.Put {
		t.Errorf("noted is %+v", first)
	}
	// A person who removes the example does not get it again.
	if err := os.Remove(want); err != nil {
		t.Fatal(err)
	}
	starts("")
}

func TestAPersonWhoHasTheExampleOrSettingsGetsNone(t *testing.T) {
	paths, example := firstHome(t)
	if err := os.MkdirAll(filepath.Dir(example), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(example, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := firstStart(paths); err != nil || got != "" {
			t.Errorf("to put is %q: %v", got, err)
		}
	}
	if first, _ := readFirst(paths); first.Example != "" {
		t.Errorf("noted is %+v", first)
	}
	paths, example = firstHome(t)
	if err := os.WriteFile(paths.SettingsFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := firstStart(paths); err != nil || got != "" {
		t.Errorf("with settings, to put is %q: %v", got, err)
	}
	if _, err := os.Stat(filepath.Dir(example)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with settings, a folder is made: %v", err)
	}
}

func TestAnEngineThatCouldNotBeOpenedLosesNoExample(t *testing.T) {
	paths, example := firstHome(t)
	e := &env{Context: t.Context(), terminal: &terminal{err: os.Stderr}}
	// What is in the place of the database can't be opened.
	if err := os.MkdirAll(filepath.Join(paths.Database(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := newOwnEngine(t.Context(), e, paths)
	if err := o.start(); err == nil {
		t.Fatal("the engine is open")
	}
	if err := os.RemoveAll(paths.Database()); err != nil {
		t.Fatal(err)
	}
	if got, err := firstStart(paths); err != nil || got != example {
		t.Errorf("to put at the next start is %q: %v", got, err)
	}
}

func TestTheExampleAndTheFirstPageAreNotedByTwoProcesses(t *testing.T) {
	paths, example := firstHome(t)
	if got, err := firstStart(paths); err != nil || got != example {
		t.Fatalf("to put is %q: %v", got, err)
	}
	// A person reads the page before the example is put, and has put a file of that name there.
	host := &trayHost{paths: paths}
	if err := host.ReadFirst(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(example, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mine", string(examples.FirstLight)} {
		if err := writeExample(paths, example); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(example); err != nil || string(text) != want {
			t.Errorf("the file is %.40q, %v, want %.40q", text, err, want)
		}
		if first, ok := readFirst(paths); !ok || first != (firstTime{Example: example, Put: true, Read: true}) {
			t.Errorf("noted is %+v", first)
		}
		if err := os.Remove(example); err != nil {
			t.Fatal(err)
		}
	}
	// Both at the same time.
	for range 20 {
		if err := os.Remove(paths.FirstFile()); err != nil {
			t.Fatal(err)
		}
		if err := (firstTime{Example: example}).save(paths); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() { read <- host.ReadFirst() }()
		if err := errors.Join(notePut(paths, example), <-read); err != nil {
			t.Fatal(err)
		}
		if first, ok := readFirst(paths); !ok || !first.Put || !first.Read {
			t.Fatalf("noted is %+v", first)
		}
	}
}
