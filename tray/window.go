//go:build !headless

package tray

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// window is the only window of the program. Its methods must be called on Fyne's goroutine,
// except heard.
type window struct {
	fyne.Window
	shell *shell

	banner *widget.Label
	// bannerBox has the banner, the next buttons, and a button that closes the banner.
	bannerBox *fyne.Container
	restart   *widget.Button
	choose    *widget.Button
	mend      *widget.Button // opens the settings
	engine    *widget.Button // starts an engine in the process of the tray
	watch     *widget.Button // watches the folder toWatch
	toWatch   string
	dismissed string // the reason why Blender can't start that somebody has closed
	// dismissedSettings is the error in the settings that somebody has closed.
	dismissedSettings string
	report            api.SettingsReport // the engine's last report
	headline          *widget.Label
	bar               *widget.ProgressBar
	start             *widget.Button
	stop              *widget.Button
	cancel            *widget.Button
	tabs              *container.AppTabs
	runs              *runsTab
	blender           *blenderTab
	folders           *foldersTab
	pictures          *picturesTab
	farm              *farmTab
	settings          *settingsTab
	first             *firstPage
	tools             *fyne.Container // the first lines of the window, which the first page hides
	console           *consoleTab
	queue             *queueTab
	log               *logTab
	noted             string
	link              Link
	choosing          bool // a person is choosing a file or a folder

	decoding chan struct{} // holds a value while a picture is made small

	// chosen is the run that the last window showed, until this window shows it, and found where the
	// last window was in the list, until this window is there. See view.
	chosen string
	found  *view
}

