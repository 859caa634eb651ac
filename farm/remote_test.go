package farm_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/farm"
	"blendtray/farm/remote"
)

// unsunk is a sink of a run that does not begin.
type unsunk struct{}

func (unsunk) Started(time.Time)     {}
func (unsunk) Output([]byte)         {}
func (unsunk) Progress(api.Progress) {}

// newDesk returns what sends the runs of a new member, a client of the same member, and the path of a script.
func newDesk(t *testing.T, h *hall) (*remote.Remote, *farm.Client, string) {
	t.Helper()
	desk := h.member("desk", farm.RoleSubmit)
	dir := t.TempDir()
	membership, path := filepath.Join(dir, "membership.json"), filepath.Join(dir, "a.py")
	if err := desk.Write(membership); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	return remote.New(remote.Config{Spec: api.BlenderSpec{Name: "farm"}, Membership: membership}), connect(t, desk), path
}

// The server has the job, and its answer comes after the run was cancelled.
func TestARunThatIsCancelledWhileItIsSentIsCancelledOnTheFarm(t *testing.T) {
	h := newHall(t)
	r, c, path := newDesk(t, h)
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key, what string
		cause     error
		want      farm.State
	}{
		{"key 1", "a person cancels the run", nil, farm.StateCancelled},
		{"key 2", "the engine leaves the run", blender.ErrLeft, farm.StateWaiting},
	} {
		job, err := c.Submit(t.Context(), script("ok"), test.key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancelCause(t.Context())
		end(test.cause)
		out, err := r.Run(ctx, blender.Request{File: path, Code: []byte("x = 1"), Key: test.key}, unsunk{})
		if err != nil || out.Verdict != blender.Cancelled || out.Note != "" {
			t.Errorf("%s: %v, %+v", test.what, err, out)
		}
		if s, _, err := c.Show(t.Context(), job.ID); err != nil || s.State != test.want {
			t.Errorf("%s: the job is %s, %v, and not %s", test.what, s.State, err, test.want)
		}
	}
	// The farm does not have the job.
	ctx, end := context.WithCancel(t.Context())
	end()
	if out, err := r.Run(ctx, blender.Request{File: path, Code: []byte("x = 1"), Key: "key 3"}, unsunk{}); err != nil || out.Verdict != blender.Cancelled || out.Note != "" {
		t.Errorf("a job that is not there: %v, %+v", err, out)
	}
}

// Somebody cancels the job of a run on another machine, and no machine works that would report the end.
func TestARunEndsWhenItsWaitingJobIsCancelledElsewhere(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	r, c, path := newDesk(t, h)
	job, err := c.Submit(t.Context(), script("ok"), "key")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(t.Context(), job.ID); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	out, err := r.Run(ctx, blender.Request{File: path, Code: []byte("x = 1"), Key: "key"}, unsunk{})
	if err != nil || out.Verdict != blender.Cancelled || !strings.Contains(out.Note, "cancelled before a machine took it") || ctx.Err() != nil {
		t.Errorf("%v, %+v, and the test's time is over: %v", err, out, ctx.Err())
	}
}
