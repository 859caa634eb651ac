package settings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
)

// patience bounds every wait; it is generous because a busy machine is no fault.
const patience = 30 * time.Second

// owned is an owner of a file with an engine that takes everything, unless refuse is set.
type owned struct {
	*Owner
	t    *testing.T
	file string

	mu     sync.Mutex
	said   []string
	held   []api.Settings
	refuse error
}

func own(t *testing.T, text string, change ...func(*Config)) *owned {
	t.Helper()
	o := &owned{t: t, file: filepath.Join(t.TempDir(), "settings.toml")}
	if text != "" {
		write(t, o.file, text)
	}
	cfg := Config{Source: Source{File: o.file}, Lock: o.file + ".lock", Tell: func(sentence string, _ bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.said = append(o.said, sentence)
	}}
	for _, c := range change {
		c(&cfg)
	}
	o.Owner = New(cfg)
	o.Attach(func(s api.Settings) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.refuse != nil {
			return o.refuse
		}
		o.held = append(o.held, s)
		return nil
	})
	o.settle, o.unfinished, o.poll = 20*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond
	return o
}

// serve has the owner notice changes until the test ends.
func (o *owned) serve() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = o.Serve(ctx)
	}()
	o.t.Cleanup(func() {
		stop()
		<-done
	})
}

func (o *owned) eventually(what string, ok func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("waited in vain until %s; it said %q, and is wrong by %v", what, o.told(), o.Err())
		}
	}
}

func (o *owned) told() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.said)
}

func (o *owned) timeout() string { return o.Current().Runs.Timeout.String() }

func (o *owned) expectText(want string) {
	o.t.Helper()
	if got := contents(o.t, o.file); got != want {
		o.t.Errorf("the file is\n%s\nand not\n%s", got, want)
	}
}

func TestAChangeHoldsAtOnceAndKeepsComments(t *testing.T) {
	t.Parallel()
	o := own(t, "# mine\n[runs]\ntimeout = \"5m\" # long\n")
	report, err := o.Set("runs.timeout", "90s")
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := report.Find("runs.timeout"); s.Text() != "1m30s" || s.From != api.FromFile || s.Default != "none" {
		t.Errorf("the answer is %+v", s)
	}
	if len(o.held) != 1 || time.Duration(o.held[0].Runs.Timeout) != 90*time.Second {
		t.Errorf("the engine has %+v", o.held)
	}
	o.expectText("# mine\n[runs]\ntimeout = \"90s\" # long\n")
	if said := o.told(); !slices.Equal(said, []string{"runs.timeout is 1m30s now"}) {
		t.Errorf("it said %q", said)
	}
	if _, err := o.Unset("runs.timeout"); err != nil {
		t.Error(err)
	}
	o.expectText("# mine\n[runs]\n# long\n")
	if o.timeout() != "none" {
		t.Errorf("the time limit is %s", o.timeout())
	}
}

func TestEveryValueIsTakenAsJSONAndAsText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"blender.factory_startup", false, "false"},
		{"blender.factory_startup", "false", "false"},
		{"runs.history", 500.0, "500"},
		{"runs.history", " 500 ", "500"},
		{"blender.max_memory", "1.5GiB", "1536MiB"},
		{"blender.max_memory", "none", "none"},
		{"runs.preview", "workbench", "workbench"},
		{"blender.args", []any{"--a", `b"c`}, `["--a", "b\"c"]`},
		{"blender.args", `["--a"]`, `["--a"]`},
		{"blender.path", "blender-3.6", "blender-3.6"},
		{"blender.path", "/opt/$x/b $$ c", "/opt/$x/b $$ c"},
		{"blenders.old.path", "/opt/old", "/opt/old"},
		{"blenders.old-3_6.max_runs", 3.0, "3"},
		{"blenders.4.5.path", "/opt/blender-4.5", "/opt/blender-4.5"},
		{"blenders.4.5-lts.max_runs", "7", "7"},
	} {
		o := own(t, "")
		report, err := o.Set(c.key, c.value)
		if s, ok := report.Find(c.key); err != nil || !ok || s.Text() != c.want || s.From != api.FromFile {
			t.Errorf("%s = %v became %q, %v", c.key, c.value, s.Text(), err)
		}
		if again := New(o.cfg); again.Err() != nil || fmt.Sprint(again.Report()) != fmt.Sprint(o.Report()) {
			t.Errorf("%s = %v is read again as\n%+v, %v\nand not\n%+v", c.key, c.value, again.Report(), again.Err(), o.Report())
		}
	}
}

