package home

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Agents is the folder for what agents make, unless the settings name another.
func (p Paths) Agents() string { return filepath.Join(p.Data, "agents") }

// AgentTokenFile is the file of the token that agents show over HTTP.
func (p Paths) AgentTokenFile() string { return filepath.Join(p.Data, "agent-token") }

// AgentToken returns the token that agents show over HTTP, 64 hex digits, and makes it when there is none
// yet. It stays the same, because agents have it in their settings. AgentToken fails when the file can't be
// read or made, and when other users may read it.
func (p Paths) AgentToken() (string, error) {
	file := p.AgentTokenFile()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err = p.newAgentToken(file); err == nil {
			text, err = os.ReadFile(file) // the token of the process that was first
		}
	}
	if err != nil {
		return "", fmt.Errorf("the token for agents: %w", err)
	}
	return checkAgentToken(file, text)
}

// checkAgentToken returns the token in the text of its file. It fails when other users may read the file,
// and when it holds no token.
func checkAgentToken(file string, text []byte) (string, error) {
	if OpenToOthers(file) {
		return "", fmt.Errorf("other users may read the token for agents; remove %s, and give your agents the new token", file)
	}
	token := strings.TrimSpace(string(text))
	if raw, err := hex.DecodeString(token); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%s holds no token; remove the file, and give your agents the new token", file)
	}
	return token, nil
}

// AgentTokenNow returns the token in its file, or "" when there is none that holds. It makes none: whoever
// removes the file wants the token not to hold any more.
func (p Paths) AgentTokenNow() string {
	text, err := os.ReadFile(p.AgentTokenFile())
	if err != nil {
		return ""
	}
	token, err := checkAgentToken(p.AgentTokenFile(), text)
	if err != nil {
		return ""
	}
	return token
}

// newAgentToken makes the file of the token, unless another process has made it meanwhile.
func (p Paths) newAgentToken(file string) error {
	if err := os.MkdirAll(p.Data, 0o700); err != nil {
		return err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	// A link to a whole file is made as a whole or not at all, and never takes the place of another.
	whole, err := os.CreateTemp(p.Data, ".agent-token.*") // for the user alone
	if err != nil {
		return err
	}
	defer os.Remove(whole.Name())
	_, err = whole.WriteString(hex.EncodeToString(raw) + "\n")
	if closed := whole.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Link(whole.Name(), file)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			// This file system has no links. A token that another process makes in this moment may be
			// replaced: then one of the two is asked for again.
			if _, statErr := os.Stat(file); errors.Is(statErr, fs.ErrNotExist) {
				err = os.Rename(whole.Name(), file)
			}
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
