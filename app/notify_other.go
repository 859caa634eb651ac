//go:build !linux

package app

import (
	"context"

	"blendtray/control"
)

// serviceManager would be told how the engine is; here nobody asks.
type serviceManager struct{}

func findServiceManager() serviceManager { return serviceManager{} }

func (serviceManager) inform(context.Context, *control.Client) {}
