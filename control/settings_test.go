package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"blendtray/api"
)

// fakeSettings remembers what it was asked for.
type fakeSettings struct {
	mu    sync.Mutex
	asked []string
	err   error
}

func (f *fakeSettings) ask(format string, args ...any) (api.SettingsReport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	return f.Report(), f.err
}

func (f *fakeSettings) Report() api.SettingsReport {
	return api.SettingsReport{
		File: "/s.toml", Settings: []api.Setting{{Key: "runs.timeout", Value: "9s"}, {Key: "blender.args", Value: []string{"a"}}},
		Folders: []api.FolderReport{{Path: "/a b"}},
	}
}

func (f *fakeSettings) Set(key string, value any) (api.SettingsReport, error) {
	return f.ask("set %s %v %T", key, value, value)
}

func (f *fakeSettings) Unset(key string) (api.SettingsReport, error) { return f.ask("unset %s", key) }

func (f *fakeSettings) AddFolder(path string, values map[string]any) (api.SettingsReport, error) {
	return f.ask("add %s %v", path, values)
}

func (f *fakeSettings) ChangeFolder(path string, values map[string]any) (api.SettingsReport, error) {
	return f.ask("change %s %v", path, values)
}

func (f *fakeSettings) RemoveFolder(path string) (api.SettingsReport, error) {
	return f.ask("remove %s", path)
}

func (f *fakeSettings) Reload() error {
	_, err := f.ask("reload")
	return err
}

func withSettings(f *fakeSettings) func(*Server) { return func(s *Server) { s.settings = f } }

func TestAClientChangesSettings(t *testing.T) {
	t.Parallel()
	f := &fakeSettings{}
	_, c := serve(t, newFake(), withSettings(f))
	ctx := t.Context()
	for _, do := range []func() (api.SettingsReport, error){
		func() (api.SettingsReport, error) { return c.Settings(ctx) },
		func() (api.SettingsReport, error) { return c.SetSetting(ctx, "runs.timeout", "9s") },
		func() (api.SettingsReport, error) { return c.SetSetting(ctx, "runs.history", 500) },
		func() (api.SettingsReport, error) { return c.SetSetting(ctx, "blender.args", []string{"a b"}) },
		func() (api.SettingsReport, error) { return c.UnsetSetting(ctx, "blenders.old") },
		func() (api.SettingsReport, error) {
			return c.AddFolder(ctx, "/a b/ü", map[string]any{"scene": "keep", "recursive": false})
		},
		func() (api.SettingsReport, error) {
			return c.ChangeFolder(ctx, `C:\a b\100%`, map[string]any{"timeout": nil})
		},
		func() (api.SettingsReport, error) { return c.RemoveFolder(ctx, "/a/reload") },
		func() (api.SettingsReport, error) { return c.RemoveFolder(ctx, "/a//b/../c?d#e") },
		func() (api.SettingsReport, error) { return c.RemoveFolder(ctx, "/") },
	} {
		report, err := do()
		if s, ok := report.Find("runs.timeout"); err != nil || !ok || s.Text() != "9s" {
			t.Errorf("%+v, %v", report, err)
		}
		if s, _ := report.Find("blender.args"); s.Text() != `["a"]` {
			t.Errorf("a list arrives as %s", s.Text())
		}
	}
	if _, err := c.ReloadFolders(ctx); err != nil {
		t.Error(err)
	}
	want := []string{
		"set runs.timeout 9s string", "set runs.history 500 float64", "set blender.args [a b] []interface {}", "unset blenders.old",
		"add /a b/ü map[recursive:false scene:keep]", `change C:\a b\100% map[timeout:<nil>]`, "remove /a/reload",
		"remove /a//b/../c?d#e", "remove /", "reload",
	}
	if !slices.Equal(f.asked, want) {
		t.Errorf("it was asked for\n%q\nand not\n%q", f.asked, want)
	}
}

func TestRefusalsOfSettingsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		err    error
		status int
		code   string
		is     error
	}{
		{api.ErrBad, http.StatusBadRequest, CodeBadRequest, api.ErrBad},
		{api.ErrNoSetting, http.StatusNotFound, CodeNotFound, api.ErrNoSetting},
		{api.ErrFixed, http.StatusConflict, CodeFixed, api.ErrFixed},
		{api.ErrSettingsBroken, http.StatusConflict, CodeSettings, api.ErrSettingsBroken},
		{errors.New("the disk is full"), http.StatusInternalServerError, CodeInternal, nil},
	} {
		f := &fakeSettings{err: fmt.Errorf("%w: because", x.err)}
		_, c := serve(t, newFake(), withSettings(f))
		_, err := c.SetSetting(t.Context(), "runs.timeout", "9s")
		refusedWith(t, err, x.status, x.code)
		if !strings.Contains(err.Error(), "because") || x.is != nil && !errors.Is(err, x.is) {
			t.Errorf("the refusal is %v", err)
		}
	}
	_, c := serve(t, newFake(), withSettings(&fakeSettings{err: errors.New("line 3")}))
	_, err := c.ReloadFolders(t.Context())
	refusedWith(t, err, http.StatusConflict, CodeSettings)
	// An engine without an owner of its settings.
	_, c = serve(t, newFake())
	_, err = c.Settings(t.Context())
	refusedWith(t, err, http.StatusConflict, CodeConflict)
}

func TestRequestsAboutSettingsAreChecked(t *testing.T) {
	t.Parallel()
	f := &fakeSettings{}
	_, c := serve(t, newFake(), withSettings(f))
	for _, x := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/settings/runs.timeout", "", 200},
		{"GET", "/settings/runs.none", "", 404},
		{"PUT", "/settings/runs.timeout", "", 400},
		{"PUT", "/settings/runs.timeout", `{"value": null}`, 400},
		{"PUT", "/settings/runs.timeout", `{"valu": "9s"}`, 400},
		{"PUT", "/settings/runs.timeout", `{"value": "9s"} more`, 400},
		{"PUT", "/settings/runs.timeout", `{"value": "` + strings.Repeat("x", maxChange) + `"}`, 413},
		{"POST", "/settings/runs.timeout", "", 405},
		{"PUT", "/settings", "", 405},
		{"POST", "/folders", `{"scene": "keep"}`, 400},
		{"POST", "/folders", `[]`, 400},
		{"POST", "/folders", `{"path": "/a"}`, 201},
		{"PATCH", "/folders/%2Fa", `{"scene": 3}`, 200},
		{"PATCH", "/folders/%2Fa", `x`, 400},
		{"GET", "/folders/%2Fa", "", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), x.method, "http://blendtray"+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(res.Body) // the status tells
		res.Body.Close()
		if res.StatusCode != x.status {
			t.Errorf("%s %s %.40s: %s, %s", x.method, x.path, x.body, res.Status, body.String())
		}
	}
	if want := []string{"add /a map[]", "change /a map[scene:3]"}; !slices.Equal(f.asked, want) {
		t.Errorf("it was asked for %q", f.asked)
	}
}

// The document shows settings as they travel.
func TestASettingHasTheFieldsOfTheDocument(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(api.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	var has map[string]any
	if err := json.Unmarshal(data, &has); err != nil {
		t.Fatal(err)
	}
	if n := reflect.TypeFor[api.Setting]().NumField(); len(has) != n {
		t.Errorf("%d of %d fields have names", len(has), n)
	}
	for _, field := range []string{"key", "value", "default", "from", "holds", "fixed", "type", "words", "label", "help"} {
		if _, ok := has[field]; !ok {
			t.Errorf("there is no field %s", field)
		}
	}
}
