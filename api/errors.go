package api

import (
	"errors"
	"fmt"
)

// What callers decide on. Errors of the engine wrap one of these where it applies, and so do
// errors of a client of control, whichever process the engine is in.
var (
	// ErrNotFound: there is no run with that id.
	ErrNotFound = errors.New("no such run")
	// ErrEnded: the run has ended and can't be cancelled any more.
	ErrEnded = errors.New("the run has ended")
	// ErrNotEnded: the run has not ended and can't be retried yet.
	ErrNotEnded = errors.New("the run has not ended")
	// ErrStopping: the engine is ending or has ended.
	ErrStopping = errors.New("the engine is stopping")
	// ErrBad: the request makes no sense as it stands.
	ErrBad = errors.New("bad request")
	// ErrTooLarge: the script is larger than a run may be.
	ErrTooLarge = errors.New("the script is too large")
	// ErrNoBlender: the engine has no Blender with that name.
	ErrNoBlender = errors.New("no such Blender")
	// ErrNoSession: there is no session with that name.
	ErrNoSession = errors.New("no such session")
	// ErrBusy: a run is running in the session, and the request does not wait for the run.
	ErrBusy = errors.New("the session is busy")
	// ErrSession: an operation of a session has failed, and the session is as it was before.
	ErrSession = errors.New("the session")
	// ErrSceneGone: the scene that a run has left is not there any more; run the run again.
	ErrSceneGone = errors.New("the scene is gone")
	// ErrNoScene: the run leaves no scene that can be looked at.
	ErrNoScene = errors.New("there is no scene")
	// ErrNoThumbnail: there is no thumbnail of that output.
	ErrNoThumbnail = errors.New("there is no thumbnail")
	// ErrNoSetting: there is no setting with that key, or no folder with that path.
	ErrNoSetting = errors.New("no such setting")
	// ErrFixed: the setting can't be changed. A variable or a flag of the engine goes before the
	// file, or the file has the setting in a form that only a person can change.
	ErrFixed = errors.New("the setting is fixed")
	// ErrSettingsBroken: the file of the settings is wrong, and has to be put right by hand first.
	ErrSettingsBroken = errors.New("the file of the settings is wrong")
	// ErrStorage: the run could not be written down, and therefore was not made.
	ErrStorage = errors.New("cannot write the run down")
)

// TooLarge returns an [ErrTooLarge] that names the size of a script, in bytes, and the limit.
func TooLarge(size int64) error {
	return fmt.Errorf("%w: it has %d bytes and may have %d MiB; keep data in files that the script opens", ErrTooLarge, size, MaxCode>>20)
}
