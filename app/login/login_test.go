package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"blendtray/app/home"
)

// lineOf returns the value of the line of a text that begins with a key.
func lineOf(t *testing.T, text []byte, key string) string {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	t.Fatalf("no %s in\n%s", key, text)
	return ""
}

func TestAutostartEntryQuotesWhatADesktopWouldTakeForSomethingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ program, home, exec, try string }{
		{"/usr/bin/blendtray", "", `/usr/bin/blendtray`, `/usr/bin/blendtray`},
		{"/my apps/blendtray", "", `"/my apps/blendtray"`, `/my apps/blendtray`},
		{"/a$b/blendtray", "", `"/a\\$b/blendtray"`, `/a$b/blendtray`},
		{`/a\b/blendtray`, "", `"/a\\\\b/blendtray"`, `/a\\b/blendtray`},
		{`/a"b/blendtray`, "", `"/a\\"b/blendtray"`, `/a"b/blendtray`},
		{"/a`b/blendtray", "", "\"/a\\\\`b/blendtray\"", "/a`b/blendtray"},
		{`/a'b/blendtray`, "", `"/a'b/blendtray"`, `/a'b/blendtray`},
		{"/100%/f%u/blendtray", "", `env /100%%/f%%u/blendtray`, `/100%/f%u/blendtray`},
		{"/über/blendtray", "", `/über/blendtray`, `/über/blendtray`},
		{"/bin/blendtray", "/h", `env BLENDTRAY_HOME=/h /bin/blendtray`, `/bin/blendtray`},
		{"/bin/blendtray", "/my home/50%=$x", `env "BLENDTRAY_HOME=/my home/50%%=\\$x" /bin/blendtray`, `/bin/blendtray`},
	} {
		text, err := desktopEntry(home.Program{Path: c.program, Home: c.home})
		if err != nil {
			t.Errorf("%s: %v", c.program, err)
			continue
		}
		if got := lineOf(t, text, "Exec"); got != c.exec {
			t.Errorf("%s: Exec is %s and not %s", c.program, got, c.exec)
		}
		if got := lineOf(t, text, "TryExec"); got != c.try {
			t.Errorf("%s: TryExec is %s and not %s", c.program, got, c.try)
		}
		if lineOf(t, text, "Icon") != "blendtray" || lineOf(t, text, "Type") != "Application" || !desktopStarts(text) {
			t.Errorf("%s: the entry is\n%s", c.program, text)
		}
	}
}

func TestLoginEntriesRefusePathsThatTheyCantHold(t *testing.T) {
	t.Parallel()
	for _, s := range []home.Program{{Path: "/a\nExec=rm/b"}, {Path: "/a\xff"}, {Path: "/a", Home: "/h\x01"}} {
		if _, err := desktopEntry(s); err == nil {
			t.Errorf("a desktop entry holds %q", s)
		}
		if _, err := launchAgent(s); err == nil {
			t.Errorf("a launch agent holds %q", s)
		}
		if _, err := runValue(s); err == nil {
			t.Errorf("the Run key holds %q", s)
		}
	}
	if _, err := desktopEntry(home.Program{Path: "/a=b/blendtray"}); err == nil || !strings.Contains(err.Error(), "/a=b/blendtray") {
		t.Errorf("a path with =: %v", err)
	}
}

func TestAutostartEntryIsReadAsDesktopsReadIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want bool
	}{
		{"", false},
		{"[Desktop Entry]\nExec=/other/blendtray\n", true},
		{"[Desktop Entry]\r\nExec = x\r\n", true},
		{"[Desktop Entry]\nExec=\n", false},
		{"[Desktop Entry]\n#Exec=x\n", false},
		{"[Desktop Entry]\nExec=x\nHidden=true\n", false},
		{"[Desktop Entry]\nHidden = 1\nExec=x\n", false},
		{"[Desktop Entry]\nExec=x\nHidden=false\n", true},
		{"[Desktop Entry]\nExec=x\nX-GNOME-Autostart-enabled=false\n", false},
		{"[Desktop Entry]\nExec=x\nX-GNOME-Autostart-enabled=true\n", true},
		{"[Desktop Entry]\nExec=x\nOnlyShowIn=KDE;\n", true},
		{"[Desktop Entry]\nExec=x\n[Desktop Action new]\nHidden=true\n", true},
		{"[Desktop Action new]\nExec=x\n", false},
	} {
		if got := desktopStarts([]byte(c.text)); got != c.want {
			t.Errorf("%v for %q", got, c.text)
		}
	}
}

func TestLaunchAgentIsAPropertyListThatStartsAtLogin(t *testing.T) {
	t.Parallel()
	text, err := launchAgent(home.Program{Path: "/Applications/A & B <c>.app/blendtray", Home: `/Users/me/"x" & 'y'`})
	if err != nil {
		t.Fatal(err)
	}
	// As Python's library for property lists reads it. launchd ignores keys that it does not know.
	read := exec.Command("python3", "-c", "import json, plistlib, sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)")
	read.Stdin = bytes.NewReader(text)
	out, err := read.Output()
	if err != nil {
		t.Fatalf("%v for\n%s", err, text)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Label": agentLabel, "ProgramArguments": []any{"/Applications/A & B <c>.app/blendtray"}, "RunAtLoad": true,
		"EnvironmentVariables": map[string]any{"BLENDTRAY_HOME": `/Users/me/"x" & 'y'`}, "ProcessType": "Interactive",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("launchd reads %v, want %v", got, want)
	}
	if !agentStarts(text) {
		t.Errorf("it does not start with\n%s", text)
	}
	plain, err := launchAgent(home.Program{Path: "/bin/blendtray"})
	if err != nil || bytes.Contains(plain, []byte("BLENDTRAY_HOME")) || !agentStarts(plain) {
		t.Errorf("without a home it is\n%s%v", plain, err)
	}
	off := bytes.Replace(text, []byte("<true/>"), []byte("<false/>"), 1)
	disabled := bytes.Replace(text, []byte("\t<key>RunAtLoad"), []byte("\t<key>Disabled</key>\n\t<true/>\n\t<key>RunAtLoad"), 1)
	for _, text := range [][]byte{off, disabled, nil, []byte("bplist00")} {
		if agentStarts(text) {
			t.Errorf("it starts with\n%s", text)
		}
	}
}

