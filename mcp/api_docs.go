package mcp

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type apiDocsIn struct {
	Query   string `json:"query" jsonschema:"words, or a path such as bpy.types.Object.location"`
	Blender string `json:"blender,omitempty" jsonschema:"version or name of the Blender"`
	Limit   int    `json:"limit,omitempty" jsonschema:"how many entries to list"`
}

func registerAPIDocs(s *Server) {
	add(s, tool[apiDocsIn]{
		name:        "api_docs",
		description: "Look up Blender's Python API in that Blender's own documentation, and what replaced names that are gone.",
		defaults:    map[string]any{"limit": api.ReferenceEntries},
		bounds:      map[string]bounds{"limit": {1, api.MaxReference}},
		do: func(ctx context.Context, c *call, in apiDocsIn) (*sdk.CallToolResult, error) {
			found, err := c.server.apiDocs(ctx, in)
			if err != nil {
				return nil, err
			}
			return text("%s", referenceWords(found, in.Query)), nil
		},
	})
}

// apiDocs asks for the documentation of a path, or of words. One word may be either.
func (s *Server) apiDocs(ctx context.Context, in apiDocsIn) (api.Reference, error) {
	query := strings.TrimSpace(in.Query)
	q := api.ReferenceQuery{Blender: in.Blender, Path: query, Max: in.Limit}
	path := strings.ContainsAny(query, ".[(=")
	if strings.Contains(query, " ") && !path {
		q.Path, q.Words = "", query
	}
	found, err := s.client.API(ctx, q)
	if err == nil && q.Path != "" && !path && len(found.Entries)+len(found.Replaced) == 0 {
		q.Path, q.Words = "", query
		found, err = s.client.API(ctx, q)
	}
	return found, err
}

// prepareTime is how long the writing down of the API of a Blender may take, on a busy machine.
const prepareTime = 5 * time.Minute

// prepareDocs has the API of the default Blender be written down, which takes seconds, once for each
// build, so that the first question needs not wait for it.
func (s *Server) prepareDocs() {
	s.prepared.Do(func() {
		go func() {
			ctx, stop := context.WithTimeout(context.Background(), prepareTime)
			defer stop()
			// Where this fails, the first question says why.
			_, _ = s.client.API(ctx, api.ReferenceQuery{Path: "bpy.types.Object", Max: 1})
		}()
	})
}

// referenceWords returns what the documentation says, for an agent to read.
func referenceWords(found api.Reference, query string) string {
	var b strings.Builder
	for _, r := range found.Replaced {
		fmt.Fprintf(&b, "%s: since Blender %s, write %s\n", r.Old, r.Since, r.New)
		if r.Note != "" {
			fmt.Fprintf(&b, "    %s\n", r.Note)
		}
		for _, path := range r.Paths {
			fmt.Fprintf(&b, "    see %s\n", path)
		}
	}
	for _, e := range found.Entries {
		fmt.Fprintf(&b, "%s\n", entryWords(e))
		if e.Doc != "" {
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(strings.TrimSpace(e.Doc), "\n", "\n    "))
		}
		if len(e.Inherits) > 0 {
			fmt.Fprintf(&b, "    has the members of %s, too\n", strings.Join(e.Inherits, ", "))
		}
		for _, m := range e.Members {
			fmt.Fprintf(&b, "  %s  %s\n", entryWords(m), m.Doc)
		}
		if e.MoreMembers > 0 {
			fmt.Fprintf(&b, "  and %d more members: a greater limit lists them\n", e.MoreMembers)
		}
	}
	if more := found.Total - len(found.Entries); more > 0 {
		fmt.Fprintf(&b, "and %d more entries\n", more)
	}
	if len(found.Entries)+len(found.Replaced) == 0 {
		fmt.Fprintf(&b, "Blender %s has nothing like %s. Ask by words, such as: bevel edges\n", found.Version, cut(query, 200))
	}
	if len(found.Similar) > 0 {
		fmt.Fprintf(&b, "perhaps: %s\n", strings.Join(found.Similar, ", "))
	}
	return fmt.Sprintf("Blender %s\n%s", found.Version, b.String())
}

// entryWords returns a line about an entry: its path, and its type or how it is called.
func entryWords(e api.ReferenceEntry) string {
	switch {
	case e.Type == "":
		return e.Path + " (" + e.Kind + ")"
	case e.Kind == "class":
		return e.Path + " (class, " + e.Type + ")"
	}
	return e.Path + ": " + e.Type
}
