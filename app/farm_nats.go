package app

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/farm"
	"blendtray/farm/server"
)

type farmConfigCmd struct {
	Dir     string   `arg:"" optional:"" help:"The folder for the configuration, the key of the server and the streams. Default: farm/nats in the data folder."`
	Listen  string   `default:"0.0.0.0:4222" placeholder:"HOST:PORT" help:"The address on which the server listens (default: 0.0.0.0:4222)."`
	Address string   `placeholder:"HOST" help:"The name or the address by which machines reach the server, for the command that is printed. Default: this machine's first address in the network."`
	Cert    string   `and:"cert" placeholder:"FILE" help:"The certificate of the server, where it has one. Default: tls.pem in the folder, which is made."`
	CertKey string   `and:"cert" placeholder:"FILE" help:"The key of that certificate."`
	Print   bool     `help:"Print the configuration, and write no file but the administrator's key. The paths are those on the machine of the server."`
	Without []string `placeholder:"NAME" help:"Let a member in no more, with this configuration and all later ones. Several have commas between them."`
	adminKeyFlag
}

func (farmConfigCmd) Help() string {
	return `Writes the configuration of a NATS server of your own (nats-server 2.12 or newer) for a farm, with a key for TLS, and says what to type next:

    blendtray farm config /srv/farm
    nats-server -c /srv/farm/nats.conf
    blendtray farm setup tls://HOST:4222 --pin SHA256:...

"blendtray farm invite" then prints the line with which another machine joins. The configuration has no secret and no list of members, so it stays the same when machines join. Write it anew after an upgrade of this program, or --without a member that is to get in no more, with the same flags, and have the server read it: nats-server --signal reload.

For a server on another machine, copy the folder to the same path there. Or name what that machine has:

    blendtray farm config --print /var/lib/nats --cert /etc/nats/cert.pem --cert-key /etc/nats/key.pem > nats.conf`
}

func (c *farmConfigCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(cmp.Or(c.Dir, paths.FarmNATS()))
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fault.New(fault.Usage, "such as 0.0.0.0:4222", "--listen %s is no address with a port", c.Listen)
	}
	own := filepath.Join(dir, "tls.pem")
	config := farm.ServerConfig{Listen: c.Listen, StoreDir: dir, Cert: cmp.Or(c.Cert, own), Key: cmp.Or(c.CertKey, own)}
	for _, file := range []*string{&config.Cert, &config.Key} {
		if *file, err = filepath.Abs(*file); err != nil {
			return err
		}
	}
	administrator, err := administratorKey(c.path(paths), true)
	if err != nil {
		return err
	}
	for _, name := range c.Without {
		if err := farm.RemoveMember(paths.FarmMembers(), paths.FarmRemoved(), name); err != nil {
			return fault.New(fault.Usage, "", "--without: %w", err)
		}
	}
	if config.Removed, err = farm.RemovedMembers(paths.FarmRemoved()); err != nil {
		return err
	}
	text, err := farm.WriteServerConfig(administrator, config)
	if err != nil {
		return fault.New(fault.Usage, "", "%w", err)
	}
	if !c.Print {
		if err := c.write(dir, text); err != nil {
			return err
		}
	}
	if port == "0" {
		port = "PORT" // the server says which it has found
	}
	setup := []string{"blendtray", "farm", "setup", "tls://" + net.JoinHostPort(cmp.Or(c.Address, reachableAt(host)), port)}
	if pin := pinOfFile(config.Cert); pin != "" {
		setup = append(setup, "--pin", "SHA256:"+pin)
	}
	if c.AdminKey != "" {
		setup = append(setup, "--admin-key", c.AdminKey)
	}
	next := strings.Join(quoted(setup), " ")
	if c.Print {
		e.printf("%s", text)
		e.note("when the server runs with this configuration: %s", next)
		return nil
	}
	file := filepath.Join(dir, "nats.conf")
	e.printf("start the server with this configuration (a server that runs reads it again at `nats-server --signal reload`):\n\n    %s\n\nthen, the first time, make the farm there:\n\n    %s\n",
		strings.Join(quoted([]string{"nats-server", "-c", file}), " "), next)
	return nil
}

