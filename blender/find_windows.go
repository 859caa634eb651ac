package blender

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows/registry"
)

var (
	programNames  = []string{"blender.exe"}
	programInside = []string{"blender.exe"}
)

// places returns the program that opens a .blend, the program folders, Steam's library, and the
// folders of winget, Scoop and Chocolatey. The alias of the Microsoft Store is on the PATH.
func places() []place {
	var all []place
	if path := openerOfBlendFiles(); path != "" {
		all = append(all, place{path, "what opens .blend files"})
	}
	for _, variable := range []string{"ProgramFiles", "ProgramFiles(x86)", "ProgramW6432"} {
		if folder := os.Getenv(variable); folder != "" {
			all = append(all, place{filepath.Join(folder, "Blender Foundation", "Blender*", "blender.exe"), "the program folder"})
			all = append(all, steamPlaces(filepath.Join(folder, "Steam"), "blender.exe")...)
		}
	}
	if folder := steamFolder(); folder != "" {
		all = append(all, steamPlaces(folder, "blender.exe")...)
	}
	if folder := os.Getenv("LOCALAPPDATA"); folder != "" {
		all = append(all, place{filepath.Join(folder, "Programs", "Blender*", "blender.exe"), "the user's programs"})
	}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all,
			place{filepath.Join(home, "scoop", "apps", "blender", "current", "blender.exe"), "Scoop"},
			place{filepath.Join(home, "blender*", "blender.exe"), "the home folder"},
			place{filepath.Join(home, "Downloads", "blender-*", "blender.exe"), "the downloads"})
	}
	return all
}

// openerOfBlendFiles returns the program that the system starts for a .blend, or "". Blender
// registers its launcher there, which opens a console; the program lies beside it.
func openerOfBlendFiles() string {
	class := registryText(registry.CLASSES_ROOT, ".blend", "")
	if class == "" {
		class = "blendfile"
	}
	command := registryText(registry.CLASSES_ROOT, class+`\shell\open\command`, "")
	path := command
	if rest, ok := strings.CutPrefix(command, `"`); ok {
		path, _, _ = strings.Cut(rest, `"`)
	} else {
		path, _, _ = strings.Cut(command, " ")
	}
	if strings.EqualFold(filepath.Base(path), "blender-launcher.exe") {
		path = filepath.Join(filepath.Dir(path), "blender.exe")
	}
	return path
}

func steamFolder() string {
	return filepath.FromSlash(registryText(registry.CURRENT_USER, `Software\Valve\Steam`, "SteamPath"))
}

// registryText returns a value of the registry, or "" when there is none.
func registryText(root registry.Key, path, name string) string {
	key, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close()
	text, _, err := key.GetStringValue(name)
	if err != nil {
		return ""
	}
	return text
}

// userResources returns the folder in which each version of Blender has a folder for the files of
// the user. The variables of the environment say where that folder is.
func userResources(variable func(name string) string) string {
	return filepath.Join(variable("APPDATA"), "Blender Foundation", "Blender")
}
