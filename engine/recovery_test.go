package engine

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// childVar makes the test binary an engine that is going to be killed: "part database".
const childVar = "BLENDTRAY_TEST_ENGINE"

func TestMain(m *testing.M) {
	if part, database, ok := strings.Cut(os.Getenv(childVar), " "); ok {
		child(part, database)
		return
	}
	os.Exit(m.Run())
}

// child is the engine that is killed. It prints a line for everything that is certain.
func child(part, database string) {
	b, w := newFakeBlender(), &fakeWatcher{}
	if part == "saving" {
		b.do = succeed
	} else {
		b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
			sink.Started(time.Now())
			sink.Output([]byte("halfway\n"))
			fmt.Println("sent", req.ID)
			<-ctx.Done()
			return blender.Outcome{Verdict: blender.Cancelled}, nil
		}
	}
	dir := filepath.Join(filepath.Dir(database), "scripts")
	e, err := Open(Config{
		Database: database, NewBlender: b.make, NewWatcher: w.make,
		Blenders: []api.BlenderSpec{{Name: api.DefaultBlender}},
		Folders:  []api.FolderSettings{{WatchSettings: api.WatchSettings{Path: dir}}},
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	e.outputPace = time.Millisecond
	go func() {
		if err := e.Serve(context.Background()); err != nil {
			fmt.Println("error", err)
		}
	}()
	if part == "saving" {
		for i := 0; ; i++ {
			path, code := filepath.Join(dir, fmt.Sprintf("%d.py", i%7)), fmt.Sprint(i)
			w.save(path, code)
			fmt.Println("saved", path, hashOf([]byte(code)))
		}
	}
	for i := range 3 {
		if _, err := e.Submit(context.Background(), api.Submission{Code: []byte(fmt.Sprint(i))}); err != nil {
			fmt.Println("error", err)
		}
	}
	fmt.Println("submitted")
	for {
		if out, err := e.store.outputOf(context.Background(), 1); err == nil && out.text != "" {
			fmt.Println("kept")
			select {}
		}
		time.Sleep(time.Millisecond)
	}
}

// startChild starts the engine that is to be killed and hands over its lines.
func startChild(t *testing.T, part, database string) (kill func(), lines *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+part+" "+database)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if killed {
			return
		}
		killed = true
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		// That it was killed is what Wait reports.
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	return kill, bufio.NewScanner(out)
}

func TestAKilledEngineKnowsEveryRunAndRepeatsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{Database: filepath.Join(dir, "runs.db")}
	kill, lines := startChild(t, "running", cfg.Database)
	want := map[string]bool{"sent 1": true, "submitted": true, "kept": true}
	for len(want) > 0 && lines.Scan() {
		delete(want, lines.Text())
		if strings.HasPrefix(lines.Text(), "error") {
			t.Fatal(lines.Text())
		}
	}
	kill()
	h := openIn(t, cfg)
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	await(t, sub, "note", func(ev api.Event) bool {
		return ev.Kind == api.KindNote && strings.Contains(ev.Message, "blendtray retry 1")
	})
	h.expect("1 <message> interrupted", "2 <message> queued", "3 <message> queued")
	if r := h.run("1"); r.Reason == "" || r.FinishedAt == nil || r.Output != "halfway\n" || r.OutputBytes != 8 {
		t.Errorf("1: %+v", r)
	}
	h.serve()
	for _, want := range []string{"2", "3"} {
		c := h.call()
		if c.req.ID != want {
			t.Errorf("sent %s, want %s", c.req.ID, want)
		}
		c.finish(blender.Succeeded)
	}
	h.ended("3")
	if r, err := h.Retry(ctx, "1"); err != nil || r.RetryOf != "1" || r.ID != "4" {
		t.Errorf("retry: %+v %v", r, err)
	}
	if c := h.call(); string(c.req.Code) != "0" {
		t.Errorf("retried %q", c.req.Code)
	}
}

func TestAnEngineKilledWhileSavesComeInLosesNone(t *testing.T) {
	t.Parallel()
	cfg := Config{Database: filepath.Join(t.TempDir(), "runs.db")}
	saved := map[string]string{}
	for range 5 {
		kill, lines := startChild(t, "saving", cfg.Database)
		for n := 20 + rand.IntN(200); n > 0 && lines.Scan(); n-- {
			what, rest, _ := strings.Cut(lines.Text(), " ")
			if what != "saved" {
				t.Fatal(lines.Text())
			}
			path, hash, _ := strings.Cut(rest, " ")
			saved[path] = hash
		}
		kill()
	}
	// Opened by SQLite alone, so that this sees what the killed engine left.
	db, err := sql.Open("sqlite", cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s %v", verdict, err)
	}
	for path, hash := range saved {
		var stamp int
		// The child may have got further than what was read of it; older it is never.
		if err := db.QueryRow(`SELECT count(*) FROM scripts s JOIN runs r ON r.script = s.path AND r.hash = s.hash
			WHERE s.path = ? AND EXISTS (SELECT 1 FROM runs WHERE script = s.path AND hash = ?)`, path, hash).Scan(&stamp); err != nil || stamp == 0 {
			t.Errorf("%s: stamp and run do not agree: %d %v", path, stamp, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h := openIn(t, cfg)
	for _, line := range h.all() {
		if strings.HasSuffix(line, "running") {
			t.Errorf("%s after a restart", line)
		}
	}
}

func TestTheDatabaseIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.submit("x")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(h.cfg.Database + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	if err := h.store.tx(func() error {
		_, err := h.store.exec(fmt.Sprintf("PRAGMA user_version = %d", len(schema)+1))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := h.Engine.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(h.cfg)
	if err == nil || !strings.Contains(err.Error(), "newer Blendtray") || !strings.Contains(err.Error(), h.cfg.Database) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(h.cfg.Database); err != nil {
		t.Errorf("it was moved: %v", err)
	}
}
