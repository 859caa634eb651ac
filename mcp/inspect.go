package mcp

import (
	"context"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type inspectIn struct {
	Path    string `json:"path" jsonschema:"such as bpy.data.objects['Cube'].modifiers"`
	Session string `json:"session,omitempty" jsonschema:"session to look at"`
	From    int    `json:"from,omitempty" jsonschema:"number of the first item to list"`
	Limit   int    `json:"limit,omitempty" jsonschema:"how many items to list"`
}

func registerInspect(s *Server) {
	add(s, tool[inspectIn]{
		name:        "inspect",
		description: "Read the data at a path: properties that differ from their default, items, nodes and links.",
		defaults:    map[string]any{"limit": listedObjects},
		bounds:      map[string]bounds{"from": {0, maxFrom}, "limit": {1, api.MaxLooked}},
		do: func(ctx context.Context, c *call, in inspectIn) (*sdk.CallToolResult, error) {
			return c.lookAsText(ctx, in.Session, api.Look{What: "inspect", Path: in.Path, From: in.From, Max: in.Limit})
		},
	})
}
