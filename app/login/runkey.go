package login

import (
	"fmt"
	"unicode/utf8"

	"blendtray/app/home"
)

// runValue returns the command line for the Run key of Windows. BLENDTRAY_HOME is not in it:
// when the variable is set for the user, it is set at login as well, and the Run key has no other
// way to set it.
func runValue(p home.Program) (string, error) {
	if err := check(p); err != nil {
		return "", err
	}
	command := `"` + p.Path + `"`
	// This is Microsoft's limit; Windows ignores longer command lines in silence.
	if utf8.RuneCountInString(command) > 260 {
		return "", fmt.Errorf("the path %s is too long for Windows to start at login; move the program elsewhere", p.Path)
	}
	return command, nil
}

// approves tells whether Windows starts what the Run key says. approval is what Windows' list of
// approvals has under the same name: its first byte is odd when the user has switched it off.
func approves(approval []byte) bool { return len(approval) == 0 || approval[0]&1 == 0 }
