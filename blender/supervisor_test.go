//go:build unix

package blender

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blendtray/api"
)

// recorder is a sink that keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	started  time.Time
	output   bytes.Buffer
	bytes    int
	progress []api.Progress
	rendered []string
	printed  chan struct{} // closed at the first output
	once     sync.Once
}

func newRecorder() *recorder { return &recorder{printed: make(chan struct{})} }

func (r *recorder) Started(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = at
}

func (r *recorder) Output(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes += len(p)
	if r.output.Len() < 1<<20 {
		r.output.Write(p)
	}
	r.once.Do(func() { close(r.printed) })
}

func (r *recorder) Progress(p api.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = append(r.progress, p)
}

func (r *recorder) Rendered(picture string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rendered = append(r.rendered, picture)
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.String()
}

// patience bounds every wait; it is generous because a busy machine is not a fault.
const patience = 90 * time.Second

// serve runs a supervisor until the test ends.
// with returns what a supervisor is made of, with these settings.
func with(settings api.BlenderSettings) Config {
	return Config{BlenderSpec: api.BlenderSpec{BlenderSettings: settings}}
}

func serve(t *testing.T, cfg Config) *Supervisor {
	t.Helper()
	cfg.Dir = t.TempDir()
	var log lockedBuffer
	cfg.Log = &log
	cfg.FactoryStartup = true
	s := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ctx); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Serve does not return")
		}
		if t.Failed() {
			t.Logf("blender printed:\n%.20000s", log.String())
		}
	})
	return s
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b.Len() < 1<<20 {
		b.b.Write(p)
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var lastID atomic.Int64

// do runs code and returns what came of it.
func do(t *testing.T, s *Supervisor, req Request) (Outcome, *recorder) {
	t.Helper()
	req.ID = fmt.Sprint("r", lastID.Add(1))
	if req.Scene == "" {
		req.Scene = "keep"
	}
	r := newRecorder()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := s.Run(ctx, req, r)
	if err != nil {
		t.Fatalf("run %q: %v", req.Code, err)
	}
	return out, r
}

func TestARunAndWhatComesOfIt(t *testing.T) {
	s := serve(t, Config{})
	if err := s.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	status := s.Status()
	if status.State != api.BlenderReady || status.PID == 0 || status.Version == "" || status.Loop == "" || status.Source == "" || status.Source == api.SourceChosen || status.MemoryBytes < 50<<20 {
		t.Errorf("status of a ready Blender: %+v", status)
	}
	script := filepath.Join(t.TempDir(), "script.py")
	for _, c := range []struct {
		name     string
		req      Request
		verdict  Verdict
		typ      string
		line     int
		output   string
		result   string
		newStart bool
	}{
		{name: "success", req: Request{Code: []byte("print('hello')\nresult=[1,2]")}, verdict: Succeeded, output: "hello\n", result: "[1,2]"},
		{name: "exception", req: Request{Code: []byte("\n1/0")}, verdict: Errored, typ: "ZeroDivisionError", line: 2},
		{name: "exit code 3", req: Request{Code: []byte("import sys\nsys.exit(3)")}, verdict: Errored, typ: "SystemExit", line: 2},
		{name: "recursion", req: Request{Code: []byte("def f(): f()\nf()")}, verdict: Errored, typ: "RecursionError", line: 1},
		{name: "time limit, soft", req: Request{Code: []byte("while True: pass"), TimeLimit: 300 * time.Millisecond}, verdict: TimedOut, typ: "TimeLimit", line: 1},
		{name: "latin-1", req: Request{Code: []byte("# coding: latin-1\nresult = '\xe9'")}, verdict: Succeeded, result: `"\u00e9"`},
		{name: "5 MB", req: Request{Code: []byte(strings.Repeat("# xxxxxxxx\n", 500_000) + "result = 5")}, verdict: Succeeded, result: "5"},
		{name: "fresh", req: Request{Scene: "fresh", Code: []byte("import bpy\nresult = len(bpy.data.objects)")}, verdict: Succeeded, result: "3"},
		{name: "hang in C", req: Request{File: script, Code: []byte("import ctypes\nctypes.PyDLL(None).sleep(1000)"), TimeLimit: 300 * time.Millisecond}, verdict: TimedOut, typ: "TimeLimit", line: 2, newStart: true},
		{name: "abort", req: Request{File: script, Code: []byte("import os\n\nos.abort()")}, verdict: Crashed, typ: "Crash", line: 3, newStart: true},
		{name: "null pointer", req: Request{Code: []byte("import ctypes\n\n\nctypes.string_at(0)")}, verdict: Crashed, typ: "Crash", line: 4, newStart: true},
		{name: "os._exit", req: Request{Code: []byte("import os\nprint('bye')\nos.write(1, b'raw')\nos._exit(3)")}, verdict: Crashed, typ: "Crash", output: "bye\nraw", newStart: true},
		{name: "closes its output", req: Request{Code: []byte("import os\nos.close(1)\nos.close(2)")}, verdict: Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.Status().PID
			at := time.Now()
			out, r := do(t, s, c.req)
			t.Logf("%s in %v", out.Verdict, time.Since(at))
			if out.Error != nil {
				t.Logf("%+v", *out.Error)
			}
			if out.Verdict != c.verdict {
				t.Errorf("verdict %s, want %s", out.Verdict, c.verdict)
			}
			if c.typ != "" && (out.Error == nil || out.Error.Type != c.typ || out.Error.Line != c.line) {
				t.Errorf("error %+v, want %s in line %d", out.Error, c.typ, c.line)
			}
			if c.output != "" && r.text() != c.output {
				t.Errorf("output %q, want %q", r.text(), c.output)
			}
			if string(out.Result) != c.result {
				t.Errorf("result %s, want %s", out.Result, c.result)
			}
			at = time.Now()
			next, _ := do(t, s, Request{Code: []byte("result = 'next'")})
			t.Logf("next one after %v", time.Since(at))
			if next.Verdict != Succeeded {
				t.Errorf("the next run: %+v", next)
			}
			if fresh := s.Status().PID != before; fresh != c.newStart {
				t.Errorf("a new process: %v, want %v", fresh, c.newStart)
			}
		})
	}
	_ = os.Remove(script)
}
