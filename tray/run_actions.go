//go:build !headless

package tray

import (
	"context"
	"errors"
	"path/filepath"
	"time"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// actionID is something that a person can do with a run.
type actionID int

const (
	noAction actionID = iota // in a menu
	runAgain
	editAndRun
	cancelRun
	openInEditor
	showInFolder
	openInBlender
	jumpToError
	copyTraceback
	copyOutput
	copyCode
	pinRun
	unpinRun
	deleteRun
)

// action is something that a person can do with a run, if able is true.
type action struct {
	id   actionID
	name string
	able bool
}

// actionsOf returns what can be done with a run, in the order of the menu. What a run in no state can
// be asked for is left out; what it can't be asked for now is there, and not able.
func actionsOf(r api.Run) []action {
	final, there := r.State.Final(), r.ID != ""
	file := filepath.IsAbs(r.Script)
	pin := action{pinRun, lang.L("Pin: keep this run however old it gets"), there}
	if r.Pinned {
		pin = action{unpinRun, lang.L("Unpin"), there}
	}
	return []action{
		{runAgain, lang.L("Run again"), there && final && r.Source != api.FromSession},
		{editAndRun, lang.L("Edit and run"), hasCode(r)},
		{cancelRun, lang.L("Cancel"), there && !final},
		{},
		{openInEditor, lang.L("Open in editor"), file && !r.RendersOnly()},
		{showInFolder, lang.L("Show in folder"), file},
		{openInBlender, lang.L("Open in Blender"), there && leavesScene(r)},
		{},
		{jumpToError, lang.L("Jump to the error"), r.Error != nil && (r.Error.Line > 0 || r.Error.Traceback != "")},
		{copyTraceback, lang.L("Copy the traceback"), r.Error != nil && r.Error.Traceback != ""},
		{copyOutput, lang.L("Copy the output"), there},
		{copyCode, lang.L("Copy the code"), hasCode(r)},
		{},
		pin,
		{deleteRun, lang.L("Delete…"), there && final},
	}
}

// able reports whether something can be done with a run.
func able(r api.Run, id actionID) bool {
	for _, a := range actionsOf(r) {
		if a.id == id {
			return a.able
		}
	}
	return false
}

// keysOf are the shortcuts that a menu shows beside an action.
var keysOf = map[actionID]*desktop.CustomShortcut{
	runAgain:      {KeyName: fyne.KeyR, Modifier: fyne.KeyModifierShortcutDefault},
	editAndRun:    {KeyName: fyne.KeyE, Modifier: fyne.KeyModifierShortcutDefault | fyne.KeyModifierShift},
	openInEditor:  {KeyName: fyne.KeyE, Modifier: fyne.KeyModifierShortcutDefault},
	jumpToError:   {KeyName: fyne.KeyJ, Modifier: fyne.KeyModifierShortcutDefault},
	copyTraceback: {KeyName: fyne.KeyC, Modifier: fyne.KeyModifierShortcutDefault | fyne.KeyModifierShift},
	pinRun:        {KeyName: fyne.KeyP, Modifier: fyne.KeyModifierShortcutDefault},
	unpinRun:      {KeyName: fyne.KeyP, Modifier: fyne.KeyModifierShortcutDefault},
}

// menu returns the menu of the shown run. What has a button is left out.
func (d *runDetail) menu() *fyne.Menu {
	menu, id := fyne.NewMenu(""), d.run.ID
	for _, a := range actionsOf(d.run) {
		switch a.id {
		case noAction:
			if n := len(menu.Items); n > 0 && !menu.Items[n-1].IsSeparator {
				menu.Items = append(menu.Items, fyne.NewMenuItemSeparator())
			}
			continue
		case runAgain, cancelRun, editAndRun, openInEditor:
			continue
		case openInBlender:
			if a.able {
				continue
			}
		}
		item := fyne.NewMenuItem(a.name, func() {
			if d.run.ID == id {
				d.act(a.id)
			}
		})
		item.Disabled = !a.able
		if keys := keysOf[a.id]; keys != nil {
			item.Shortcut = keys
		}
		menu.Items = append(menu.Items, item)
	}
	return menu
}

// showMenu shows the menu below its button.
func (d *runDetail) showMenu() {
	if d.run.ID == "" {
		return
	}
	d.window.runs.picked = true // a newer run does not take its place beneath the menu
	popUp := widget.NewPopUpMenu(d.menu(), d.window.Canvas())
	popUp.ShowAtRelativePosition(fyne.NewPos(0, d.more.Size().Height), d.more)
	popUp.ActivateNext()
}

// act does something with the shown run, if that can be done.
func (d *runDetail) act(id actionID) {
	if !able(d.run, id) {
		return
	}
	r, w, s := d.run, d.window, d.window.shell
	switch id {
	case runAgain:
		fetch(w, func(ctx context.Context) (api.Run, error) { return s.cfg.Client.Retry(ctx, r.ID) },
			func(r api.Run, err error) {
				if err != nil {
					w.fail(err)
					return
				}
				d.show(r)
			})
	case cancelRun:
		s.ask(Item{Do: CancelRun, ID: r.ID})
	case editAndRun:
		d.withCode(func(code string) {
			if len(code) > maxEdited {
				w.fail(errTooLong)
				return
			}
			w.console.edit(code)
		})
	case openInEditor:
		w.edit(r.Script, lineOf(r))
	case showInFolder:
		folder := filepath.Dir(r.Script)
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(folder, 0) })
	case openInBlender:
		d.openScene(r, false)
	case jumpToError:
		d.jump()
	case copyTraceback:
		s.app.Clipboard().SetContent(r.Error.Traceback)
	case copyOutput:
		d.output.pane.CopyAll()
	case copyCode:
		d.withCode(func(code string) { s.app.Clipboard().SetContent(code) })
	case pinRun, unpinRun:
		fetch(w, func(ctx context.Context) (api.Run, error) {
			if id == pinRun {
				return s.cfg.Client.Pin(ctx, r.ID)
			}
			return s.cfg.Client.Unpin(ctx, r.ID)
		}, func(_ api.Run, err error) { w.failed(err) }) // an event tells the list
	case deleteRun:
		w.confirm(lang.L("Delete this run?"), lang.L("Run {{.Run}} of {{.Script}} leaves the history, with its output. The files that it made stay.",
			with{"Run": r.ID, "Script": nameOf(r)}), lang.L("Delete"), func() { w.runs.remove(r) })
	}
}