func TestAWrongChangeChangesNothing(t *testing.T) {
	t.Parallel()
	const text = "[runs]\nhistory = 7\n[[folder]]\npath = '/a'\n"
	o := own(t, text)
	for _, c := range []struct {
		do   func() (api.SettingsReport, error)
		kind error
		want string
	}{
		{func() (api.SettingsReport, error) { return o.Set("runs.timeout", "soon") }, api.ErrBad, "runs.timeout: \"soon\" is no duration"},
		{func() (api.SettingsReport, error) { return o.Set("runs.history", -1.0) }, api.ErrBad, "is no number"},
		{func() (api.SettingsReport, error) { return o.Set("runs.preview", "eevee") }, api.ErrBad, "workbench"},
		{func() (api.SettingsReport, error) { return o.Set("blender.attach", "perhaps") }, api.ErrBad, "neither true nor false"},
		{func() (api.SettingsReport, error) { return o.Set("blender.args", "--a") }, api.ErrBad, "is no list"},
		{func() (api.SettingsReport, error) { return o.Set("blender.args", []any{1.0}) }, api.ErrBad, "no text"},
		{func() (api.SettingsReport, error) { return o.Set("blender.path", []any{"a"}) }, api.ErrBad, "is a list"},
		{func() (api.SettingsReport, error) { return o.Set("runs.timeot", "3s") }, api.ErrNoSetting, "did you mean runs.timeout?"},
		{func() (api.SettingsReport, error) { return o.Set("timeout", "3s") }, api.ErrNoSetting, "did you mean runs.timeout?"},
		{func() (api.SettingsReport, error) { return o.Set("folder.scene", "keep") }, api.ErrNoSetting, ""},
		{func() (api.SettingsReport, error) { return o.Set("blenders.a b.path", "x") }, api.ErrNoSetting, "no name"},
		{func() (api.SettingsReport, error) { return o.Set("blenders.default.path", "x") }, api.ErrBad, "can't be called"},
		{func() (api.SettingsReport, error) { return o.Set("blenders.open-3.path", "x") }, api.ErrBad, "can't be called"},
		{func() (api.SettingsReport, error) { return o.Set("blenders.Open-a.path", "x") }, api.ErrBad, "can't be called"},
		{func() (api.SettingsReport, error) { return o.Set("blenders.nul.path", "x") }, api.ErrBad, "can't be called"},
		{func() (api.SettingsReport, error) { return o.Set("blenders.x.path.path", "x") }, api.ErrBad, "the name of a setting"},
		{func() (api.SettingsReport, error) { return o.Set("blenders...path", "x") }, api.ErrNoSetting, "no name"},
		{func() (api.SettingsReport, error) { return o.Set("blenders."+strings.Repeat("x", 33)+".path", "x") }, api.ErrNoSetting, "no name"},
		{func() (api.SettingsReport, error) { return o.Unset("blenders.none") }, api.ErrNoSetting, "none"},
		{func() (api.SettingsReport, error) { return o.Unset("blenders.4.5") }, api.ErrNoSetting, "4.5"},
		{func() (api.SettingsReport, error) { return o.ChangeFolder("/a", map[string]any{"blender": "old"}) }, api.ErrBad, "there are: default"},
		{func() (api.SettingsReport, error) { return o.AddFolder("relative", nil) }, api.ErrBad, "absolute"},
		{func() (api.SettingsReport, error) { return o.AddFolder("/a/", nil) }, api.ErrBad, "already"},
		{func() (api.SettingsReport, error) { return o.AddFolder("/b", map[string]any{"scene": "clean"}) }, api.ErrBad, "clean"},
		{func() (api.SettingsReport, error) { return o.AddFolder("/b", map[string]any{"scen": "keep"}) }, api.ErrBad, "did you mean scene?"},
		{func() (api.SettingsReport, error) { return o.AddFolder("/b", map[string]any{"include": "[x"}) }, api.ErrBad, "is no list"},
		{func() (api.SettingsReport, error) {
			return o.AddFolder("/b", map[string]any{"include": []any{"[x"}})
		}, api.ErrBad, "is no pattern"},
		{func() (api.SettingsReport, error) {
			return o.ChangeFolder("/a", map[string]any{"exclude": []any{""}})
		}, api.ErrBad, "a pattern is empty"},
		{func() (api.SettingsReport, error) { return o.ChangeFolder("/a", map[string]any{"path": "/b"}) }, api.ErrBad, "path"},
		{func() (api.SettingsReport, error) {
			return o.ChangeFolder("/none", map[string]any{"scene": "keep"})
		}, api.ErrNoSetting, "not watched"},
		{func() (api.SettingsReport, error) { return o.RemoveFolder("/none") }, api.ErrNoSetting, "not watched"},
	} {
		_, err := c.do()
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, which should be %v and hold %q", err, c.kind, c.want)
		}
	}
	o.expectText(text)
	if len(o.held) != 0 || len(o.told()) != 0 {
		t.Errorf("the engine has %+v, and it said %q", o.held, o.told())
	}
}

