//go:build unix

package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
)

// replaceProgram puts a program that ends with a code where another lies, as packages do.
func replaceProgram(t *testing.T, path, code string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte("#!/bin/sh\nexit "+code+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// programIn returns the program at path, and keeps the file open as the system does with that of a
// process: otherwise the next file could have the same number.
func programIn(t *testing.T, path string) ownProgram {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	is, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return ownProgram{path, is}
}

func TestAnEngineKnowsThatItsProgramWasReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "blendtray")
	replaceProgram(t, path, "0")
	p := programIn(t, path)
	if p.replacement() != nil {
		t.Error("a program that is there counts as replaced")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if p.replacement() != nil {
		t.Error("a program that was removed counts as replaced")
	}
	if (ownProgram{}).replacement() != nil {
		t.Error("an unknown program counts as replaced")
	}
	replaceProgram(t, path, "0")
	if p.replacement() == nil {
		t.Error("a replaced program does not count as replaced")
	}
}

func TestAnEngineMakesPlaceForANewProgramWhenThatCostsNobodyAnything(t *testing.T) {
	t.Parallel()
	kept := func(at time.Time) api.Status {
		return api.Status{Processes: []api.ProcessStatus{{Use: "waiting"}, {Use: "keep", KeptAt: &at}}}
	}
	for name, c := range map[string]struct {
		hindrance, none api.Status
		idle            time.Duration
	}{
		"a run":                   {hindrance: api.Status{Running: 1}},
		"a session":               {hindrance: api.Status{Processes: []api.ProcessStatus{{Session: "sculpt"}}}},
		"a scene that is kept":    {hindrance: kept(time.Now()), none: kept(time.Now().Add(-2 * time.Hour)), idle: time.Hour},
		"a scene without a limit": {hindrance: kept(time.Now().Add(-2 * time.Hour))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "blendtray")
			replaceProgram(t, path, "0")
			var free atomic.Bool
			var asked atomic.Int64
			s := successor{programIn(t, path), func() api.Status {
				asked.Add(1)
				if free.Load() {
					return c.none
				}
				return c.hindrance
			}, func() time.Duration { return c.idle }, slog.New(slog.DiscardHandler)}
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(context.Background()) }()
			until := func(n int64) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); asked.Load() < n; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) || len(ended) > 0 {
						t.Fatalf("it looked %d times, and has ended: %v", asked.Load(), len(ended) > 0)
					}
				}
			}
			replaceProgram(t, path, "1")
			until(2)
			free.Store(true)
			until(4) // a program that can't start is no reason to end
			replaceProgram(t, path, "0")
			err := <-ended
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != replacedCode {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

func TestAnOldEngineIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		engine api.EngineStatus
		want   string
	}{
		{api.EngineStatus{Version: "2.0.0"}, ""},
		{api.EngineStatus{Version: "1.0.0"}, "has the version 1.0.0, and this program 2.0.0"},
		{api.EngineStatus{Version: "2.0.0", Replaced: true}, "was replaced"},
	} {
		got, _ := oldEngine(c.engine, "2.0.0")
		if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("of %+v is said %q", c.engine, got)
		}
	}
}
