package mcp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type runPython struct {
	Code       string  `json:"code" jsonschema:"Python code"`
	Session    string  `json:"session,omitempty" jsonschema:"session whose scene and names the code finds"`
	Scene      string  `json:"scene,omitempty" jsonschema:"fresh, or the path of a .blend: run apart from any session"`
	Wait       float64 `json:"wait,omitempty" jsonschema:"seconds to wait for the end"`
	TimeLimit  float64 `json:"time_limit,omitempty" jsonschema:"seconds after which the run is ended; 0: as the settings say"`
	Checkpoint bool    `json:"checkpoint,omitempty" jsonschema:"keep a copy of the scene first"`
	Preview    bool    `json:"preview,omitempty" jsonschema:"show a picture of the scene afterwards"`
}

func registerRunPython(s *Server) {
	add(s, tool[runPython]{
		name:        "run_python",
		description: "Run Python code in Blender and return what it printed, its global result, or its error.",
		defaults:    map[string]any{"wait": defaultWait, "checkpoint": true},
		bounds:      map[string]bounds{"wait": waitBounds, "time_limit": {0, maxTimeLimit}},
		changes:     runPythonWords,
		do:          doRunPython,
	})
}

// maxTimeLimit is the longest time limit of a run in seconds, which is ten years.
const maxTimeLimit = 315_360_000

// runPythonWords says what a run is to do, for a person who may allow it.
func runPythonWords(in runPython) string {
	where := "Blender"
	if in.Session != "" {
		where = "the session " + in.Session
	}
	if in.Scene != "" {
		where += " with the scene " + in.Scene
	}
	return "run this Python code in " + where + ":\n\n" + in.Code
}

func doRunPython(ctx context.Context, c *call, in runPython) (*sdk.CallToolResult, error) {
	c.server.prepareDocs()
	workspace, err := c.workspace()
	if err != nil {
		return nil, err
	}
	sub := api.Submission{
		Code: []byte(in.Code), Name: "<agent>", Dir: workspace, Client: c.client(), TimeLimitSeconds: in.TimeLimit,
	}
	var notes []string
	if in.Scene != "" {
		if c.settings.Confine {
			return nil, errors.New("mcp.confine is on, and a run with a scene of its own is not confined: leave scene out, or open the .blend with open_save_export")
		}
		if in.Session != "" {
			return nil, errors.New("a run has a session or a scene, and not both; the tool open_save_export opens a .blend in a session")
		}
		if sub.Scene, err = sceneOf(in.Scene, workspace); err != nil {
			return nil, err
		}
	} else {
		sub.Scene = "keep"
		if sub.Session, err = c.sessionOrNew(in.Session); err != nil {
			return nil, err
		}
		if in.Checkpoint {
			note, busy, err := c.checkpointFirst(ctx, sub.Session, c.left(seconds(in.Wait)))
			if busy != nil || err != nil {
				return busy, err
			}
			notes = append(notes, note)
		}
	}
	got, err := c.submit(ctx, sub, c.left(seconds(in.Wait)))
	if err != nil {
		return nil, err
	}
	res := answerOf(got, notes...)
	if in.Preview && got.run.State.Final() {
		c.addPreview(ctx, res, got.run)
	}
	return res, nil
}

// sceneOf returns the scene that a run begins with: fresh, or the absolute path of a .blend.
func sceneOf(scene, workspace string) (string, error) {
	switch {
	case scene == "fresh":
		return scene, nil
	case !strings.EqualFold(filepath.Ext(scene), ".blend"):
		return "", fmt.Errorf("scene: %q is neither \"fresh\" nor the path of a .blend", scene)
	case filepath.IsAbs(scene):
		return filepath.Clean(scene), nil
	}
	return filepath.Join(workspace, scene), nil
}

// addPreview adds a picture of the scene that a run has left, or says why there is none.
func (c *call) addPreview(ctx context.Context, res *sdk.CallToolResult, run api.Run) {
	picture, err := previewOf(ctx, c, run)
	if err != nil {
		res.Content = append(res.Content, &sdk.TextContent{Text: "no preview: " + err.Error()})
		return
	}
	res.Content = append(res.Content, picture)
}

// previewSize is the longer side of a preview in pixels: enough to see what is wrong, and cheap to read.
const previewSize = 512

// previewOf makes a picture of the scene that a run has left. That of a session is drawn in the session.
func previewOf(ctx context.Context, c *call, run api.Run) (*sdk.ImageContent, error) {
	if run.Session != "" {
		c.began = time.Now() // the time of the call was for its run
		looked, busy, err := c.look(ctx, run.Session, api.Look{What: "picture", Size: previewSize})
		if err != nil {
			return nil, err
		}
		if busy != nil {
			return nil, errors.New("the session is busy")
		}
		picture, _, err := pictureOf(looked)
		return picture, err
	}
	made, err := c.server.client.PreviewScene(ctx, api.PreviewRequest{Run: run.ID, Size: previewSize})
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(made.File)
	if err != nil {
		return nil, err
	}
	return &sdk.ImageContent{Data: data, MIMEType: "image/jpeg"}, nil
}
