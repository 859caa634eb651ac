package engine

import (
	"context"
	"errors"
	"fmt"

	"blendtray/api"
)

// Reference knows the Python APIs of Blenders; *reference.Library implements it.
type Reference interface {
	// Ask returns what the API of the Blender at program says to a query.
	Ask(ctx context.Context, program string, q api.ReferenceQuery) (api.Reference, error)
}

// API returns what the documentation of the Python API of a Blender says. It asks no Blender that works
// for anybody: the first question about a build waits until a Blender of its own has written the API
// down, and later questions wait for nothing. API fails with [api.ErrNoBlender] when there is no such
// Blender, and with [api.ErrBad] when the query makes no sense.
func (e *Engine) API(ctx context.Context, q api.ReferenceQuery) (api.Reference, error) {
	if e.cfg.Reference == nil {
		return api.Reference{}, errors.New("this engine knows no API")
	}
	name, err := e.chooseBlender(ctx, q.Blender)
	if err != nil {
		return api.Reference{}, err
	}
	if name == "" {
		name = api.DefaultBlender
	}
	program, err := e.programNamed(ctx, name)
	if err != nil {
		return api.Reference{}, err
	}
	found, err := e.cfg.Reference.Ask(ctx, program, q)
	found.Blender = name
	return found, err
}

// programNamed returns the program of the Blender with a name, whether the Blender is running or not. It
// fails with [api.ErrNoBlender] when there is none.
func (e *Engine) programNamed(ctx context.Context, name string) (string, error) {
	for _, b := range e.Status().Blenders {
		if b.Name == name && b.Path != "" {
			return b.Path, nil
		}
	}
	e.mu.Lock()
	w := e.workerLocked(name)
	path := ""
	if w != nil {
		path = w.spec.Path
	}
	known := e.machine.named[name].Path
	e.mu.Unlock()
	switch {
	case w == nil && name != api.DefaultBlender:
		e.mu.Lock()
		defer e.mu.Unlock()
		return "", e.noBlenderLocked(name)
	case known != "":
		return known, nil
	case e.cfg.ChooseBlender == nil:
		return "", fmt.Errorf("%w: the program of %q is not known", api.ErrNoBlender, name)
	}
	found, err := e.cfg.ChooseBlender(ctx, path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", api.ErrNoBlender, err)
	}
	return found.Path, nil
}