func newWindow(s *shell) *window {
	w := &window{Window: s.app.NewWindow("Blendtray"), shell: s, link: -1, decoding: make(chan struct{}, 1)}
	w.banner = widget.NewLabel("")
	w.banner.Wrapping = fyne.TextWrapWord
	w.restart = widget.NewButtonWithIcon(lang.L("Restart Blender"), theme.ViewRefreshIcon(), func() {
		w.note("")
		s.ask(Item{Do: RestartBlender})
	})
	w.restart.Hide()
	w.choose = widget.NewButtonWithIcon(lang.L("Choose a Blender"), theme.SearchIcon(), func() {
		w.goTo(w.tabOf(w.blender.content))
		press(w.blender.all)
	})
	w.choose.Hide()
	w.mend = widget.NewButtonWithIcon(lang.L("Open the settings"), theme.DocumentCreateIcon(), func() {
		s.try("open the settings", func(context.Context) error {
			file := s.now().Status.Settings
			return s.cfg.Host.Edit("", file.File, file.Line) // what is wrong may be the editor
		})
	})
	w.mend.Hide()
	w.engine = widget.NewButtonWithIcon(lang.L("Start the engine here"), theme.MediaPlayIcon(), func() { s.request(request{StartEngine: true}) })
	w.engine.Hide()
	w.watch = widget.NewButtonWithIcon(lang.L("Watch its folder"), theme.VisibilityIcon(), func() {
		w.note("")
		w.folders.add(w.toWatch)
	})
	w.watch.Hide()
	w.bannerBox = container.NewBorder(nil, nil, nil, container.NewHBox(
		w.restart, w.choose, w.mend, w.engine, w.watch, widget.NewButtonWithIcon("", theme.CancelIcon(), s.dismiss),
	), w.banner)
	w.bannerBox.Hide()
	w.headline = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	w.headline.Truncation = fyne.TextTruncateEllipsis
	w.bar = widget.NewProgressBar()
	w.bar.Hide()
	w.start = widget.NewButtonWithIcon(lang.L("Start Blender"), theme.MediaPlayIcon(), func() { s.ask(Item{Do: StartBlender}) })
	w.stop = widget.NewButtonWithIcon(lang.L("Stop Blender"), theme.MediaStopIcon(), func() { s.ask(Item{Do: StopBlender}) })
	w.cancel = widget.NewButtonWithIcon(lang.L("Cancel run"), theme.CancelIcon(), func() {
		if c := s.now().current(); c != nil {
			s.ask(Item{Do: CancelRun, ID: c.ID})
		}
	})
	w.runs, w.blender, w.folders, w.console = newRunsTab(w), newBlenderTab(w), newFoldersTab(w), newConsoleTab(w)
	w.pictures = newPicturesTab(w)
	w.queue, w.log = newQueueTab(w), newLogTab(w)
	w.farm = newFarmTab(w)
	w.settings = newSettingsTab(w)
	w.tabs = container.NewAppTabs(
		container.NewTabItemWithIcon(lang.L("Activity"), theme.ListIcon(), w.runs.content),
		container.NewTabItemWithIcon(lang.L("Pictures"), theme.MediaPhotoIcon(), w.pictures.content),
		container.NewTabItemWithIcon(lang.L("Queue"), theme.MenuIcon(), w.queue.content),
		container.NewTabItemWithIcon("Blender", theme.ComputerIcon(), w.blender.content),
		container.NewTabItemWithIcon(lang.L("Folders"), theme.FolderIcon(), w.folders.content),
		container.NewTabItemWithIcon(lang.L("Console"), theme.NavigateNextIcon(), w.console.content),
		container.NewTabItemWithIcon(lang.L("Log"), theme.DocumentIcon(), w.log.content),
		container.NewTabItemWithIcon(lang.L("Settings"), theme.SettingsIcon(), w.settings.content),
	)
	w.tabs.OnSelected = func(item *container.TabItem) {
		w.queue.show(s.now())
		w.farm.tick()
		w.pictures.appear(item.Content == w.pictures.content)
		w.log.turn(item.Content == w.log.content)
		w.console.entered()
	}
	for _, c := range w.shortcuts() {
		w.Canvas().AddShortcut(&desktop.CustomShortcut{KeyName: c.key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { w.run(c) })
	}
	for _, c := range w.chords() {
		w.Canvas().AddShortcut(&c.keys, func(fyne.Shortcut) { w.runChord(c) })
	}
	buttons := container.NewHBox(w.cancel, w.start, w.stop)
	w.first = newFirstPage(w)
	w.tools = container.NewVBox(container.NewBorder(nil, nil, nil, buttons, w.headline), w.bar)
	top := container.NewVBox(w.tools, w.bannerBox)
	w.uncover(!w.first.shown())
	w.SetContent(container.NewBorder(container.NewPadded(top), nil, nil, nil, w.tabs, w.first.content))
	w.SetOnDropped(func(_ fyne.Position, uris []fyne.URI) { w.folders.dropped(uris) })
	w.goBack(readView(s.cfg.Host.View()))
	return w
}

// uncover shows the tabs and what is above them, or hides them while the first page is shown.
func (w *window) uncover(on bool) {
	w.tabs.Hidden, w.tools.Hidden = !on, !on
	if content := w.Content(); content != nil {
		content.Refresh()
	}
}

// settingsFile returns the path of the file of the settings, also while there is no engine that says it.
func (w *window) settingsFile() string {
	file := cmp.Or(w.shell.now().Status.Settings.File, w.report.File)
	for _, place := range w.shell.cfg.Host.About().Places {
		if file == "" && place.Name == "Settings" {
			file = place.Path
		}
	}
	return file
}

// raise shows the window in front of all others.
func (w *window) raise() {
	w.shell.closing = false
	select {
	case w.shell.raised <- struct{}{}:
	default: // followLogin is going to read already
	}
	w.Show()
	w.RequestFocus()
}

// note shows a sentence in the banner until the next note, or until somebody closes the banner.
func (w *window) note(text string) {
	w.noted = text
	w.say(text, widget.MediumImportance)
}

// noteRestart shows a note about a change that takes effect at the next start of Blender, and
// offers a restart.
func (w *window) noteRestart(text string) {
	switch w.shell.now().blender().State {
	case api.BlenderFailed:
		w.note("")
		w.shell.ask(Item{Do: StartBlender}) // Blender may be able to start now
	case api.BlenderStopped:
		w.note(text)
	default:
		w.note(text)
		w.restart.Show()
	}
}

// say shows a sentence in the banner, or hides the banner for "".
func (w *window) say(text string, importance widget.Importance) {
	w.restart.Hide()
	w.choose.Hide()
	w.mend.Hide()
	w.engine.Hide()
	w.watch.Hide()
	w.banner.Importance = importance
	w.banner.SetText(text)
	if text == "" {
		w.bannerBox.Hide()
	} else {
		w.bannerBox.Show()
	}
}

// confirm asks a question, and calls do when the answer is yes.
func (w *window) confirm(title, text, yes string, do func()) {
	d := dialog.NewConfirm(title, text, func(ok bool) {
		if ok {
			do()
		}
	}, w)
	d.SetConfirmText(yes)
	d.SetDismissText(lang.L("Cancel"))
	w.present(d, d.Confirm, nil)
}

// present shows a dialog. Escape closes the dialog, and Enter calls yes, or closes the dialog where yes
// is nil: Fyne's dialogs hear no keys. closed is called at the end, unless it is nil.
func (w *window) present(d dialog.Dialog, yes, closed func()) {
	c := w.Canvas()
	before := c.OnTypedKey()
	c.SetOnTypedKey(func(key *fyne.KeyEvent) {
		switch key.Name {
		case fyne.KeyEscape:
			d.Dismiss()
		case fyne.KeyReturn, fyne.KeyEnter:
			if yes == nil {
				d.Dismiss()
			} else {
				yes()
			}
		}
	})
	d.SetOnClosed(func() {
		c.SetOnTypedKey(before)
		if closed != nil {
			closed()
		}
	})
	d.Show()
}

// covered reports whether a dialog is open, beneath which no key may do anything.
func (w *window) covered() bool { return w.Canvas().Overlays().Top() != nil }

// showSettings shows a report of the settings.
func (w *window) showSettings(report api.SettingsReport) {
	w.report = report
	w.settings.show(report)
	w.folders.showSettings()
	w.pictures.refresh()
}

// change has the engine change its settings, shows the settings that hold then, and calls done on
// Fyne's goroutine.
func (w *window) change(do func(context.Context) (api.SettingsReport, error), done func(error)) {
	w.changeWithin(30*time.Second, do, done)
}

// changeWithin is change with another time limit.
func (w *window) changeWithin(most time.Duration, do func(context.Context) (api.SettingsReport, error), done func(error)) {
	fetchWithin(w, most, do, func(report api.SettingsReport, err error) {
		if err == nil {
			w.showSettings(report)
		}
		done(err)
	})
}

// failed shows an error, if there is one.
func (w *window) failed(err error) {
	if err != nil {
		w.fail(err)
	}
}

// fail shows an error of a request that a person has just made.
func (w *window) fail(err error) {
	w.present(dialog.NewError(errors.New(revealed(err.Error())), w), nil, nil)
}

// show shows a state in the window.
func (w *window) show(s State) {
	first := headline(s, time.Now())
	b, reason := s.blender(), ""
	failed := b.State == api.BlenderFailed
	switch {
	case failed:
		first, reason = beside(lang.L("Blender can't start"), waitingWords(s)), b.Reason // the banner shows the reason
	case b.State == api.BlenderStarting && b.Source == api.SourceOpen:
		reason = b.Reason
	}
	if reason == "" {
		w.dismissed = ""
	}
	w.headline.SetText(first)
	w.SetTitle(beside("Blendtray", cut(first, 50)))
	wrong := s.Status.Settings.Error
	if wrong == "" {
		w.dismissedSettings = ""
	}
	switch gone := engineGone(s); {
	case s.Trouble != "":
		w.say(revealed(s.Trouble), widget.DangerImportance)
		w.engine.Hidden = !gone
	case gone:
		w.say(lang.L("The engine has ended. No folder is watched and nothing runs until there is an engine again."), widget.DangerImportance)
		w.engine.Show()
	case wrong != w.dismissedSettings:
		w.say(wrongSettings(s), widget.DangerImportance)
		w.mend.Show()
	case w.first.shown() && failed: // the page says so
		w.say("", widget.MediumImportance)
	case reason != w.dismissed && failed:
		w.say(cantStart(reason), widget.DangerImportance)
		w.choose.Show()
	case reason != w.dismissed:
		w.say(lang.L("The engine says: {{.Reason}}", with{"Reason": reasonOf(reason)}), widget.MediumImportance)
	case w.banner.Text != w.noted:
		w.note(w.noted)
	}
	can := possible(s)
	enable(w.start, can.start)
	enable(w.stop, can.stop)
	enable(w.cancel, can.cancel)
	if c := s.current(); c != nil && c.Progress != nil && c.Progress.Fraction >= 0 {
		w.bar.SetValue(min(1, c.Progress.Fraction))
		w.bar.Show()
	} else {
		w.bar.Hide()
	}
	w.first.show(s)
	w.runs.show(s)
	w.blender.show(s)
	w.queue.show(s)
	w.farm.show(s)
	w.folders.show(s)
	w.console.show(s)
	if s.Link == Attached && w.link != Attached {
		w.runs.reload()
		w.runs.detail.askAgain()
		w.pictures.reload()
		if w.first.shown() {
			w.first.reload()
		}
		if id := w.chosen; id != "" {
			w.chosen = ""
			w.runs.reopen(id)
		}
	}
	w.link = s.Link
}

func enable(b *widget.Button, on bool) {
	if on == !b.Disabled() {
		return
	}
	if on {
		b.Enable()
	} else {
		b.Disable()
	}
}

// heard shows an event. It may be called on any goroutine.
func (w *window) heard(ev api.Event) {
	if ev.Kind != api.KindOutput && ev.Kind != api.KindProgress {
		w.queue.heard()
	}
	w.console.heard(ev)
	switch ev.Kind {
	case api.KindOutput:
		w.runs.detail.feed.heard(ev)
	case api.KindRun:
		w.runs.queue(ev)
		if r := ev.Run; r != nil {
			w.pictures.heard(*r)
			if w.first.shown() {
				w.shell.do(func() { w.first.heard(*r) })
			}
		}
	case api.KindBlender:
		w.shell.do(w.runs.askReason)
	case api.KindHistory: // runs were deleted or pinned
		w.shell.do(func() { w.runs.history(ev.ID) })
		w.shell.do(w.pictures.reload)
	case api.KindGap: // it is not known what was
		w.runs.forgetQueued()
		w.shell.do(w.runs.again)
		w.shell.do(w.pictures.reload)
	case api.KindPreview:
		if r := ev.Run; r != nil {
			w.pictures.heard(*r)
			w.shell.do(func() { w.runs.detail.pictured(*r) })
		}
	}
}

// open shows a run in the tab Activity.
func (w *window) open(id string) {
	w.first.leave()
	w.tabs.SelectIndex(0)
	w.runs.open(id)
}

// tabOf returns the index of the tab with a content, or 0.
func (w *window) tabOf(content fyne.CanvasObject) int {
	return max(0, slices.IndexFunc(w.tabs.Items, func(i *container.TabItem) bool { return i.Content == content }))
}

// showPicture shows a picture of a run in the tab Pictures: the output with an index, or its preview for
// [scenePreview]. Nothing happens when there is no such picture.
func (w *window) showPicture(r api.Run, output int) {
	for _, s := range shotsOf(r) {
		if s.output == output {
			w.selectTab(w.pictures.content)
			w.pictures.open(s)
		}
	}
}

// selectTab goes to the tab with a content.
func (w *window) selectTab(content fyne.CanvasObject) {
	w.first.leave()
	for i, item := range w.tabs.Items {
		if item.Content == content {
			w.tabs.SelectIndex(i)
		}
	}
}

// fetch calls ask on a goroutine of its own, and show with the answer on Fyne's goroutine, on which
// fetch must be called.
func fetch[T any](w *window, ask func(context.Context) (T, error), show func(T, error)) {
	fetchWithin(w, 30*time.Second, ask, show)
}

// fetchWithin is fetch with another time limit.
func fetchWithin[T any](w *window, most time.Duration, ask func(context.Context) (T, error), show func(T, error)) {
	w.shell.busy++
	go func() {
		ctx, stop := context.WithTimeout(w.shell.ctx, most)
		defer stop()
		got, err := ask(ctx)
		if w.shell.ctx.Err() == nil {
			w.shell.do(func() {
				show(got, err)
				w.shell.rested()
			})
		}
	}()
}
