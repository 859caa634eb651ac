//go:build !headless

package app

import (
	"os"

	"blendtray/app/home"
	"blendtray/app/login"
	"blendtray/tray"
)

// windowCmd is the process of the window, which the tray starts. It is a client of the engine, and
// ends when its window is closed or its standard input ends.
type windowCmd struct{}

// Run shows the window. It fails without a display.
func (windowCmd) Run(e *env) error {
	if err := needDisplay(); err != nil {
		return err
	}
	paths, err := home.Find()
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	atLogin, err := login.New()
	if err != nil {
		return err
	}
	requests := os.Stdout
	os.Stdout = os.Stderr // what a library prints is no request
	return tray.RunWindow(e, tray.WindowConfig{
		Client: client, Language: languageOf(homeSource(paths)), Host: &trayHost{paths: paths, client: client}, Login: atLogin,
		Orders: e.stdin, Requests: requests,
	})
}
