package api

import (
	"fmt"
	"regexp"
)

// MaxSession is how many bytes the name of a session may have.
const MaxSession = 64

var sessionName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9._-]{1,%d}$`, MaxSession))

// CheckSession fails with [ErrBad] unless name can be the name of a session: 1 to [MaxSession] of
// A-Z a-z 0-9 . _ -.
func CheckSession(name string) error {
	if sessionName.MatchString(name) {
		return nil
	}
	if len(name) > MaxSession {
		return fmt.Errorf("%w: session: the name has %d bytes and may have %d", ErrBad, len(name), MaxSession)
	}
	return fmt.Errorf("%w: session: %q is no name of a session: 1 to %d of A-Z a-z 0-9 . _ -", ErrBad, name, MaxSession)
}
