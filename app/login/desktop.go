package login

import (
	"fmt"
	"strings"

	"blendtray/app/home"
)

// desktopEntry returns the text of a file for the autostart folder of XDG desktops. It fails for
// a program that a desktop entry can't name.
func desktopEntry(p home.Program) ([]byte, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	// The specification forbids an equals sign, and env would take the path for a variable.
	if strings.Contains(p.Path, "=") {
		return nil, fmt.Errorf("the path %s has a = in it, which a desktop entry can't name; move the program elsewhere", p.Path)
	}
	command := execArgument(p.Path)
	if p.Home != "" {
		command = execArgument("BLENDTRAY_HOME="+p.Home) + " " + command
	}
	// GNOME looks for the program, the first word, before it turns two percent signs into one,
	// and would not find a path with a percent sign in it.
	if p.Home != "" || strings.Contains(p.Path, "%") {
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
`, desktopString(command), desktopString(p.Path)), nil
}

// execArgument quotes an argument for the key Exec where that is needed, and doubles percent
// signs, which would begin field codes. The caller still applies desktopString to the result, so
// that the file has two backslashes before a dollar sign, and four backslashes for a backslash.
func execArgument(argument string) string {
	argument = strings.ReplaceAll(argument, "%", "%%")
	if argument != "" && !strings.ContainsAny(argument, " \t\n\"'\\><~|&;$*?#()`") {
		return argument
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(argument) + `"`
}

// desktopString returns a string as a desktop entry has it as the value of a key. The string
// must not begin with a space, and must have no control characters.
func desktopString(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

// desktopStarts tells whether a desktop starts a program at login when this text is in its
// autostart folder. It asks neither which program that is nor which desktops the file is for.
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
