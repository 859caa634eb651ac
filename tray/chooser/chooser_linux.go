package chooser

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// The portal is asked over the bus, and not by github.com/rymdport/portal, which reads a "+" in the name
// of a file as a space and hears no answer that comes before it listens.
const (
	portalName    = "org.freedesktop.portal.Desktop"
	portalPath    = "/org/freedesktop/portal/desktop"
	fileChooser   = "org.freedesktop.portal.FileChooser"
	portalRequest = "org.freedesktop.portal.Request"
	// folderVersion is the first version of the interface that knows folders.
	folderVersion = 3
	// patience is how long the portal may take to say that it shows a dialog. Some desktops start a
	// portal that never answers.
	patience = 5 * time.Second
	// ownerChanged is what the bus tells when a program takes or leaves a name.
	busInterface = "org.freedesktop.DBus"
	ownerChanged = "NameOwnerChanged"
)

// errEnded says that the portal has gone, and its dialog with it.
var errEnded = errors.New("the desktop has ended the dialog; open it again")

func choose(ctx context.Context, r Request) (string, error) {
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		return "", ErrNone
	}
	defer conn.Close()
	token := "blendtray_" + rand.Text()
	// The path of the request is known before it is made, so that no answer is missed.
	sender := strings.ReplaceAll(strings.TrimPrefix(conn.Names()[0], ":"), ".", "_")
	path := dbus.ObjectPath(portalPath + "/request/" + sender + "/" + token)
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(portalRequest), dbus.WithMatchMember("Response")); err != nil {
		return "", ErrNone
	}
	// A portal that ends takes its dialog along and answers no more.
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(busInterface), dbus.WithMatchMember(ownerChanged), dbus.WithMatchArg(0, portalName)); err != nil {
		return "", ErrNone
	}
	signals := make(chan *dbus.Signal, 8)
	conn.Signal(signals)
	if path, err = show(ctx, conn, r, token, path); err != nil {
		return "", err
	}
	for {
		select {
		case sig := <-signals:
			if sig == nil || isLeft(sig) {
				return "", errEnded
			}
			if sig.Path == path && sig.Name == portalRequest+".Response" {
				return chosen(sig.Body)
			}
		case <-ctx.Done():
			conn.Object(portalName, path).Go(portalRequest+".Close", dbus.FlagNoReplyExpected, nil)
			return "", ctx.Err()
		}
	}
}

// isLeft reports whether a signal says that the portal has gone. That it has come, because the bus
// has just started it, says nothing.
func isLeft(sig *dbus.Signal) bool {
	var name, before, after string
	return sig.Name == busInterface+"."+ownerChanged && dbus.Store(sig.Body, &name, &before, &after) == nil &&
		name == portalName && before != ""
}

// show has the portal show a dialog, and returns the path of the request. It fails with ErrNone when
// there is no portal, or when the portal can't show such a dialog.
func show(ctx context.Context, conn *dbus.Conn, r Request, token string, path dbus.ObjectPath) (dbus.ObjectPath, error) {
	asking, stop := context.WithTimeout(ctx, patience)
	defer stop()
	portal := conn.Object(portalName, portalPath)
	var version uint32
	get := portal.CallWithContext(asking, "org.freedesktop.DBus.Properties.Get", 0, fileChooser, "version")
	if get.Store(&version) != nil || r.Kind == Folder && version < folderVersion {
		return "", noneUnless(ctx)
	}
	method := fileChooser + ".OpenFile"
	if r.Kind == Save {
		method = fileChooser + ".SaveFile"
	}
	call := portal.CallWithContext(asking, method, 0, r.Parent, r.Title, options(r, token))
	if call.Store(&path) != nil {
		conn.Object(portalName, path).Go(portalRequest+".Close", dbus.FlagNoReplyExpected, nil) // it may be shown yet
		return "", noneUnless(ctx)
	}
	return path, nil
}

// noneUnless returns why ctx ended, or ErrNone.
func noneUnless(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return ErrNone
}

func options(r Request, token string) map[string]dbus.Variant {
	all := map[string]dbus.Variant{"handle_token": dbus.MakeVariant(token), "modal": dbus.MakeVariant(true)}
	if r.Kind == Folder {
		all["directory"] = dbus.MakeVariant(true)
	}
	if r.Start != "" {
		all["current_folder"] = dbus.MakeVariant(append([]byte(r.Start), 0))
	}
	if r.Name != "" {
		all["current_name"] = dbus.MakeVariant(r.Name)
	}
	return all
}

// chosen returns the path in the answer of the portal, or "" when nothing was chosen. It fails when the
// file is not on this machine's own paths.
func chosen(body []any) (string, error) {
	var response uint32
	var results map[string]dbus.Variant
	if err := dbus.Store(body, &response, &results); err != nil {
		return "", fmt.Errorf("read the answer of the desktop's dialog: %w", err)
	}
	if response != 0 { // 1: cancelled by the person, 2: ended in another way
		return "", nil
	}
	uris, _ := results["uris"].Value().([]string)
	if len(uris) == 0 {
		return "", nil
	}
	u, err := url.Parse(uris[0])
	if err != nil {
		return "", fmt.Errorf("read the answer of the desktop's dialog: %w", err)
	}
	if u.Scheme != "file" || u.Path == "" {
		return "", fmt.Errorf("%s is not on this machine", uris[0])
	}
	return u.Path, nil
}
