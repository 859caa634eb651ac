//go:build !headless

package tray

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
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
	link    Link // whether there was an engine when the folders were shown
	another *widget.Button
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
	t.another = widget.NewButtonWithIcon(lang.L("Add folder…"), theme.ContentAddIcon(), func() {
		chooseFolder(w, lang.L("Choose a folder to watch"), "", t.add)
	})
	edit := widget.NewButtonWithIcon(lang.L("Open settings.toml"), theme.DocumentCreateIcon(), func() {
		file := w.settingsFile()
		s.try("open the settings", func(context.Context) error { return s.cfg.Host.Open(file, 0) })
	})
	t.pause = widget.NewCheck(lang.L("Pause watching: saves wait, and run afterwards"), func(on bool) {
		if !t.setting {
			s.ask(Item{Do: PauseWatching, On: on})
		}
	})
	t.login = widget.NewCheck(lang.L("Start at login"), func(on bool) {
		if !t.setting {
			s.startAtLogin(on)
		}
	})
	hint := widget.NewLabel(lang.L("A Python script that is saved in one of these folders runs in Blender. You can also drop a folder on this window, or a script, which runs once."))
	hint.Wrapping = fyne.TextWrapWord
	t.content = container.NewVScroll(container.NewPadded(container.NewVBox(
		hint, t.rows, container.NewHBox(t.another, edit), widget.NewSeparator(), t.pause, t.login,
	)))
	return t
}

func (t *foldersTab) show(s State) {
	t.setting = true
	t.pause.SetChecked(s.Status.WatchingPaused)
	t.login.SetChecked(s.Login)
	t.setting = false
	enable(t.another, s.Link == Attached)
	if t.link == s.Link && slices.EqualFunc(t.shown, s.Status.Folders, api.FolderStatus.Equal) && len(t.rows.Objects) > 0 {
		return
	}
	t.shown, t.link = slices.Clone(s.Status.Folders), s.Link
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
	switch {
	case t.link != Attached:
		t.rows.Add(widget.NewLabel(lang.L("The folders are shown when there is an engine.")))
	case len(t.shown) == 0:
		t.rows.Add(widget.NewLabel(lang.L("No folder is watched.")))
	}
	for _, f := range t.shown {
		t.rows.Add(t.row(f))
	}
	t.rows.Refresh()
}

func (t *foldersTab) row(f api.FolderStatus) fyne.CanvasObject {
	path := widget.NewLabelWithStyle(api.NameInLine(f.Path), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	path.Truncation = fyne.TextTruncateEllipsis
	how := widget.NewLabel(lang.L("watched ({{.Method}})", map[string]any{"Method": f.Method}))
	how.Wrapping = fyne.TextWrapWord
	if f.Method == "" {
		how.SetText(lang.L("not watched"))
	}
	if f.Note != "" {
		how.SetText(how.Text + "; " + quoteCode(f.Note))
	}
	if n := len(f.Stale); n > 0 {
		how.SetText(how.Text + "; " + lang.L("{{.Stale}}: blendtray retry --stale runs them again", map[string]any{"Stale": staleWords(n)}))
	}
	if f.Error != "" {
		how.Importance = widget.WarningImportance
		how.SetText(quoteCode(f.Error))
	}
	given, known := t.window.report.Folder(f.Path)
	if farm, ok := given.Find("farm"); ok && farm.Text() == "true" && f.Error == "" {
		how.SetText(how.Text + "; " + lang.L("its scripts run on machines of the farm"))
	}
	if given.Fixed != "" {
		how.SetText(how.Text + "; " + plain(given.Fixed))
	}
	s := t.window.shell
	open := widget.NewButtonWithIcon(lang.L("Open"), theme.FolderOpenIcon(), func() {
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(f.Path, 0) })
	})
	remove := widget.NewButtonWithIcon(lang.L("Stop watching…"), theme.DeleteIcon(), func() {
		t.window.confirm(lang.L("Stop watching this folder?"), lang.L("{{.Folder}} stays as it is. Scripts that are saved in it do not run any more.", map[string]any{"Folder": api.NameInLine(f.Path)}), lang.L("Stop watching"), func() {
			t.window.change(func(ctx context.Context) (api.SettingsReport, error) {
				return s.cfg.Client.RemoveFolder(ctx, f.Path)
			}, t.window.failed)
		})
	})
	enable(remove, known && given.Fixed == "")
	change := widget.NewButtonWithIcon(lang.L("Change…"), theme.SettingsIcon(), func() { t.change(f.Path) })
	below := container.NewBorder(nil, nil, nil, container.NewCenter(container.NewHBox(change, open, remove)), how)
	return container.New(tight{4}, path, below)
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
	t.window.showForm(path, t.form, func() { t.form = nil })
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

// dropped adds folders that were dropped on the window, and runs scripts.
func (t *foldersTab) dropped(uris []fyne.URI) {
	for _, uri := range uris {
		if uri.Scheme() != "file" {
			t.window.fail(errors.New("only folders and scripts on this machine can be dropped here"))
			return
		}
		if path := uri.Path(); strings.EqualFold(filepath.Ext(path), ".py") {
			t.run(path)
		} else {
			t.add(path)
		}
	}
}

// run runs a script that was dropped on the window, shows the run, and offers to watch the script's
// folder, unless the folder is watched already.
func (t *foldersTab) run(path string) {
	w := t.window
	fetch(w, func(ctx context.Context) (api.Run, error) {
		if info, err := os.Stat(path); err != nil {
			return api.Run{}, err
		} else if info.Size() > api.MaxCode {
			return api.Run{}, api.TooLarge(info.Size())
		}
		code, err := os.ReadFile(path)
		if err != nil {
			return api.Run{}, err
		}
		return w.shell.cfg.Client.Submit(ctx, api.Submission{Code: code, Script: path, Scene: "fresh", Client: windowClient})
	}, func(r api.Run, err error) {
		if err != nil {
			w.fail(err)
			return
		}
		w.open(r.ID)
		if folder := filepath.Dir(path); !t.watches(folder) {
			w.note(lang.L("{{.Script}} was run once. It also runs whenever it is saved, if its folder is watched.", map[string]any{"Script": api.NameInLine(filepath.Base(path))}))
			w.toWatch = folder
			w.watch.Show()
		}
	})
}

// watches reports whether scripts that are saved in a folder run.
func (t *foldersTab) watches(folder string) bool {
	for _, f := range t.shown {
		if inside, err := filepath.Rel(f.Path, folder); err == nil && filepath.IsLocal(inside) {
			return true
		}
	}
	return false
}
