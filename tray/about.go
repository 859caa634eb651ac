//go:build !headless

package tray

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// reportTime is how long it may take to find out all for a report of a fault: Blenders are started for it.
const reportTime = 5 * time.Minute

// about shows what this program is, and where its files lie.
func (w *window) about() {
	if w.covered() {
		return
	}
	host := w.shell.cfg.Host
	about, made := host.About(), modules()
	name := widget.NewLabelWithStyle("Blendtray "+about.Version, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	name.SizeName = theme.SizeNameHeadingText
	name.Selectable = true
	facts := widget.NewLabel(aboutWords(about, versionOf(made, "fyne.io/fyne/v2")))
	facts.Selectable = true
	facts.Wrapping = fyne.TextWrapWord

	var d *dialog.CustomDialog
	copied := newQuietText("")
	copied.Hide()
	report := newSettingButton(lang.L("Copy all for a bug report"), theme.ContentCopyIcon(), nil)
	report.OnTapped = func() {
		report.Disable()
		copied.Show()
		copied.SetText(lang.L("Blendtray is looking at everything, which takes some seconds…"))
		fetchWithin(w, reportTime, func(ctx context.Context) (string, error) { return host.Report(ctx), ctx.Err() },
			func(text string, err error) {
				report.Enable()
				if err != nil {
					copied.SetText(lang.L("It took too long. In a terminal, blendtray doctor says the same."))
					return
				}
				w.shell.app.Clipboard().SetContent(text)
				copied.SetText(lang.L("It is copied. Look through it before you send it: it has names of your folders."))
			})
	}
	first := newSettingButton(lang.L("Show the first page"), theme.HomeIcon(), func() {
		d.Dismiss()
		w.first.open()
	})
	var links []fyne.CanvasObject
	for _, link := range []struct{ text, page string }{
		{lang.L("Blender"), "https://www.blender.org"},
		{lang.L("Blender's Python interface"), "https://docs.blender.org/api/current/"},
		{lang.L("Licence"), "https://www.gnu.org/licenses/gpl-3.0.html"},
	} {
		links = append(links, widget.NewHyperlink(link.text, address(link.page)))
	}
	list := widget.NewLabel(strings.Join(moduleLines(made), "\n"))
	list.SizeName = theme.SizeNameCaptionText
	list.Selectable = true
	list.Wrapping = fyne.TextWrapWord
	content := container.NewVBox(
		name, facts, container.NewHBox(report, first), copied,
		w.places(about.Places), container.NewHBox(links...),
		widget.NewAccordion(widget.NewAccordionItem(lang.L("What it is made of, and the licences"), list)),
	)
	d = dialog.NewCustom(lang.L("About Blendtray"), lang.L("Close"), container.NewVScroll(container.NewPadded(content)), w)
	w.present(d, nil, nil)
	size := w.Canvas().Size()
	d.Resize(fyne.NewSize(min(formWidth+40, size.Width-40), min(640, size.Height-40)))
	w.Canvas().Focus(report)
}

// aboutWords returns what the program is in words.
func aboutWords(about About, toolkit string) string {
	lines := []string{}
	if about.Commit != "" {
		lines = append(lines, lang.L("Commit {{.Commit}}", map[string]any{"Commit": about.Commit}))
	}
	lines = append(lines,
		fmt.Sprintf("%s, Fyne %s, %s/%s", strings.Replace(runtime.Version(), "go", "Go ", 1), toolkit, runtime.GOOS, runtime.GOARCH),
		lang.L("Free software under the GPL, version 3 or later. It comes without any warranty."))
	return strings.Join(lines, "\n")
}

// placeWord returns the word for a place, by its name in English.
func placeWord(name string) string {
	switch name {
	case "Settings":
		return lang.L("Settings")
	case "Runs":
		return lang.L("Runs")
	case "Engine's log":
		return lang.L("Engine's log")
	case "Blender's log":
		return lang.L("Blender's log")
	case "State":
		return lang.L("State")
	case "Cache":
		return lang.L("Cache")
	case "Examples":
		return lang.L("Examples")
	}
	return plain(name)
}

// places shows where the files of the program lie. What is not there yet can be copied, and not opened.
func (w *window) places(all []Place) fyne.CanvasObject {
	if folder := firstFolder(w.shell.now(), w.first.first.Example); folder != "" {
		all = append(all, Place{Name: "Examples", Path: folder})
	}
	grid := container.New(layout.NewFormLayout())
	for _, place := range all {
		path := widget.NewLabel(api.NameInLine(place.Path))
		path.Truncation = fyne.TextTruncateEllipsis
		open := newSettingButton("", theme.FolderOpenIcon(), func() {
			w.shell.try("open the folder", func(context.Context) error { return w.shell.cfg.Host.Open(place.Path, 0) })
		})
		if _, err := os.Stat(place.Path); err != nil {
			open.Disable()
		}
		grid.Add(widget.NewLabel(placeWord(place.Name)))
		grid.Add(container.NewBorder(nil, nil, nil, container.NewHBox(open, w.copyButton(place.Path)), path))
	}
	return grid
}
