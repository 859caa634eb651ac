package blender

import (
	"os"
	"path/filepath"
)

var (
	programNames  = []string{"blender"}
	programInside = []string{"blender"}
)

// places returns the places of distributions, of Snap, Flatpak and Steam, and the places where
// people unpack the archive from blender.org. The programs of Snap and Flatpak are wrappers that
// run Blender as a child with the same standard streams; a Blender in Flatpak sees only the files
// that its sandbox shows.
func places() []place {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/nonexistent" // a service may have no home
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{home}, parts...)...) }
	all := []place{
		{"/usr/bin/blender", "the system's packages"},
		{"/usr/local/bin/blender", "/usr/local"},
		{"/opt/blender*/blender", "/opt"},
		{"/opt/*/blender*/blender", "/opt"},
		{"/usr/local/blender*/blender", "/usr/local"},
		{"/snap/bin/blender", "Snap"},
		{"/var/lib/flatpak/exports/bin/org.blender.Blender", "Flatpak"},
		{in(".local/share/flatpak/exports/bin/org.blender.Blender"), "Flatpak"},
		{in("blender*/blender"), "the home folder"},
		{in("Applications/blender*/blender"), "the home folder"},
		{in("Downloads/blender-*/blender"), "the downloads"},
		{in("bin/blender"), "the home folder"},
		{in(".local/bin/blender"), "the home folder"},
		{in(".local/opt/blender*/blender"), "the home folder"},
		{in("opt/blender*/blender"), "the home folder"},
		{in("Software/blender*/blender"), "the home folder"},
	}
	for _, steam := range []string{".steam/steam", ".local/share/Steam", ".var/app/com.valvesoftware.Steam/.local/share/Steam"} {
		all = append(all, steamPlaces(in(steam), "blender")...)
	}
	return all
}

// userResources returns the folder in which each version of Blender has a folder for the files of
// the user. The variables of the environment say where that folder is.
func userResources(variable func(name string) string) string {
	if folder := variable("XDG_CONFIG_HOME"); folder != "" {
		return filepath.Join(folder, "blender")
	}
	return filepath.Join(variable("HOME"), ".config", "blender")
}
