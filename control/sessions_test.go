package control

import (
	"errors"
	"slices"
	"testing"

	"blendtray/api"
)

func TestAClientCanDoWithSessionsWhatTheInterfaceOffers(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	ctx := t.Context()
	if all, err := c.Sessions(ctx); err != nil || len(all) != 1 || all[0].Name != "chair" {
		t.Errorf("%+v, %v", all, err)
	}
	if s, err := c.Session(ctx, "chair"); err != nil || s.Name != "chair" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.Session(ctx, "table"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("an unknown session: %v", err)
	}
	for _, operation := range []api.SessionOperation{api.SessionSave, api.SessionOpen, api.SessionCheckpoint, api.SessionUndo} {
		req := api.SessionRequest{Session: "chair", Operation: operation, Client: "test"}
		if operation.NeedsFile() {
			req.File = "/a b.blend"
		}
		if done, err := c.DoInSession(ctx, req); err != nil || done.Run.ID != "r1" || done.Session.Name != "chair" || done.Run.Outputs == nil {
			t.Errorf("%s: %+v, %v", operation, done, err)
		}
	}
	if want := []string{"save chair /a b.blend test", "open chair /a b.blend test", "checkpoint chair  test", "undo chair  test"}; !slices.Equal(f.asked, want) {
		t.Errorf("the engine was asked %q, want %q", f.asked, want)
	}
	_, err := c.DoInSession(ctx, api.SessionRequest{Session: "chair", Operation: api.SessionSave, File: "/none/x.blend"})
	if !errors.Is(err, api.ErrSession) || err.Error() != "the session chair: there is no folder /none" {
		t.Errorf("an operation that fails: %v", err)
	}
	if err := c.EndSession(ctx, "chair"); err != nil {
		t.Error(err)
	}
	if err := c.EndSession(ctx, "table"); !errors.Is(err, api.ErrNoSession) {
		t.Errorf("the end of an unknown session: %v", err)
	}
}

func TestAClientCanHaveCodeCompleted(t *testing.T) {
	t.Parallel()
	_, c := serve(t, newFake())
	found, err := c.Complete(t.Context(), "chair", "größe", 5)
	if err != nil || found.Start != 4 || !slices.Equal(found.Matches, []string{"größe"}) || found.Signature == nil || *found.Signature != "chair()" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := c.Complete(t.Context(), "busy", "x", 1); !errors.Is(err, api.ErrBusy) {
		t.Errorf("while a run is running: %v", err)
	}
}
