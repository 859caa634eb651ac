package engine

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"blendtray/blender"
)

// fillLog writes n bytes into the log of a database.
func fillLog(t testing.TB, s *store, n int) {
	t.Helper()
	err := s.tx(func() error {
		if _, err := s.exec("CREATE TABLE IF NOT EXISTS big (x BLOB)"); err != nil {
			return err
		}
		_, err := s.exec("INSERT INTO big VALUES (zeroblob(?))", n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestALogIntoWhichSomethingIsAlwaysWrittenBeginsAnew(t *testing.T) {
	t.Parallel()
	s, _, err := openStore(filepath.Join(t.TempDir(), "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	fillLog(t, s, keptLog+(16<<20))
	writing, stop := make(chan struct{}), make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for first := true; ; first = false {
			if err := s.touch(); err != nil {
				t.Error(err)
			}
			if first {
				close(writing)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	<-writing
	err = s.checkpoint()
	close(stop)
	writer.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.touch(); err != nil {
		t.Fatal(err)
	}
	if n := s.logSize(); n > keptLog {
		t.Errorf("the log has %d bytes, want %d at most", n, keptLog)
	}
}

func TestTheLogIsTakenOverWhileRunsAreRunning(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.largeLog = 1 << 20
	h.serve()
	h.submit("long")
	c := h.call() // it is running all the time
	const bytes = 8 << 20
	fillLog(t, h.store, bytes)
	eventually(t, "the log is taken over", func() bool {
		h.submit("next")
		info, err := os.Stat(h.cfg.Database)
		return err == nil && info.Size() >= bytes
	})
	c.finish(blender.Succeeded)
}

// A program that reads the database for long, as a backup does, keeps the log from beginning anew. The
// engine then tries again only when the log has grown.
func TestALogThatAProgramReadsIsTriedAgainWhenItHasGrown(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.largeLog = 1 << 20
	reader, err := h.store.reader.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRow("SELECT count(*) FROM runs").Scan(&n); err != nil {
		t.Fatal(err)
	}
	fillLog(t, h.store, keptLog+(8<<20))
	size := h.store.logSize()
	most := h.limitLog(h.largeLog)
	if most < size {
		t.Errorf("with a reader the log may have %d bytes until it is looked at again, and it has %d", most, size)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	fillLog(t, h.store, int(h.largeLog))
	h.limitLog(most)
	if n := h.store.logSize(); n > keptLog {
		t.Errorf("without the reader the log has %d bytes, want %d at most", n, keptLog)
	}
}

func TestALogThatCantBeTakenOverIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.largeLog = 1 << 20
	fillLog(t, h.store, keptLog+(8<<20))
	if err := h.store.reader.Close(); err != nil {
		t.Fatal(err)
	}
	if most := h.limitLog(h.largeLog); most != h.largeLog {
		t.Errorf("it is tried again at %d bytes, want %d", most, h.largeLog)
	}
}
