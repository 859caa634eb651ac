package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/blender"
	"blendtray/control"
)

type doctorCmd struct {
	Config string `placeholder:"FILE" help:"Read the settings from this file, as serve does."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (doctorCmd) Help() string {
	return `Looks at all that Blendtray needs: the settings, its own folders and token, room on the disk, Blender itself (which is started for its version, and for what it renders with), the engine, its socket and port, the watched folders, the system's limits on watching, and whether the desktop shows tray icons. Each line says right or wrong, and for what is wrong the command that mends it. The exit code is 1 if anything is wrong.`
}

// finding is what the doctor found out about one thing.
type finding struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what was found, Fix what to do about it when it is wrong.
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

func right(name, format string, args ...any) finding {
	return finding{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)}
}

func wrong(name, fix, format string, args ...any) finding {
	return finding{Name: name, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

func (c *doctorCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	serve := serveCmd{Config: c.Config}
	settings, settingsErr := serve.settings(paths)
	var folders []string
	for _, f := range settings.Folders {
		folders = append(folders, f.Path)
	}
	var all []finding
	for _, part := range []examination{
		{"settings", partTime, func() []finding { return []finding{c.settings(paths, settingsErr)} }},
		{"home", partTime, func() []finding { return examineHome(paths) }},
		{"token", partTime, func() []finding { return examineToken(paths) }},
		{"disk", partTime, func() []finding { return []finding{examineDisk(paths)} }},
		{"blender", findTime + insideTime + partTime, func() []finding {
			if settings.Blender.Attach {
				return examineOpen(e, paths)
			}
			return examineBlender(e, settings.Blender.Path)
		}},
		{"engine", partTime, func() []finding { return examineEngine(e, paths, folders) }},
		{"service", partTime, examineService},
		{"port", partTime, func() []finding { return examinePort(e, paths, int(settings.Blender.Port)) }},
		{"folder", partTime, func() []finding { return examineRemote(folders) }},
		{"watches", partTime, examineWatching},
		{"display", partTime, examineDisplay},
	} {
		found := part.run(e)
		all = append(all, found...)
		if !c.JSON {
			e.writeOut(describe(found, e.colorOut))
		}
	}
	if c.JSON {
		err = e.printJSON(all)
	}
	for _, f := range all {
		if !f.OK {
			return fault.Quietly(fault.Failed)
		}
	}
	return err
}

// examination is one part of what the doctor looks at, and how long it may take.
type examination struct {
	name string
	most time.Duration
	look func() []finding
}

// partTime is what a part may take that asks the system and starts nothing. It asks engines and
// service managers that may be stuck, and network drives that may be gone.
const partTime = 20 * time.Second

// run looks, and gives up what takes too long: that is a finding, too.
func (x examination) run(ctx context.Context) []finding {
	found := make(chan []finding, 1)
	go func() { found <- x.look() }()
	select {
	case all := <-found:
		return all
	case <-ctx.Done():
		return nil
	case <-time.After(x.most):
		return []finding{wrong(x.name, "", "the system has not answered within %s", x.most)}
	}
}

func describe(all []finding, color bool) string {
	var b strings.Builder
	for _, f := range all {
		verdict := paint(color, green, "right")
		if !f.OK {
			verdict = paint(color, red, "wrong")
		}
		detail := strings.ReplaceAll(clean(f.Detail), "\n", "\n                  ")
		fmt.Fprintf(&b, "%s  %-9s  %s\n", verdict, f.Name, detail)
		if !f.OK && f.Fix != "" {
			fmt.Fprintf(&b, "                  mend it: %s\n", clean(f.Fix))
		}
	}
	return b.String()
}

func (c *doctorCmd) settings(paths home.Paths, err error) finding {
	file := c.Config
	if file == "" {
		file = paths.SettingsFile()
	}
	if err != nil {
		return wrong("settings", "edit "+file, "%v", err)
	}
	if _, err := os.Stat(file); err != nil {
		return right("settings", "all defaults; %s may change them", file)
	}
	return right("settings", "%s", file)
}

// examineHome looks at the program's own folders, those that are there yet.
func examineHome(paths home.Paths) []finding {
	var all []finding
	seen := map[string]bool{}
	for _, dir := range []string{paths.Data, paths.Runtime, paths.State, paths.Log, paths.Cache} {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // the first serve makes it
		case err != nil:
			all = append(all, wrong("home", "", "%v", err))
		case !info.IsDir():
			all = append(all, wrong("home", "mv "+dir+" "+dir+".old", "%s is not a folder", dir))
		default:
			if f := examineAccess(dir, info, dir == paths.Data || dir == paths.Runtime); f != nil {
				all = append(all, *f)
			}
		}
	}
	if len(all) == 0 {
		return []finding{right("home", "%s", paths.Data)}
	}
	return all
}

// enoughDisk is what should be free for histories, logs and unpacked add-ons.
const enoughDisk = 500e6

func examineDisk(paths home.Paths) finding {
	dir := paths.Data
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := diskFree(dir)
	switch {
	case err != nil:
		return wrong("disk", "", "the room on the disk of %s can't be found out: %v", dir, err)
	case free < enoughDisk:
		return wrong("disk", "free some room on the disk of "+dir, "only %s are free where %s is", size(free), dir)
	}
	return right("disk", "%s are free", size(free))
}

// findTime is what looking for Blenders, and asking each for its version, may take.
const findTime = 60 * time.Second

func examineBlender(ctx context.Context, configured string) []finding {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	found, err := blender.Find(ctx, configured)
	var all []finding
	good := 0
	for _, b := range found {
		switch {
		case b.Error != "":
			all = append(all, wrong("blender", "see that it starts: "+b.Path+" --version", "%s (%s): %s", b.Path, b.Source, b.Error))
		case good == 0:
			all = append(all, right("blender", "Blender %s is used: %s (%s)", b.Version, b.Path, b.Source))
			all = append(all, examineInside(ctx, b.Path)...)
			good++
		default:
			all = append(all, right("blender", "Blender %s is there too: %s (%s)", b.Version, b.Path, b.Source))
			good++
		}
	}
	if good == 0 {
		detail := "no Blender is found"
		if err != nil {
			detail = err.Error()
		}
		all = append(all, wrong("blender", "install it from https://www.blender.org/download/, or name it with `blendtray serve --blender PATH`", "%s", detail))
	}
	return all
}

// examineOpen looks for the Blender with a window in which runs are done, where the settings
// want that.
func examineOpen(ctx context.Context, paths home.Paths) []finding {
	all, err := openBlenders(ctx, paths)
	switch {
	case err != nil:
		return []finding{wrong("blender", "see "+paths.OpenBlenders(), "what is open can't be read: %v", err)}
	case len(all) == 0:
		return []finding{wrong("blender", howToServe, "no Blender with a window takes scripts, and blender.attach wants one")}
	}
	found := []finding{right("blender", "Blender %s is used, which is open: process %d", all[0].Blender, all[0].PID)}
	for _, b := range all[1:] {
		found = append(found, right("blender", "Blender %s is open too: process %d", b.Blender, b.PID))
	}
	return found
}

// examineEngine asks the engine, if there is one, and looks at the folders that it watches or,
// without it, those that the settings name.
func examineEngine(e *env, paths home.Paths, folders []string) []finding {
	address, err := home.EngineAddress(paths)
	if err != nil {
		return []finding{wrong("engine", "give it another BLENDTRAY_HOME with a shorter path", "%v", err)}
	}
	ctx, cancel := context.WithTimeout(e, 10*time.Second)
	defer cancel()
	st, err := control.NewClient(address).Status(ctx)
	if err != nil {
		all := []finding{wrong("engine", "blendtray serve", "%v", err)}
		for _, dir := range folders {
			all = append(all, examineFolder(dir))
		}
		return all
	}
	all := []finding{right("engine", "process %d answers on %s", st.Engine.PID, address)}
	if st.Engine.Version != version {
		all = append(all, wrong("engine", "end it and start it again: blendtray serve", "it is version %s and this is %s", st.Engine.Version, version))
	}
	all = append(all, examineSocket(address)...)
	for _, b := range st.Blenders {
		switch b.State {
		case api.BlenderFailed, api.BlenderStopped:
			all = append(all, wrong("engine", "blendtray start", "its Blender is %s: %s", b.State, b.Reason))
		default:
			all = append(all, right("engine", "its Blender is %s", b.State))
		}
	}
	for _, f := range st.Folders {
		if f.Error != "" {
			all = append(all, wrong("folder", "", "%s: %s", f.Path, f.Error))
		} else {
			all = append(all, right("folder", "%s is watched (%s)", f.Path, f.Method))
		}
	}
	return all
}

func examineFolder(dir string) finding {
	if _, err := os.ReadDir(dir); errors.Is(err, os.ErrNotExist) {
		return wrong("folder", "mkdir -p "+dir, "%s is not there", dir)
	} else if err != nil {
		return wrong("folder", "", "%v", err)
	}
	return right("folder", "%s can be read", dir)
}
