package settings

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
)

// Config is what an [Owner] is made from.
type Config struct {
	Source Source
	// Lock is a file by which the processes of one home change the settings one after the other,
	// or "".
	Lock string
	// Refuse, if given, returns why a folder can't be watched, or "".
	Refuse func(path string) string
	// Tell, if given, is called after each change, and when the file has become wrong or right,
	// with a sentence for a person. wrong says that the sentence is about a mistake. Tell must not
	// call the owner.
	Tell func(sentence string, wrong bool)
}

// Owner owns the settings of a process: it alone changes their file, notices when somebody else
// has changed it, and gives what is right to the engine. Its methods may be called from any
// goroutine.
//
// While the file is wrong the last settings that were right hold on.
type Owner struct {
	cfg Config

	// changing is held during a change of the settings and while the engine takes them over, so
	// that one follows the other.
	changing sync.Mutex
	// apply gives settings to the engine; nil when there is none. Guarded by changing.
	apply func(api.Settings) error

	mu   sync.Mutex
	now  Loaded
	seen seen  // the file when it was last looked at
	err  error // what is wrong with the settings, or nil
	// wrote tells whether the last change by this owner has written the file.
	wrote bool

	// The times of [Owner.Serve], which tests make shorter.
	settle, unfinished, poll time.Duration
	looked                   func(seen) // called after each look of Serve; for tests
}

// seen is what a look at the file has shown.
type seen struct {
	text []byte
	err  error // why the file could not be read, or nil
}

func (s Source) snapshot() seen {
	text, err := s.read()
	return seen{text, err}
}

// same tells whether two looks have shown the same.
func (s seen) same(other seen) bool {
	return bytes.Equal(s.text, other.text) && (s.err == nil) == (other.err == nil)
}

// load returns the settings of the file as it was seen.
func (s Source) load(file seen) (Loaded, error) {
	if file.err != nil {
		return defaults(), file.err
	}
	return s.parse(file.text)
}

// New returns the owner of the settings from a source. When they are wrong, [Owner.Err] says so,
// and the defaults hold.
func New(cfg Config) *Owner {
	o := &Owner{cfg: cfg, settle: settleTime, unfinished: unfinishedTime, poll: pollTime, looked: func(seen) {}}
	o.seen, o.now = cfg.Source.snapshot(), defaults()
	loaded, err := cfg.Source.load(o.seen)
	if o.err = err; err == nil {
		o.now = loaded
	}
	return o
}

// Err returns what is wrong with the settings, or nil. The error for a mistake in the file is a
// [Wrong], or several that are joined.
func (o *Owner) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Wrote reports whether the last change by this owner has written the file. It has not where the file
// said already what was asked for.
func (o *Owner) Wrote() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wrote
}

// Current returns the settings that hold now.
func (o *Owner) Current() api.Settings {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now.Settings
}

// Status returns where the file is and what is wrong in it.
func (o *Owner) Status() api.SettingsStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.statusLocked()
}

func (o *Owner) statusLocked() api.SettingsStatus {
	st := api.SettingsStatus{File: o.cfg.Source.File}
	if o.err != nil {
		st.Error = o.err.Error()
		var w *Wrong
		if errors.As(o.err, &w) {
			st.Line = w.Line
		}
	}
	return st
}

// Report returns every setting, with where its value comes from.
func (o *Owner) Report() api.SettingsReport {
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.statusLocked()
	return o.now.report(st.File, st.Error)
}

// Attach has apply called with the settings at each change from now on. The engine was made with
// [Owner.Current].
func (o *Owner) Attach(apply func(api.Settings) error) {
	o.changing.Lock()
	defer o.changing.Unlock()
	o.apply = apply
}

