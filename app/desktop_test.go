//go:build !headless && unix

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
