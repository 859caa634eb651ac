package control

import (
	"errors"
	"fmt"
	"net/http"

	"blendtray/api"
)

// These errors say that a client got no answer.
var (
	// ErrNoEngine is returned when no engine answers at the address.
	ErrNoEngine = errors.New("no engine answers")
	// ErrLost is returned when an engine answered at first and then went away.
	ErrLost = errors.New("the engine went away")
)

// ErrInUse is returned by [Listen] when a live engine has the address.
var ErrInUse = errors.New("another engine listens there")

// These are the codes of an [Error].
const (
	CodeBadRequest    = "bad_request"
	CodeNotFound      = "not_found"
	CodeNoBlender     = "no_such_blender"
	CodeBadMethod     = "method_not_allowed"
	CodeNoSession     = "no_such_session"
	CodeSession       = "session_failed"
	CodeBusy          = "session_busy"
	CodeConflict      = "conflict"
	CodeFixed         = "setting_fixed"
	CodeSettings      = "settings_wrong"
	CodeStorage       = "storage_failed"
	CodeSceneGone     = "scene_gone"
	CodeNoScene       = "no_scene"
	CodeNoThumbnail   = "no_thumbnail"
	CodeTooLarge      = "too_large"
	CodeBlenderFailed = "blender_failed"
	CodeStopping      = "stopping"
	CodeInternal      = "internal"
)

// Error is a refusal, in the engine's words.
type Error struct {
	// Status is the HTTP status.
	Status int `json:"-"`
	// Code is one of the Code constants.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Hint says what to do; it may be empty.
	Hint string `json:"hint"`
}

func (e *Error) Error() string { return e.Message }

// Is reports whether the refusal means the error target of api, so that a client can use
// [errors.Is] as if the engine were in its own process.
func (e *Error) Is(target error) bool {
	switch target {
	case api.ErrNotFound, api.ErrNoSetting:
		return e.Code == CodeNotFound
	case api.ErrNoBlender:
		return e.Code == CodeNoBlender
	case api.ErrNoSession:
		return e.Code == CodeNoSession
	case api.ErrBusy:
		return e.Code == CodeBusy
	case api.ErrSession:
		return e.Code == CodeSession
	case api.ErrSceneGone:
		return e.Code == CodeSceneGone
	case api.ErrNoScene:
		return e.Code == CodeNoScene
	case api.ErrNoThumbnail:
		return e.Code == CodeNoThumbnail
	case api.ErrEnded, api.ErrNotEnded:
		return e.Code == CodeConflict
	case api.ErrFixed:
		return e.Code == CodeFixed
	case api.ErrSettingsBroken:
		return e.Code == CodeSettings
	case api.ErrStorage:
		return e.Code == CodeStorage
	case api.ErrBad:
		return e.Code == CodeBadRequest
	case api.ErrTooLarge:
		return e.Code == CodeTooLarge
	case api.ErrStopping:
		return e.Code == CodeStopping
	}
	return false
}

func refuse(status int, code, hint, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func badRequest(format string, args ...any) *Error {
	return refuse(http.StatusBadRequest, CodeBadRequest, "", format, args...)
}

const settingsHint = "`blendtray settings` lists the settings, `blendtray folder list` the folders"

const largeHint = "keep data in files that the script opens"

func tooLarge(what string, limit int64) *Error {
	return refuse(http.StatusRequestEntityTooLarge, CodeTooLarge,
		largeHint, "%s is over %d MiB", what, limit>>20)
}

// wrongSettings returns the refusal of what needs a file of the settings that is right.
func wrongSettings(err error) *Error {
	return refuse(http.StatusConflict, CodeSettings, "mend the file with an editor; the engine reads it again by itself, and until then the settings before still hold", "%v", err)
}

// refusal returns the refusal that a client gets for an engine's error.
func refusal(err error) *Error {
	var told *Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, api.ErrNotFound):
		return refuse(http.StatusNotFound, CodeNotFound, "`blendtray runs` lists the runs that are kept", "%v", err)
	case errors.Is(err, api.ErrNoBlender):
		return refuse(http.StatusNotFound, CodeNoBlender, "`blendtray status` lists the Blenders", "%v", err)
	case errors.Is(err, api.ErrNoSession):
		return refuse(http.StatusNotFound, CodeNoSession, "`blendtray session list` lists the sessions", "%v", err)
	case errors.Is(err, api.ErrBusy):
		return refuse(http.StatusConflict, CodeBusy, "ask again when its run has ended", "%v", err)
	case errors.Is(err, api.ErrSession):
		return refuse(http.StatusConflict, CodeSession, "", "%v", err)
	case errors.Is(err, api.ErrSceneGone):
		return refuse(http.StatusConflict, CodeSceneGone, "run it again, then open what it leaves: `blendtray open ID --again`", "%v", err)
	case errors.Is(err, api.ErrNoScene):
		return refuse(http.StatusConflict, CodeNoScene, "", "%v", err)
	case errors.Is(err, api.ErrNoThumbnail):
		return refuse(http.StatusNotFound, CodeNoThumbnail, "", "%v", err)
	case errors.Is(err, api.ErrNoSetting):
		return refuse(http.StatusNotFound, CodeNotFound, settingsHint, "%v", err)
	case errors.Is(err, api.ErrFixed):
		return refuse(http.StatusConflict, CodeFixed, "`blendtray settings` says where each value comes from", "%v", err)
	case errors.Is(err, api.ErrSettingsBroken):
		return wrongSettings(err)
	case errors.Is(err, api.ErrStorage):
		return refuse(http.StatusInternalServerError, CodeStorage, "`blendtray status` says when the engine can write again", "%v", err)
	case errors.Is(err, api.ErrEnded), errors.Is(err, api.ErrNotEnded):
		return refuse(http.StatusConflict, CodeConflict, "", "%v", err)
	case errors.Is(err, api.ErrBad):
		return refuse(http.StatusBadRequest, CodeBadRequest, "", "%v", err)
	case errors.Is(err, api.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, largeHint, "%v", err)
	case errors.Is(err, api.ErrStopping):
		return refuse(http.StatusServiceUnavailable, CodeStopping, "", "%v", err)
	default:
		return refuse(http.StatusInternalServerError, CodeInternal, "`blendtray log --engine` may say more", "%v", err)
	}
}
