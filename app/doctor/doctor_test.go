//go:build unix

package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/app/home"
	"blendtray/tray/install"
	"blendtray/tray/signs"
)

func TestTheDoctorSeesATokenThatOthersMayRead(t *testing.T) {
	t.Parallel()
	paths := home.Paths{Data: t.TempDir()}
	if got := examineDoors(paths); len(got) != 1 || !got[0].OK {
		t.Errorf("before the first start: %+v", got)
	}
	if _, err := paths.OpenDoor("default", 7, 4000, "token"); err != nil {
		t.Fatal(err)
	}
	if got := examineDoors(paths); len(got) != 1 || !got[0].OK {
		t.Errorf("a good one: %+v", got)
	}
	file := paths.DoorFile("default")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := examineDoors(paths); got[0].OK || !strings.Contains(got[0].Fix, "restart") {
		t.Errorf("an open one: %+v", got)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := examineDoors(paths); got[0].OK {
		t.Errorf("one that is none: %+v", got)
	}
}

func TestTheDoctorSeesAHomeThatOthersCouldExchange(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	data := filepath.Join(top, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	paths := home.Paths{Data: data, Runtime: data, State: data, Log: data, Cache: data}
	if got := examineHome(paths); len(got) != 1 || !got[0].OK {
		t.Errorf("a good one: %+v", got)
	}
	if err := os.Chmod(top, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := examineHome(paths); len(got) != 1 || got[0].OK || !strings.Contains(got[0].Detail, "others could change "+data) {
		t.Errorf("one in a folder that is open to all: %+v", got)
	}
}

func TestTheDoctorSeesAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	paths := home.Paths{Runtime: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if got := examinePort(t.Context(), paths, port); len(got) != 1 || got[0].OK || !strings.Contains(got[0].Fix, "blender.port") {
		t.Errorf("a port that is taken: %+v", got)
	}
	l.Close()
	// Another program may take a port in the moment in which it is free.
	var got []Finding
	for range 20 {
		if got = examinePort(t.Context(), paths, port); len(got) == 1 && got[0].OK {
			return
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	t.Errorf("a port that is free: %+v", got)
}

func TestTheDoctorSeesABlenderThatRunsNoPython(t *testing.T) {
	t.Parallel()
	// What no Blender here does: it starts, and has nothing to say, or too little.
	for text, want := range map[string]string{
		"echo 'no module named bpy'; exit 1":                                                 "no module named bpy",
		"echo; echo '" + insideMark + `{"numpy": false, "python": "3.11.2", "devices": {}}'`: "no NumPy",
	} {
		program := filepath.Join(t.TempDir(), "blender")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		got := examineInside(t.Context(), program)
		if len(got) == 0 || got[0].OK || got[0].Fix == "" || !strings.Contains(got[0].Detail, want) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestTheDoctorGivesUpWhatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	defer close(stuck)
	all := examination{"service", time.Millisecond, func() []Finding { <-stuck; return nil }}.run(t.Context())
	if len(all) != 1 || all[0].OK || all[0].Name != "service" || !strings.Contains(all[0].Detail, "not answered within 1ms") {
		t.Errorf("it finds %+v", all)
	}
	if all := (examination{"disk", time.Minute, func() []Finding { return []Finding{Right("disk", "free")} }}).run(t.Context()); len(all) != 1 || !all[0].OK {
		t.Errorf("it finds %+v", all)
	}
}

func TestTheDoctorTellsWhatTheTrayCanShow(t *testing.T) {
	t.Parallel()
	icons := func(ok bool, why string) func() (bool, string) {
		return func() (bool, string) { return ok, why }
	}
	for want, tray := range map[string]*Tray{
		"this build has no tray":                            nil,
		"there is no display; `blendtray serve` needs none": {Display: errors.New("DISPLAY is not set"), Icons: icons(true, "")},
		"the window opens instead: no panel":                {Icons: icons(false, "no panel")},
		"the desktop shows tray icons":                      {Icons: icons(true, "")},
	} {
		if got := (Config{Tray: tray}).examineTray(); len(got) != 1 || !got[0].OK || got[0].Detail != want {
			t.Errorf("it finds %+v, want %q", got, want)
		}
	}
}

// The test sets the environment of its process, so it is not parallel.
func TestTheDoctorNamesAPythonThatIsActive(t *testing.T) {
	t.Setenv("PYTHONHOME", "/nowhere")
	got := examineInside(t.Context(), "blender")
	if len(got) < 2 || !got[0].OK || !got[1].OK || !strings.Contains(got[1].Detail, "PYTHONHOME=/nowhere") {
		t.Errorf("%+v", got)
	}
}

func TestTheDoctorNamesThePackageOfSignsThatNoFontHas(t *testing.T) {
	t.Parallel()
	c := Config{Fonts: func(r rune) bool { return r < 0x3000 }}
	if got := c.examineNeeds(signs.Needed([]string{"de"}, []string{"a.py"}), install.Debian); len(got) != 0 {
		t.Errorf("with signs that every font has, it finds %+v", got)
	}
	got := c.examineNeeds(signs.Needed([]string{"de"}, []string{"a.py", "场景.py"}), install.Debian)
	if len(got) != 1 || got[0].OK || got[0].Fix != "sudo apt install fonts-noto-cjk" || !strings.Contains(got[0].Detail, "Chinese, which 场景.py has") {
		t.Errorf("it finds %+v", got)
	}
	got = c.examineNeeds(signs.Needed([]string{"ar"}, nil), install.Debian)
	if len(got) != 1 || !got[0].OK {
		t.Errorf("with a font for it, it finds %+v", got)
	}
}

func TestTheDoctorSaysHowToInstallABlender(t *testing.T) {
	t.Parallel()
	ways := install.Blender(install.Debian, func(program string) bool { return program == "apt" })
	if got := howToInstall(ways); !strings.HasPrefix(got, "sudo apt install blender, or https://www.blender.org/download/, or name") {
		t.Error(got)
	}
}
