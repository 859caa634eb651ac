//go:build !headless && unix && !darwin

package tray

import "strings"

// escapeLabel returns a label whose underscores do not count as the mark of an access key.
func escapeLabel(text string) string { return strings.ReplaceAll(text, "_", "__") }
