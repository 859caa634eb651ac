package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/app/home"
	"blendtray/app/settings"
	"blendtray/blender"
	"blendtray/engine"
	"blendtray/watcher"
)

// lastRooms returns what the rooms that use the settings are given for them, when an engine is
// opened with them and when a running one takes them over: the engine what it holds runs to, the
// watcher its folders, each Blender its specification, and the tray, which asks, its answer.
func lastRooms(t *testing.T, source settings.Source) any {
	t.Helper()
	owner := settings.New(settings.Config{Source: source})
	if err := owner.Err(); err != nil {
		t.Fatal(err)
	}
	opened, reloaded := given(t, owner, owner.Current()), given(t, owner, settings.Default())
	notify, _ := owner.Report().Find("tray.notify")
	return []any{opened, reloaded, notify.Value}
}

// given returns what an engine that is opened with some settings, and then takes over those of an
// owner, passes on.
func given(t *testing.T, owner *settings.Owner, first api.Settings) any {
	t.Helper()
	h := &house{
		paths: home.Paths{Data: t.TempDir(), Cache: os.TempDir()}, owner: owner,
		logs: home.OpenLogs(home.Paths{Log: t.TempDir()}, func(string) {}),
	}
	defer h.logs.Close()
	cfg := h.engineConfig(first)
	got := &rooms{}
	cfg.NewWatcher = func(c watcher.Config) (engine.Watcher, error) {
		got.folders = c.Folders
		return watcherOfTest{got}, nil
	}
	cfg.NewBlender = func(spec api.BlenderSpec, _ func(api.BlenderStatus)) engine.Blender {
		got.specs = append(got.specs, spec)
		return blenderOfTest{rooms: got}
	}
	var err error
	if h.engine, err = engine.Open(cfg); err != nil {
		t.Fatal(err)
	}
	if err := h.apply(owner.Current()); err != nil {
		t.Error(err)
	}
	if err := h.engine.Close(); err != nil {
		t.Error(err)
	}
	return []any{cfg.Runs, cfg.Folders, got.folders, got.specs}
}

// rooms is what the engine has passed on.
type rooms struct {
	folders []api.WatchSettings
	specs   []api.BlenderSpec
}

// watcherOfTest watches nothing.
type watcherOfTest struct{ rooms *rooms }

func (watcherOfTest) Serve(context.Context) error { return nil }
func (w watcherOfTest) SetFolders(all []api.WatchSettings) error {
	w.rooms.folders = all
	return nil
}
func (watcherOfTest) Status() []api.FolderStatus { return nil }
func (watcherOfTest) Pause(bool)                 {}
func (watcherOfTest) Rescan()                    {}

// blenderOfTest executes nothing.
type blenderOfTest struct {
	engine.Blender
	rooms *rooms
}

func (b blenderOfTest) Configure(spec api.BlenderSpec) { b.rooms.specs = append(b.rooms.specs, spec) }
func (blenderOfTest) Status() api.BlenderStatus        { return api.BlenderStatus{} }
func (blenderOfTest) Expect(int, []string)             {}
func (blenderOfTest) Alert(blender.Request)            {}

// sample returns a value of a setting that no default has and that differs from key to key: as it
// is written in the file, without quotes, and as a room has it. A room's value that is nil can't
// be told from others by itself.
func sample(d *settings.Declaration, i int) (text string, room any) {
	switch d.Name {
	case "frame", "frames":
		frame := fmt.Sprint(7000 + i)
		return frame, frame
	}
	switch d.Type {
	case api.TypeBool:
		return fmt.Sprint(d.Default() == false), nil
	case api.TypeNumber:
		if d.Key() == "runs.parallel" {
			return "37", int64(37)
		}
		return fmt.Sprint(4000 + i), int64(4000 + i)
	case api.TypeDuration:
		return fmt.Sprintf("%ds", 5000+i), int64(5000+i) * 1e9
	case api.TypeSize:
		return fmt.Sprintf("%dB", 6000+i), int64(6000 + i)
	case api.TypeWord:
		for _, word := range d.Words {
			if word != d.Default() && word != "auto" {
				return word, nil
			}
		}
	case api.TypeList:
		return fmt.Sprintf(`["sample%d"]`, i), fmt.Sprintf("sample%d", i)
	}
	if d.Key() == "folder.blender" { // a name would need a table, and a version does not
		text = fmt.Sprintf("70.%d", i)
		return text, text
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("sample%d.blend", i))
	return path, path
}

// written returns a sample as TOML.
func written(d *settings.Declaration, text string) string {
	switch d.Type {
	case api.TypeBool, api.TypeNumber, api.TypeList:
		return text
	}
	return "'" + text + "'"
}

