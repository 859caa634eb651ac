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
