//go:build !headless

package tray

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2/lang"
	"github.com/godbus/dbus/v5"
)

// show puts a notification on the desktop; a click on it opens its run.
func (s *indicator) show(n notice) {
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		return // without a bus there is no desktop; the window shows the run
	}
	go func() {
		defer conn.Close()
		const name, path = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
		if err := conn.AddMatchSignal(dbus.WithMatchInterface(name), dbus.WithMatchObjectPath(path)); err != nil {
			return
		}
		signals := make(chan *dbus.Signal, 8)
		conn.Signal(signals)
		var can []string
		text := n.text
		// Scripts have written the text. What can't be asked may take it for markup.
		if err := conn.Object(name, path).CallWithContext(s.ctx, name+".GetCapabilities", 0).Store(&can); err != nil || slices.Contains(can, "body-markup") {
			text = withoutMarkup(text)
		}
		var id uint32
		call := conn.Object(name, path).CallWithContext(s.ctx, name+".Notify", 0, "Blendtray", uint32(0), "blendtray",
			n.title, text, []string{"default", lang.L("Show")}, map[string]dbus.Variant{"desktop-entry": dbus.MakeVariant("blendtray")}, int32(-1))
		if call.Store(&id) != nil {
			return // nothing shows notifications here
		}
		for {
			select {
			case sig := <-signals:
				if sig == nil {
					return
				}
				if got, is := first(sig.Body).(uint32); !is || got != id {
					continue
				}
				if sig.Name == name+".ActionInvoked" {
					s.window.show(order{Run: n.run})
				}
				return
			case <-s.ctx.Done():
				return
			}
		}
	}()
}

func first(body []any) any {
	if len(body) == 0 {
		return nil
	}
	return body[0]
}

// withoutMarkup returns a text for a notification that may have markup, which shows the text as it is.
func withoutMarkup(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