func TestWhatAVariableOrAFlagHoldsIsFixed(t *testing.T) {
	t.Parallel()
	const text = "[runs]\ntimeout = \"1m\"\n[[folder]]\npath = \"/both\"\n"
	o := own(t, text, func(c *Config) {
		c.Source.Environ = []string{"BLENDTRAY_RUNS_TIMEOUT=7s"}
		c.Source.Flags = Flags{
			Values:  []FlagValue{{Key: "blender.path", Flag: "--blender", Text: "/opt/$1/blender"}},
			Folders: []FlagFolder{{Flag: "--folder", Path: "/given", RunExisting: true}, {Flag: "--folder", Path: "/both"}},
		}
	})
	if o.timeout() != "7s" || o.Current().Blender.Path != "/opt/$1/blender" {
		t.Errorf("it is %+v", o.Current())
	}
	for _, c := range []struct {
		do   func() (api.SettingsReport, error)
		want string
	}{
		{func() (api.SettingsReport, error) { return o.Set("runs.timeout", "9s") }, "the variable BLENDTRAY_RUNS_TIMEOUT"},
		{func() (api.SettingsReport, error) { return o.Unset("runs.timeout") }, "the variable BLENDTRAY_RUNS_TIMEOUT"},
		{func() (api.SettingsReport, error) { return o.Set("blender.path", "x") }, "the flag --blender"},
		{func() (api.SettingsReport, error) { return o.RemoveFolder("/given") }, "the flag --folder"},
		{func() (api.SettingsReport, error) { return o.RemoveFolder("/both") }, "the flag --folder"},
		{func() (api.SettingsReport, error) {
			return o.ChangeFolder("/given", map[string]any{"scene": "keep"})
		}, "the flag --folder"},
	} {
		if _, err := c.do(); !errors.Is(err, api.ErrFixed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, which should hold %q", err, c.want)
		}
	}
	o.expectText(text)
	report := o.Report()
	timeout, _ := report.Find("runs.timeout")
	path, _ := report.Find("blender.path")
	given, _ := report.Folder("/given")
	existing, _ := given.Find("run_existing")
	if timeout.From != api.FromVariable || timeout.Fixed == "" || path.From != api.FromFlag || path.Fixed == "" ||
		given.From != api.FromFlag || given.Fixed == "" || existing.From != api.FromFlag || existing.Value != true {
		t.Errorf("the report says %+v, %+v, %+v", timeout, path, given)
	}
	// The folder of the file holds as the file says, and may be changed.
	if _, err := o.ChangeFolder("/both", map[string]any{"scene": "keep"}); err != nil {
		t.Error(err)
	}
	// A folder of the command line can be made one of the file.
	if _, err := o.AddFolder("/given", map[string]any{"scene": "keep"}); err != nil {
		t.Error(err)
	}
	if given, _ := o.Report().Folder("/given"); given.From != api.FromFile || given.Fixed != "" {
		t.Errorf("it is %+v", given)
	}
}

