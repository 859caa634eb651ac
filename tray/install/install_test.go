package install

import (
	"slices"
	"testing"
)

func TestASystemIsKnownByItsFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]System{
		"NAME=\"Debian GNU/Linux\"\nID=debian\n":            Debian,
		"ID=ubuntu\nID_LIKE=debian\n":                       Debian,
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n":         Debian,
		"ID=elementary\nID_LIKE=ubuntu\n":                   Debian,
		"ID=fedora\n":                                       Fedora,
		"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n":    Fedora,
		"ID=\"almost\"\nID_LIKE='rhel'\n":                   Fedora,
		"ID=manjaro\nID_LIKE=arch\n":                        Arch,
		"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n": SUSE,
		"ID=gentoo\n":                                       "gentoo",
		"":                                                  "",
	} {
		if got := Of(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestEverySystemHasAWayToABlender(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		system System
		has    []string
		want   []string
	}{
		{Debian, []string{"apt", "snap", "flatpak"}, []string{"sudo apt install blender", "sudo snap install blender --classic", "flatpak install flathub org.blender.Blender", Download}},
		{Debian, []string{"apt"}, []string{"sudo apt install blender", Download}},
		{Fedora, []string{"dnf", "flatpak"}, []string{"sudo dnf install blender", "flatpak install flathub org.blender.Blender", Download}},
		{Arch, []string{"pacman"}, []string{"sudo pacman -S blender", Download}},
		{SUSE, []string{"zypper"}, []string{"sudo zypper install blender", Download}},
		{Windows, []string{"winget"}, []string{"winget install BlenderFoundation.Blender", Download}},
		{MacOS, nil, []string{Download}},
		{MacOS, []string{"brew"}, []string{"brew install --cask blender", Download}},
		{"gentoo", nil, []string{Download}},
	} {
		var got []string
		for _, w := range Blender(c.system, func(p string) bool { return slices.Contains(c.has, p) }) {
			got = append(got, w.Command+w.Page)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with %q: %q", c.system, c.has, got)
		}
	}
}
