package blender

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"blendtray/api"
)

// runID matches the ids of runs that the wire admits.
var runID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ErrClosed is returned by the methods of a session whose connection is gone.
var ErrClosed = errors.New("the connection to Blender is closed")

// WireError is an `error` frame, by which Blender refuses what it was sent.
type WireError struct {
	ID      string `json:"id"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *WireError) Error() string { return e.Message + " (" + e.Code + ")" }

// osText is text of a run frame that names a file. Bytes of a path that are not UTF-8 become the
// characters that Python makes of them, and back.
type osText string

// MarshalJSON returns the text in JSON, with half a surrogate pair for each byte that is not UTF-8,
// as os.fsdecode does.
func (t osText) MarshalJSON() ([]byte, error) {
	var out []byte
	rest := string(t)
	for !utf8.ValidString(rest) {
		good := 0
		for {
			r, size := utf8.DecodeRuneInString(rest[good:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			good += size
		}
		text, err := json.Marshal(rest[:good])
		if err != nil {
			return nil, err
		}
		out = append(out, text[1:len(text)-1]...)
		out = fmt.Appendf(out, `\udc%02x`, rest[good])
		rest = rest[good+1:]
	}
	text, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	out = append(out, text[1:]...)
	return append([]byte{'"'}, out...), nil
}

// Welcome is what a Blender says of itself when a session begins.
type Welcome struct {
	Protocol int    `json:"protocol"`
	Session  int    `json:"session"`
	Addon    string `json:"addon"`
	Blender  string `json:"blender"`
	Python   string `json:"python"`
	PID      int    `json:"pid"`
	Port     int    `json:"port"`
	Loop     string `json:"loop"`
	// Libraries are the absolute paths of the libraries that the .blend links with which Blender was
	// started, and of the libraries that these link in turn.
	Libraries []string `json:"libraries"`
}

// Finished is the `finished` frame of a run.
type Finished struct {
	State   Verdict          `json:"state"`
	Seconds float64          `json:"seconds"`
	Error   *api.ScriptError `json:"error"`
	Result  json.RawMessage  `json:"result"`
	Outputs []string         `json:"outputs"`
	// Imports are the files of modules in the watched folders that the run has imported, each with
	// the SHA-256 of what was loaded.
	Imports [][2]string `json:"imports"`
	// Recycle is true when that Blender should not be used for another run.
	Recycle bool `json:"recycle"`
	// ExitCode is the exit code of a Blender that executes only this script.
	ExitCode int `json:"exit_code"`
}

// pingFrame asks for an answer, and with Wake has the main thread wake up.
type pingFrame struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
	Wake bool   `json:"wake,omitempty"`
}

// runFrame is a `run` frame.
type runFrame struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Code       *string  `json:"code,omitempty"`
	CodeBase64 []byte   `json:"code_base64,omitempty"`
	File       osText   `json:"file,omitempty"`
	Name       string   `json:"name,omitempty"`
	Dir        osText   `json:"dir,omitempty"`
	Args       []osText `json:"args,omitempty"`
	Scene      osText   `json:"scene,omitempty"`
	Isolation  string   `json:"isolation,omitempty"`
	// KeepModules has the modules of scripts stay that lie in other folders.
	KeepModules bool     `json:"keep_modules,omitempty"`
	Journal     osText   `json:"journal,omitempty"`
	Echo        bool     `json:"echo,omitempty"` // the value of the last expression is shown
	Watched     []osText `json:"watched,omitempty"`
	Complete    *int     `json:"complete,omitempty"` // the cursor in code that is only completed

	Render *renderField `json:"render,omitempty"`
	Debug  *debugField  `json:"debug,omitempty"`
}

// debugField is the field `debug` of a `run` frame.
type debugField struct {
	Path osText `json:"path"`
}

// renderField is the field `render` of a `run` frame.
type renderField struct {
	Frames [][3]any `json:"frames,omitempty"`
	Engine string   `json:"engine,omitempty"`
	Output osText   `json:"output,omitempty"`
	Format string   `json:"format,omitempty"`
	Done   []int    `json:"done,omitempty"`
	Begun  []int    `json:"begun,omitempty"`
	Since  float64  `json:"since,omitempty"`
}

// field returns the render as the wire has it.
func (r *Render) field() *renderField {
	if r == nil {
		return nil
	}
	f := &renderField{Engine: r.Engine, Output: osText(r.Output), Format: r.Format, Done: r.Done, Begun: r.Begun}
	for _, row := range r.Frames.Rows() {
		ends := [3]any{nil, nil, row.Step}
		for i, end := range []api.FrameEnd{row.First, row.Last} {
			if ends[i] = end.Number; end.From != 0 {
				ends[i] = end.String()
			}
		}
		f.Frames = append(f.Frames, ends)
	}
	if !r.Since.IsZero() {
		f.Since = float64(r.Since.UnixMicro()) / 1e6
	}
	return f
}

// largeFrame is the number of bytes from which on nobody waits until a frame is sent: the system
// may not take such a frame in one piece, and a Blender that does not read would hold up its
// sender.
const largeFrame = 32 << 10

// encode returns the frame of a message. It fails when the message can't be encoded or is too long.
func encode(message any) ([]byte, error) {
	payload, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return appendFrame(make([]byte, 0, frameHeader+len(payload)), payload)
}

// incoming has the fields of every frame that is not decoded further.
type incoming struct {
	Type     string  `json:"type"`
	ID       string  `json:"id"`
	Time     float64 `json:"time"`
	Fraction float64 `json:"fraction"`
	Text     string  `json:"text"`
	Code     string  `json:"code"`
	Message  string  `json:"message"`
	Reason   string  `json:"reason"`

	Frame      int    `json:"frame"`
	FramesDone int    `json:"frames_done"`
	Frames     int    `json:"frames"`
	Picture    string `json:"picture"`
	Rendering  bool   `json:"rendering"`
	Finished
}
