package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/app/home"
	"blendtray/app/settings"
	"blendtray/blender"
	"blendtray/engine"
	"blendtray/lab"
	"blendtray/watcher"
)

// rooms is what the rooms that use the settings have, by the name of the room.
type rooms map[string]any

// The rooms. Each is looked at twice: when an engine is opened with the settings, and when an
// engine that runs takes them over. The tray, the window and the farm ask for their settings, and the
// language is read when they start.
const (
	roomRuns    = "the engine's runs"
	roomFolders = "the engine's folders"
	roomWatcher = "the watcher"
	roomBlender = "the Blenders"
	roomTray    = "the tray"
	roomWindow  = "the window"
	roomAgents  = "the server for agents"
	roomLab     = "the port for Blender Lab's clients"
	roomFarm    = "the farm"
	roomWorker  = "the worker of Flamenco"
	roomServer  = "the server of a farm"
	reloaded    = ", after a change"
)

// users returns the rooms that use a setting.
func users(d *settings.Declaration) []string {
	var all []string
	switch d.Table {
	case "runs":
		all = []string{roomRuns}
		if d.Name == "parallel" { // as many Blenders wait
			all = append(all, roomBlender)
		}
	case "folder":
		all = []string{roomFolders}
		for i := range reflect.TypeFor[api.WatchSettings]().NumField() {
			if reflect.TypeFor[api.WatchSettings]().Field(i).Tag.Get("toml") == d.Name {
				all = append(all, roomWatcher)
			}
		}
	case "tray":
		return []string{roomTray}
	case "window":
		return []string{roomWindow}
	case "mcp":
		switch d.Name {
		case "lab_port", "allow", "confine":
			return []string{roomAgents, roomLab, roomLab + reloaded}
		}
		return []string{roomAgents}
	case "farm":
		if d.Name == "serve" {
			return []string{roomServer + reloaded}
		}
		return []string{roomFarm}
	case "flamenco":
		return []string{roomWorker + reloaded}
	default:
		all = []string{roomBlender}
	}
	for _, room := range slices.Clone(all) {
		all = append(all, room+reloaded)
	}
	return all
}

// lastRooms returns what the rooms have of the settings of a source.
func lastRooms(t *testing.T, source settings.Source) rooms {
	t.Helper()
	owner := settings.New(settings.Config{Source: source})
	if err := owner.Err(); err != nil {
		t.Fatal(err)
	}
	got := rooms{}
	for room, has := range given(t, owner.Current(), nil) {
		got[room] = has
	}
	for room, has := range given(t, settings.Default(), owner) {
		got[room+reloaded] = has
	}
	notify, _ := owner.Report().Find("tray.notify")
	got[roomTray] = notify.Value
	got[roomAgents] = owner.Current().MCP
	got[roomFarm] = (&house{owner: owner}).farmSettings()
	editor, _ := owner.Report().Find("window.editor")
	got[roomWindow] = []any{editor.Value, languageOf(source)}
	return got
}

// given returns what the rooms have when an engine is opened with some settings and then, if later
// is not nil, takes over those of later.
func given(t *testing.T, first api.Settings, later *settings.Owner) rooms {
	t.Helper()
	h := &house{
		paths: home.Paths{Data: t.TempDir(), Cache: os.TempDir()}, owner: later,
		logs: home.OpenLogs(home.Paths{Log: t.TempDir()}, func(string) {}),
		lab:  lab.New(lab.Config{}),
	}
	h.lab.Configure(first.MCP)
	h.flamenco, h.served = h.flamencoWorker(), h.farmServer()
	defer h.logs.Close()
	h.agents = &agentDoor{house: h}
	cfg := h.engineConfig(first)
	got := &passed{}
	cfg.NewWatcher = func(c watcher.Config) (engine.Watcher, error) {
		if got.folders == nil { // the second watcher is for modules
			got.folders = c.Folders
		}
		return watcherOfTest{got}, nil
	}
	cfg.NewBlender = func(spec api.BlenderSpec, _ func(api.BlenderStatus)) engine.Blender {
		got.specs = append(got.specs, spec)
		return blenderOfTest{passed: got}
	}
	var err error
	if h.engine, err = engine.Open(cfg); err != nil {
		t.Fatal(err)
	}
	if later != nil {
		got.specs = nil
		if err := h.apply(later.Current()); err != nil {
			t.Error(err)
		}
	}
	runs, folders := held(h.engine)
	if err := h.engine.Close(); err != nil {
		t.Error(err)
	}
	return rooms{roomRuns: runs, roomFolders: folders, roomWatcher: got.folders, roomBlender: got.specs, roomLab: h.lab.Settings(), roomWorker: h.flamenco.current(), roomServer: h.served.current()}
}

