package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"blendtray/api"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/pelletier/go-toml/v2"
)

// Settings are what a person may choose, from settings.toml and the environment.
// docs/settings.md explains every key; a test holds it against these fields.
type Settings struct {
	Blender BlenderSettings  `toml:"blender"`
	Runs    RunSettings      `toml:"runs"`
	Tray    TraySettings     `toml:"tray"`
	Folders []FolderSettings `toml:"folder"`
}

// BlenderSettings choose Blender and when it is replaced.
type BlenderSettings struct {
	Path           string   `toml:"path"`
	Args           []string `toml:"args"`
	FactoryStartup bool     `toml:"factory_startup"`
	Attach         bool     `toml:"attach"`
	Port           uint16   `toml:"port"`
	MaxMemory      byteSize `toml:"max_memory"`
	MaxRuns        uint32   `toml:"max_runs"`
	CancelGrace    duration `toml:"cancel_grace"`
	StartTimeout   duration `toml:"start_timeout"`
}

// RunSettings hold for every run.
type RunSettings struct {
	Timeout duration `toml:"timeout"`
	Output  byteSize `toml:"output"`
	History uint32   `toml:"history"`
	Preview preview  `toml:"preview"`
}

// TraySettings are for the tray alone.
type TraySettings struct {
	Notify notify `toml:"notify"`
}

// FolderSettings are one watched folder.
type FolderSettings struct {
	Path        string   `toml:"path"`
	Recursive   *bool    `toml:"recursive"`
	Include     []string `toml:"include"`
	Exclude     []string `toml:"exclude"`
	Scene       string   `toml:"scene"`
	Timeout     duration `toml:"timeout"`
	OnBusy      onBusy   `toml:"on_busy"`
	RunExisting bool     `toml:"run_existing"`
	Poll        duration `toml:"poll"`
}

// defaultSettings are those of a machine where nobody has chosen anything.
func defaultSettings() Settings {
	return Settings{
		Blender: BlenderSettings{
			FactoryStartup: true, CancelGrace: duration(3 * time.Second), StartTimeout: duration(time.Minute),
		},
		Runs: RunSettings{Output: 1 << 20, History: 10_000},
	}
}

// duration is a time such as "1m30s"; the word none, or 0, is no limit.
type duration time.Duration

// UnmarshalText reads a duration.
func (d *duration) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*d = 0
		return nil
	}
	value, err := time.ParseDuration(string(text))
	if err != nil || value < 0 {
		return fmt.Errorf("%q is no duration; write one such as \"30s\", \"5m\" or \"1h30m\"", text)
	}
	*d = duration(value)
	return nil
}

