//go:build !headless

package tray

import (
	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// english returns a text that [translated] translates where it is shown. The call tells those who
// look for the texts of the catalogue that this is one.
func english(text string) string { return text }

// translated returns in the language of the person what [english] has returned, and "" for "".
func translated(text string) string {
	if text == "" {
		return "" // which lang takes for a text that is missing
	}
	return lang.L(text)
}

// settingHelp returns what a setting does, in Markdown.
func settingHelp(s api.Setting) string { return translated(s.Help) }

// blenderWord returns the word for the state of a Blender that a person reads.
func blenderWord(state api.BlenderState) string {
	switch state {
	case api.BlenderStarting:
		return lang.L("starting")
	case api.BlenderReady:
		return lang.L("ready")
	case api.BlenderRunning:
		return lang.L("running")
	case api.BlenderStopping:
		return lang.L("stopping")
	case api.BlenderStopped:
		return lang.L("stopped")
	case api.BlenderFailed:
		return lang.L("can't start")
	}
	return string(state)
}
