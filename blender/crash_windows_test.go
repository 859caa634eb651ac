package blender

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestTheExitCodeOfACrashNamesIt(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"0": "", "1": "", "3": "", "7": "", "11": "", "-1": "",
		"-1073741819": "access violation (0xC0000005)",
		"-1073741571": "stack overflow (0xC00000FD)",
		"-1073740940": "heap corruption (0xC0000374)",
		"-1073740791": "aborted (0xC0000409)",
		"-1073741823": "exception 0xC0000001",
		"-2147483392": "a library of Wine lacks a function (0x80000100)",
		"-2147483647": "exception 0x80000001",
	} {
		command := exec.Command("cmd.exe", "/c", "exit "+code)
		_ = command.Run() // the state says how it ended
		if got := signalText(command.ProcessState); got != want {
			t.Errorf("%s is %q, not %q", code, got, want)
		}
	}
}

func TestAnExitCodeThatScriptsUseIsACrashOnlyWithProof(t *testing.T) {
	t.Parallel()
	const aborts, faults = "Fatal Python error: Aborted\n", "Windows fatal exception: access violation\n"
	for _, test := range []struct {
		code     int
		words    string
		reported bool
		want     string
	}{
		{3, "", false, ""},
		{3, faults, false, ""},                 // the script has lived through the fault
		{3, aborts + faults, false, "aborted"}, // the libraries have met the fault when they were taken down
		{3, faults + aborts, false, "aborted"},
		{22, "", true, "aborted"},
		{11, faults, false, ""},
		{11, faults, true, "access violation"},
		{1, aborts, true, ""},
	} {
		got := crashText(test.code, deathIn([]byte(test.words)), test.reported)
		want := test.want
		if want != "" {
			want += " (exit code " + strconv.Itoa(test.code) + ")"
		}
		if got != want {
			t.Errorf("%d with %q, %v is %q, not %q", test.code, strings.TrimSpace(test.words), test.reported, got, want)
		}
	}
}
