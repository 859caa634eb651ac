package app

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"blendtray/app/home"
)

// This file holds what the ways of starting at login have in common, and the texts that they
// write. Each system's own way is in the file that ends in its name, and gives
//
//	type autostart struct
//	newAutostart() (autostart, error)
//	(autostart) Enabled() (bool, error)
//	(autostart) Set(on bool) error

// loginStart is what is to be started at login.
type loginStart struct {
	// program is the absolute path of the executable.
	program string
	// home is BLENDTRAY_HOME, absolute, or "".
	home string
}

// thisProgram is this executable, with the BLENDTRAY_HOME that it was given. It fails where
// the system does not say which executable that is.
func thisProgram() (loginStart, error) {
	program, err := os.Executable()
	if err != nil {
		return loginStart{}, fmt.Errorf("find out which program to start at login: %w", err)
	}
	home := os.Getenv("BLENDTRAY_HOME")
	if home != "" {
		if home, err = filepath.Abs(home); err != nil {
			return loginStart{}, fmt.Errorf("BLENDTRAY_HOME: %w", err)
		}
	}
	return loginStart{withoutConsole(program), home}, nil
}

// check fails for paths that no login entry can hold.
func (s loginStart) check() error {
	for _, path := range []string{s.program, s.home} {
		if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
			return fmt.Errorf("the path %q has characters in it that can't be written to a login entry", path)
		}
	}
	return nil
}

// loginFile is a file that the system looks for at login.
type loginFile struct {
	path string
	// text is what the file says to start this program.
	text func() ([]byte, error)
	// starts tells whether the system starts something when it finds this in the file.
	starts func(text []byte) bool
}

// Enabled tells whether the file is there and says to start a program, whichever. It reads it
// each time, and fails when it can't.
func (f loginFile) Enabled() (bool, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find out whether Blendtray starts at login: %w", err)
	}
	return f.starts(text), nil
}

// Set writes the file, in place of what was there, or removes it. It fails when the file
// can't be written or removed, and then nothing has changed.
func (f loginFile) Set(on bool) error {
	if !on {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no longer start at login: %w", err)
		}
		return nil
	}
	text, err := f.text()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(f.path), 0o700)
	}
	if err == nil {
		err = home.Replace(f.path, text, 0o644, nil)
	}
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// file is where the entry lies.
func (f loginFile) file() string { return f.path }

// desktopEntry is a file for the autostart folder of XDG desktops. It fails for a program
// that such a file can't name.
func desktopEntry(s loginStart) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	// The specification forbids it, and env would take the path for a variable.
	if strings.Contains(s.program, "=") {
		return nil, fmt.Errorf("the path %s has a = in it, which a desktop entry can't name; move the program elsewhere", s.program)
	}
	command := execArgument(s.program)
	if s.home != "" {
		command = execArgument("BLENDTRAY_HOME="+s.home) + " " + command
	}
	// GNOME looks for the program, which is the first word, before it makes one percent sign
	// of two, and would not find it.
	if s.home != "" || strings.Contains(s.program, "%") {
		command = "env " + command
	}
	return fmt.Appendf(nil, `[Desktop Entry]
Type=Application
Name=Blendtray
Comment=Save a Python script, see it run in a warm Blender
Exec=%s
TryExec=%s
Icon=blendtray
Terminal=false
X-GNOME-Autostart-enabled=true
`, desktopString(command), desktopString(s.program)), nil
}

// execArgument quotes an argument for Exec where that is needed, and hides percent signs,
// which would be field codes. desktopString is still to be applied, so that the file in the
// end has two backslashes before a dollar sign and four for one backslash.
func execArgument(argument string) string {
	argument = strings.ReplaceAll(argument, "%", "%%")
	if argument != "" && !strings.ContainsAny(argument, " \t\n\"'\\><~|&;$*?#()`") {
		return argument
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(argument) + `"`
}

// desktopString writes a string as the value of a key. It begins with no space and has no
// control characters.
func desktopString(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

// desktopStarts tells whether a desktop starts a program for this file in its autostart
// folder. Which program it is, and which desktops the file is for, does not matter.
func desktopStarts(text []byte) bool {
	var group, command string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			group = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || group != "[Desktop Entry]" || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Exec":
			command = value
		case "Hidden":
			if value == "true" || value == "1" {
				return false
			}
		case "X-GNOME-Autostart-enabled":
			if value == "false" || value == "0" {
				return false
			}
		}
	}
	return command != ""
}

// agentLabel names the launch agent of macOS.
const agentLabel = "org.blendtray.tray"

// launchAgent is a property list for the LaunchAgents folder of macOS. It fails for a program
// that such a file can't name.
func launchAgent(s loginStart) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	environment := ""
	if s.home != "" {
		environment = fmt.Sprintf(`	<key>EnvironmentVariables</key>
	<dict>
		<key>BLENDTRAY_HOME</key>
		<string>%s</string>
	</dict>
`, escapeXML(s.home))
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>%s</string>
	<key>ProgramArguments</key>
	<array>
		<string>%s</string>
	</array>
%s	<key>RunAtLoad</key>
	<true/>
	<key>ProcessType</key>
	<string>Interactive</string>
</dict>
</plist>
`, agentLabel, escapeXML(s.program), environment), nil
}

func escapeXML(s string) string {
	var buf bytes.Buffer
	_ = xml.EscapeText(&buf, []byte(s)) // a buffer takes everything
	return buf.String()
}

// agentStarts tells whether macOS starts a program for this property list at login.
func agentStarts(text []byte) bool {
	flags := map[string]bool{}
	decoder := xml.NewDecoder(bytes.NewReader(text))
	key, inKey := "", false
	for {
		token, err := decoder.Token()
		if err != nil {
			return flags["RunAtLoad"] && !flags["Disabled"]
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "true" {
				flags[key] = true
			}
			if inKey = token.Name.Local == "key"; inKey {
				key = ""
			}
		case xml.CharData:
			if inKey {
				key += string(token)
			}
		case xml.EndElement:
			inKey = false
		}
	}
}

// runValue is the command line for the Run key of Windows. BLENDTRAY_HOME is not in it: one
// that was set for the user is there at login as well, and nothing else could bring it.
func runValue(s loginStart) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	command := `"` + s.program + `"`
	// Microsoft's limit; Windows leaves out longer ones in silence.
	if utf8.RuneCountInString(command) > 260 {
		return "", fmt.Errorf("the path %s is too long for Windows to start at login; move the program elsewhere", s.program)
	}
	return command, nil
}

// approves tells whether Windows starts what the Run key says, by what its list of approvals
// has under the same name: the first byte is odd when the user has switched it off.
func approves(approval []byte) bool { return len(approval) == 0 || approval[0]&1 == 0 }
