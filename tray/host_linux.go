//go:build !headless

package tray

import (
	"github.com/godbus/dbus/v5"
)

// IconHost reports whether something shows tray icons, and if not, why.
func IconHost() (ok bool, why string) {
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		return false, english("there is no session bus. The window does everything that the tray would.")
	}
	defer conn.Close()
	const name = "org.kde.StatusNotifierWatcher"
	var owned bool
	if err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned); err != nil || !owned {
		return false, english("the desktop has no place for tray icons. On GNOME the extension “AppIndicator and KStatusNotifierItem Support” adds one.")
	}
	host, err := conn.Object(name, "/StatusNotifierWatcher").GetProperty(name + ".IsStatusNotifierHostRegistered")
	if shown, is := host.Value().(bool); err == nil && is && !shown {
		return false, english("no panel of the desktop shows tray icons. Add the desktop's status tray to the panel.")
	}
	return true, ""
}