func TestFoldersAreAddedChangedAndRemoved(t *testing.T) {
	t.Parallel()
	o := own(t, "# top\n\n# the first\n[[folder]]\npath = \"a\" # mine\n")
	dir := filepath.Dir(o.file)
	dollar := filepath.Join(dir, "b $HOME $$")
	if _, err := o.AddFolder(dollar, map[string]any{"scene": "keep", "recursive": false, "timeout": "5s", "exclude": []any{"x"}}); err != nil {
		t.Fatal(err)
	}
	f := o.Current().Folders[1]
	if f.Path != dollar || f.Recursive || f.Scene != "keep" || f.Timeout.String() != "5s" || !slices.Equal(f.Include, []string{"**/*.py"}) {
		t.Errorf("it is %+v", f)
	}
	if _, err := o.ChangeFolder(dollar, map[string]any{"scene": filepath.Join(dir, "$.blend"), "recursive": nil}); err != nil {
		t.Fatal(err)
	}
	if f := o.Current().Folders[1]; f.Scene != filepath.Join(dir, "$.blend") || !f.Recursive {
		t.Errorf("changed, it is %+v", f)
	}
	if _, err := o.ChangeFolder(filepath.Join(dir, "a"), map[string]any{"on_busy": "cancel"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dollar, filepath.Join(dir, "a")} {
		if _, err := o.RemoveFolder(path); err != nil {
			t.Error(err)
		}
	}
	o.expectText("# top\n")
}

func TestFurtherBlendersInheritFromTheFirst(t *testing.T) {
	t.Parallel()
	o := own(t, "[blender]\nattach = true\nmax_runs = 5\ncancel_grace = '9s'\nargs = ['-x']\n[blenders.old]\npath = 'old'\nmax_runs = 0\n", func(c *Config) {
		c.Source.Environ = []string{"BLENDTRAY_BLENDER_PORT=4711"}
	})
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	specs := o.Current().Specs("/dir")
	if len(specs) != 2 || specs[1].Name != "old" {
		t.Fatalf("they are %+v", specs)
	}
	old := specs[1]
	// A port, and a Blender that a person has open, are of one Blender alone.
	if s, _ := o.Report().Find("blenders.old.port"); s.Default != uint64(0) || s.Text() != "0" {
		t.Errorf("its port is %+v", s)
	}
	if filepath.Base(old.Path) != "old" || old.Attach || old.MaxRuns != 0 || old.CancelGrace.String() != "9s" || !old.FactoryStartup || old.Port != 0 || !slices.Equal(old.Args, []string{"-x"}) {
		t.Errorf("it is %+v", old)
	}
	if s, ok := o.Report().Find("blenders.old.max_runs"); !ok || s.Text() != "0" || s.Default != uint64(5) || s.From != api.FromFile {
		t.Errorf("max_runs is %+v", s)
	}
	if s, _ := o.Report().Find("blenders.old.cancel_grace"); s.From != api.FromDefault || s.Default != "9s" {
		t.Errorf("cancel_grace is %+v", s)
	}
	if _, err := o.Set("blender.max_runs", 6.0); err != nil {
		t.Error(err)
	}
	if _, err := o.Unset("blenders.old.max_runs"); err != nil || o.Current().Blenders["old"].MaxRuns != 6 {
		t.Errorf("%v, and it has %+v", err, o.Current().Blenders)
	}
	for _, text := range []string{
		"[blenders.a]\nport = 1\n\n[blenders.\"4.5\"]\nport = 2\n", "[blenders.a]\nport = 1\n\n[blenders.b]\nport = 2\n", "blenders.a.port = 1\nblenders.b.port = 2\n", "[blenders]\na.port = 1\nb.port = 2\n",
	} {
		o := own(t, text)
		if _, err := o.Set("blenders.a.max_runs", 3.0); err != nil || o.Current().Blenders["a"].MaxRuns != 3 {
			t.Errorf("%s: %v, %+v", text, err, o.Current().Blenders)
		}
		if _, err := o.Unset("blenders.a"); err != nil || len(o.Current().Blenders) != 1 {
			t.Errorf("%s: %v, %+v", text, err, o.Current().Blenders)
		}
	}
}

func TestABlenderWithDotsInItsNameIsAddedAndRemovedWithTheCommentsKept(t *testing.T) {
	t.Parallel()
	const before = "# mine\n[runs] # of all\nhistory = 7\n"
	for _, kept := range []string{before, "blenders.\"4.5\".port = 1 # taken\n", "[blenders]\n\"4.5\".port = 1\n"} {
		o := own(t, kept)
		if _, err := o.Set("blenders.4.5.max_runs", 3.0); err != nil || o.Current().Blenders["4.5"].MaxRuns != 3 {
			t.Errorf("%s: %v, %+v", kept, err, o.Current().Blenders)
		}
		if report, err := o.Set("blenders.4.5.max_runs", 4.0); err != nil {
			t.Errorf("%s: %v", kept, err)
		} else if s, ok := report.Find("blenders.4.5.max_runs"); !ok || s.Text() != "4" {
			t.Errorf("it is %+v", s)
		}
		if _, err := o.Unset("blenders.4.5"); err != nil || len(o.Current().Blenders) != 0 {
			t.Errorf("%s: %v, %+v", kept, err, o.Current().Blenders)
		}
		if kept == before {
			o.expectText(before)
		}
	}
}

func TestABlenderThatAFolderNamesStays(t *testing.T) {
	t.Parallel()
	const text = "[blenders.old]\npath = '/old'\n[[folder]]\npath = '/a'\nblender = 'old'\n"
	o := own(t, text)
	if _, err := o.Unset("blenders.old"); !errors.Is(err, api.ErrBad) || !strings.Contains(err.Error(), "folder /a") {
		t.Errorf("it is removed: %v", err)
	}
	o.expectText(text)
	for _, good := range []string{"4", "4.5", "4.5.2", "open", "default", "old", ""} {
		if _, err := o.ChangeFolder("/a", map[string]any{"blender": good}); err != nil || o.Current().Folders[0].Blender != good {
			t.Errorf("%q: %v", good, err)
		}
	}
	if o := own(t, "[blenders.4.5]\npath = '/old'\n"); o.Err() == nil || !strings.Contains(o.Err().Error(), `[blenders."4.5"]`) {
		t.Errorf("a name without quotes: %v", o.Err())
	}
	if o := own(t, "[blenders.old]\n[blenders.Old]\n"); o.Err() == nil || !strings.Contains(o.Err().Error(), "same name") {
		t.Errorf("two names for one file: %v", o.Err())
	}
}

func TestAChangeThatTheEngineCannotTakeIsTakenBack(t *testing.T) {
	t.Parallel()
	const text = "[runs]\nhistory = 7\n"
	o := own(t, text)
	o.refuse = errors.New("no inotify is left")
	_, err := o.AddFolder("/a", nil)
	if err == nil || !strings.Contains(err.Error(), "no inotify is left") {
		t.Errorf("it is added: %v", err)
	}
	o.expectText(text)
	o.mu.Lock()
	o.refuse = nil
	o.mu.Unlock()
	if err := o.Reload(); err != nil || o.Err() != nil || len(o.Current().Folders) != 0 {
		t.Errorf("%v, %v, %+v", err, o.Err(), o.Current())
	}
}

func TestAChangeByHandIsNoticed(t *testing.T) {
	t.Parallel()
	o := own(t, "[runs]\nhistory = 7\n")
	o.serve()
	// Written in place, as most editors can.
	write(t, o.file, "[runs]\nhistory = 7\ntimeout = '7s'\n")
	o.eventually("the new time limit holds", func() bool { return o.timeout() == "7s" })
	// Replaced by a rename, as others do.
	beside := o.file + ".new"
	write(t, beside, "[runs]\ntimeout = '8s' # mine\n")
	if err := os.Rename(beside, o.file); err != nil {
		t.Fatal(err)
	}
	o.eventually("the file that was put there holds", func() bool { return o.timeout() == "8s" })
	// Broken: what held holds on, and it is told once, with its place.
	write(t, o.file, "[runs]\ntimeout = '9s'\nhistori = 3\n")
	o.eventually("the mistake is noticed", func() bool { return o.Err() != nil })
	if st := o.Status(); o.timeout() != "8s" || st.Line != 3 || !strings.Contains(st.Error, o.file+":3:1: there is no key runs.histori") {
		t.Errorf("it is %s, and the status says %+v", o.timeout(), st)
	}
	if _, err := o.Set("runs.timeout", "1s"); !errors.Is(err, api.ErrSettingsBroken) || !strings.Contains(err.Error(), ":3:1") {
		t.Errorf("a change of a broken file: %v", err)
	}
	// Mended.
	write(t, o.file, "[runs]\ntimeout = '9s'\n")
	o.eventually("the mended file holds", func() bool { return o.Err() == nil && o.timeout() == "9s" })
	// A change of the owner's own is told once, and keeps what was written by hand.
	if _, err := o.Set("runs.history", 5.0); err != nil {
		t.Fatal(err)
	}
	o.expectText("[runs]\ntimeout = '9s'\nhistory = 5\n")
	// Removed: the defaults hold.
	if err := os.Remove(o.file); err != nil {
		t.Fatal(err)
	}
	o.eventually("the defaults hold", func() bool { return o.timeout() == "none" })
	want := []string{
		"runs.timeout is 7s now",
		"runs.timeout is 8s now\nruns.history is 10000 now",
		o.file + ":3:1: there is no key runs.histori; did you mean history?; the settings before still hold",
		"the settings in " + o.file + " are right again\nruns.timeout is 9s now",
		"runs.history is 5 now",
		"runs.timeout is none now\nruns.history is 10000 now",
	}
	o.eventually(fmt.Sprintf("it has said %q", want), func() bool { return slices.Equal(o.told(), want) })
}

func TestAFileThatIsStillBeingWrittenIsNotBelieved(t *testing.T) {
	t.Parallel()
	o := own(t, "[[folder]]\npath = '/a'\n[[folder]]\npath = '/b'\n")
	o.unfinished = time.Hour
	looks := make(chan string, 1000)
	o.looked = func(file seen) { looks <- string(file.text) }
	o.serve()
	// An editor empties the file and writes it piece by piece.
	for _, text := range []string{"", "[[folder]]\n", "[[folder]]\npath = '/a'\n", "[[folder]]\npath = '/a'\n[[fol"} {
		write(t, o.file, text)
		for look := range looks {
			if look == text {
				break
			}
		}
	}
	write(t, o.file, "[[folder]]\npath = '/a'\n[[folder]]\npath = '/b'\n[[folder]]\npath = '/c'\n")
	o.eventually("the whole file holds, and that is said", func() bool { return len(o.Current().Folders) == 3 && len(o.told()) > 0 })
	if said := o.told(); !slices.Equal(said, []string{"the folder /c is watched now"}) {
		t.Errorf("it said %q", said)
	}
}

func TestALinkedFileIsFollowed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // links take an administrator there
	}
	dotfiles := t.TempDir()
	target := filepath.Join(dotfiles, "settings.toml")
	write(t, target, "[runs]\ntimeout = '7s'\n")
	o := own(t, "", func(c *Config) {
		if err := os.Symlink(target, c.Source.File); err != nil {
			t.Fatal(err)
		}
	})
	o.poll = time.Hour // it has to hear of it
	o.serve()
	if o.timeout() != "7s" {
		t.Errorf("it is %s", o.timeout())
	}
	beside := filepath.Join(dotfiles, "new")
	write(t, beside, "[runs]\ntimeout = '8s'\n")
	if err := os.Rename(beside, target); err != nil {
		t.Fatal(err)
	}
	o.eventually("the target holds", func() bool { return o.timeout() == "8s" })
}