// Set sets a key, "runs.timeout" or "blenders.NAME.port", in the file and in the engine. The
// value is as JSON has it, or the text that would stand in the file; a $ in a path is a plain
// character. Set returns the settings that hold afterwards.
//
// It fails, and changes nothing, with an error that is [api.ErrNoSetting] for an unknown key,
// [api.ErrFixed] when a variable or a flag holds the key, [api.ErrBad] for a value that the
// setting can't have, and [api.ErrSettingsBroken] when the file is wrong already.
func (o *Owner) Set(key string, value any) (api.SettingsReport, error) {
	table, d, err := find(key)
	if err != nil {
		return api.SettingsReport{}, err
	}
	written, err := d.literal(value)
	if err != nil {
		return api.SettingsReport{}, refuse(api.ErrBad, "%s: %w", key, err)
	}
	return o.changeKey(key, func(text []byte) ([]byte, error) { return setKey(text, table, d.Name, written) })
}

// Unset removes a key from the file, so that its default holds again, or a further Blender with
// all its keys: "blenders.NAME". It returns and fails as [Owner.Set] does. To unset what is not
// set changes nothing.
func (o *Owner) Unset(key string) (api.SettingsReport, error) {
	table, d, err := find(key)
	if name, ok := strings.CutPrefix(key, tableBlenders+"."); ok && err != nil && (wrongName(name) == "" || !o.lacks(name)) {
		return o.change(func(text []byte) ([]byte, error) {
			after, err := removeTable(text, key)
			if err != nil && o.lacks(name) {
				return nil, refuse(api.ErrNoSetting, "the settings have no table %s", key)
			}
			return after, err
		})
	}
	if err != nil {
		return api.SettingsReport{}, err
	}
	return o.changeKey(key, func(text []byte) ([]byte, error) { return setKey(text, table, d.Name, nil) })
}

// lacks tells whether there is no further Blender with a name.
func (o *Owner) lacks(name string) bool {
	_, ok := o.Current().Blenders[name]
	return !ok
}

// changeKey changes the text of the file, unless the key is fixed.
func (o *Owner) changeKey(key string, edit func([]byte) ([]byte, error)) (api.SettingsReport, error) {
	o.mu.Lock()
	fixed := o.now.fixed(key)
	o.mu.Unlock()
	if fixed != "" {
		return api.SettingsReport{}, refuse(api.ErrFixed, "%s can't be changed: it is %s", key, fixed)
	}
	return o.change(edit)
}

// Find returns the declaration of a key, "runs.timeout" or "blenders.NAME.port". It fails with
// [api.ErrNoSetting].
func Find(key string) (*Declaration, error) {
	_, d, err := find(key)
	return d, err
}

// find returns the declaration of a key, and the table that the key is in. It fails with
// [api.ErrNoSetting].
func find(key string) (table string, d *Declaration, err error) {
	parts := strings.Split(key, ".")
	last := len(parts) - 1
	for _, t := range tables {
		isNamed := t.kind == reflect.Map // [table.NAME], and a name may have dots
		if t.kind == reflect.Slice || t.name != parts[0] || last < 1 || isNamed != (last > 1) {
			continue
		}
		for _, d := range t.keys {
			if d.Name != parts[last] {
				continue
			}
			name := strings.Join(parts[1:last], ".")
			if isNamed && !blenderName.MatchString(name) {
				return "", nil, refuse(api.ErrNoSetting, "%q is no name of a Blender: %s", name, wrongName(name))
			}
			return strings.Join(parts[:last], "."), d, nil
		}
	}
	return "", nil, refuse(api.ErrNoSetting, "there is no setting %s%s", key, suggestionForCommand(parts))
}

