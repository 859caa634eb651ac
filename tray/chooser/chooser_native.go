//go:build windows || (darwin && cgo)

package chooser

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/sqweek/dialog"
)

func choose(ctx context.Context, r Request) (string, error) {
	path, err := ask(r)
	if errors.Is(err, dialog.ErrCancelled) {
		return "", nil
	}
	if err == nil && ctx.Err() != nil {
		return "", ctx.Err() // nobody waits for the answer any more
	}
	return path, err
}

func ask(r Request) (string, error) {
	if r.Kind == Folder {
		return dialog.Directory().Title(r.Title).SetStartDir(r.Start).Browse()
	}
	file := dialog.File().Title(r.Title).SetStartDir(r.Start)
	if r.Kind == File {
		return file.Load()
	}
	if ext := filepath.Ext(r.Name); ext != "" {
		file = file.Filter(r.Name, ext[1:])
	}
	return file.SetStartFile(r.Name).Save()
}
