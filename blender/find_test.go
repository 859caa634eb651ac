//go:build unix

package blender

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestTheFinderSortsAndAsks(t *testing.T) {
	t.Parallel()
	found, err := Find(context.Background(), "/nonexistent/blender")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 2 || found[0].Path != "/nonexistent/blender" || found[0].Error == "" {
		t.Fatalf("found %+v", found)
	}
	paths := Paths("/nonexistent/blender")
	if len(paths) != len(found) || paths[0] != found[0].Path {
		t.Errorf("the paths are %q", paths)
	}
	if found[1].Version == "" || found[1].Error != "" {
		t.Errorf("the first that was not configured: %+v", found[1])
	}
	if Newer("4.2.1", "4.10.0") <= 0 || Newer("4.2.1", "4.2.1") != 0 || Newer("5.0.0", "4.5") >= 0 {
		t.Error("versions are compared as texts")
	}
}

// install writes a program that says it is a Blender.
func install(t *testing.T, version string, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho 'Blender "+version+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBlendersAreFoundWhereTheyUsuallyAreNewestFirst(t *testing.T) {
	home, disk := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PATH", filepath.Join(home, "first")+":"+filepath.Join(home, "second")+":.:/bin:/usr/bin")
	install(t, "90.1.0", home, "first", "blender")
	install(t, "90.3.0", home, "second", "blender")
	install(t, "2.79.0", home, "blender-2.79", "blender")
	install(t, "90.2.4 LTS", home, "Downloads", "blender-90.2.4-linux-x64", "blender")
	install(t, "90.4.0 Alpha", disk, "games", "steamapps", "common", "Blender", "blender")
	steam := filepath.Join(home, ".local", "share", "Steam", "steamapps")
	if err := os.MkdirAll(steam, 0o755); err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprintf("\"libraryfolders\"\n{\n\t\"1\"\n\t{\n\t\t\"path\"\t\t%q\n\t}\n}\n", filepath.Join(disk, "games"))
	if err := os.WriteFile(filepath.Join(steam, "libraryfolders.vdf"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(home, "first", "blender"), filepath.Join(home, "bin")); err != nil {
		t.Fatal(err)
	}
	found, err := Find(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		if strings.HasPrefix(f.Path, home) || strings.HasPrefix(f.Path, disk) {
			got = append(got, fmt.Sprintf("%s %s %v", f.Version, f.Source, f.Error == ""))
		}
	}
	want := []string{"90.4.0 Steam true", "90.3.0 PATH true", "90.2.4 the downloads true", "90.1.0 PATH true", " the home folder false"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q\nwant  %q", got, want)
	}
	if last := found[len(found)-1]; !strings.Contains(last.Error, "2.79") || !strings.Contains(last.Error, "2.93") {
		t.Errorf("the old one is refused with %q", last.Error)
	}
}

func TestAVersionIsAskedForOnceAsLongAsTheFileIsTheSame(t *testing.T) {
	t.Parallel()
	trace := filepath.Join(t.TempDir(), "asked")
	path := program(t, "echo >> "+trace+"\necho 'Blender 4.2.1 LTS'")
	asked := func() int { text, _ := os.ReadFile(trace); return len(text) }
	for range 3 {
		if version, err := Version(context.Background(), path); err != nil || version != "4.2.1" {
			t.Fatalf("%q, %v", version, err)
		}
	}
	if asked() != 1 {
		t.Errorf("it was asked %d times", asked())
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Version(context.Background(), path); err != nil || asked() != 2 {
		t.Errorf("after an update it was asked %d times; %v", asked(), err)
	}
}

func TestAProgramThatWasMadeExecutableIsAskedAgain(t *testing.T) {
	t.Parallel()
	path := program(t, "echo 'Blender 4.2.1'")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Version(context.Background(), path); err == nil {
		t.Fatal("a file that is not executable has a version")
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if version, err := Version(context.Background(), path); err != nil || version != "4.2.1" {
		t.Errorf("%q, %v", version, err)
	}
}

func TestAProgramThatDoesNotTellItsVersionIsEndedWithAllItStarted(t *testing.T) {
	// Not parallel: it changes the time that all of them have.
	defer func(d time.Duration) { askTimeout = d }(askTimeout)
	askTimeout = 200 * time.Millisecond
	pid := filepath.Join(t.TempDir(), "pid")
	s := serve(t, with(api.BlenderSettings{Path: program(t, "sleep 1000 &\necho $! > "+pid+"\nwait")}))
	eventually(t, "it is said", func() bool { return strings.Contains(s.Status().Reason, "did not tell its version") })
	var child int
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &child); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is gone", func() bool { return !alive(child) })
}

func TestABlenderThatIsTooSlowToTellItsVersionIsAskedUntilItDoes(t *testing.T) {
	// Not parallel: it changes the time that all of them have.
	defer func(d time.Duration) { askTimeout = d }(askTimeout)
	askTimeout = 500 * time.Millisecond
	asked := filepath.Join(t.TempDir(), "asked")
	s := serve(t, with(api.BlenderSettings{Path: program(t, `
case "$*" in
*--version*)
	echo >> '`+asked+`'
	[ $(wc -l < '`+asked+`') -gt `+strconv.Itoa(maxFailures)+` ] || exec sleep 1000
	echo "Blender 3.4.1"
	exit;;
esac
exec blender "$@"`)}))
	ready(t, s)
	if out, _ := do(t, s, Request{Code: []byte("pass")}); out.Verdict != Succeeded {
		t.Errorf("%+v", out)
	}
}

func TestABlenderThatCouldNotBeAskedIsNoReasonToGiveUp(t *testing.T) {
	if _, err := askVersion(context.Background(), program(t, "kill -9 $$")); !errors.As(err, new(*unknownError)) {
		t.Errorf("killed while it was asked: %v", err)
	}
	if _, err := askVersion(context.Background(), program(t, "echo no; exit 3")); err == nil || errors.As(err, new(*unknownError)) {
		t.Errorf("another program: %v", err)
	}
}
