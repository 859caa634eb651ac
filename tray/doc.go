// Package tray is the face of the program: an icon, its menu, and a window.
//
// It is a client of control and nothing more: all that it shows came from an engine's status
// and events, and all that it does it asks the engine for. [Follow] keeps a [State]; [Menu]
// and [IconOf] are pure functions of it; what shows them, with Fyne, is a thin shell that a
// build with the tag headless leaves out.
package tray
