package farm_test

import (
	"context"
	"os"
	"path/filepath"
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

// The server has the job, and its answer comes after the run was cancelled.
func TestARunThatIsCancelledWhileItIsSentIsCancelledOnTheFarm(t *testing.T) {
	h := newHall(t)
	desk := h.member("desk", farm.RoleSubmit)
	dir := t.TempDir()
	membership, path := filepath.Join(dir, "membership.json"), filepath.Join(dir, "a.py")
	if err := desk.Write(membership); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := remote.New(remote.Config{Spec: api.BlenderSpec{Name: "farm"}, Membership: membership})
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := connect(t, desk)
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
