//go:build !headless

package tray

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the program of the test take the place of the window's process: a real process with
// real pipes, which does what the variable says.
func TestMain(m *testing.M) {
	switch os.Getenv("TRAY_TEST_WINDOW") {
	case "":
		os.Exit(m.Run())
	case "obeys": // it prints what it was told, and closes when it is asked for run "close"
		fmt.Println("a library prints this")
		messages(os.Stdin, func(o order) {
			if o.Run == "crash" {
				panic("the window is broken")
			}
			if o.Run == "quit" {
				_ = tell(os.Stdout, request{Shown: o.Show})
				_ = tell(os.Stdout, request{Quit: true})
				os.Exit(0)
			}
			if o.Run == "stuck" {
				_ = tell(os.Stdout, request{Shown: o.Show})
				select {}
			}
			if o.Run == "deaf" {
				os.Exit(0) // the person has just closed the window
			}
			_ = tell(os.Stdout, request{Shown: o.Show})
			if o.Facts != nil && o.Facts.Own {
				_ = tell(os.Stdout, request{Read: true})
			}
			if o.Run == "close" {
				os.Exit(0)
			}
		})
	}
}

// kept is a keeper of real processes, and what they have said.
type kept struct {
	*keeper
	t    *testing.T
	stop func() // ends the keeper

	mu     sync.Mutex
	starts int
	last   *exec.Cmd
	heard  []request
	faults []error
}

func newKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{t: t}
	k.keeper = &keeper{
		orders: make(chan order, 16), prints: &bytes.Buffer{},
		command: func() *exec.Cmd {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.starts++
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "TRAY_TEST_WINDOW=obeys")
			k.last = cmd
			return cmd
		},
		heard: func(r request) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.heard = append(k.heard, r)
		},
		failed: func(err error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.faults = append(k.faults, err)
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.serve(ctx)
	}()
	k.stop = func() {
		stop()
		<-done
	}
	t.Cleanup(k.stop)
	return k
}

func (k *kept) until(what string, holds func() bool) {
	k.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		k.mu.Lock()
		ok := holds()
		k.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("waited in vain until %s: %d starts, heard %+v, faults %v", what, k.starts, k.heard, k.faults)
		}
	}
}

// shown reports whether an order was carried out.
func (k *kept) shown(n int) bool {
	for _, r := range k.heard {
		if r.Shown >= n {
			return true
		}
	}
	return false
}

func TestAWindowThatIsThereIsRaised(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.know(facts{Own: true})
	k.show(order{})
	k.until("it is shown and knows what the tray knows", func() bool {
		for _, r := range k.heard {
			if r.Read {
				return k.shown(1)
			}
		}
		return false
	})
	k.show(order{})
	k.until("it is raised", func() bool { return k.shown(2) })
	if k.starts != 1 {
		t.Errorf("%d windows were started", k.starts)
	}
	k.show(order{Run: "close"})
	k.until("it is closed", func() bool { return k.shown(3) && k.heard[len(k.heard)-1].Focus != nil })
	k.show(order{})
	k.until("another is shown", func() bool { return k.shown(4) && k.starts == 2 })
}

func TestAnOrderThatMeetsAClosingWindowIsCarriedOutByTheNext(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.show(order{})
	k.until("it is shown", func() bool { return k.shown(1) })
	k.show(order{Run: "deaf"})
	// The next window is deaf to the order as well, and then the keeper gives up.
	k.until("the fault is told after another start", func() bool { return len(k.faults) == 1 && k.starts == 2 })
	k.show(order{})
	k.until("a window that is not deaf is shown", func() bool { return k.shown(3) && k.starts == 3 })
}

func TestAWindowThatCrashesIsToldAndIsNotStartedOverAndOver(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.show(order{Run: "crash"})
	// The order may have come to a window that had crashed before, so it gets another window, once.
	k.until("both faults are told", func() bool { return len(k.faults) == 2 })
	if err := k.faults[0].Error(); !strings.Contains(err, "panic: the window is broken") {
		t.Errorf("the fault is %q", err)
	}
	k.show(order{})
	k.until("another is shown", func() bool { return k.shown(2) })
	if k.starts != 3 {
		t.Errorf("%d windows were started", k.starts)
	}
}

func TestWhatAWindowHasAskedForLastIsHeard(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	for n := range 10 {
		k.show(order{Run: "quit"})
		k.until("the window has ended", func() bool { return k.ends() == n+1 })
		if quits := k.quits(); quits != n+1 {
			t.Fatalf("of %d windows %d have quit the program", n+1, quits)
		}
	}
}

// ends returns how many windows have ended.
func (k *kept) ends() (n int) {
	for _, r := range k.heard {
		if r.Focus != nil {
			n++
		}
	}
	return n
}

func (k *kept) quits() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.heard {
		if r.Quit {
			n++
		}
	}
	return n
}

func TestAWindowThatIsStuckIsKilledWithTheTray(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.show(order{Run: "stuck"})
	k.until("it is shown", func() bool { return k.shown(1) })
	k.mu.Lock()
	window := k.last
	k.mu.Unlock()
	k.stop()
	// The system knows the process until it has ended and its parent has asked how.
	for deadline := time.Now().Add(patience); window.Process.Signal(syscall.Signal(0)) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stuck window is still there")
		}
	}
}

func TestAWindowThatCannotBeStartedIsTold(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.keeper.command = func() *exec.Cmd { return exec.Command("/nowhere/blendtray", "window") }
	k.show(order{})
	k.until("the fault is told", func() bool { return len(k.faults) == 1 && strings.Contains(k.faults[0].Error(), "start the window") })
}
