//go:build !headless

package tray

func escapeLabel(text string) string { return text }
