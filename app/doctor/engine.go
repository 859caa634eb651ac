package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"blendtray/api"
	"blendtray/app/home"
	"blendtray/control"
	"blendtray/watcher"
)

// examineEngine asks the engine, and examines the folders that the engine watches. If no engine
// answers, it examines the folders that the settings name.
func (c Config) examineEngine(ctx context.Context) []Finding {
	address, err := home.EngineAddress(c.Paths)
	if err != nil {
		return []Finding{Wrong("engine", "give it another BLENDTRAY_HOME with a shorter path", "%v", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	st, err := control.NewClient(address).Status(ctx)
	if err != nil {
		all := []Finding{Wrong("engine", "blendtray serve", "%v", err)}
		for _, f := range c.Folders {
			all = append(all, examineFolder(f.WatchSettings))
		}
		return all
	}
	all := []Finding{Right("engine", "process %d answers on %s", st.Engine.PID, address)}
	switch {
	case st.Engine.Replaced:
		all = append(all, Wrong("engine", "blendtray service restart, or end the engine and start it again; a service does that by itself when no run is running and no session or kept scene is in use",
			"the program of the engine was replaced since the engine started, as by an upgrade; the engine has the version %s", st.Engine.Version))
	case st.Engine.Version != c.Version:
		all = append(all, Wrong("engine", "end it and start it again: blendtray serve", "the engine has the version %s, and this program %s", st.Engine.Version, c.Version))
	}
	if mistake := st.Settings.Error; mistake != "" {
		all = append(all, Wrong("settings", "edit "+st.Settings.File+"; the engine reads it again by itself", "they are wrong, and the engine goes on with the settings before: %s", mistake))
	}
	all = append(all, examineSocket(address)...)
	for _, b := range st.Blenders {
		name, fix := "its Blender", "blendtray start"
		if b.Name != api.DefaultBlender {
			name, fix = "its Blender "+b.Name, fix+" "+b.Name
		}
		switch {
		case b.Resting:
			all = append(all, Right("engine", "%s rests until a run asks for it", name))
		case b.State == api.BlenderFailed || b.State == api.BlenderStopped:
			all = append(all, Wrong("engine", fix, "%s is %s: %s", name, b.State, b.Reason))
		default:
			all = append(all, Right("engine", "%s is %s", name, b.State))
		}
	}
	for _, a := range st.Agents {
		all = append(all, Right("agent", "%s", a.Words(time.Now())))
	}
	if len(st.Agents) == 0 {
		all = append(all, Right("agent", "none is connected; `blendtray mcp install` has a program for agents use Blendtray"))
	}
	for _, f := range st.Folders {
		if f.Error != "" {
			all = append(all, Wrong("folder", "", "%s: %s", f.Path, f.Error))
		} else {
			all = append(all, Right("folder", "%s is watched (%s)", f.Path, f.Method))
		}
	}
	return all
}

func examineFolder(f api.WatchSettings) Finding {
	if _, err := os.ReadDir(f.Path); errors.Is(err, os.ErrNotExist) {
		return Wrong("folder", "mkdir -p "+f.Path, "%s is not there", f.Path)
	} else if err != nil {
		return Wrong("folder", "", "%v", err)
	}
	if refusal := watcher.Refusal(f); refusal != "" {
		return Wrong("folder", "", "%s: %s", f.Path, refusal)
	}
	return Right("folder", "%s can be read", f.Path)
}

// examinePorts finds out whether the ports that the settings name are free, or are Blender's already.
func (c Config) examinePorts(ctx context.Context) (all []Finding) {
	of := map[uint16]string{}
	for _, b := range c.Blenders {
		if other, there := of[b.Port]; there && b.Port != 0 {
			all = append(all, Wrong("port", "give each Blender a port of its own, or 0 to let the system choose", "%d is the port of two Blenders: %s and %s", b.Port, other, b.Name))
			continue
		}
		of[b.Port] = b.Name
		all = append(all, named(b.Name, examinePort(ctx, c.Paths, int(b.Port)))...)
	}
	return all
}

// examinePort finds out whether the port that the settings name is free, or is Blender's already.
func examinePort(ctx context.Context, paths home.Paths, port int) []Finding {
	if port == 0 {
		return nil // the system chooses a port that is free
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close() // nobody has connected
		return []Finding{Right("port", "%d is free", port)}
	}
	if engine, err := home.EngineAddress(paths); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if st, err := control.NewClient(engine).Status(ctx); err == nil {
			for _, b := range st.Blenders {
				if b.Port == port {
					return []Finding{Right("port", "Blender listens on %d", port)}
				}
			}
		}
	}
	return []Finding{Wrong(
		"port", "give blender.port (or blenders.NAME.port) another number in the settings, or 0 to let the system choose", "%s is taken by another program: %v", address, err,
	)}
}

// examineRemote names the folders that other machines may write to: their changes cause no events.
func examineRemote(folders []api.FolderSettings) []Finding {
	var all []Finding
	for _, f := range folders {
		if watcher.IsRemote(f.Path) {
			all = append(all, Right("network", "%s is on another machine or in the cloud: it is looked at every few seconds, since no events come from there", f.Path))
		}
	}
	return all
}
