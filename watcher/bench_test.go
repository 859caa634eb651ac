package watcher

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// writers are the ways in which programs save. Each writes text to path and returns the time just
// before it closes or renames the file.
var writers = map[string]func(path, text string) (time.Time, error){
	"TempAndRename":    writeRename,
	"TruncateAndWrite": writeTruncate,
	"SlowWriter":       writeSlowly,
}

func writeRename(path, text string) (time.Time, error) {
	temp := filepath.Join(filepath.Dir(path), ".temp-"+filepath.Base(path))
	if err := os.WriteFile(temp, []byte(text), 0o666); err != nil {
		return time.Time{}, err
	}
	return time.Now(), os.Rename(temp, path)
}

func writeTruncate(path, text string) (time.Time, error) {
	return writeChunks(path, text, 0)
}

func writeSlowly(path, text string) (time.Time, error) {
	return writeChunks(path, text, 10*time.Millisecond)
}

// writeChunks writes text in four parts with pauses between them.
func writeChunks(path, text string, pause time.Duration) (time.Time, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return time.Time{}, err
	}
	for n := range 4 {
		if _, err := io.WriteString(f, text[n*len(text)/4:(n+1)*len(text)/4]); err != nil {
			_ = f.Close()
			return time.Time{}, err
		}
		time.Sleep(pause)
	}
	return time.Now(), f.Close()
}

// script returns a text that shows whether it is whole: each line names its number and the
// version.
func script(version, lines int) string {
	var b strings.Builder
	for n := range lines {
		fmt.Fprintf(&b, "version %d line %d of %d\n", version, n, lines)
	}
	return b.String()
}

// BenchmarkSaveToCallback measures the time from just before the writer closes or renames the
// file to the call of Save, in a watched folder with 100 scripts.
func BenchmarkSaveToCallback(b *testing.B) {
	for _, name := range []string{"TempAndRename", "TruncateAndWrite", "SlowWriter"} {
		b.Run(name, func(b *testing.B) { benchmarkWriter(b, writers[name]) })
	}
}

func benchmarkWriter(b *testing.B, write func(path, text string) (time.Time, error)) {
	dir := b.TempDir()
	for n := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("s%d.py", n)), []byte(script(0, 100)), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	type arrival struct {
		at   time.Time
		code string
	}
	arrivals := make(chan arrival, 1)
	ready := make(chan struct{}, 1)
	w, err := New(Config{
		Folders: recursive(dir),
		Known: func(path string) (Stamp, bool) {
			fi, err := os.Stat(path)
			if err != nil {
				return Stamp{}, false
			}
			stamp := snapshotOf(fi, time.Now()).stamp()
			stamp.ModTime = fi.ModTime() // young or not
			return stamp, true
		},
		Save:    func(_ ctx, s Save) bool { arrivals <- arrival{time.Now(), string(s.Code)}; return true },
		Scanned: func(string) { ready <- struct{}{} },
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	serve(b, w)
	<-ready
	path := filepath.Join(dir, "s50.py")
	var took []time.Duration
	torn := 0
	for b.Loop() {
		text := script(len(took)+1, 100)
		done, err := write(path, text)
		if err != nil {
			b.Fatal(err)
		}
		a := <-arrivals
		took = append(took, a.at.Sub(done))
		if a.code != text {
			torn++
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
	b.ReportMetric(float64(torn), "torn")
}
