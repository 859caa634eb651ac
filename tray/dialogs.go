//go:build !headless

package tray

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/driver"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/storage"

	"blendtray/tray/chooser"
)

// This file has the dialogs in which a person chooses a file or a folder: those of the system, or Fyne's
// own where the system has none. The functions must be called on Fyne's goroutine, and return at once.
// chosen is called there with an absolute path, and is not called when the person chooses nothing.

// chooseFolder has a person choose a folder, beginning in the folder start, or anywhere for "".
func chooseFolder(w *window, title, start string, chosen func(path string)) {
	askForPath(w, chooser.Request{Kind: chooser.Folder, Title: title, Start: start}, chosen)
}

// chooseFile has a person choose a file, beginning in the folder start, or anywhere for "".
func chooseFile(w *window, title, start string, chosen func(path string)) {
	askForPath(w, chooser.Request{Kind: chooser.File, Title: title, Start: start}, chosen)
}

// saveFile has a person name a file to save, beginning in the folder start, or anywhere for "". name is
// offered, and its extension is added to a name that lacks it. A person has agreed to overwrite a file
// that is there.
func saveFile(w *window, title, start, name string, chosen func(path string)) {
	askForPath(w, chooser.Request{Kind: chooser.Save, Title: title, Start: start, Name: name}, func(path string) {
		named := withExtension(path, filepath.Ext(name))
		if _, err := os.Stat(named); err != nil || named == path { // the dialog has asked about path
			chosen(named)
			return
		}
		w.confirm(lang.L("Replace the file?"), lang.L("{{.File}} is there already.", map[string]any{"File": named}), lang.L("Replace"), func() { chosen(named) })
	})
}

// chooseBlender has a person choose the program of a Blender, beginning in the folder start, or anywhere
// for "".
func chooseBlender(w *window, start string, chosen func(path string)) {
	chooseFile(w, lang.L("Choose the program of a Blender"), start, chosen)
}

// withExtension returns a path with an extension, such as ".blend", in whatever letters it stands there.
func withExtension(path, extension string) string {
	if strings.EqualFold(filepath.Ext(path), extension) {
		return path
	}
	return path + extension
}

// askForPath shows the dialog of the system, unless one is open, or Fyne's own.
func askForPath(w *window, r chooser.Request, chosen func(path string)) {
	if w.choosing {
		return
	}
	w.choosing = true
	r.Parent = parentOf(w.Window)
	ctx, do, ask := w.shell.ctx, w.shell.do, w.shell.cfg.Choose
	if ask == nil {
		ask = chooser.Choose
	}
	go func() {
		path, err := ask(ctx, r)
		if ctx.Err() != nil {
			return // the window is closed
		}
		do(func() {
			w.choosing = false
			switch {
			case errors.Is(err, chooser.ErrNone):
				chooseInWindow(w, r, chosen)
			case err != nil:
				w.fail(err)
			case path != "":
				chosen(path)
			}
		})
	}()
}

// parentOf returns the name of a window for the portals of Linux, or "" where there is none.
func parentOf(w fyne.Window) (name string) {
	native, ok := w.(driver.NativeWindow)
	if !ok || runtime.GOOS != "linux" {
		return ""
	}
	native.RunNative(func(context any) {
		if x11, ok := context.(driver.X11WindowContext); ok {
			name = fmt.Sprintf("x11:%x", x11.WindowHandle)
		}
	})
	return name
}

// chooseInWindow shows a dialog of Fyne in the window.
func chooseInWindow(w *window, r chooser.Request, chosen func(path string)) {
	var d *dialog.FileDialog
	switch r.Kind {
	case chooser.Folder:
		d = dialog.NewFolderOpen(func(uri fyne.ListableURI, err error) {
			answered(w, err, uri != nil, func() { chosen(uri.Path()) })
		}, w)
	case chooser.File:
		d = dialog.NewFileOpen(func(file fyne.URIReadCloser, err error) {
			answered(w, err, file != nil, func() {
				_ = file.Close() // nothing was read
				chosen(file.URI().Path())
			})
		}, w)
	case chooser.Save:
		d = dialog.NewFileSave(func(file fyne.URIWriteCloser, err error) {
			answered(w, err, file != nil, func() {
				_ = file.Close() // nothing was written, and Fyne has made the file anew
				path := file.URI().Path()
				if withExtension(path, filepath.Ext(r.Name)) != path {
					_ = os.Remove(path) // the file gets another name; where this fails, an empty file stays
				}
				chosen(path)
			})
		}, w)
		d.SetFileName(r.Name)
	}
	d.SetTitleText(r.Title)
	if r.Start != "" {
		if start, err := storage.ListerForURI(storage.NewFileURI(r.Start)); err == nil {
			d.SetLocation(start) // else the dialog begins where Fyne likes
		}
	}
	w.present(d, func() {}, nil) // Enter opens what is marked in the dialog itself
	d.Resize(w.Canvas().Size())
}

// answered shows the error of a dialog, or calls then if something was chosen.
func answered(w *window, err error, some bool, then func()) {
	if err != nil {
		w.fail(err)
	} else if some {
		then()
	}
}