// has tells whether a value is somewhere in what the rooms have.
func has(rooms reflect.Value, want any) bool {
	switch rooms.Kind() {
	case reflect.Interface, reflect.Pointer:
		return !rooms.IsNil() && has(rooms.Elem(), want)
	case reflect.Struct:
		for i := range rooms.NumField() {
			if has(rooms.Field(i), want) {
				return true
			}
		}
	case reflect.Slice:
		for i := range rooms.Len() {
			if has(rooms.Index(i), want) {
				return true
			}
		}
	case reflect.String:
		return rooms.String() == want
	case reflect.Int, reflect.Int64, reflect.Int32:
		return rooms.Int() == want
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16:
		return int64(rooms.Uint()) == want
	}
	return false
}

func expectArrival(t *testing.T, key string, source settings.Source, before any, room any) {
	t.Helper()
	rooms := lastRooms(t, source)
	if reflect.DeepEqual(rooms, before) {
		t.Errorf("%s is lost on its way: nobody is given anything else than without it", key)
	}
	if room != nil && !has(reflect.ValueOf(rooms), room) {
		t.Errorf("%s is lost on its way: nobody is given %v", key, room)
	}
}

// A new setting is tried here as soon as it is declared.
func TestEverySettingOfTheFileReachesTheRoomThatUsesIt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.toml")
	put := func(text string) settings.Source {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return settings.Source{File: file}
	}
	tried := 0
	for _, table := range []struct{ name, header, rest string }{
		{"blender", "[blender]", ""},
		{"blender", "[blenders.other]", ""},
		{"fleet", "[fleet]", ""},
		{"sessions", "[sessions]", ""},
		{"runs", "[runs]", ""},
		{"tray", "[tray]", ""},
		{"folder", "[[folder]]", "path = '/srv/scripts'\n"},
	} {
		for i, d := range settings.Declarations(table.name) {
			tried++
			text, room := sample(d, i)
			rest := table.rest
			if d.Key() == "folder.path" {
				rest = ""
			}
			before := lastRooms(t, put(table.header+"\n"+table.rest))
			expectArrival(t, table.header+" "+d.Name, put(table.header+"\n"+rest+d.Name+" = "+written(d, text)+"\n"), before, room)
		}
	}
	if all := len(settings.Keys()) + len(settings.Declarations("blender")); tried != all {
		t.Errorf("%d settings are tried, and %d declared: the test lacks a table", tried, all)
	}
}

func TestEveryVariableReachesTheRoomThatUsesItsSetting(t *testing.T) {
	t.Parallel()
	none := settings.Source{File: filepath.Join(t.TempDir(), "settings.toml")}
	before := lastRooms(t, none)
	for _, table := range []string{"blender", "fleet", "sessions", "runs", "tray"} {
		for i, d := range settings.Declarations(table) {
			text, room := sample(d, i)
			source := none
			source.Environ = []string{"BLENDTRAY_" + strings.ToUpper(d.Table+"_"+d.Name) + "=" + text}
			if d.Type == api.TypeList { // which has no variable
				if err := settings.New(settings.Config{Source: source}).Err(); err == nil {
					t.Errorf("%s is taken", source.Environ)
				}
				continue
			}
			expectArrival(t, source.Environ[0], source, before, room)
		}
	}
}

// What a client changes goes the same way.
func TestEverySettingThatIsChangedReachesTheEngine(t *testing.T) {
	t.Parallel()
	for i, key := range settings.Keys() {
		table, name, _ := strings.Cut(key, ".")
		if key == "folder.path" {
			continue
		}
		source := settings.Source{File: filepath.Join(t.TempDir(), "settings.toml")}
		owner := settings.New(settings.Config{Source: source})
		var applied int
		owner.Attach(func(s api.Settings) error {
			applied++
			if !reflect.DeepEqual(s, owner.Current()) {
				return nil
			}
			return errors.New("the engine is given what held before")
		})
		var d *settings.Declaration
		for _, declared := range settings.Declarations(table) {
			if declared.Name == name {
				d = declared
			}
		}
		text, room := sample(d, i)
		change := func() error { _, err := owner.Set(key, text); return err }
		if table == "folder" {
			if _, err := owner.AddFolder("/srv/scripts", nil); err != nil {
				t.Fatal(err)
			}
			applied = 0
			change = func() error {
				_, err := owner.ChangeFolder("/srv/scripts", map[string]any{name: text})
				return err
			}
		}
		before := lastRooms(t, source)
		err := change()
		expectArrival(t, key, source, before, room)
		if err != nil || applied != 1 {
			t.Errorf("%s: the engine was told %d times, %v", key, applied, err)
		}
	}
}
