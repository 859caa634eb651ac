//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A writer saves bytes as a real program would. It returns the moment just before the call that
// completed them, the close of the file or the rename into place, in nanoseconds on the system's
// monotonic clock.
type writer struct {
	name string
	save func(path string, code []byte) (int64, error)
}

// The three ways of saving that editors and exporters use. The slow writer is a copier or a
// network drive, with 10 ms between two pieces.
var writers = []writer{
	{"temp and rename", saveByRename},
	{"truncate and write", saveInPlace},
	{"10 ms slow writer", saveSlowly},
}

func saveByRename(path string, code []byte) (int64, error) {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.WriteFile(temp, code, 0o644); err != nil {
		return 0, err
	}
	at := monotonic()
	return at, os.Rename(temp, path)
}

func saveInPlace(path string, code []byte) (int64, error) {
	return saveInPieces(path, code, 1, 0)
}

func saveSlowly(path string, code []byte) (int64, error) {
	return saveInPieces(path, code, 4, 10*time.Millisecond)
}

func saveInPieces(path string, code []byte, pieces int, pause time.Duration) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, err
	}
	size := (len(code) + pieces - 1) / pieces
	for i := range pieces {
		if i > 0 {
			time.Sleep(pause) // not a wait: the writer is slow
		}
		if _, err := f.Write(code[i*size : min((i+1)*size, len(code))]); err != nil {
			return 0, err
		}
	}
	at := monotonic()
	return at, f.Close()
}

// script returns the code of one save. Its first line takes the time; its last line proves that
// the whole script ran, so a torn save shows as a missing or foreign result.
func script(number int) []byte {
	var b bytes.Buffer
	b.WriteString("import time; T = time.clock_gettime_ns(time.CLOCK_MONOTONIC)\n")
	for i := range 60 {
		fmt.Fprintf(&b, "value_%d = %d  # a line of an ordinary script, long enough to tear\n", i, number)
	}
	fmt.Fprintf(&b, "result = [T, %d]\n", number)
	return b.Bytes()
}

// monotonic returns CLOCK_MONOTONIC in nanoseconds: the clock that Python's
// time.clock_gettime_ns(time.CLOCK_MONOTONIC) reads in another process.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // the clock is there on every Linux
	}
	return t.Nano()
}
