package control

import (
	"context"
	"net"
	"testing"
	"time"

	"blendtray/api"
)

// BenchmarkSubmitAndFollow has a client submit runs and follow them to their ends, over a socket.
func BenchmarkSubmitAndFollow(b *testing.B) {
	for name, takes := range map[string]time.Duration{"at once": 0, "after a moment": 3 * soonAfter} {
		b.Run(name, func(b *testing.B) {
			listener, err := net.Listen("unix", b.TempDir()+"/s")
			if err != nil {
				b.Fatal(err)
			}
			f := newFake()
			f.onSubmit = func(run api.Run) {
				end := func() {
					f.set(run.ID, api.Running)
					f.set(run.ID, api.Succeeded)
					f.mu.Lock()
					f.runs = f.runs[:0] // so that none has to be looked for
					f.mu.Unlock()
				}
				if takes == 0 {
					end()
					return
				}
				time.AfterFunc(takes, end)
			}
			ctx, stop := context.WithCancel(b.Context())
			served := make(chan error, 1)
			go func() { served <- NewServer(Config{Engine: f, Listener: listener}).Serve(ctx) }()
			c := NewClient(listener.Addr().String())
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range c.SubmitAndFollow(ctx, api.Submission{Code: []byte("x = 1"), Session: "bench"}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			stop()
			<-served
		})
	}
}

func BenchmarkReadSubmission(b *testing.B) {
	body := []byte(`{"text":"x = 1","session":"bench"}`)
	b.ReportAllocs()
	for b.Loop() {
		var in submission
		if err := unmarshalStrict(body, &in); err != nil {
			b.Fatal(err)
		}
	}
}