func TestAFileInAFolderThatIsMadeLaterIsNoticed(t *testing.T) {
	t.Parallel()
	o := own(t, "", func(c *Config) { c.Source.File = filepath.Join(filepath.Dir(c.Source.File), "later", "settings.toml") })
	o.serve()
	file := o.cfg.Source.File
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file, "[runs]\ntimeout = '7s'\n")
	o.eventually("it holds", func() bool { return o.timeout() == "7s" })
}

func TestANamedFileMustBeThere(t *testing.T) {
	t.Parallel()
	o := own(t, "[runs]\ntimeout = '7s'\n", func(c *Config) { c.Source.Required = true })
	o.serve()
	if err := os.Remove(o.file); err != nil {
		t.Fatal(err)
	}
	o.eventually("it is missed", func() bool { return o.Err() != nil })
	if o.timeout() != "7s" {
		t.Errorf("it is %s", o.timeout())
	}
	write(t, o.file, "[runs]\ntimeout = '8s'\n")
	o.eventually("it is back", func() bool { return o.timeout() == "8s" && o.Err() == nil })
}

func TestAwaitWaitsForTheMendedFile(t *testing.T) {
	t.Parallel()
	o := own(t, "[runs]\ntimeout = soon\n")
	if o.Err() == nil {
		t.Fatal("it is right at first")
	}
	done := make(chan error, 1)
	go func() { done <- o.Await(t.Context()) }()
	write(t, o.file, "[runs]\ntimeout = 'soon'\n")
	o.eventually("another mistake is noticed", func() bool { return strings.Contains(o.Err().Error(), "no duration") })
	select {
	case err := <-done:
		t.Fatalf("it waits no longer: %v", err)
	default:
	}
	write(t, o.file, "[runs]\ntimeout = '7s'\n")
	select {
	case err := <-done:
		if err != nil || o.timeout() != "7s" {
			t.Errorf("%v, %s", err, o.timeout())
		}
	case <-time.After(patience):
		t.Fatal("it waits on")
	}
}

func TestTwoOwnersLoseNoChange(t *testing.T) {
	t.Parallel()
	o := own(t, "# mine\n")
	other := New(o.cfg)
	var wg sync.WaitGroup
	const each = 10
	for i := range each {
		for name, owner := range map[string]*Owner{"a": o.Owner, "b": other} {
			wg.Go(func() {
				if _, err := owner.AddFolder(fmt.Sprintf("/%s%d", name, i), nil); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	o.Look()
	if n := len(o.Current().Folders); n != 2*each {
		t.Errorf("there are %d folders", n)
	}
}

func TestAFileThatCannotBeWrittenStaysAsItIs(t *testing.T) {
	t.Parallel()
	const text = "[runs]\nhistory = 7\n"
	o := own(t, text)
	if err := os.Chmod(o.file, 0o400); err != nil {
		t.Fatal(err)
	}
	_, err := o.Set("runs.history", 8.0)
	if err == nil || o.Current().Runs.History != 7 || len(o.held) != 0 {
		t.Errorf("%v, and it is %d", err, o.Current().Runs.History)
	}
	o.expectText(text)
}
