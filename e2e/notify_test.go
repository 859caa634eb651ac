//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// notifier takes the place of a desktop's notification daemon and keeps the notifications for the
// test. It is the only part of the desktop that is not real, because a real daemon can't be asked
// what it shows.
type notifier struct{ shown chan [2]string }

// Notify is the method of org.freedesktop.Notifications.
func (n notifier) Notify(_ string, _ uint32, _, title, text string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	n.shown <- [2]string{title, text}
	return 7, nil
}

// GetCapabilities says that the text may have markup, as most daemons do.
func (n notifier) GetCapabilities() ([]string, *dbus.Error) {
	return []string{"actions", "body", "body-markup"}, nil
}

func TestAFailedRunIsNotifiedAndAClickShowsIt(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	const name, path = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
	n := notifier{make(chan [2]string, 10)}
	if err := d.conn.Export(n, path, name); err != nil {
		t.Fatal(err)
	}
	if reply, err := d.conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("%v, %v", reply, err)
	}
	d.panel()
	p := started(t, "")
	icon := d.tray(p)
	icon.says("· ready")
	p.save("fine.py", "print(1)\n")
	p.save("bad.py", "\nraise ValueError('<b>no</b> & good')\n")
	if got := <-n.shown; got[0] != "bad.py failed" || !strings.Contains(got[1], "ValueError: &lt;b&gt;no&lt;/b&gt; &amp; good (line 2)") {
		t.Errorf("it was notified of %q", got)
	}
	if strings.Contains(d.windows(), `"Blendtray ·`) {
		t.Error("the window is open already")
	}
	if err := d.conn.Emit(path, name+".ActionInvoked", uint32(7), "default"); err != nil {
		t.Fatal(err)
	}
	d.eventually("the window is there", func() bool { return strings.Contains(d.windows(), `"Blendtray ·`) })
}
