// Package install says how a person installs on this machine what Blendtray needs. It installs nothing.
package install

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// System is a kind of system, by its way to install programs.
type System string

// The values of [System]. Other systems are named by their own id, such as "gentoo".
const (
	Debian  System = "debian" // and Ubuntu, Mint and their like
	Fedora  System = "fedora"
	Arch    System = "arch"
	SUSE    System = "suse"
	Windows System = "windows"
	MacOS   System = "darwin"
)

// Here returns the system of this machine.
func Here() System {
	if runtime.GOOS != "linux" {
		return System(runtime.GOOS)
	}
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	return Of(string(text))
}

// Of returns the system that a file os-release describes, or "".
func Of(osRelease string) System {
	var ids []string
	lines := bufio.NewScanner(strings.NewReader(osRelease))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if key == "ID" || key == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	for _, known := range []System{Debian, Fedora, Arch, SUSE} {
		if slices.Contains(ids, string(known)) {
			return known
		}
	}
	switch {
	case slices.Contains(ids, "ubuntu"):
		return Debian
	case slices.Contains(ids, "rhel") || slices.Contains(ids, "centos"):
		return Fedora
	case len(ids) > 0:
		return System(ids[0])
	}
	return ""
}

// Way is a way to install a program.
type Way struct {
	// Name says from where the program comes, such as "Debian" or "Flatpak".
	Name string
	// Command is what a person types in a terminal, or "".
	Command string
	// Page is the address of a page, or "".
	Page string
}

// Download is where Blender can be downloaded for every system.
const Download = "https://www.blender.org/download/"

// Blender returns the ways to install Blender on a system, the shortest first. has reports whether the
// machine has a program, such as "flatpak".
func Blender(on System, has func(program string) bool) (ways []Way) {
	add := func(name, program, command string) {
		if has(program) {
			ways = append(ways, Way{Name: name, Command: command})
		}
	}
	switch on {
	case Debian:
		add("Debian, Ubuntu", "apt", "sudo apt install blender")
	case Fedora:
		add("Fedora", "dnf", "sudo dnf install blender")
	case Arch:
		add("Arch Linux", "pacman", "sudo pacman -S blender")
	case SUSE:
		add("openSUSE", "zypper", "sudo zypper install blender")
	case Windows:
		add("Windows", "winget", "winget install BlenderFoundation.Blender")
	case MacOS:
		add("Homebrew", "brew", "brew install --cask blender")
	}
	add("Snap", "snap", "sudo snap install blender --classic")
	add("Flatpak", "flatpak", "flatpak install flathub org.blender.Blender")
	return append(ways, Way{Name: "blender.org", Page: Download})
}

// Has reports whether this machine has a program.
func Has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
