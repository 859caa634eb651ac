package main

import (
	"os"
	"path/filepath"
	"testing"
)

// folderWith makes a folder with files, each of which has the text.
func folderWith(t *testing.T, folder, text string, names ...string) string {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// wantFiles fails unless a folder has just these files, with these texts.
func wantFiles(t *testing.T, folder string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != len(want) {
		t.Errorf("the folder has %v, %v, and not %v", entries, err, want)
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(folder, name)); string(got) != text {
			t.Errorf("%s has %q, %v, and not %q", name, got, err, text)
		}
	}
}

// prepared makes a folder with files before, a file of somebody else, and new files that are ready.
func prepared(t *testing.T) string {
	t.Helper()
	folder := folderWith(t, filepath.Join(t.TempDir(), "here"), "before", "a", "b", "only before")
	if err := prepare(folder); err != nil {
		t.Fatal(err)
	}
	folderWith(t, filepath.Join(folder, newFiles), "new", "a", "aa only new", "b")
	return folder
}

var before = map[string]string{"a": "before", "b": "before", "only before": "before"}

func TestNewFilesReplaceThoseBefore(t *testing.T) {
	t.Parallel()
	folder := prepared(t)
	if err := replace(folder); err != nil {
		t.Fatal(err)
	}
	hold(folder)
	wantFiles(t, folder, map[string]string{"a": "new", "aa only new": "new", "b": "new", "only before": "before"})
}

func TestAChangeIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(folder string){
		"before its first file": func(string) {},
		"when it was cut off between two renames": func(folder string) {
			folderWith(t, filepath.Join(folder, oldFiles), "a\naa only new\nb", mark)
			if err := os.Rename(filepath.Join(folder, "a"), filepath.Join(folder, oldFiles, "a")); err != nil {
				t.Error(err)
			}
		},
		"when it was cut off after a file": func(folder string) {
			folderWith(t, filepath.Join(folder, oldFiles), "a\naa only new\nb", mark)
			for _, name := range []string{"a", "aa only new"} {
				if err := swap(folder, name); err != nil {
					t.Error(err)
				}
			}
		},
		"when all files are there and something else fails": func(folder string) {
			if err := replace(folder); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := prepared(t)
			change(folder)
			if err := restore(folder); err != nil {
				t.Error(err)
			}
			wantFiles(t, folder, before)
			if err := prepare(folder); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(filepath.Join(folder, newFiles)); err != nil || len(left) > 0 {
				t.Errorf("the next change finds %v, %v", left, err)
			}
		})
	}
}

func TestAFirstInstallationThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "here")
	if err := prepare(folder); err != nil {
		t.Fatal(err)
	}
	folderWith(t, filepath.Join(folder, newFiles), "new", "a", "b")
	folderWith(t, filepath.Join(folder, oldFiles, mark), "", "in the way")
	if replace(folder) == nil {
		t.Error("the change succeeds")
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}
