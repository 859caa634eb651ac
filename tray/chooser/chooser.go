// Package chooser has a person choose a file or a folder in the dialog of the system: by the portal of
// the desktop on Linux, and by the system's own dialog on Windows and macOS. It is not for systems
// without such a dialog: [Choose] fails there with [ErrNone], and the caller shows a dialog of its own.
package chooser

import (
	"context"
	"errors"
)

// ErrNone is returned where the system has no dialog that this program can show.
var ErrNone = errors.New("the system has no dialog for files here")

// Kind is what a person is to choose.
type Kind int

// The values of [Kind].
const (
	Folder Kind = iota
	File
	Save // a name for a file that need not be there
)

// Request says what a person is to choose.
type Request struct {
	Kind  Kind
	Title string
	// Start is the absolute path of the folder in which the person begins, or "".
	Start string
	// Name is the name that is offered for a file to save, or "".
	Name string
	// Parent is the window above which the dialog is shown, as the portals of Linux name it, or "".
	Parent string
}

// Choose shows the dialog of the system until a person has chosen or ctx ends. It returns the absolute
// path that was chosen, or "" when the person has chosen none. It fails with [ErrNone] where the system
// has no dialog. It blocks, and must not be called on the goroutine of the window.
func Choose(ctx context.Context, r Request) (string, error) { return choose(ctx, r) }
