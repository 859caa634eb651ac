package control

import (
	"path/filepath"
	"testing"
	"time"
)

// A client of Go may make a connection that it then does not need, and keep it.
func TestTheEndOfTheServerWaitsForNoConnectionOnWhichNothingWasAsked(t *testing.T) {
	t.Parallel()
	address, err := Address(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	var s *Server
	stop := serveOn(t, address, newFake(), func(made *Server) { s, made.endTime = made, time.Hour })
	conn, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	known := func() int {
		s.fresh.Lock()
		defer s.fresh.Unlock()
		return len(s.fresh.conns)
	}
	until := time.Now().Add(time.Minute)
	for known() == 0 {
		if time.Now().After(until) {
			t.Fatal("the server does not know the connection")
		}
		time.Sleep(time.Millisecond)
	}
	ended := make(chan struct{})
	go func() {
		stop()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Until(until)):
		t.Error("the server waits for a connection on which nothing was asked")
	}
}
