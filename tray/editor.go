//go:build !headless

package tray

import (
	"context"

	"blendtray/api"
)

// editorKey is the setting that has the command of the person's editor.
const editorKey = "window.editor"

// edit opens a file in the person's editor, at a line unless that is 0.
func (w *window) edit(path string, line int) {
	command := w.editor()
	w.shell.try("open the script", func(context.Context) error { return w.shell.cfg.Host.Edit(command, path, line) })
}

// editor returns the command of the person's editor, or "".
func (w *window) editor() api.Command {
	set, _ := w.report.Find(editorKey)
	return api.Command(set.Text())
}
