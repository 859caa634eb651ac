package control

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"blendtray/api"
)

func TestTheHistoryIsChangedOverControl(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	ctx := t.Context()
	if _, err := c.Submit(ctx, api.Submission{Code: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if run, err := c.Pin(ctx, "r1"); err != nil || !run.Pinned || run.ID != "r1" {
		t.Errorf("Pin: %+v, %v", run, err)
	}
	if run, err := c.Unpin(ctx, "r1"); err != nil || run.Pinned {
		t.Errorf("Unpin: %+v, %v", run, err)
	}
	if changes, err := c.Changes(ctx, "r1"); err != nil || changes.Before != "r0" || changes.Diff != "-a\n+b\n" {
		t.Errorf("Changes: %+v, %v", changes, err)
	}
	if err := c.DeleteRun(ctx, "r1"); err != nil {
		t.Error(err)
	}
	refusedWith(t, c.DeleteRun(ctx, "r2"), http.StatusNotFound, CodeNotFound)
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if n, err := c.ClearRuns(ctx, api.Filter{Client: "me", Since: since, Limit: 3}); err != nil || n != 7 {
		t.Errorf("ClearRuns: %d, %v", n, err)
	}
	if scripts, err := c.Scripts(ctx, api.Filter{Limit: 3, Folder: "/a"}, 5); err != nil || scripts == nil || len(scripts) != 0 {
		t.Errorf("Scripts: %v, %v", scripts, err)
	}
	if want := []string{"clear me" + since.String(), "scripts 3 5/a"}; !slices.Equal(f.asked, want) {
		t.Errorf("the engine was asked %q, want %q", f.asked, want)
	}
	if picture, err := c.Thumbnail(ctx, "r1", 0); err != nil || string(picture) != "\xff\xd8small" {
		t.Errorf("Thumbnail: %q, %v", picture, err)
	}
	_, noThumbnail := c.Thumbnail(ctx, "r1", 1)
	refusedWith(t, noThumbnail, http.StatusNotFound, CodeNoThumbnail)
	if !errors.Is(noThumbnail, api.ErrNoThumbnail) {
		t.Errorf("it is no ErrNoThumbnail: %v", noThumbnail)
	}
	if queue, total, err := c.Queue(ctx, 3); err != nil || total != 4711 || len(queue) != 1 || queue[0].Position != 3 || queue[0].Run.Args == nil {
		t.Errorf("Queue: %+v of %d, %v", queue, total, err)
	}
	f.asked = nil
	if n, err := c.CancelLine(ctx, api.QueueLine{Line: "/a b", LineKind: "folder"}); err != nil || n != 3 {
		t.Errorf("CancelLine: %d, %v", n, err)
	}
	_, noKind := c.CancelLine(ctx, api.QueueLine{})
	refusedWith(t, noKind, http.StatusBadRequest, CodeBadRequest)
	if usage, err := c.Usage(ctx, since); err != nil || usage.Cores != 4 || usage.Processes == nil || usage.Engine == nil {
		t.Errorf("Usage: %+v, %v", usage, err)
	}
	if _, err := c.Usage(ctx, time.Time{}); err != nil {
		t.Errorf("Usage since the beginning: %v", err)
	}
	if want := []string{"cancel folder /a b", "cancel  ", "usage since " + since.Format(time.RFC3339Nano), "usage since 0001-01-01T00:00:00Z"}; !slices.Equal(f.asked, want) {
		t.Errorf("the engine was asked %q, want %q", f.asked, want)
	}
	f.asked = nil
	for _, of := range []api.Front{api.FrontOfAll, api.FrontOfLine} {
		if run, err := c.MoveFirst(ctx, "r1", of); err != nil || run.ID != "r1" {
			t.Errorf("MoveFirst: %+v, %v", run, err)
		}
	}
	if want := []string{"first of all", "first of line"}; !slices.Equal(f.asked, want) {
		t.Errorf("the engine was asked %q, want %q", f.asked, want)
	}
	_, notQueued := c.MoveFirst(ctx, "running", api.FrontOfAll)
	refusedWith(t, notQueued, http.StatusConflict, CodeConflict)
	for _, path := range []string{"/queue?n=0", "/usage?since=now", "/runs?since=yesterday", "/runs?until=1", "/runs?pinned=yes", "/scripts?last=0", "/scripts?last=51", "/runs/r1/outputs/x/thumbnail"} {
		_, err := ask[any](ctx, c, http.MethodGet, path, nil)
		refusedWith(t, err, http.StatusBadRequest, CodeBadRequest)
	}
	_, err := ask[any](ctx, c, http.MethodDelete, "/runs?n=3", nil)
	refusedWith(t, err, http.StatusBadRequest, CodeBadRequest)
}
