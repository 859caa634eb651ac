package chooser

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// portal is the portal of a desktop whose person answers at once: before the program has the path of
// its request, as a quick desktop may.
type portal struct {
	conn    *dbus.Conn
	uri     atomic.Value // a string: what the person chooses, or "" to cancel
	silent  atomic.Bool  // the person leaves the dialog open
	asked   chan string
	options chan map[string]dbus.Variant
	closed  chan struct{}
}

func (p *portal) OpenFile(sender dbus.Sender, parent, title string, options map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	return p.ask("open", sender, parent, title, options)
}

func (p *portal) SaveFile(sender dbus.Sender, parent, title string, options map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	return p.ask("save", sender, parent, title, options)
}

func (p *portal) Close() *dbus.Error {
	close(p.closed)
	return nil
}

func (p *portal) ask(how string, sender dbus.Sender, parent, title string, options map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	name := strings.ReplaceAll(strings.TrimPrefix(string(sender), ":"), ".", "_")
	path := dbus.ObjectPath(portalPath + "/request/" + name + "/" + options["handle_token"].Value().(string))
	silent := p.silent.Load()
	if silent { // before the test hears of the dialog, and closes it
		_ = p.conn.Export(p, path, portalRequest)
	}
	p.asked <- how + " " + parent + " " + title
	p.options <- options
	if silent {
		return path, nil
	}
	uri := p.uri.Load().(string)
	response, results := uint32(0), map[string]dbus.Variant{"uris": dbus.MakeVariant([]string{uri})}
	if uri == "" {
		response, results = 1, map[string]dbus.Variant{}
	}
	_ = p.conn.Emit(path, portalRequest+".Response", response, results)
	return path, nil
}

// newBus starts a bus of the test's own.
func newBus(t *testing.T) {
	t.Helper()
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
}

func newPortal(t *testing.T, version uint32) *portal {
	t.Helper()
	newBus(t)
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p := &portal{conn: conn, asked: make(chan string, 8), options: make(chan map[string]dbus.Variant, 8), closed: make(chan struct{})}
	if err := conn.Export(p, portalPath, fileChooser); err != nil {
		t.Fatal(err)
	}
	if _, err := prop.Export(conn, portalPath, prop.Map{fileChooser: {"version": {Value: version}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(portalName, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

// The tests set the environment of their process, so they are not parallel.

func TestThePortalIsAskedAndItsPathsAreRead(t *testing.T) {
	p := newPortal(t, folderVersion)
	for uri, want := range map[string]string{
		"file:///srv/scripts":            "/srv/scripts",
		"file:///srv/C++/a%20b%2Bc":      "/srv/C++/a b+c",
		"file:///srv/%E5%9C%BA%E6%99%AF": "/srv/场景",
		"":                               "", // cancelled
	} {
		p.uri.Store(uri)
		got, err := Choose(t.Context(), Request{Kind: Folder, Title: "Watch", Start: "/srv", Parent: "x11:2a"})
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", uri, got, err)
		}
		if asked := <-p.asked; asked != "open x11:2a Watch" {
			t.Errorf("the portal is asked %q", asked)
		}
		if o := <-p.options; o["directory"].Value() != true || string(o["current_folder"].Value().([]byte)) != "/srv\x00" {
			t.Errorf("the options are %v", o)
		}
	}
	p.uri.Store("file:///srv/a.blend")
	if got, err := Choose(t.Context(), Request{Kind: Save, Title: "Save", Name: "a.blend"}); err != nil || got != "/srv/a.blend" {
		t.Errorf("%q, %v", got, err)
	}
	if asked, o := <-p.asked, <-p.options; asked != "save  Save" || o["current_name"].Value() != "a.blend" {
		t.Errorf("the portal is asked %q, with %v", asked, o)
	}
	p.uri.Store("sftp://elsewhere/a.blend")
	if _, err := Choose(t.Context(), Request{Kind: File}); err == nil || !strings.Contains(err.Error(), "not on this machine") {
		t.Errorf("a file elsewhere: %v", err)
	}
}

func TestWithoutAPortalForItThereIsNoDialog(t *testing.T) {
	newBus(t)
	if _, err := Choose(t.Context(), Request{Kind: File}); !errors.Is(err, ErrNone) {
		t.Errorf("without a portal: %v", err)
	}
	newPortal(t, folderVersion-1)
	if _, err := Choose(t.Context(), Request{Kind: Folder}); !errors.Is(err, ErrNone) {
		t.Errorf("with a portal that knows no folders: %v", err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+os.DevNull)
	if _, err := Choose(t.Context(), Request{Kind: File}); !errors.Is(err, ErrNone) {
		t.Errorf("without a bus: %v", err)
	}
}

func TestADialogEndsWithItsContext(t *testing.T) {
	p := newPortal(t, folderVersion)
	p.silent.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		<-p.asked
		stop()
	}()
	if _, err := Choose(ctx, Request{Kind: File}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	select {
	case <-p.closed:
	case <-time.After(time.Minute):
		t.Error("the portal was not asked to close the dialog")
	}
}

func TestADialogEndsWithItsPortal(t *testing.T) {
	p := newPortal(t, folderVersion)
	p.silent.Store(true)
	go func() {
		<-p.asked
		_, _ = p.conn.ReleaseName(portalName)
	}()
	if _, err := Choose(t.Context(), Request{Kind: File}); !errors.Is(err, errEnded) {
		t.Errorf("it ends with %v", err)
	}
}
