//go:build !headless

package tray

func (w *window) about() {}
