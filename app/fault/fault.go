// Package fault says how a command of the program can fail: with which exit code, and with what
// hint for the person who typed it. It prints nothing; the terminal of package app does.
//
// A command returns an error. [New] makes an error that knows its exit code and its hint,
// [Quietly] makes an error that is an exit code and nothing else, and [Explain] finds the exit
// code and the hint of any error, also of one that the engine has answered with.
package fault

import (
	"errors"
	"fmt"

	"blendtray/control"
)

// The exit codes of the program. Only `blendtray run` ends with the codes from TimedOut to
// Cancelled.
const (
	OK        = 0
	Failed    = 1 // the script failed, or the program can't do what was asked for
	Usage     = 2 // the command line is wrong
	NoEngine  = 3 // no engine answers, or the engine went away
	TimedOut  = 4
	Crashed   = 5
	Cancelled = 6
	Config    = 78 // the settings are wrong: EX_CONFIG of sysexits.h
)

// Fault is an error that knows the exit code of the program, and what a person can do about the
// error.
type Fault struct {
	// Code is the exit code.
	Code int
	// Hint is what a person can do, or "".
	Hint string
	// Err says what happened.
	Err error
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

// New returns a [Fault]. The format may wrap an error with %w; hint may be empty.
func New(code int, hint, format string, args ...any) error {
	return &Fault{Code: code, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// Quietly is an error that ends the program with an exit code and prints nothing, because
// everything was printed already.
type Quietly int

func (q Quietly) Error() string { return fmt.Sprintf("exit code %d", int(q)) }

// Explain returns the exit code and the hint of an error. The hint may be "". An error that is
// no [Fault] and does not come from the engine has the code [Failed].
func Explain(err error) (code int, hint string) {
	var f *Fault
	var quiet Quietly
	var refused *control.Error
	switch {
	case err == nil:
		return OK, ""
	case errors.As(err, &f):
		return f.Code, f.Hint
	case errors.As(err, &quiet):
		return int(quiet), ""
	case errors.Is(err, control.ErrNoEngine):
		return NoEngine, "start one with `blendtray serve`"
	case errors.Is(err, control.ErrLost):
		return NoEngine, "`blendtray log --engine` may say why; start it again with `blendtray serve`"
	case errors.As(err, &refused):
		switch refused.Code {
		case control.CodeBadRequest:
			return Usage, refused.Hint
		case control.CodeSettings:
			return Config, refused.Hint
		}
		return Failed, refused.Hint
	default:
		return Failed, ""
	}
}
