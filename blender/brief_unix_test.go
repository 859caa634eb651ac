//go:build unix

package blender

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
)

// standInVariable makes the test binary a Blender that only speaks: see standIn.
const standInVariable = "BLENDTRAY_TEST_STAND_IN"

func init() { programs[standInVariable] = standIn }

// standIn answers runs as Blender's add-on does. The code of a run says what it does: each word is a
// step, and the steps that are left out are what a usual run does.
func standIn(mark string) {
	conn := os.NewFile(3, "socket")
	frames := newFrameReader(conn)
	send := func(texts ...string) {
		var all []byte
		for _, text := range texts {
			all, _ = appendFrame(all, []byte(text))
		}
		_, _ = conn.Write(all)
	}
	say := func(kind, id string) { _, _ = fmt.Fprintf(os.Stdout, "\x1eblendtray %s %s 7:%s\n", mark, kind, id) }
	for {
		payload, err := frames.next()
		if err != nil {
			os.Exit(0)
		}
		var in struct{ Type, ID, Code string }
		_ = json.Unmarshal(payload, &in)
		started := fmt.Sprintf(`{"type":"started","id":"%s","time":1764300000.25}`, in.ID)
		finished := func(state string) string {
			return fmt.Sprintf(`{"type":"finished","id":"%s","state":"%s","exit_code":0,"seconds":2.5e-05,"error":null,"result":null,"outputs":[],"imports":[],"recycle":false}`, in.ID, state)
		}
		switch in.Type {
		case "hello":
			send(`{"type":"welcome","protocol":1,"session":7,"blender":"5.0.0"}`)
		case "cancel":
			say("end", in.ID)
			send(started, finished("cancelled"))
		case "run":
			switch steps := strings.Fields(in.Code); steps[0] {
			case "short":
				say("begin", in.ID)
				for at := time.Now(); time.Since(at) < 60*time.Microsecond; {
				}
				say("end", in.ID)
				send(started, finished("succeeded"))
			case "late-mark": // the pipe is behind the session
				say("begin", in.ID)
				send(started, finished("succeeded"))
				time.Sleep(300 * time.Millisecond)
				_, _ = os.Stdout.WriteString("the rest\n")
				say("end", in.ID)
			case "begins": // and hangs in C code: the session says nothing
				say("begin", in.ID)
			case "refused":
				send(fmt.Sprintf(`{"type":"error","id":"%s","code":"bad","message":"no"}`, in.ID))
			case "dies":
				say("begin", in.ID)
				os.Exit(3)
			case "finishes-and-dies":
				say("begin", in.ID)
				send(started, finished("succeeded"))
				os.Exit(0)
			case "hangs-up":
				say("begin", in.ID)
				conn.Close()
				time.Sleep(time.Minute)
			}
		}
	}
}

// withStandIn returns a supervisor whose Blender is a stand-in.
func withStandIn(t testing.TB) *Supervisor {
	t.Helper()
	const mark = "secret"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	conn, handed, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{BlenderSpec: api.BlenderSpec{Dir: t.TempDir()}})
	inst := newInstance(s, s.spec, &tempFolder{path: t.TempDir()}, "", mark)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), standInVariable+"="+mark)
	cmd.ExtraFiles = []*os.File{handed}
	inst.proc, err = startProcess(cmd, nil, inst.stream, func() {})
	handed.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inst.proc.kill(); <-inst.proc.exited })
	if inst.session, err = newSession(t.Context(), conn, greeting{}); err != nil {
		t.Fatal(err)
	}
	s.set(func(st *api.BlenderStatus) {
		s.current = inst
		st.State, st.PID = api.BlenderReady, inst.proc.pid()
	})
	return s
}

// beginner is a recorder of a run that tells when the run has begun.
type beginner struct {
	*recorder
	begun chan struct{}
}

func (b beginner) Started(at time.Time) {
	b.recorder.Started(at)
	close(b.begun)
}

func TestARunIsWatchedFromItsFirstStepToItsLast(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code     string
		limit    time.Duration
		cancel   time.Duration // after which time the run is cancelled
		verdict  Verdict
		says     string // in the error
		output   string
		atLeast  time.Duration
		notBegun bool
	}{
		{code: "short", verdict: Succeeded},
		{code: "short", limit: time.Millisecond * 150, verdict: Succeeded},
		{code: "late-mark", verdict: Succeeded, output: "the rest\n", atLeast: 250 * time.Millisecond},
		{code: "begins", limit: 50 * time.Millisecond, verdict: TimedOut, says: "longer than its time limit", atLeast: 50 * time.Millisecond},
		{code: "begins", limit: 400 * time.Millisecond, verdict: TimedOut, says: "longer than its time limit", atLeast: 400 * time.Millisecond},
		{code: "begins", cancel: 10 * time.Millisecond, verdict: Cancelled, says: "canceled"},
		{code: "begins", cancel: 300 * time.Millisecond, verdict: Cancelled, says: "canceled"},
		{code: "refused", verdict: Errored, says: "no", notBegun: true},
		{code: "dies", verdict: Crashed, says: "exit code 3"},
		{code: "finishes-and-dies", verdict: Succeeded},
		{code: "hangs-up", verdict: Crashed, says: "the connection with Blender broke", atLeast: lostTime},
	} {
		t.Run(strings.TrimSpace(fmt.Sprint(test.code, " ", test.limit, " ", test.cancel)), func(t *testing.T) {
			t.Parallel()
			s := withStandIn(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := beginner{newRecorder(), make(chan struct{})}
			if test.cancel > 0 {
				go func() { <-r.begun; time.Sleep(test.cancel); cancel() }()
			}
			began := time.Now()
			out, err := s.Run(ctx, Request{ID: "r1", Code: []byte(test.code), TimeLimit: test.limit}, r)
			took := time.Since(began)
			if err != nil || out.Verdict != test.verdict || (out.Error == nil) != (test.says == "") || out.Error != nil && !strings.Contains(out.Error.Message, test.says) {
				t.Fatalf("%+v %+v, %v", out, out.Error, err)
			}
			if took < test.atLeast || took > test.atLeast+patience/2 {
				t.Errorf("it took %s", took)
			}
			if got := r.text(); got != test.output {
				t.Errorf("it printed %q", got)
			}
			select {
			case <-r.begun:
			default:
				if !test.notBegun {
					t.Error("it was not seen to begin")
				}
			}
		})
	}
}

// BenchmarkShortRun is a short run in a Blender that only speaks. It reports the processor time and
// the switches of threads on this side.
func BenchmarkShortRun(b *testing.B) {
	s := withStandIn(b)
	req := Request{ID: "r1", Code: []byte("short"), Scene: "keep"}
	sink := discard{}
	for range 100 {
		if out, err := s.Run(b.Context(), req, sink); err != nil || out.Verdict != Succeeded {
			b.Fatal(out, err)
		}
	}
	b.ReportAllocs()
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	runs := 0
	for b.Loop() {
		if _, err := s.Run(b.Context(), req, sink); err != nil {
			b.Fatal(err)
		}
		runs++
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/1000/float64(runs), "cpu-µs/op")
	b.ReportMetric(float64(after.Nvcsw-before.Nvcsw)/float64(runs), "switches/op")
}
