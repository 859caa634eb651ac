//go:build !headless

package tray

import (
	"testing"

	"fyne.io/fyne/v2"

	"blendtray/api"
)

func TestTheWindowFitsIntoASmallDisplay(t *testing.T) { // not parallel: it changes what all texts are
	defer speak("en")
	for _, language := range []string{"en", "de", "zh"} {
		speak(language)
		o := openWindow(t, failed("/srv/a.py"))
		o.Resize(fyne.NewSize(1000, 600))
		o.note("The tray icon can't be shown: the desktop has no place for tray icons. On GNOME the extension “AppIndicator and KStatusNotifierItem Support” adds one.")
		for _, item := range o.tabs.Items {
			o.tabs.Select(item)
			o.window.show(attached(api.BlenderRunning, running(&api.Progress{Fraction: 0.4})))
			if least := o.Content().MinSize(); least.Height > 600 || least.Width > 1000 {
				t.Errorf("%s: with the tab %s the window needs %.0f × %.0f", language, item.Text, least.Width, least.Height)
			}
		}
	}
}
