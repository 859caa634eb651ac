//go:build !linux

package service

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"time"

	"blendtray/control"
)

// Notifier tells a service manager how the engine is. On this system no manager asks.
type Notifier struct{}

// FindNotifier returns the notifier for the service manager that has started this process.
func FindNotifier() Notifier { return Notifier{} }

// Patience returns 0: no manager waits until the process is ready.
func (Notifier) Patience() time.Duration { return 0 }

// StartsAgain tells whether the manager starts this process again when the process fails. launchd
// does, and gives its services their name; Windows keeps the file of a program that runs.
func (Notifier) StartsAgain() bool {
	return strings.HasPrefix(os.Getenv("XPC_SERVICE_NAME"), launchdLabel)
}

// launchdLabel begins the names of the services in packaging/launchd.
const launchdLabel = "org.blendtray.Blendtray"

// Inform tells the manager how the engine is, until ctx ends.
func (Notifier) Inform(context.Context, *control.Client, func() time.Duration) {}

// Renew does nothing: what earlier versions have written for this system needs no mending.
func (Notifier) Renew(*slog.Logger) {}