// held returns the settings that an engine holds its runs and its folders to. The engine shows them
// to nobody.
func held(e *engine.Engine) (runs api.RunSettings, folders []api.FolderSettings) {
	inside := reflect.ValueOf(e).Elem()
	copyHidden(reflect.ValueOf(&runs).Elem(), inside.FieldByName("runs"))
	for _, path := range inside.FieldByName("folders").MapKeys() {
		var one api.FolderSettings
		copyHidden(reflect.ValueOf(&one).Elem(), inside.FieldByName("folders").MapIndex(path).Elem().FieldByName("policy"))
		folders = append(folders, one)
	}
	return runs, folders
}

// copyHidden copies a value of a field that another package hides.
func copyHidden(to, from reflect.Value) {
	switch to.Kind() {
	case reflect.Struct:
		for i := range to.NumField() {
			field := to.Field(i)
			if !field.CanSet() { // such as the text of frames
				field = reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem()
			}
			copyHidden(field, from.Field(i))
		}
	case reflect.Slice:
		to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			copyHidden(to.Index(i), from.Index(i))
		}
	case reflect.String:
		to.SetString(from.String())
	case reflect.Bool:
		to.SetBool(from.Bool())
	case reflect.Int64:
		to.SetInt(from.Int())
	default:
		to.SetUint(from.Uint())
	}
}

// passed is what the engine has passed on.
type passed struct {
	folders []api.WatchSettings
	specs   []api.BlenderSpec
}

// watcherOfTest watches nothing.
type watcherOfTest struct{ passed *passed }

func (watcherOfTest) Serve(context.Context) error { return nil }
func (w watcherOfTest) SetFolders(all []api.WatchSettings) error {
	w.passed.folders = all
	return nil
}
func (watcherOfTest) Status() []api.FolderStatus { return nil }
func (watcherOfTest) Pause(bool)                 {}
func (watcherOfTest) Rescan()                    {}

// blenderOfTest executes nothing.
type blenderOfTest struct {
	engine.Blender
	passed *passed
}

func (b blenderOfTest) Configure(spec api.BlenderSpec) { b.passed.specs = append(b.passed.specs, spec) }
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
		number := 4000 + i
		if d.Max < uint64(number) { // small samples are still different
			number = int(d.Max) - i%10
		}
		return fmt.Sprint(number), int64(number)
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
	switch d.Key() {
	case "folder.blender": // a name would need a table, and a version does not
		text = fmt.Sprintf("70.%d", i)
		return text, text
	case "farm.serve":
		text = fmt.Sprintf("127.0.0.1:%d", 8000+i)
		return text, text
	case "flamenco.manager":
		text = fmt.Sprintf("http://sample%d:8080", i)
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

// has tells whether a value is somewhere in what a room has.
func has(room reflect.Value, want any) bool {
	switch room.Kind() {
	case reflect.Interface, reflect.Pointer:
		return !room.IsNil() && has(room.Elem(), want)
	case reflect.Struct:
		for i := range room.NumField() {
			if has(room.Field(i), want) {
				return true
			}
		}
	case reflect.Slice:
		for i := range room.Len() {
			if has(room.Index(i), want) {
				return true
			}
		}
	case reflect.String:
		return room.String() == want
	case reflect.Int, reflect.Int64, reflect.Int32:
		return room.Int() == want
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16:
		return int64(room.Uint()) == want
	}
	return false
}

// expectArrival checks that a setting has come into every room that uses it.
func expectArrival(t *testing.T, what string, d *settings.Declaration, source settings.Source, before rooms, value any) {
	t.Helper()
	now := lastRooms(t, source)
	for _, room := range users(d) {
		if reflect.DeepEqual(now[room], before[room]) {
			t.Errorf("%s is lost on its way to %s: what is there is the same without it", what, room)
		}
		if value != nil && !has(reflect.ValueOf(now[room]), value) {
			t.Errorf("%s is lost on its way to %s: %v is not there", what, room, value)
		}
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
		{"window", "[window]", ""},
		{"mcp", "[mcp]", ""},
		{"farm", "[farm]", ""},
		{"flamenco", "[flamenco]", ""},
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
			expectArrival(t, table.header+" "+d.Name, d, put(table.header+"\n"+rest+d.Name+" = "+written(d, text)+"\n"), before, room)
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
	for _, table := range []string{"blender", "fleet", "sessions", "runs", "tray", "window", "mcp", "farm", "flamenco"} {
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
			expectArrival(t, source.Environ[0], d, source, before, room)
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
		expectArrival(t, key, d, source, before, room)
		if err != nil || applied != 1 {
			t.Errorf("%s: the engine was told %d times, %v", key, applied, err)
		}
	}
}
