// Package packaging has the parts of an installation besides the program: the files by which each
// system starts the program as a service, and the sources of the packages.
//
// The files are templates in the folders of their systems, where packagers can read them.
// [Systemd], [Launchd] and [Task] fill them in, quoted as each system requires. The package does
// not install anything.
package packaging

import (
	"embed"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

//go:embed systemd/*.service.in launchd/*.plist.in windows/*.xml.in
var files embed.FS

// Mark begins a line in every file, by which `blendtray service` recognizes its own files.
const Mark = "Written by `blendtray service install`"

// Service is what the system is to start.
type Service struct {
	// Program is the absolute path of the executable.
	Program string
	// Home is BLENDTRAY_HOME, absolute, or "".
	Home string
	// User is the name of the user that a service of the machine runs as. It is "" for a service
	// of the user.
	User string
	// Groups are further groups that the service gets, for graphics cards.
	Groups []string
	// Unconfined leaves out what would keep Blender from raising its rights. A Blender from Snap or
	// Flatpak has to raise its rights when it starts.
	Unconfined bool
	// Log is the file for what the program prints, where the system itself keeps no log.
	Log string
}

// check fails for texts that no unit can hold.
func (s Service) check() error {
	for _, text := range append([]string{s.Program, s.Home, s.User, s.Log}, s.Groups...) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return fmt.Errorf("%q has characters in it that can't be written to a service", text)
		}
	}
	return nil
}

// Systemd returns the unit of a service. It fails for paths with control characters.
func Systemd(s Service) (string, error) {
	name := "blendtray-user"
	if s.User != "" {
		name = "blendtray-system"
	}
	return s.fill("systemd/"+name+".service.in", template.FuncMap{
		// systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers".
		"program": func(v string) string { return `"` + systemdQuotes.Replace(v) + `"` },
		"value": func(name, v string) string {
			return `"` + name + "=" + strings.ReplaceAll(systemdQuotes.Replace(v), "$$", "$") + `"`
		},
	})
}

var systemdQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$")

// Launchd returns the property list of an agent of the user or, with a User, of a daemon. It fails
// for paths with control characters.
func Launchd(s Service) (string, error) {
	return s.fill("launchd/blendtray.plist.in", template.FuncMap{"xml": xmlText})
}

// Task returns the definition of a task that starts at the user's logon, for Windows' scheduler.
// It has to be written as UTF-16. Task fails for paths with control characters.
func Task(s Service) (string, error) {
	return s.fill("windows/logon-task.xml.in", template.FuncMap{
		"xml": xmlText,
		// For a command line: a path on Windows has no quotes in it.
		"quoted": func(v string) string { return `"` + v + `"` },
	})
}

func (s Service) fill(name string, functions template.FuncMap) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	text, err := files.ReadFile(name)
	if err != nil {
		return "", err // can't happen: the template is embedded
	}
	t, err := template.New(name).Funcs(functions).Funcs(template.FuncMap{
		"mark": func() string { return Mark }, "join": strings.Join,
	}).Parse(string(text))
	if err != nil {
		return "", err // a test fills in each
	}
	var out strings.Builder
	if err := t.Execute(&out, s); err != nil {
		return "", err
	}
	return out.String(), nil
}

// xmlText returns a text escaped for XML.
func xmlText(text string) (string, error) {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		return "", err
	}
	return b.String(), nil
}
