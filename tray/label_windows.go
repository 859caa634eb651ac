//go:build !headless

package tray

import "strings"

// escapeLabel returns a label whose ampersands do not count as the mark of an access key.
func escapeLabel(text string) string { return strings.ReplaceAll(text, "&", "&&") }