// write writes the configuration into a folder, and the key of the server, unless there is another.
func (c *farmConfigCmd) write(dir, text string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the server: %w", err)
	}
	if c.Cert == "" {
		if _, err := server.Certificate(filepath.Join(dir, "tls.pem")); err != nil {
			return err
		}
	}
	return home.Replace(filepath.Join(dir, "nats.conf"), []byte(text), 0o600, nil)
}

// pinOfFile returns the pin of a certificate in a file, or "" where this machine can't read the file.
func pinOfFile(path string) string {
	text, _ := os.ReadFile(path) // it may be on another machine
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return ""
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return ""
		}
		return farm.PinOf(cert)
	}
}

type farmSetupCmd struct {
	URL   string `arg:"" name:"url" help:"The address of the server, such as tls://HOST:4222."`
	Pin   string `placeholder:"SHA256" xor:"pin" help:"The SHA-256 of the server's key, as \"blendtray farm config\" prints it. Without this flag, the command shows the SHA-256 of the key that the server has, and asks."`
	NoPin bool   `xor:"pin" help:"Trust the certificates of the server that this system trusts, such as those of a public authority, which change."`
	Name  string `placeholder:"NAME" help:"The name of this machine in the farm. Default: its host name."`
	Yes   bool   `short:"y" help:"Do not ask."`
	adminKeyFlag
}

func (farmSetupCmd) Help() string {
	return `Makes the farm in a NATS server that runs with the configuration of "blendtray farm config", or brings it up to this version, and makes this machine a member that administers it. The machine needs the key of the administrator with which the configuration was made.`
}

func (c *farmSetupCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	at, err := natsURL(c.URL)
	if err != nil {
		return err
	}
	key, err := administratorKey(c.path(paths), false)
	if err != nil {
		return err
	}
	m, err := ownMember(paths, key, key.Public(), c.Name)
	if err != nil {
		return err
	}
	if m.Pin, err = c.pin(e, at); err != nil {
		return err
	}
	card, err := m.OpenCard()
	if err != nil {
		return farmError(err)
	}
	card.Roles = farm.Roles() // it may have joined with others
	if m.Card, err = key.NewCard(card); err != nil {
		return err
	}
	if m.Pass, err = key.NewPass(card); err != nil {
		return err
	}
	m.URL = at
	ctx, stop := e.asking()
	defer stop()
	client, err := farm.Dial(ctx, m, farm.DialOptions{})
	if errors.Is(err, farm.ErrRefused) {
		return fault.New(fault.Failed, "it must be the server that you mean, and run with the configuration that `blendtray farm config` writes with this administrator's key", "%w", err)
	}
	if err != nil {
		return farmError(err)
	}
	defer client.Close()
	if err := farm.SetUp(ctx, client); err != nil {
		return farmError(err)
	}
	if err := m.Write(paths.FarmMembership()); err != nil {
		return fmt.Errorf("write down that this machine is a member: %w", err)
	}
	e.printf("the farm is on %s; this machine is %s in it\n", at, m.Name)
	e.note("`blendtray farm invite` prints the line with which another machine joins")
	return nil
}

// pin returns the pin of the server, after a person has seen it or said it, or "" where the system is to trust
// the server.
func (c *farmSetupCmd) pin(e *env, at string) (string, error) {
	if c.NoPin {
		return "", nil
	}
	if c.Pin != "" {
		pin, err := farm.ReadPin(c.Pin)
		if err != nil {
			return "", fault.New(fault.Usage, "", "--pin: %w", err)
		}
		return pin, nil
	}
	ctx, stop := e.asking()
	defer stop()
	pin, err := farm.PinAt(ctx, at)
	if err != nil {
		return "", fault.New(fault.Failed, "look whether the server runs there", "%w", err)
	}
	e.writeErr(fmt.Sprintf("server         SHA256:%s\n", pin))
	return pin, confirm(e, c.Yes, "Is this the key of your server?", "name the key with --pin, or add --yes")
}

// natsURL reads the address of a NATS server, which needs TLS. Several have commas between them.
func natsURL(text string) (string, error) {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); !strings.Contains(one, "://") {
			one = "tls://" + one
		}
		at, err := url.Parse(one)
		if err != nil || at.Scheme != "tls" || at.Hostname() == "" || at.User != nil {
			return "", fault.New(fault.Usage, "such as tls://farm.example.org:4222", "%s is no address of a NATS server with TLS", one)
		}
		all = append(all, "tls://"+net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), "4222")))
	}
	return strings.Join(all, ","), nil
}
