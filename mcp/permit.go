package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

// maxAsked is how many bytes of what is to be done a person is shown.
const maxAsked = 4 << 10

// permit returns nil when the settings, or the person, allow what a call is to do. Else it returns the
// answer: a refusal, or the question that the agent's program is to ask the person.
func (c *call) permit(what string) (*sdk.CallToolResult, error) {
	switch c.settings.Allow {
	case api.AllowAll:
		return nil, nil
	case api.AllowRead:
		return nil, errors.New("agents may only look: a person can allow more with `blendtray settings mcp.allow ask` or `all`")
	}
	// The question has the call in its name, so that a yes holds for this call alone.
	hash := sha256.Sum256(append([]byte(c.req.Params.Name+"\x00"), c.req.Params.Arguments...))
	question := "allow-" + hex.EncodeToString(hash[:12])
	if answered, ok := c.req.Params.InputResponses[question].(*sdk.ElicitResult); ok {
		if answered.Action == "accept" {
			return nil, nil
		}
		return nil, errors.New("the person did not allow that, and nothing was done")
	}
	can := c.req.ClientCapabilities()
	if can == nil || can.Elicitation == nil || can.Elicitation.Form == nil && can.Elicitation.URL != nil {
		return nil, errors.New("a person must allow each change, and this program can't ask: the person can allow all changes with `blendtray settings mcp.allow all`")
	}
	if len(what) > maxAsked {
		return nil, fmt.Errorf("a person must allow each change and can be shown %d bytes of it, and this has %d: split it", maxAsked, len(what))
	}
	return &sdk.CallToolResult{InputRequests: sdk.InputRequestMap{question: &sdk.ElicitParams{
		Mode:            "form",
		Message:         "An agent wants to " + what,
		RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}},
	}}}, nil
}
