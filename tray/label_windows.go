//go:build !headless

package tray

import "strings"

// escapeLabel keeps an ampersand from being taken for the mark of an access key.
func escapeLabel(text string) string { return strings.ReplaceAll(text, "&", "&&") }