// AddFolder has a folder watched, with the keys in values, which are as in [Owner.Set]. The path
// is absolute, or begins with ~. AddFolder returns and fails as Set does.
func (o *Owner) AddFolder(path string, values map[string]any) (api.SettingsReport, error) {
	path, err := cleanPath(path)
	if err != nil {
		return api.SettingsReport{}, err
	}
	o.mu.Lock()
	i := o.now.folder(path)
	there := i >= 0 && o.now.folders[i].from == api.FromFile
	o.mu.Unlock()
	if there {
		return api.SettingsReport{}, refuse(api.ErrBad, "the folder %s is watched already; its settings can be changed", path)
	}
	if o.cfg.Refuse != nil {
		if why := o.cfg.Refuse(path); why != "" {
			return api.SettingsReport{}, refuse(api.ErrBad, "%s: %s", path, why)
		}
	}
	written, err := folderLiterals(values)
	if err != nil {
		return api.SettingsReport{}, err
	}
	entries := []entry{{keyPath, strings.ReplaceAll(path, "$", "$$")}}
	for _, d := range Declarations(tableFolder) {
		if value, ok := written[d.Name]; ok && value != nil {
			entries = append(entries, entry{d.Name, value})
		}
	}
	return o.change(func(text []byte) ([]byte, error) { return addFolder(text, entries...) })
}

// ChangeFolder changes keys of a watched folder. The values are as in [Owner.Set]; nil removes a
// key, so that its default holds. ChangeFolder returns and fails as Set does.
func (o *Owner) ChangeFolder(path string, values map[string]any) (api.SettingsReport, error) {
	path, err := o.folderOfFile(path, false)
	if err != nil {
		return api.SettingsReport{}, err
	}
	written, err := folderLiterals(values)
	if err != nil {
		return api.SettingsReport{}, err
	}
	return o.change(func(text []byte) ([]byte, error) {
		for _, d := range Declarations(tableFolder) {
			value, ok := written[d.Name]
			if !ok {
				continue
			}
			var err error
			if text, err = setFolderKey(text, path, filepath.Dir(o.cfg.Source.File), d.Name, value); err != nil {
				return nil, err
			}
		}
		return text, nil
	})
}

// RemoveFolder has a folder not be watched any more. It returns and fails as [Owner.Set] does.
func (o *Owner) RemoveFolder(path string) (api.SettingsReport, error) {
	path, err := o.folderOfFile(path, true)
	if err != nil {
		return api.SettingsReport{}, err
	}
	return o.change(func(text []byte) ([]byte, error) {
		return removeFolder(text, path, filepath.Dir(o.cfg.Source.File))
	})
}

// folderLiterals returns the keys of a folder as they stand in the file. It fails for keys that
// are none of a folder's, for its path, and for values that a key can't have.
func folderLiterals(values map[string]any) (map[string]any, error) {
	written := map[string]any{}
	for key, value := range values {
		i := slices.IndexFunc(Declarations(tableFolder), func(d *Declaration) bool { return d.Name == key && key != keyPath })
		if i < 0 {
			return nil, refuse(api.ErrBad, "a folder has no setting %s%s", key, suggestion([]string{tableFolder, key}))
		}
		if value == nil {
			written[key] = nil
			continue
		}
		text, err := Declarations(tableFolder)[i].literal(value)
		if err != nil {
			return nil, refuse(api.ErrBad, "%s: %w", key, err)
		}
		written[key] = text
	}
	return written, nil
}

