package app

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"time"

	"blendtray/app/home"
	"blendtray/app/service"
	"blendtray/control"
	"blendtray/watcher"
)

// examineToken looks at the file with what Blender's port demands.
func examineToken(paths home.Paths) []finding {
	file := paths.TokenFile()
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the first serve makes it
	case err != nil:
		return []finding{wrong("token", "make it yours, or remove it: the next start of the engine makes another", "%v", err)}
	case home.OpenToOthers(file):
		return []finding{wrong("token", "chmod 600 "+file+" and end the engine: its next start makes another", "others may read %s", file)}
	case len(text) < 16:
		return []finding{wrong("token", "rm "+file+" and end the engine: its next start makes another", "%s holds no token", file)}
	}
	return []finding{right("token", "%s is for this user alone", file)}
}

// examinePort looks whether the port that the settings name can be had, or is Blender's.
func examinePort(ctx context.Context, paths home.Paths, port int) []finding {
	if port == 0 {
		return nil // the system chooses one that is free
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close() // nobody has connected
		return []finding{right("port", "%d is free", port)}
	}
	if engine, err := home.EngineAddress(paths); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if st, err := control.NewClient(engine).Status(ctx); err == nil {
			for _, b := range st.Blenders {
				if b.Port == port {
					return []finding{right("port", "Blender listens on %d", port)}
				}
			}
		}
	}
	return []finding{wrong(
		"port", "give blender.port another number in the settings, or 0 to let the system choose", "%s is taken by another program: %v", address, err,
	)}
}

// examineRemote names the folders that other machines may write to.
func examineRemote(folders []string) []finding {
	var all []finding
	for _, dir := range folders {
		if watcher.IsRemote(dir) {
			all = append(all, right("network", "%s is on another machine or in the cloud: it is looked at every few seconds, since no events come from there", dir))
		}
	}
	return all
}

// examineService looks at the service of the user, where one is installed.
func examineService() []finding {
	m, _, err := serviceFlags{}.manager(false)
	if err != nil {
		return nil // no such thing here
	}
	st, err := m.Status()
	switch {
	case err != nil || !st.Installed:
		return []finding{right("service", "none is installed; `blendtray service install` has the engine start at login")}
	case st.State == service.Failed:
		return []finding{wrong("service", "blendtray service restart", "%s: %s", st.Name, st.Error)}
	case st.Warning() == service.NotEnabled:
		return []finding{wrong("service", "blendtray service install", "%s does not start by itself", st.Name)}
	case st.Warning() == service.NotLingering:
		return []finding{right("service", "%s is %s; it ends at logout (`loginctl enable-linger` has it stay)", st.Name, st.State)}
	}
	return []finding{right("service", "%s is %s", st.Name, st.State)}
}
