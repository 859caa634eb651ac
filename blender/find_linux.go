package blender

import (
	"os"
	"path/filepath"
)

var (
	programNames  = []string{"blender"}
	programInside = []string{"blender"}
)

// places are those of distributions, of Snap, Flatpak and Steam, and where people unpack the
// archive from blender.org. Snap's and Flatpak's programs are wrappers that run Blender as
// a child with the same standard streams; Flatpak's sees only the files its sandbox shows.
func places() []place {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/nonexistent" // a service may have none
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

// userResources returns the folder where each version of Blender has a folder for what is the
// user's, by the variables of its environment.
func userResources(variable func(name string) string) string {
	if folder := variable("XDG_CONFIG_HOME"); folder != "" {
		return filepath.Join(folder, "blender")
	}
	return filepath.Join(variable("HOME"), ".config", "blender")
}
