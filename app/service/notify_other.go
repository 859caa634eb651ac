//go:build !linux

package service

import (
	"context"
	"log/slog"
	"time"

	"blendtray/control"
)

// Notifier tells a service manager how the engine is. On this system no manager asks.
type Notifier struct{}

// FindNotifier returns the notifier for the service manager that has started this process.
func FindNotifier() Notifier { return Notifier{} }

// Patience returns 0: no manager waits until the process is ready.
func (Notifier) Patience() time.Duration { return 0 }

// Inform tells the manager how the engine is, until ctx ends.
func (Notifier) Inform(context.Context, *control.Client, func() time.Duration) {}

// Renew does nothing: what earlier versions have written for this system needs no mending.
func (Notifier) Renew(*slog.Logger) {}