func TestLoginValueForWindowsIsQuotedAndNotTooLong(t *testing.T) {
	t.Parallel()
	if got, err := runValue(home.Program{Path: `C:\Program Files\Blendtray\blendtray.exe`}); err != nil || got != `"C:\Program Files\Blendtray\blendtray.exe"` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := runValue(home.Program{Path: `C:\` + strings.Repeat("x", 260)}); err == nil {
		t.Error("one that Windows leaves out is no error")
	}
	for _, c := range []struct {
		approval []byte
		want     bool
	}{{nil, true}, {[]byte{2, 0, 0, 0}, true}, {[]byte{6, 0}, true}, {[]byte{3, 0, 0, 0}, false}, {[]byte{1}, false}} {
		if got := approves(c.approval); got != c.want {
			t.Errorf("%v for %v", got, c.approval)
		}
	}
}

// homeForLogin gives this process the home of a user for whom nothing starts at login, and
// returns the switch and its file. ok is false on systems where the entry is no file: there the
// entry is the tester's own, and no test writes it.
func homeForLogin(t *testing.T) (login Switch, file string, ok bool) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "my config"))
	t.Setenv("BLENDTRAY_HOME", "")
	login, err := New()
	if err != nil {
		t.Fatal(err)
	}
	entry, ok := any(login).(interface{ file() string })
	if !ok {
		return login, "", false
	}
	if !strings.HasPrefix(entry.file(), home) {
		t.Fatalf("the entry is %s", entry.file())
	}
	return login, entry.file(), true
}

// expectLogin fails the test when the switch says something else.
func expectLogin(t *testing.T, login Switch, want bool, when string) {
	t.Helper()
	if got, err := login.Enabled(); got != want || err != nil {
		t.Errorf("%s it is %v, %v", when, got, err)
	}
}

func TestAutostartIsSetAndReadFromTheSystemEachTime(t *testing.T) {
	login, file, ok := homeForLogin(t)
	if !ok {
		return
	}
	expectLogin(t, login, false, "at first")
	if err := login.Set(false); err != nil {
		t.Errorf("to set off what is off: %v", err)
	}
	for range 2 {
		if err := login.Set(true); err != nil {
			t.Fatal(err)
		}
		expectLogin(t, login, true, "set on,")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if text := contents(t, file); !strings.Contains(text, program) {
		t.Errorf("%s is not in\n%s", program, text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if all, err := os.ReadDir(filepath.Dir(file)); err != nil || len(all) != 1 {
		t.Errorf("in its folder are %v, %v", all, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expectLogin(t, login, false, "removed from outside,")
	if err := login.Set(true); err != nil {
		t.Fatal(err)
	}
	if err := login.Set(false); err != nil {
		t.Fatal(err)
	}
	expectLogin(t, login, false, "set off,")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("set off, its file is there: %v", err)
	}
}

func TestAutostartReplacesAnEntryThatIsOffOrStartsAnotherProgram(t *testing.T) {
	login, file, ok := homeForLogin(t)
	if !ok {
		return
	}
	if err := login.Set(true); err != nil {
		t.Fatal(err)
	}
	good := contents(t, file)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.ReplaceAll(good, program, "/other/blendtray"))
	expectLogin(t, login, true, "with another program")
	if err := login.Set(true); err != nil || contents(t, file) != good {
		t.Errorf("%v, and the entry is\n%s", err, contents(t, file))
	}
	for _, off := range []string{"[Desktop Entry]\nExec=/x\nHidden=true\n", "[Desktop Entry]\nExec=/x\nX-GNOME-Autostart-enabled=false\n", ""} {
		write(t, file, off)
		expectLogin(t, login, false, "switched off from outside")
		if err := login.Set(true); err != nil || contents(t, file) != good {
			t.Errorf("%v, and the entry is\n%s", err, contents(t, file))
		}
		expectLogin(t, login, true, "set on again")
	}
}

func TestAutostartCarriesTheHomeOfThisProgram(t *testing.T) {
	_, file, ok := homeForLogin(t)
	if !ok {
		return
	}
	home := filepath.Join(t.TempDir(), "bt")
	t.Setenv("BLENDTRAY_HOME", home)
	login, err := New()
	if err == nil {
		err = login.Set(true)
	}
	if text := contents(t, file); err != nil || !strings.Contains(text, home) {
		t.Errorf("%v, and the entry is\n%s", err, text)
	}
}

func TestAutostartSaysWhenItCantBeReadOrSet(t *testing.T) {
	login, file, ok := homeForLogin(t)
	if !ok {
		return
	}
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := login.Enabled(); err == nil {
		t.Error("a folder in its place can be read")
	}
	for _, on := range []bool{true, false} {
		if err := login.Set(on); err == nil {
			t.Errorf("a folder in its place can be set to %v", on)
		}
	}
}

func contents(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
