package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"blendtray/control"
)

// checkMessage returns the error with which valid JSON of an agent is refused, or nil. The protocol's library
// would take the last of several fields with one name, and put a sign of its own where a text is no UTF-8: then
// other code would run than was sent. Fields that nobody knows are allowed, as the protocol demands.
func checkMessage(message []byte) *jsonrpc.Error {
	if err := control.CheckText(message); err != nil {
		return &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "the message was not taken: " + err.Error()}
	}
	dec := json.NewDecoder(bytes.NewReader(message))
	dec.UseNumber() // a number may be too large for the numbers of Go
	if err := checkTwice(dec); err != nil {
		return &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "the message was not taken: " + err.Error()}
	}
	return nil
}

// checkTwice reads a value, and fails when an object in the value has two fields with one name.
func checkTwice(dec *json.Decoder) error {
	begin, err := dec.Token()
	if err != nil {
		return err
	}
	if begin != json.Delim('{') && begin != json.Delim('[') {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		name := ""
		if begin == json.Delim('{') {
			token, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ = token.(string) // the decoder takes nothing else for a name
			if seen[name] {
				return fmt.Errorf("the field %q is there twice", cut(name, 100))
			}
			seen[name] = true
		}
		if err := checkTwice(dec); err != nil {
			if name == "" {
				return err
			}
			return fmt.Errorf("%s: %w", cut(name, 100), err)
		}
	}
	_, err = dec.Token() // the end
	return err
}

// refusalOf returns the answer to a message that is not passed on, with the id of the message where it is a
// request with one id that can be read, and else with null.
func refusalOf(message []byte, refused *jsonrpc.Error) ([]byte, error) {
	return json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   *jsonrpc.Error  `json:"error"`
	}{"2.0", idOf(message), refused})
}

// idOf returns the id of a request, and null for what has no id or several, and for what answers a request of
// the server: an error with that id would be taken for an answer to another message.
func idOf(message []byte) json.RawMessage {
	null := json.RawMessage("null")
	dec := json.NewDecoder(bytes.NewReader(message))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return null
	}
	var id json.RawMessage
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err != nil || dec.Decode(&value) != nil {
			return null
		}
		switch {
		case name == "result" || name == "error" || name == "id" && id != nil:
			return null
		case name == "id":
			id = value
		}
	}
	if len(id) == 0 || id[0] == '{' || id[0] == '[' || control.CheckText(id) != nil {
		return null
	}
	return id
}