// folderOfFile returns the path of a watched folder as it is known. It fails when the folder is
// not watched, and when a flag gives it: then it can't be changed or, if the file has it, too, not
// be removed.
func (o *Owner) folderOfFile(path string, remove bool) (string, error) {
	path, err := cleanPath(path)
	if err != nil {
		return "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	i := o.now.folder(path)
	if i < 0 {
		return "", refuse(api.ErrNoSetting, "the folder %s is not watched", path)
	}
	if from := o.now.folders[i]; from.flag != "" && (remove || from.from == api.FromFlag) {
		return "", refuse(api.ErrFixed, "the folder %s can't be changed: it is %s", path, givenByFlag(from.flag))
	}
	return path, nil
}

// cleanPath returns a path without what means nothing in it. It fails for paths that are neither
// absolute nor begin with ~.
func cleanPath(path string) (string, error) {
	if !filepath.IsAbs(path) && !strings.HasPrefix(path, "~") {
		return "", refuse(api.ErrBad, "the folder %q is not an absolute path", path)
	}
	clean, err := absolute(path, "")
	if err != nil {
		return "", refuse(api.ErrBad, "%w", err)
	}
	return clean, nil
}

// change changes the file by way of its text and has the engine take over what it says then. When
// the engine can't, the old text comes back.
func (o *Owner) change(edit func([]byte) ([]byte, error)) (api.SettingsReport, error) {
	o.changing.Lock()
	defer o.changing.Unlock()
	var before []byte
	text, loaded, err := o.cfg.Source.edit(o.cfg.Lock, func(text []byte) ([]byte, error) {
		before = bytes.Clone(text)
		return edit(text)
	})
	if err != nil {
		return api.SettingsReport{}, err
	}
	wrong := o.takeLocked(seen{text: text}, loaded, nil)
	o.mu.Lock()
	o.wrote = !bytes.Equal(before, text)
	o.mu.Unlock()
	if wrong == nil {
		return o.Report(), nil
	}
	text, loaded, err = o.cfg.Source.edit(o.cfg.Lock, func(now []byte) ([]byte, error) {
		if !bytes.Equal(now, text) {
			return nil, errors.New("somebody has changed it since")
		}
		return before, nil
	})
	if err == nil {
		err = o.takeLocked(seen{text: text}, loaded, nil)
	}
	return api.SettingsReport{}, errors.Join(wrong, err)
}

// Reload reads the file and has the engine take it over, also when the file has not changed. It
// fails when the file is wrong; then the settings before still hold.
func (o *Owner) Reload() error {
	o.changing.Lock()
	defer o.changing.Unlock()
	return o.adoptLocked(o.cfg.Source.snapshot())
}

// Look reads the file, and has the engine take it over if it has changed: for a caller who can't
// wait until [Owner.Serve] notices. What is wrong [Owner.Err] says.
func (o *Owner) Look() {
	o.changing.Lock()
	defer o.changing.Unlock()
	if file := o.cfg.Source.snapshot(); o.isNew(file) {
		_ = o.adoptLocked(file) // everybody is told of it
	}
}

// isNew tells whether the file is another than when it was last looked at.
func (o *Owner) isNew(file seen) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !file.same(o.seen)
}

// adoptLocked takes over the file as it was seen, or notes why it can't. It needs changing.
func (o *Owner) adoptLocked(file seen) error {
	loaded, err := o.cfg.Source.load(file)
	return o.takeLocked(file, loaded, err)
}

// takeLocked makes settings hold, here and in the engine, and tells what has changed; or, when
// wrong is not nil, notes that the file is wrong. It needs changing.
func (o *Owner) takeLocked(file seen, loaded Loaded, wrong error) error {
	if wrong == nil && o.apply != nil {
		if err := o.apply(loaded.Settings); err != nil {
			wrong = fmt.Errorf("%s: the engine can't take the settings over: %w", o.cfg.Source.File, err)
			// The engine may have taken some of them. What held before does not fail.
			_ = o.apply(o.Current())
		}
	}
	o.mu.Lock()
	old, oldErr := o.now, o.err
	o.seen, o.err = file, wrong
	if wrong == nil {
		o.now = loaded
	}
	o.mu.Unlock()
	switch {
	case wrong != nil && (oldErr == nil || oldErr.Error() != wrong.Error()):
		o.announce(wrong.Error()+"; the settings before still hold", true)
	case wrong == nil:
		said := old.differences(loaded)
		if oldErr != nil {
			said = append([]string{"the settings in " + o.cfg.Source.File + " are right again"}, said...)
		}
		if len(said) > 0 {
			o.announce(strings.Join(said, "\n"), false)
		}
	}
	return wrong
}

func (o *Owner) announce(sentence string, wrong bool) {
	if o.cfg.Tell != nil {
		o.cfg.Tell(sentence, wrong)
	}
}
