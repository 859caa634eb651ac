package control

import (
	"context"
	"net/http"
	"net/url"

	"blendtray/api"
)

// Settings is what a [Server] needs of the owner of the engine's settings. Every change returns
// all settings after the change. The errors are [api.ErrNoSetting], [api.ErrFixed], [api.ErrBad]
// and [api.ErrSettingsBroken].
type Settings interface {
	// Report returns every setting.
	Report() api.SettingsReport
	// Set changes a key. The value has the type of JSON, or is the text that would stand in the
	// file.
	Set(key string, value any) (api.SettingsReport, error)
	// Unset removes a key from the file.
	Unset(key string) (api.SettingsReport, error)
	// AddFolder begins to watch a folder, with values for some of its keys.
	AddFolder(path string, values map[string]any) (api.SettingsReport, error)
	// ChangeFolder changes keys of a folder; a value of nil removes a key.
	ChangeFolder(path string, values map[string]any) (api.SettingsReport, error)
	// RemoveFolder ends the watching of a folder.
	RemoveFolder(path string) (api.SettingsReport, error)
	// Reload reads the file again. It fails when the file is wrong.
	Reload() error
}

// maxChange is the largest body of a change of the settings.
const maxChange = 1 << 20

// overSettings returns a handler that refuses a request when the server has no owner of the
// settings, and calls do otherwise.
func (s *Server) overSettings(do func(w http.ResponseWriter, r *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.settings == nil {
			return refuse(http.StatusConflict, CodeConflict, "", "this engine has no settings that can be asked for or changed")
		}
		return do(w, r)
	}
}

// answerSettings returns a function that sends the result of a change.
func (s *Server) answerSettings(w http.ResponseWriter, status int) func(api.SettingsReport, error) error {
	return func(report api.SettingsReport, err error) error {
		if err != nil {
			return err
		}
		s.answer(w, status, report)
		return nil
	}
}

func (s *Server) getSettings(w http.ResponseWriter, _ *http.Request) error {
	s.answer(w, http.StatusOK, s.settings.Report())
	return nil
}

func (s *Server) getSetting(w http.ResponseWriter, r *http.Request) error {
	key := r.PathValue("key")
	setting, ok := s.settings.Report().Find(key)
	if !ok {
		return refuse(http.StatusNotFound, CodeNotFound, settingsHint, "there is no setting %s", key)
	}
	s.answer(w, http.StatusOK, setting)
	return nil
}

func (s *Server) putSetting(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Value any `json:"value"`
	}
	if err := readChange(w, r, &in); err != nil {
		return err
	}
	if in.Value == nil {
		return badRequest(`the request has no value; send {"value": …}, or DELETE for the default`)
	}
	return s.answerSettings(w, http.StatusOK)(s.settings.Set(r.PathValue("key"), in.Value))
}

func (s *Server) deleteSetting(w http.ResponseWriter, r *http.Request) error {
	return s.answerSettings(w, http.StatusOK)(s.settings.Unset(r.PathValue("key")))
}

func (s *Server) postFolder(w http.ResponseWriter, r *http.Request) error {
	in := map[string]any{}
	if err := readChange(w, r, &in); err != nil {
		return err
	}
	path, ok := in["path"].(string)
	if !ok || path == "" {
		return badRequest(`the request has no path; send {"path": "/absolute/path", …}`)
	}
	delete(in, "path")
	return s.answerSettings(w, http.StatusCreated)(s.settings.AddFolder(path, in))
}

func (s *Server) patchFolder(w http.ResponseWriter, r *http.Request) error {
	in := map[string]any{}
	if err := readChange(w, r, &in); err != nil {
		return err
	}
	return s.answerSettings(w, http.StatusOK)(s.settings.ChangeFolder(folderIn(r), in))
}

func (s *Server) deleteFolder(w http.ResponseWriter, r *http.Request) error {
	return s.answerSettings(w, http.StatusOK)(s.settings.RemoveFolder(folderIn(r)))
}

func (s *Server) postReload(w http.ResponseWriter, _ *http.Request) error {
	if err := s.settings.Reload(); err != nil {
		return wrongSettings(err)
	}
	s.answer(w, http.StatusOK, s.status())
	return nil
}

// readChange reads the body of a change of the settings into into. It fails when the body is not
// strict JSON.
func readChange(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := readAll(w, r, maxChange)
	if err != nil {
		return err
	}
	if err := unmarshalStrict(body, into); err != nil {
		return badRequest("the request is no change of a setting: %v", err)
	}
	return nil
}

// Settings returns every setting of the engine: its value, the origin of the value, and whether
// the setting can be changed.
func (c *Client) Settings(ctx context.Context) (api.SettingsReport, error) {
	return ask[api.SettingsReport](ctx, c, http.MethodGet, "/settings", nil)
}

// SetSetting has the engine change a setting, "runs.timeout" or "blenders.NAME.port", in its
// file and for itself. The value is a string, bool, number or list of strings, or the text that
// would stand in the file. SetSetting returns the settings after the change. It fails with an
// [*Error] that is [api.ErrNoSetting] for an unknown key, and [api.ErrBad] for a value that the
// setting can't have; an [*Error] with [CodeConflict] says that a variable or a flag holds the
// setting, or that the file is wrong.
func (c *Client) SetSetting(ctx context.Context, key string, value any) (api.SettingsReport, error) {
	return ask[api.SettingsReport](ctx, c, http.MethodPut, settingPath(key), map[string]any{"value": value})
}

// UnsetSetting has the engine take a setting out of its file, so that the default holds;
// "blenders.NAME" takes out a further Blender with all its keys. It returns and fails as
// [Client.SetSetting] does.
func (c *Client) UnsetSetting(ctx context.Context, key string) (api.SettingsReport, error) {
	return ask[api.SettingsReport](ctx, c, http.MethodDelete, settingPath(key), nil)
}

// AddFolder has the engine watch a folder, now and from its next start on. The path is absolute,
// and values may have keys of the folder, such as "scene". AddFolder returns and fails as
// [Client.SetSetting] does.
func (c *Client) AddFolder(ctx context.Context, path string, values map[string]any) (api.SettingsReport, error) {
	body := map[string]any{}
	for key, value := range values {
		body[key] = value
	}
	body["path"] = path
	return ask[api.SettingsReport](ctx, c, http.MethodPost, "/folders", body)
}

// ChangeFolder has the engine change keys of a watched folder; a value of nil restores the
// default. It returns and fails as [Client.SetSetting] does.
func (c *Client) ChangeFolder(ctx context.Context, path string, values map[string]any) (api.SettingsReport, error) {
	return ask[api.SettingsReport](ctx, c, http.MethodPatch, folderPath(path), values)
}

// RemoveFolder has the engine stop watching a folder. It returns and fails as
// [Client.SetSetting] does.
func (c *Client) RemoveFolder(ctx context.Context, path string) (api.SettingsReport, error) {
	return ask[api.SettingsReport](ctx, c, http.MethodDelete, folderPath(path), nil)
}

func settingPath(key string) string { return "/settings/" + url.PathEscape(key) }

// folderIn returns the folder that a request is about.
func folderIn(r *http.Request) string {
	if path := r.PathValue("path"); path != "/." {
		return path
	}
	return "/"
}

// folderPath returns the path of a request for a folder. A server takes %2F alone for the end of a path.
func folderPath(path string) string {
	if path == "/" {
		path = "/."
	}
	return "/folders/" + url.PathEscape(path)
}
