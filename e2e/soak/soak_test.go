//go:build linux

package main

import (
	"os"
	"testing"
	"time"
)

func TestASmallSoakLosesNothing(t *testing.T) {
	r, err := run(t.Context(), t.Context(), config{saves: 60, kills: 4, seed: 11, gap: 3 * time.Second, limit: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if r.bad() > 0 {
		r.print(os.Stdout)
		t.Errorf("%d things are wrong", r.bad())
	}
}
