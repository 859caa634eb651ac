package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type renderPreviewIn struct {
	Views   []string `json:"views,omitempty" jsonschema:"camera, front, right, top or three-quarter; several share one picture"`
	Style   string   `json:"style,omitempty" jsonschema:"how it is drawn"`
	Focus   string   `json:"focus,omitempty" jsonschema:"object to show alone in view"`
	Size    int      `json:"size,omitempty" jsonschema:"longer side of each view in pixels"`
	Session string   `json:"session,omitempty" jsonschema:"session to look at"`
}

func registerRenderPreview(s *Server) {
	add(s, tool[renderPreviewIn]{
		name:        "render_preview",
		description: "Show pictures of the scene from one or several sides, and change neither its cameras nor its settings.",
		defaults:    map[string]any{"style": api.LookStyles[0], "size": previewSize},
		words:       map[string][]string{"style": api.LookStyles},
		bounds:      map[string]bounds{"size": {api.MinPreview, api.MaxPreview}},
		do: func(ctx context.Context, c *call, in renderPreviewIn) (*sdk.CallToolResult, error) {
			done, busy, err := c.look(ctx, in.Session, api.Look{
				What: "picture", Views: in.Views, Style: in.Style, Focus: in.Focus, Size: in.Size,
			})
			if busy != nil || err != nil {
				return busy, err
			}
			picture, views, err := pictureOf(done)
			if err != nil {
				return nil, err
			}
			return &sdk.CallToolResult{
				Content: []sdk.Content{picture, &sdk.TextContent{Text: "views, from the left and from above: " + strings.Join(views, ", ")}},
				Meta:    handles(done.Run),
			}, nil
		},
	})
}

// pictureOf returns the picture that a look has made, and what its views are.
func pictureOf(done api.SessionDone) (*sdk.ImageContent, []string, error) {
	var made struct {
		Views []string `json:"views"`
	}
	if err := json.Unmarshal(done.Run.Result, &made); err != nil || done.File == "" {
		return nil, nil, fmt.Errorf("run %s has made no picture", done.Run.ID)
	}
	// The engine has named the file. What the result says of it comes from where scripts run.
	data, err := readFile(filepath.Dir(done.File), filepath.Base(done.File))
	if err != nil {
		return nil, nil, fmt.Errorf("read the picture: %w", err)
	}
	return &sdk.ImageContent{Data: data, MIMEType: "image/jpeg"}, made.Views, nil
}
