package control

import (
	"context"
	"net/http"

	"blendtray/api"
)

// postScene saves the scene of a run, or of the last run where the path names none.
func (s *Server) postScene(w http.ResponseWriter, r *http.Request) error {
	var req api.SceneRequest
	if err := s.readOptional(w, r, &req); err != nil {
		return err
	}
	req.Run = r.PathValue("id")
	saved, err := s.engine.SaveScene(r.Context(), req)
	if err != nil {
		return err
	}
	saved.Run = tidy(saved.Run)
	s.answer(w, http.StatusOK, saved)
	return nil
}

// readOptional decodes the body of a request about a scene, where there is one.
func (s *Server) readOptional(w http.ResponseWriter, r *http.Request, into any) error {
	if r.ContentLength == 0 {
		return nil
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	if err := unmarshalStrict(body, into); err != nil {
		return badRequest("the request is not one for a scene: %v", err)
	}
	return nil
}

// postPreview makes a picture of the scene of a run, or of the last run where the path names none.
func (s *Server) postPreview(w http.ResponseWriter, r *http.Request) error {
	var req api.PreviewRequest
	if err := s.readOptional(w, r, &req); err != nil {
		return err
	}
	req.Run = r.PathValue("id")
	made, err := s.engine.PreviewScene(r.Context(), req)
	if err != nil {
		return err
	}
	made.Run = tidy(made.Run)
	s.answer(w, http.StatusOK, made)
	return nil
}

// PreviewScene has a picture made of the scene that a run has left, and returns when the picture is there.
// It fails with [api.ErrSceneGone] when the scene is not there any more, and with [api.ErrNoScene] when
// there is nothing to see.
func (c *Client) PreviewScene(ctx context.Context, req api.PreviewRequest) (api.ScenePreview, error) {
	path := "/scene/preview"
	if req.Run != "" {
		path = runPath(req.Run, "/scene/preview")
	}
	return ask[api.ScenePreview](ctx, c, http.MethodPost, path, req)
}

// SaveScene has a copy made of the scene that a run has left, and returns when the copy is there. It
// fails with [api.ErrSceneGone] when the scene is not there any more and the run is not to be made
// again, and with [api.ErrNoScene] when the run leaves none.
func (c *Client) SaveScene(ctx context.Context, req api.SceneRequest) (api.SavedScene, error) {
	path := "/scene"
	if req.Run != "" {
		path = runPath(req.Run, "/scene")
	}
	return ask[api.SavedScene](ctx, c, http.MethodPost, path, req)
}
