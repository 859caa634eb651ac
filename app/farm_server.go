package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/farm"
	"blendtray/farm/server"
)

// farmServing says how this process is to be the server of a farm.
type farmServing struct {
	paths  home.Paths
	listen string // the address with a port
	name   string // of this machine in the farm, or "" for the host name
	// adminKey is the path of the administrator's key. The first server makes the key.
	adminKey string
	logger   *slog.Logger
}

// servedFarm is a farm that this process serves, until close.
type servedFarm struct {
	host   string // on which it listens
	server *server.Server
	member *farm.Membership // of this machine
	client *farm.Client
	// administrator is the key of the administrator, which is not known where keyed is false.
	administrator farm.Key
	keyed         bool
	ends          []func()
}

// close ends the server.
func (s *servedFarm) close() {
	for i := len(s.ends) - 1; i >= 0; i-- {
		s.ends[i]()
	}
}

// url returns the address of the server for those that reach it by a host.
func (s *servedFarm) url(host string) string {
	return fmt.Sprintf("tls://%s", net.JoinHostPort(host, fmt.Sprint(s.server.Port())))
}

// serveFarm starts the server of the farm of a home. The first start makes the administrator's key, and this
// machine a member. serveFarm fails when another process is the server, when the machine is a member of
// another farm, and when the address can't be listened on.
func serveFarm(ctx context.Context, o farmServing) (_ *servedFarm, err error) {
	s := &servedFarm{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.host, _, err = net.SplitHostPort(o.listen); err != nil {
		return nil, fault.New(fault.Usage, "such as 0.0.0.0:4222", "%s is no address with a port, on which a farm can be served", o.listen)
	}
	unlock, err := home.LockFarmServer(o.paths, o.listen)
	if errors.Is(err, home.ErrHeld) {
		return nil, fault.New(fault.Failed, "end that process first, or set BLENDTRAY_HOME to another folder for this server", "%w", err)
	}
	if err != nil {
		return nil, err
	}
	s.ends = append(s.ends, unlock)
	administrator, err := s.findAdministrator(o)
	if err != nil {
		return nil, err
	}
	if s.server, err = server.Start(server.Config{
		Dir: o.paths.FarmServer(), Listen: o.listen, Administrator: administrator, Logger: o.logger,
	}); err != nil {
		return nil, err
	}
	s.ends = append(s.ends, s.server.Stop)
	own := "127.0.0.1"
	if ip := net.ParseIP(s.host); ip != nil && !ip.IsUnspecified() {
		own = s.host
	}
	if err := home.NoteFarmServer(o.paths, s.url(own)); err != nil {
		return nil, err
	}
	if s.member, err = ownMembership(o.paths, s, administrator, o.name, s.url(own)); err != nil {
		return nil, err
	}
	if s.client, err = farm.Dial(ctx, s.member, farm.DialOptions{}); err != nil {
		return nil, farmError(err)
	}
	s.ends = append(s.ends, s.client.Close)
	if err := farm.SetUp(ctx, s.client); err != nil {
		return nil, farmError(err)
	}
	return s, nil
}

// findAdministrator finds or makes the key of the administrator, and returns its public part. Where
// this machine is a member already and the key is kept elsewhere, the membership has that part.
func (s *servedFarm) findAdministrator(o farmServing) (public string, err error) {
	if _, err := os.Stat(o.adminKey); errors.Is(err, os.ErrNotExist) {
		if m, err := farm.ReadMembership(o.paths.FarmMembership()); err == nil && home.HasFarmServer(o.paths) {
			return m.Administrator, nil // nobody can be invited without the key
		}
	}
	if s.administrator, err = administratorKey(o.adminKey, true); err != nil {
		return "", err
	}
	s.keyed = true
	return s.administrator.Public(), nil
}

// invitedTo returns the address of a server that other machines are told: where this machine reaches the server
// on itself, the address of this machine in the network, if the server answers there.
func invitedTo(address string) string {
	at, err := url.Parse(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(at.Hostname()); at.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return address
	}
	reached := net.JoinHostPort(reachableAt("0.0.0.0"), at.Port())
	c, err := net.DialTimeout("tcp", reached, time.Second)
	if err != nil {
		return address
	}
	_ = c.Close() // it was only to see whether somebody answers
	return "tls://" + reached
}

// farmServerRetry is how long an engine waits after it could not serve a farm.
const farmServerRetry = 15 * time.Second

// farmServer returns the part of the house that serves a farm on the address of the settings.
func (h *house) farmServer() *keptPart[string] {
	return &keptPart[string]{
		wanted: func(listen string) bool { return listen != "" },
		work: func(ctx context.Context, listen string) error {
			s, err := serveFarm(ctx, farmServing{paths: h.paths, listen: listen, adminKey: h.paths.FarmAdministrator(), logger: h.logs.Logger})
			if err != nil {
				return err
			}
			defer s.close()
			h.announce("the farm is served on "+s.url(reachableAt(s.host))+"; `blendtray farm invite` prints the line with which another machine joins", false)
			<-ctx.Done()
			return nil
		},
		failed: func(err error) { h.announce("the farm is not served, which is tried again: "+err.Error(), true) },
		retry:  farmServerRetry, changed: make(chan struct{}, 1),
	}
}
