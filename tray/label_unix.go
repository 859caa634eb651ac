//go:build !headless && unix && !darwin

package tray

import "strings"

// escapeLabel keeps an underscore from being taken for the mark of an access key.
func escapeLabel(text string) string { return strings.ReplaceAll(text, "_", "__") }
