package control

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"blendtray/api"
)

func TestNobodyThereIsErrNoEngine(t *testing.T) {
	t.Parallel()
	address, err := Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(address)
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNoEngine) {
		t.Errorf("Status: %v", err)
	}
	for _, err := range c.SubmitAndFollow(t.Context(), api.Submission{}) {
		if !errors.Is(err, ErrNoEngine) {
			t.Errorf("SubmitAndFollow: %v", err)
		}
	}
}

func TestAnEngineThatGoesAwayIsErrLost(t *testing.T) {
	t.Parallel()
	address, err := Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				// Whatever was asked: half an answer, and gone.
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"kind\":\"note\"}\n")
			}(c)
		}
	}()
	c := NewClient(address)
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("Status: %v", err)
	}
	events := 0
	for _, err := range c.Events(t.Context(), false) {
		if err == nil {
			events++
		} else if !errors.Is(err, ErrLost) {
			t.Errorf("Events: %v", err)
		}
	}
	if events != 1 {
		t.Errorf("%d events before the end", events)
	}
}

func TestAClientGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	_, c := serve(t, newFake())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Status: %v", err)
	}
}
