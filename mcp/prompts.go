package mcp

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func registerPrompts(s *Server) {
	for _, p := range []struct {
		name, description string
		argument          *sdk.PromptArgument
		text              func(given string) string
	}{
		{
			"fix_script", "Find out why a script fails in Blender, and mend it.",
			&sdk.PromptArgument{Name: "run", Description: "The id of the run that failed", Required: true},
			func(run string) string {
				return fmt.Sprintf("Run %s of Blendtray has failed. Read the resources %s, %s and %s. Find the cause; where a name of Blender's API is the cause, ask api_docs for it. "+
					"Mend the code, run it with run_python, and go on until it succeeds. Then say what was wrong, and show the whole mended script.",
					run, runURI(run, ""), runURI(run, "/output"), runURI(run, "/code"))
			},
		},
		{
			"port_script", "Make a script of another version of Blender run in this one.",
			&sdk.PromptArgument{Name: "script", Description: "The script, or the id of a run that has its code", Required: true},
			func(script string) string {
				return "Make this script run in the Blender that is here, and do what it did in the version that it was written for. " +
					"Ask api_docs for each name of Blender's API in it: names that are gone lead to what replaced them. " +
					"Run the new script with run_python and scene fresh until it succeeds, and look at what it makes with render_preview. Then list what you have changed and why.\n\n" +
					"The script, or the run whose code it is (" + runURI("ID", "/code") + "):\n\n" + script
			},
		},
		{
			"turntable", "Render a turntable of an object.",
			&sdk.PromptArgument{Name: "object", Description: "The name of the object; without it, all that is visible"},
			func(object string) string {
				if object == "" {
					object = "everything that is visible"
				}
				return "Make a turntable of " + object + ": an empty in its middle, a camera that is its child and sees all of it, 48 frames in which the empty turns once at an even pace, and light from three sides. " +
					"Look at it from four sides with render_preview first, and mend what is cut off or dark. Then render the frames with few samples and 50 percent of the resolution into the folder turntable, " +
					"wait with wait_run, and name the pictures."
			},
		},
	} {
		s.sdk.AddPrompt(
			&sdk.Prompt{Name: p.name, Description: p.description, Arguments: []*sdk.PromptArgument{p.argument}},
			func(_ context.Context, req *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
				if p.argument.Required && req.Params.Arguments[p.argument.Name] == "" {
					return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("the argument %q is missing", p.argument.Name)}
				}
				return &sdk.GetPromptResult{Description: p.description, Messages: []*sdk.PromptMessage{{
					Role: "user", Content: &sdk.TextContent{Text: p.text(req.Params.Arguments[p.argument.Name])},
				}}}, nil
			},
		)
	}
}
