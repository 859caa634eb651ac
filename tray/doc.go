// Package tray is the face of the program: an icon, its menu, and a window.
//
// The tray is a client of control and nothing more: everything that it shows comes from an
// engine's status and events, and it asks the engine for everything that it does. A [Follower]
// keeps a [State]; [Menu] and [IconOf] are pure functions of the State. [Run] shows them with
// systray. [RunWindow] shows the window with Fyne, in a process of its own that Run starts and
// that ends when the window is closed: Run calls nothing of Fyne but its texts (lang), because the memory
// of all else does not come back. A build with the tag headless leaves both out.
//
// What a person reads comes from the catalogues in translations, in the language of the person. words.go
// has the sentences, and names.go makes harmless what others have written.
//
//go:generate go run ./translations/collect
package tray
