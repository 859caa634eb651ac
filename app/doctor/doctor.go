// Package doctor examines all that Blendtray needs: its settings and folders, Blender, the engine,
// and the system around them. It changes nothing and prints nothing: the command `blendtray doctor`
// is in package app, and shows what is found.
//
// [Examine] makes one examination after the other and yields the [Finding]s of each. What the
// examinations need of the rest of the program is in a [Config].
package doctor

import (
	"context"
	"fmt"
	"iter"
	"os"
	"time"

	"blendtray/api"
	"blendtray/app/home"
	"blendtray/watcher"
)

// Finding is what was found out about one thing.
type Finding struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what was found, Fix what a person can do when it is wrong.
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// Right returns a finding that all is well.
func Right(name, format string, args ...any) Finding {
	return Finding{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)}
}

// Wrong returns a finding that something is wrong. fix may be "".
func Wrong(name, fix, format string, args ...any) Finding {
	return Finding{Name: name, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

// Config is what the examinations need of the rest of the program.
type Config struct {
	Paths home.Paths
	// Version is the version of this program.
	Version string
	// Size says a number of bytes in the words of the program.
	Size func(bytes uint64) string

	// SettingsFile is the file of the settings, SettingsError what is wrong in it. The settings
	// follow; they are the defaults where they can't be read.
	SettingsFile  string
	SettingsError error
	// SettingsFix is what a person does about SettingsError.
	SettingsFix string
	// Blenders are the Blenders that the settings name, the default Blender first.
	Blenders []api.BlenderSpec
	Folders  []api.FolderSettings

	// Open returns the Blenders with a window that take scripts, newest first.
	Open func(context.Context) ([]Open, error)
	// HowToOpen says what a person does so that there is such a Blender.
	HowToOpen string
	// Service examines the service of the user.
	Service func() []Finding
	// Farm examines this machine's place in a farm; it returns no finding where the machine is in none.
	Farm func(context.Context) []Finding
	// Tray is nil in a build without a tray.
	Tray *Tray
	// Fonts reports whether a font has a sign; nil asks the fonts of the machine.
	Fonts func(rune) bool
}

// Open is a Blender with a window that takes scripts.
type Open struct {
	Version string
	PID     int
}

// Tray is what the tray needs.
type Tray struct {
	// Display is an error where no window can be shown.
	Display error
	// Icons tells whether the desktop shows tray icons or, if not, why.
	Icons func() (ok bool, why string)
}

// Examine makes all examinations, one after the other, until ctx ends. It yields the findings of
// each examination when it is done, so that they can be shown at once.
func Examine(ctx context.Context, c Config) iter.Seq[[]Finding] {
	return func(yield func([]Finding) bool) {
		for _, x := range c.examinations(ctx) {
			if !yield(x.run(ctx)) {
				return
			}
		}
	}
}

// examination is one part of what is examined, and how long it may take.
type examination struct {
	name    string
	limit   time.Duration
	examine func() []Finding
}

func (c Config) examinations(ctx context.Context) []examination {
	return []examination{
		{"settings", partTimeout, c.examineSettings},
		{"home", partTimeout, func() []Finding { return examineHome(c.Paths) }},
		{"token", partTimeout, func() []Finding { return examineDoors(c.Paths) }},
		{"disk", partTimeout, c.examineDisk},
		{"blender", time.Duration(max(1, len(c.Blenders))) * (FindTimeout + StartTimeout + partTimeout), func() []Finding { return c.examineBlenders(ctx) }},
		{"engine", partTimeout, func() []Finding { return c.examineEngine(ctx) }},
		{"service", partTimeout, c.Service},
		{"port", partTimeout, func() []Finding { return c.examinePorts(ctx) }},
		{"folder", partTimeout, func() []Finding { return examineRemote(c.Folders) }},
		{"watches", partTimeout, examineWatching},
		{"farm", partTimeout, func() []Finding { return c.Farm(ctx) }},
		{"display", partTimeout, c.examineTray},
		{"fonts", partTimeout, c.examineSigns},
	}
}

// partTimeout is how long an examination may take that asks the system and starts nothing. It asks
// engines and service managers that may be stuck, and network drives that may be gone.
const partTimeout = 20 * time.Second

// run returns the findings of an examination. It gives an examination up that takes too long: that
// is a finding, too.
func (x examination) run(ctx context.Context) []Finding {
	found := make(chan []Finding, 1)
	go func() { found <- x.examine() }()
	select {
	case all := <-found:
		return all
	case <-ctx.Done():
		return nil
	case <-time.After(x.limit):
		return []Finding{Wrong(x.name, "", "the system has not answered within %s", x.limit)}
	}
}

func (c Config) examineSettings() []Finding {
	if c.SettingsError != nil {
		return []Finding{Wrong("settings", c.SettingsFix, "%v", c.SettingsError)}
	}
	if _, err := os.Stat(c.SettingsFile); err != nil {
		return []Finding{Right("settings", "every setting has its default; %s may change them", c.SettingsFile)}
	}
	// The settings say which program is started as Blender.
	if why := watcher.Distrust(c.SettingsFile); why != "" {
		return []Finding{Wrong("settings", "", "others could have changed %s, and so have code run as you: %s", c.SettingsFile, why)}
	}
	return []Finding{Right("settings", "%s", c.SettingsFile)}
}

// examineTray finds out whether the tray can show itself. A machine without a display is right as
// it is.
func (c Config) examineTray() []Finding {
	if c.Tray == nil {
		return []Finding{Right("tray", "this build has no tray")}
	}
	if c.Tray.Display != nil {
		return []Finding{Right("display", "there is no display; `blendtray serve` needs none")}
	}
	if ok, why := c.Tray.Icons(); !ok {
		return []Finding{Right("tray", "the window opens instead: %s", why)}
	}
	return []Finding{Right("tray", "the desktop shows tray icons")}
}
