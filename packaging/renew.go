package packaging

import "strings"

// mended are the lines of systemd units that versions of this program wrote before, and the line
// that stands in the place of each now. Where that is "", the line is left out.
var mended = map[string]string{
	// A Go program that crashes, or that the watchdog ends, ends with 2. Such a service was never
	// started again.
	"RestartPreventExitStatus=2":    "RestartPreventExitStatus=78",
	"RestartPreventExitStatus=2 78": "RestartPreventExitStatus=78",
	// The service was given up after five starts in two minutes.
	"StartLimitIntervalSec=120": "StartLimitIntervalSec=0",
	"StartLimitBurst=5":         "",
	// A run that is running when the engine is stopped may end, which takes up to a minute.
	"TimeoutStopSec=30": "TimeoutStopSec=90",
	// Scripts could not copy folders with a set-gid bit.
	"RestrictSUIDSGID=yes": "",
}

// afterKillMode is the line that units lacked. Without it systemd ends the engine when the kernel
// has ended a Blender.
const afterKillMode = "OOMPolicy=continue"

// Renew returns a systemd unit that an earlier version has written as this version writes it, and
// whether that differs. Only the lines that were wrong change, so everything that a person has
// changed in the unit stays. A text without [Mark] is nobody's of this program, and stays as it is.
func Renew(unit string) (renewed string, changed bool) {
	if !strings.Contains(unit, Mark) {
		return unit, false
	}
	hasPolicy := strings.Contains(unit, "\nOOMPolicy=")
	var b strings.Builder
	for line := range strings.Lines(unit) {
		text := strings.TrimSuffix(line, "\n")
		better, wrong := mended[text]
		switch {
		case !wrong:
			b.WriteString(line)
		case better != "":
			b.WriteString(better + "\n")
		}
		if text == "KillMode=mixed" && !hasPolicy {
			b.WriteString(afterKillMode + "\n")
		}
	}
	return b.String(), b.String() != unit
}
