//go:build !headless && unix

package app

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAProgramThatCannotOpenAFileIsTold(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "opener")
	for text, want := range map[string]string{
		"exit 0":                                 "",
		"echo no program opens this >&2; exit 3": "exit status 3: no program opens this",
		"exit 4":                                 "exit status 4",
		"exec sleep 60":                          "", // it shows the file
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := launch(program, "/some/file")
		if (err == nil) != (want == "") || err != nil && (!strings.HasSuffix(err.Error(), want) || !strings.Contains(err.Error(), "opener /some/file")) {
			t.Errorf("after %q: %v, want %q", text, err, want)
		}
	}
	if err := launch(filepath.Join(t.TempDir(), "none"), "x"); err == nil || !strings.Contains(err.Error(), "start ") {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestAnEditorGoesOnWhenTheTerminalOfTheTrayEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, told := filepath.Join(dir, "editor"), filepath.Join(dir, "told")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho $$ > '"+told+"'\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := launch(program); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(pid, unix.SIGKILL)
	if session, err := unix.Getsid(pid); err != nil || session != pid {
		t.Errorf("the process %d is in the session %d, %v", pid, session, err)
	}
}
