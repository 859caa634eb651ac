package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"blendtray/api"
	"blendtray/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"blendtray": func() { os.Exit(Main()) },
	})
}

// TestSessions runs what a user would type, in testdata/*.txtar. Beside the commands of
// testscript they know, beside the condition [tray], that this build has one:
//
//	exits CODE PROGRAM ARGS...   run it and check its exit code
//	engine-up                    wait until an engine answers
//	engine-gone                  wait until none does
//	ended N                      wait until N runs have ended
//	running                      wait until a run is running
//	queued N                     wait until N runs wait
//	watch WORD                   mean the program in the background that has this argument
//	signal TERM|INT|KILL WORD    the same, and send it a signal
//	settled KEY VALUE            wait until a setting of the engine has this value
//	settings-wrong, -right       wait until the engine finds its settings wrong, or right
//	code CODE                    check the exit code of the program that was meant, after wait
func TestSessions(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			home := env.WorkDir + "/user"
			env.Setenv("HOME", home)
			env.Setenv("BLENDTRAY_HOME", env.WorkDir+"/bt")
			env.Setenv("TERM", "xterm")
			env.Setenv("GORACE", "atexit_sleep_ms=0")            // it makes each program a second slower
			env.Setenv("NICER_BY_3", strconv.Itoa(niceness()+3)) // the tests may be nice themselves
			env.Values[meant{}] = new(*exec.Cmd)
			return os.Mkdir(home, 0o755)
		},
		Condition: func(name string) (bool, error) {
			if name != "tray" {
				return false, fmt.Errorf("there is no condition %s", name)
			}
			return hasTray, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"engine-up":   engineUp,
			"engine-gone": engineGone,
			"ended":       ended,
			"running":     running,
			"queued":      queued,
			"watch":       watch,
			"signal":      sendSignal,
			"code":        code,

			"settled":        settled,
			"settings-wrong": func(ts *testscript.TestScript, _ bool, _ []string) { settingsAre(ts, true) },
			"settings-right": func(ts *testscript.TestScript, _ bool, _ []string) { settingsAre(ts, false) },
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func clientOf(ts *testscript.TestScript) *control.Client {
	address, err := control.Address(ts.Getenv("BLENDTRAY_HOME") + "/run")
	ts.Check(err)
	return control.NewClient(address)
}

// await polls ok until it is true, for as long as a slow machine may need to start Blender.
func await(ts *testscript.TestScript, what string, ok func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			ts.Fatalf("waited in vain: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func engineUp(ts *testscript.TestScript, _ bool, _ []string) {
	c := clientOf(ts)
	await(ts, "an engine answers", func(ctx context.Context) bool {
		_, err := c.Status(ctx)
		return err == nil
	})
}

func engineGone(ts *testscript.TestScript, _ bool, _ []string) {
	c := clientOf(ts)
	await(ts, "no engine answers", func(ctx context.Context) bool {
		_, err := c.Status(ctx)
		return errors.Is(err, control.ErrNoEngine)
	})
}

func ended(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	c := clientOf(ts)
	await(ts, fmt.Sprintf("%d runs have ended", want), func(ctx context.Context) bool {
		runs, err := c.Runs(ctx, api.Filter{Limit: 100})
		n := 0
		for _, r := range runs {
			if r.State.Final() {
				n++
			}
		}
		return err == nil && n >= want
	})
}

func settled(ts *testscript.TestScript, _ bool, args []string) {
	c := clientOf(ts)
	await(ts, args[0]+" is "+args[1], func(ctx context.Context) bool {
		report, err := c.Settings(ctx)
		setting, ok := report.Find(args[0])
		return err == nil && ok && setting.Text() == args[1]
	})
}

func settingsAre(ts *testscript.TestScript, wrong bool) {
	c := clientOf(ts)
	await(ts, "the engine has read its settings", func(ctx context.Context) bool {
		st, err := c.Status(ctx)
		return err == nil && (st.Settings.Error != "") == wrong
	})
}

func running(ts *testscript.TestScript, _ bool, _ []string) {
	c := clientOf(ts)
	await(ts, "a run is running", func(ctx context.Context) bool {
		runs, err := c.Runs(ctx, api.Filter{States: []api.State{api.Running}})
		return err == nil && len(runs) > 0 && runs[0].StartedAt != nil
	})
}

func queued(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	c := clientOf(ts)
	await(ts, args[0]+" runs wait", func(ctx context.Context) bool {
		queue, _, err := c.Queue(ctx, 0)
		return err == nil && len(queue) == want
	})
}

// meant is the key of the program in the background that `code` asks about.
type meant struct{}

func watch(ts *testscript.TestScript, _ bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		if slices.Contains(cmd.Args[1:], args[0]) {
			*ts.Value(meant{}).(**exec.Cmd) = cmd
			return
		}
	}
	ts.Fatalf("no program in the background has the argument %s", args[0])
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	sig, ok := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "KILL": os.Kill}[args[0]]
	if !ok {
		ts.Fatalf("usage: signal TERM|INT|KILL WORD")
	}
	watch(ts, false, args[1:])
	ts.Check((*ts.Value(meant{}).(**exec.Cmd)).Process.Signal(sig))
}

func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := (*ts.Value(meant{}).(**exec.Cmd)).ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
