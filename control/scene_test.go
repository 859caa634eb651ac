package control

import (
	"errors"
	"net/http"
	"testing"

	"blendtray/api"
)

func TestASceneIsSavedOverControl(t *testing.T) {
	t.Parallel()
	_, c := serve(t, newFake())
	for _, req := range []api.SceneRequest{{File: "/a.blend"}, {Run: "r1"}, {Run: "old", Again: true}} {
		if saved, err := c.SaveScene(t.Context(), req); err != nil || saved.File != req.File || saved.Run.ID != req.Run || saved.Run.Args == nil {
			t.Errorf("%+v: %+v, %v", req, saved, err)
		}
	}
	_, err := c.SaveScene(t.Context(), api.SceneRequest{Run: "old"})
	refusedWith(t, err, http.StatusConflict, CodeSceneGone)
	if !errors.Is(err, api.ErrSceneGone) || errors.Is(err, api.ErrNoScene) {
		t.Errorf("it is %v", err)
	}
}

func TestASceneIsDrawnOverControl(t *testing.T) {
	t.Parallel()
	_, c := serve(t, newFake())
	for _, run := range []string{"", "r1"} {
		made, err := c.PreviewScene(t.Context(), api.PreviewRequest{Run: run, Engine: "eevee", View: "top", Size: 900})
		if err != nil || made.File != "/eevee-top-900.jpg" || made.Run.ID != run || made.Run.Args == nil {
			t.Errorf("of run %q: %+v, %v", run, made, err)
		}
	}
	_, err := c.PreviewScene(t.Context(), api.PreviewRequest{Run: "old"})
	refusedWith(t, err, http.StatusConflict, CodeSceneGone)
	_, err = ask[any](t.Context(), c, http.MethodPost, "/scene/preview", map[string]any{"angle": "top"})
	refusedWith(t, err, http.StatusBadRequest, CodeBadRequest)
}