// errNoText is the error of code that is no text in UTF-8.
var errNoText = errors.New("the script is no UTF-8; open it in your editor")

// maxEdited is how many bytes of code the field of the console takes: it lays out all of its text at each
// change.
const maxEdited = 256 << 10

var errTooLong = errors.New("the script is too long for the console; open it in your editor")

// withCode calls a function with the code of the shown run, as a text that can be changed.
func (d *runDetail) withCode(do func(code string)) {
	id := d.run.ID
	fetch(d.window, func(ctx context.Context) (string, error) {
		code, err := d.window.shell.cfg.Client.Code(ctx, id)
		if err == nil && !utf8.Valid(code) {
			err = errNoText
		}
		return string(code), err
	}, func(code string, err error) {
		if err != nil {
			d.window.fail(err)
			return
		}
		do(code)
	})
}

// againTime is how long a run may take that is made again for its scene.
const againTime = time.Hour

// openScene opens a copy of the scene that a run left in a Blender with a window. Where the scene is
// gone, it asks whether to make the run once more, unless again says so already.
func (d *runDetail) openScene(r api.Run, again bool) {
	w := d.window
	if d.opening {
		return
	}
	d.opening = true
	d.scene.Disable()
	w.runs.picked = true // the run that saves the copy does not take its place
	w.note(lang.L("The scene is saved as a copy and opened in Blender…"))
	most := inBlender
	if again {
		most = againTime
	}
	fetchWithin(w, most, func(ctx context.Context) (string, error) { return r.ID, w.shell.cfg.Host.OpenScene(ctx, r.ID, again) },
		func(_ string, err error) {
			d.opening = false
			d.scene.Enable()
			w.note("")
			if errors.Is(err, api.ErrSceneGone) && !again {
				w.confirm(lang.L("The scene of this run is gone"), lang.L("Only the Blender of the last run still has its scene. Blendtray can run the script again, and open the scene that it leaves then."),
					lang.L("Run again and open"), func() { d.openScene(r, true) })
				return
			}
			w.failed(err)
		})
}

// shortcuts returns what keys do with the shown run, beside those of the whole window.
func (d *runDetail) shortcuts() []chord {
	var all []chord
	for id, keys := range keysOf {
		if id == runAgain || id == openInEditor || id == unpinRun {
			continue // the window has these, or another action has the same key
		}
		all = append(all, chord{*keys, func() {
			if id == pinRun && d.run.Pinned {
				d.act(unpinRun)
				return
			}
			d.act(id)
		}})
	}
	all = append(all, chord{desktop.CustomShortcut{KeyName: fyne.KeyM, Modifier: fyne.KeyModifierShortcutDefault}, d.showMenu})
	for i, key := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5} {
		all = append(all, chord{desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierAlt}, func() { d.goTo(i) }})
	}
	return all
}

// iconOf returns the picture on the button of an action.
func iconOf(id actionID) fyne.Resource {
	switch id {
	case runAgain:
		return theme.MediaReplayIcon()
	case cancelRun:
		return theme.CancelIcon()
	case editAndRun:
		return theme.DocumentCreateIcon()
	case openInBlender:
		return theme.ComputerIcon()
	}
	return theme.DocumentIcon()
}
