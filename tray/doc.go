// Package tray is the face of the program: an icon, its menu, and a window.
//
// The tray is a client of control and nothing more: everything that it shows comes from an
// engine's status and events, and it asks the engine for everything that it does. A [Follower]
// keeps a [State]; [Menu] and [IconOf] are pure functions of the State; a thin shell shows them
// with Fyne. A build with the tag headless leaves the shell out.
package tray
