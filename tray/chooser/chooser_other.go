//go:build !linux && !windows && !(darwin && cgo)

package chooser

import "context"

func choose(context.Context, Request) (string, error) { return "", ErrNone }
