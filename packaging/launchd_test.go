package packaging

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// launchdKeys are the keys of launchd.plist(5) that say something about Blendtray, each with what its value
// may be. launchd says nothing about a key that it does not know, so a wrong letter would go unnoticed.
var launchdKeys = map[string]rule{
	"Label":                text(`^[A-Za-z0-9._-]+$`, 1, 200),
	"ProgramArguments":     argumentList,
	"UserName":             text("", 1, 100),
	"EnvironmentVariables": everyText,
	"RunAtLoad":            boolean,
	// A table of conditions, or a bool. With PathState or OtherJobEnabled it would be another kind of service.
	"KeepAlive":         object(map[string]rule{"SuccessfulExit": boolean, "Crashed": boolean, "NetworkState": boolean}, "SuccessfulExit"),
	"ThrottleInterval":  number(1, 60),
	"ExitTimeOut":       number(1, 600), // 0 would wait for ever
	"ProcessType":       oneOf("Background", "Standard", "Adaptive", "Interactive"),
	"StandardOutPath":   text("^/", 2, 1000),
	"StandardErrorPath": text("^/", 2, 1000),
}

func boolean(value any) string {
	if _, ok := value.(bool); !ok {
		return fmt.Sprintf("%v is not true or false", value)
	}
	return ""
}

// number is a whole number within bounds.
func number(least, most float64) rule {
	return func(value any) string {
		if n, ok := value.(float64); !ok || n != float64(int(n)) || n < least || n > most {
			return fmt.Sprintf("%v is no whole number from %v to %v", value, least, most)
		}
		return ""
	}
}

// argumentList is a program, which launchd does not look for, and its arguments. Two may be the same.
func argumentList(value any) string {
	all, ok := value.([]any)
	if !ok || len(all) == 0 {
		return fmt.Sprintf("%v is no list", value)
	}
	for _, v := range all {
		if _, ok := v.(string); !ok {
			return fmt.Sprintf("%v is no text", v)
		}
	}
	if !filepath.IsAbs(all[0].(string)) {
		return fmt.Sprintf("%v is not absolute", all[0])
	}
	return ""
}

// everyText is an object whose values are texts.
func everyText(value any) string {
	fields, ok := value.(map[string]any)
	if !ok {
		return fmt.Sprintf("%v is no object", value)
	}
	for name, v := range fields {
		if _, ok := v.(string); !ok {
			return fmt.Sprintf("%s is %v, which is no text", name, v)
		}
	}
	return ""
}

// plist reads a property list with Python's library for them.
func plist(t *testing.T, list string) map[string]any {
	t.Helper()
	cmd := exec.Command("python3", "-c", "import json, plistlib, sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)")
	cmd.Stdin = strings.NewReader(list)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("it is no property list: %v: %s\n%s", err, errors.String(), list)
	}
	var fields map[string]any
	if err := json.Unmarshal(out, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func TestLaunchdUnderstandsTheServices(t *testing.T) {
	t.Parallel()
	odd := `/opt/my "tools"/100% <$HOME> & 'x'/é/blendtray`
	agent := Service{Program: odd, Log: "/Users/ada/Library/Logs/a & b.log"}
	daemon := Service{Program: "/usr/local/bin/blendtray", Home: `/srv/a & b/<x> "y"`, User: "render", Log: "/Library/Logs/blendtray.log"}
	stop := stopTime(t)
	for name, s := range map[string]Service{"an agent": agent, "a daemon": daemon} {
		list, err := Launchd(s)
		if err != nil {
			t.Fatal(err)
		}
		fields := plist(t, list)
		if wrong := object(launchdKeys, "Label", "ProgramArguments", "RunAtLoad", "KeepAlive", "ExitTimeOut")(fields); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
		label, environment := "org.blendtray.Blendtray", map[string]any(nil)
		if s.User != "" {
			label += "." + s.User
			environment = map[string]any{"BLENDTRAY_HOME": s.Home}
		}
		for key, want := range map[string]any{
			// app/service names the file so, and asks for the service by this name.
			"Label": label,
			// No shell reads these, so they are as they are.
			"ProgramArguments":     []any{s.Program, "serve"},
			"EnvironmentVariables": environment,
			"StandardOutPath":      s.Log,
			"StandardErrorPath":    s.Log,
			// It starts at login or with the machine, and again unless it has ended by itself.
			"RunAtLoad": true,
			"KeepAlive": map[string]any{"SuccessfulExit": false},
			// As systemd waits, before the engine is killed.
			"ExitTimeOut": float64(stop),
		} {
			got := fields[key]
			if got == nil {
				got = map[string]any(nil)
			}
			if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
				t.Errorf("%s: %s is %#v, want %#v", name, key, got, want)
			}
		}
		// launchd takes no user for an agent, and would run a daemon as root without.
		if user, ok := fields["UserName"]; s.User == "" && ok || s.User != "" && user != s.User {
			t.Errorf("%s: the user is %v, want %q", name, user, s.User)
		}
	}
}

// stopTime returns how many seconds systemd gives the engine to end.
func stopTime(t *testing.T) int {
	t.Helper()
	unit, err := Systemd(Service{Program: "/usr/bin/blendtray"})
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(unit, "TimeoutStopSec=")
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("the unit of systemd has no time to stop: %v", err)
	}
	return n
}
