//go:build !headless

package tray

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// operationTime is how long the window waits for an operation of a session, which waits for the runs
// before it.
const operationTime = 10 * time.Minute

// operate has the chosen session do an operation, and says in the transcript what came of it.
func (t *consoleTab) operate(what api.SessionOperation, file string) {
	w, name := t.window, t.chosen
	fetchWithin(w, operationTime, func(ctx context.Context) (api.SessionDone, error) {
		return w.shell.cfg.Client.DoInSession(ctx, api.SessionRequest{Session: name, Operation: what, File: file, Client: windowClient})
	}, func(done api.SessionDone, err error) {
		if err != nil {
			w.fail(err)
		} else {
			t.say(coloured(grey, "["+operationWords(what, file, done.Session)+"]"))
		}
		t.refresh()
	})
}

// operationWords returns what an operation of a session has done.
func operationWords(what api.SessionOperation, file string, s api.Session) string {
	switch what {
	case api.SessionCheckpoint:
		number := 0
		if n := len(s.Checkpoints); n > 0 {
			number = s.Checkpoints[n-1].Number
		}
		return lang.L("checkpoint {{.Number}} saved", map[string]any{"Number": number})
	case api.SessionUndo:
		return lang.L("the scene is as it was at the checkpoint; look objects up again, as names for them are invalid")
	}
	return lang.L("saved as {{.File}}", map[string]any{"File": file})
}

// askToEnd asks whether to end the session.
func (t *consoleTab) askToEnd() {
	w, name := t.window, t.chosen
	w.confirm(lang.L("End the session {{.Name}}?", map[string]any{"Name": name}),
		lang.L("Its scene, its names and its checkpoints go."), lang.L("End session"), func() {
			fetchWithin(w, time.Minute, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, w.shell.cfg.Client.EndSession(ctx, name)
			}, func(_ struct{}, err error) {
				if err != nil {
					w.fail(err)
				} else {
					t.say(coloured(grey, "["+lang.L("the session {{.Name}} has ended", map[string]any{"Name": name})+"]"))
				}
				t.refresh()
			})
		})
}

// askForFile asks for the file to save the scene in. Fyne's own dialog for that empties the file.
func (t *consoleTab) askForFile() {
	w := t.window
	path := &entry{typed: w.typed}
	path.ExtendBaseWidget(path)
	home, _ := os.UserHomeDir() // without one, the person types the folder
	path.SetText(filepath.Join(home, t.chosen+".blend"))
	path.CursorColumn = len([]rune(path.Text)) - len(".blend")
	trouble := widget.NewLabel("")
	trouble.Importance = widget.WarningImportance
	trouble.Wrapping = fyne.TextWrapWord
	browse := widget.NewButtonWithIcon(lang.L("Folder…"), theme.FolderOpenIcon(), func() {
		chooseFolder(w, lang.L("Choose a folder"), filepath.Dir(path.Text), func(folder string) {
			into := filepath.Join(folder, filepath.Base(path.Text))
			path.SetText(into)
		})
	})
	path.OnChanged = func(text string) {
		go func() { // a folder on a drive that is away may need minutes
			words := saveTrouble(text)
			w.shell.do(func() {
				if path.Text == text {
					trouble.SetText(words)
				}
			})
		}()
	}
	path.OnChanged(path.Text)
	content := container.NewVBox(container.NewBorder(nil, nil, nil, browse, path), trouble)
	save := func(ok bool) {
		if file := blendPath(path.Text); ok && file != "" {
			t.operate(api.SessionSave, file)
		}
	}
	d := dialog.NewCustomConfirm(lang.L("Save the scene as"), lang.L("Save"), lang.L("Cancel"), content, save, w)
	path.OnSubmitted = func(string) { d.Confirm() }
	w.present(d, d.Confirm, nil)
	d.Resize(fyne.NewSize(560, 200))
	w.Canvas().Focus(path)
}

// blendPath returns the path of the file that a person means, or "" for no file.
func blendPath(text string) string {
	text = strings.TrimSpace(text)
	if !filepath.IsAbs(text) || strings.HasSuffix(text, string(filepath.Separator)) {
		return ""
	}
	if !strings.EqualFold(filepath.Ext(text), ".blend") {
		text += ".blend"
	}
	return filepath.Clean(text)
}

// saveTrouble says what a person should know before a scene is saved in a file, or "".
func saveTrouble(text string) string {
	file := blendPath(text)
	if file == "" {
		return lang.L("Give the full path of the file.")
	}
	if _, err := os.Stat(file); err == nil {
		return lang.L("The file is there already, and is replaced.")
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return lang.L("There is no such folder.")
	}
	return ""
}
