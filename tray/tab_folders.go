//go:build !headless

package tray

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// foldersTab is the tab Folders: what is watched, and how well that works.
type foldersTab struct {
	window  *window
	content fyne.CanvasObject
	rows    *fyne.Container
	shown   []api.FolderStatus
	pause   *widget.Check
	login   *widget.Check
	setting bool // the program sets a check; nobody has clicked it

	// form, when it is open, shows the settings of the folder formPath.
	form     *settingsForm
	formPath string
}

func newFoldersTab(w *window) *foldersTab {
	t := &foldersTab{window: w, rows: container.NewVBox()}
	s := w.shell
	add := widget.NewButtonWithIcon("Add folder…", theme.ContentAddIcon(), func() {
		dialog.ShowFolderOpen(func(uri fyne.ListableURI, err error) {
			switch {
			case err != nil:
				w.fail(err)
			case uri != nil:
				t.add(uri.Path())
			}
		}, w)
	})
	edit := widget.NewButtonWithIcon("Open the settings", theme.SettingsIcon(), func() {
		s.try("open the settings", func(context.Context) error { return s.cfg.Host.Open(s.now().Status.Settings.File, 0) })
	})
	t.pause = widget.NewCheck("Pause watching: saves wait, and run afterwards", func(on bool) {
		if !t.setting {
			s.ask(Item{Do: PauseWatching, On: on})
		}
	})
	t.login = widget.NewCheck("Start at login", func(on bool) {
		if !t.setting {
			s.clicked(Item{Do: StartAtLogin, On: on})
		}
	})
	hint := widget.NewLabel("A Python script that is saved in one of these folders runs in Blender. You can also drop a folder on this window.")
	hint.Wrapping = fyne.TextWrapWord
	t.content = container.NewVScroll(container.NewPadded(container.NewVBox(
		hint, t.rows, container.NewHBox(add, edit), widget.NewSeparator(), t.pause, t.login,
	)))
	return t
}

func (t *foldersTab) show(s State) {
	t.setting = true
	t.pause.SetChecked(s.Status.WatchingPaused)
	t.login.SetChecked(s.Login)
	t.setting = false
	if slices.EqualFunc(t.shown, s.Status.Folders, api.FolderStatus.Equal) && len(t.rows.Objects) > 0 {
		return
	}
	t.shown = slices.Clone(s.Status.Folders)
	t.list()
}

// showSettings shows the settings of the folders.
func (t *foldersTab) showSettings() {
	t.list()
	if t.form == nil {
		return
	}
	if f, ok := t.window.report.Folder(t.formPath); ok {
		t.form.show(f.Settings)
	}
}

// list makes the rows of all folders again.
func (t *foldersTab) list() {
	t.rows.RemoveAll()
	if len(t.shown) == 0 {
		t.rows.Add(widget.NewLabel("No folder is watched."))
	}
	for _, f := range t.shown {
		t.rows.Add(t.row(f))
	}
	t.rows.Refresh()
}

func (t *foldersTab) row(f api.FolderStatus) fyne.CanvasObject {
	path := widget.NewLabelWithStyle(f.Path, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	path.Truncation = fyne.TextTruncateEllipsis
	how := widget.NewLabel("watched (" + f.Method + ")")
	how.Wrapping = fyne.TextWrapWord
	if f.Method == "" {
		how.SetText("not watched")
	}
	if f.Note != "" {
		how.SetText(how.Text + "; " + f.Note)
	}
	if n := len(f.Stale); n > 0 {
		how.SetText(how.Text + "; " + scriptsWords(n) + " changed modules: blendtray retry --stale runs them again")
	}
	if f.Error != "" {
		how.Importance = widget.WarningImportance
		how.SetText(f.Error)
	}
	given, known := t.window.report.Folder(f.Path)
	if given.Fixed != "" {
		how.SetText(how.Text + "; " + given.Fixed)
	}
	s := t.window.shell
	open := widget.NewButtonWithIcon("", theme.FolderOpenIcon(), func() {
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(f.Path, 0) })
	})
	remove := widget.NewButtonWithIcon("", theme.DeleteIcon(), func() {
		t.window.confirm("Stop watching", f.Path+" stays as it is. Scripts that are saved in it do not run any more.", "Remove", func() {
			t.window.change(func(ctx context.Context) (api.SettingsReport, error) {
				return s.cfg.Client.RemoveFolder(ctx, f.Path)
			}, t.window.failed)
		})
	})
	enable(remove, known && given.Fixed == "")
	change := widget.NewButtonWithIcon("", theme.SettingsIcon(), func() { t.change(f.Path) })
	return container.NewBorder(nil, nil, nil, container.NewHBox(change, open, remove), container.NewVBox(path, how))
}

// change shows the settings of a folder, which a person can change one by one.
func (t *foldersTab) change(path string) {
	folder, ok := t.window.report.Folder(path)
	if !ok {
		t.window.fail(fmt.Errorf("the engine has not reported the settings of %s yet", path))
		return
	}
	client := t.window.shell.cfg.Client
	t.formPath = path
	t.form = newSettingsForm(t.window, func(ctx context.Context, key, text string) (api.SettingsReport, error) {
		values := map[string]any{key: text}
		if text == "" {
			values[key] = nil
		}
		return client.ChangeFolder(ctx, path, values)
	})
	t.form.show(folder.Settings)
	d := dialog.NewCustom(path, "Close", t.form.rows, t.window)
	d.SetOnClosed(func() { t.form = nil })
	d.Resize(fyne.NewSize(620, 300))
	d.Show()
}

// add has the engine watch a folder.
func (t *foldersTab) add(path string) {
	t.window.change(func(ctx context.Context) (api.SettingsReport, error) {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			return api.SettingsReport{}, fmt.Errorf("%s is not a folder", path)
		}
		return t.window.shell.cfg.Client.AddFolder(ctx, path, nil)
	}, t.window.failed)
}

// dropped adds folders that were dropped on the window.
func (t *foldersTab) dropped(uris []fyne.URI) {
	if len(uris) == 0 {
		return
	}
	for _, uri := range uris {
		if uri.Scheme() != "file" {
			t.window.fail(errors.New("only folders on this machine can be watched"))
			return
		}
		t.add(uri.Path())
	}
}
