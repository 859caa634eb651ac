package api

import (
	"fmt"
	"strings"
)

// Command is a program with its arguments, as a person writes them: separated by spaces, and in
// single or double quotes where a part has spaces. A backslash is a plain character, as in the paths
// of Windows. "" is no command.
type Command string

// UnmarshalText reads a command. It fails where a quote is not closed.
func (c *Command) UnmarshalText(text []byte) error {
	if _, err := splitCommand(string(text)); err != nil {
		return err
	}
	*c = Command(text)
	return nil
}

// MarshalText writes a command as it was read.
func (c Command) MarshalText() ([]byte, error) { return []byte(c), nil }

// String returns the command as it was read.
func (c Command) String() string { return string(c) }

// Parts returns the program and its arguments, and nothing for a command that is none.
func (c Command) Parts() []string {
	parts, err := splitCommand(string(c))
	if err != nil {
		return nil // UnmarshalText has refused it
	}
	return parts
}

func splitCommand(text string) (parts []string, err error) {
	var part strings.Builder
	begun, quote := false, rune(0)
	for _, r := range text {
		switch {
		case r == quote:
			quote = 0
		case quote != 0:
			part.WriteRune(r)
		case r == '"' || r == '\'':
			quote, begun = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if begun {
				parts = append(parts, part.String())
				part.Reset()
				begun = false
			}
		default:
			part.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%q has a %c that is not closed", text, quote)
	}
	if begun {
		parts = append(parts, part.String())
	}
	if len(parts) > 0 && parts[0] == "" {
		return nil, fmt.Errorf("%q begins with no program", text)
	}
	return parts, nil
}