// byteSize is a number of bytes such as "4GB"; the word none, or 0, is no limit.
type byteSize uint64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads a size.
func (s *byteSize) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*s = 0
		return nil
	}
	number := strings.TrimSpace(string(text))
	unit := 1.0
	for _, u := range sizeUnits {
		if rest, ok := cutSuffixFold(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !(value >= 0) || value*unit >= math.MaxInt64 {
		return fmt.Errorf("%q is no size; write one such as \"512MB\", \"4GB\" or \"1MiB\"", text)
	}
	*s = byteSize(value * unit)
	return nil
}

// String is the size in the largest unit that loses nothing, or none.
func (s byteSize) String() string {
	if s == 0 {
		return "none"
	}
	for _, u := range slices.Backward(sizeUnits) {
		if unit := byteSize(u.bytes); unit > 1 && s%unit == 0 {
			return fmt.Sprintf("%d%s", s/unit, u.name)
		}
	}
	return fmt.Sprintf("%dB", uint64(s))
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// The types of settings that are one of a few words. They are no strings because the decoder
// does not ask those for UnmarshalText; the first word is the default.
type (
	// onBusy is what a save does while an older one of the same script runs.
	onBusy uint8
	// preview is what a picture of the scene is made with after each run.
	preview uint8
	// notify is which runs the tray tells of on the desktop.
	notify uint8
)

var (
	onBusyWords  = []string{"wait", "cancel"}
	previewWords = []string{"off", "cycles", "workbench"}
	notifyWords  = []string{"failures", "all", "off"}
)

func (o onBusy) String() string  { return onBusyWords[o] }
func (p preview) String() string { return previewWords[p] }
func (n notify) String() string  { return notifyWords[n] }

// UnmarshalText reads what to do when busy.
func (o *onBusy) UnmarshalText(text []byte) error { return word(o, onBusyWords, text) }

// UnmarshalText reads what to draw with.
func (p *preview) UnmarshalText(text []byte) error { return word(p, previewWords, text) }

// UnmarshalText reads what to tell of.
func (n *notify) UnmarshalText(text []byte) error { return word(n, notifyWords, text) }

// word sets v to the place of a text among words.
func word[T ~uint8](v *T, words []string, text []byte) error {
	i := slices.Index(words, string(text))
	if i < 0 {
		return fmt.Errorf("%q is not one of \"%s\"", text, strings.Join(words, "\", \""))
	}
	*v = T(i)
	return nil
}

// LoadSettings reads the settings from a file, which may be missing, and puts those over them
// that environ ("NAME=value") has. What is wrong is told with file and line, all unknown keys
// at once.
func LoadSettings(file string, environ []string) (Settings, error) {
	s := defaultSettings()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("read the settings: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // some editors put it there
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, located(file, err)
	}
	if err := overrideByEnvironment(&s, environ); err != nil {
		return s, err
	}
	if err := s.complete(filepath.Dir(file)); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// located says what is wrong in a file, with file, line and column before it.
func located(file string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var all []error
		for i := range unknown.Errors {
			e := &unknown.Errors[i]
			line, column := e.Position()
			all = append(all, fmt.Errorf("%s:%d:%d: there is no key %s%s", file, line, column, strings.Join(e.Key(), "."), suggestion(e.Key())))
		}
		return errors.Join(all...)
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, column := wrong.Position()
		key := strings.Join(wrong.Key(), ".")
		if key != "" {
			key += ": "
		}
		return fmt.Errorf("%s:%d:%d: %s%s", file, line, column, key, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", file, err)
}

// suggestion names the key that was probably meant.
func suggestion(key []string) string {
	best, distance := "", 3 // more than two wrong letters are another word
	for _, known := range settingKeys() {
		table, name, _ := strings.Cut(known, ".")
		if len(key) == 2 && table != key[0] {
			continue
		}
		if len(key) == 1 {
			name = table
		}
		if d := editDistance(name, key[len(key)-1]); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return "; docs/settings.md lists them all"
	}
	return "; did you mean " + best + "?"
}

// editDistance is how many letters have to be put in, taken out or changed to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}

// complete makes paths absolute, fills in what each folder leaves open, and checks what a
// single value does not show. Relative paths are relative to dir.
func (s *Settings) complete(dir string) error {
	var err error
	if s.Blender.Path != "" && strings.ContainsAny(s.Blender.Path, `/\~`) {
		if s.Blender.Path, err = absolute(s.Blender.Path, dir); err != nil {
			return fmt.Errorf("blender.path: %w", err)
		}
	}
	for i := range s.Folders {
		f := &s.Folders[i]
		if f.Path == "" {
			return fmt.Errorf("folder %d has no path", i+1)
		}
		if f.Path, err = absolute(f.Path, dir); err != nil {
			return fmt.Errorf("folder %d: %w", i+1, err)
		}
		if f.Scene != "" && f.Scene != "fresh" && f.Scene != "keep" {
			if !strings.EqualFold(filepath.Ext(f.Scene), ".blend") {
				return fmt.Errorf("folder %s: the scene %q is neither \"fresh\" nor \"keep\" nor a .blend file", f.Path, f.Scene)
			}
			if f.Scene, err = absolute(f.Scene, dir); err != nil {
				return fmt.Errorf("folder %s: scene: %w", f.Path, err)
			}
		}
		for _, pattern := range slices.Concat(f.Include, f.Exclude) {
			if !doublestar.ValidatePattern(pattern) {
				return fmt.Errorf("folder %s: %q is no pattern; see its brackets and braces", f.Path, pattern)
			}
		}
		if slices.ContainsFunc(s.Folders[:i], func(other FolderSettings) bool { return other.Path == f.Path }) {
			return fmt.Errorf("the folder %s is there twice", f.Path)
		}
	}
	return nil
}

// absolute makes a path of the settings absolute: ~ is the home folder, $NAME a variable.
func absolute(path, dir string) (string, error) {
	path = os.ExpandEnv(path)
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no home folder to stand for ~: %w", err)
		}
		path = home + rest
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Abs(path)
}

// policy is what the engine is told of a folder.
func (f FolderSettings) policy() api.FolderSettings {
	scene := f.Scene
	if scene == "" {
		scene = "fresh"
	}
	return api.FolderSettings{
		WatchSettings: api.WatchSettings{
			Path: f.Path, Recursive: f.Recursive == nil || *f.Recursive,
			Include: f.Include, Exclude: f.Exclude, Poll: api.Duration(f.Poll),
		},
		Scene: scene, Timeout: api.Duration(f.Timeout), OnBusy: api.OnBusy(f.OnBusy), RunExisting: f.RunExisting,
	}
}
