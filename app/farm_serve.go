package app

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/farm"
)

type farmServeCmd struct {
	Listen  string    `default:"0.0.0.0:4222" placeholder:"HOST:PORT" help:"The address on which the server listens (default: 0.0.0.0:4222)."`
	Address string    `placeholder:"HOST" help:"The name or the address by which other machines reach this machine. Default: its first address in the network."`
	Name    string    `placeholder:"NAME" help:"The name of this machine in the farm. Default: its host name."`
	Lasts   timeLimit `default:"24h" placeholder:"TIME" help:"How long the printed line can be used (default: 24h)."`
	adminKeyFlag
}

// adminKeyFlag names the file of the administrator's key.
type adminKeyFlag struct {
	AdminKey string `placeholder:"FILE" help:"The file of the administrator's key, such as on a drive that is taken away afterwards. Default: administrator.key in the home."`
}

// path returns the path of the file.
func (f adminKeyFlag) path(paths home.Paths) string {
	return cmp.Or(f.AdminKey, paths.FarmAdministrator())
}

func (farmServeCmd) Help() string {
	return `Starts a NATS server with JetStream that this program has in it, in the home of this user, and keeps it running. The first start makes the key of the administrator, the key of the server, and makes this machine a member: an engine that runs here takes jobs. It prints the line with which other machines join; they may submit and execute jobs.

    blendtray farm serve
    blendtray farm serve --listen 127.0.0.1:4222

Connections are encrypted, and only members get in. Ctrl-C or SIGTERM ends the server; jobs and results are still there at the next start.`
}

func (c *farmServeCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(e, os.Interrupt, syscall.SIGTERM)
	defer stop()
	logs := home.OpenLogs(paths, func(text string) { e.warn("%s", clean(text)) })
	defer logs.Close()
	s, err := serveFarm(ctx, farmServing{paths: paths, listen: c.Listen, name: c.Name, adminKey: c.path(paths), logger: logs.Logger})
	if err != nil {
		return err
	}
	defer s.close()
	if !s.keyed {
		e.printf("the farm is served on %s; this machine is %s in it\n", s.url(cmp.Or(c.Address, reachableAt(s.host))), s.member.Name)
		e.note("no machine can join: %v", noAdministratorKey(c.path(paths)))
		<-ctx.Done()
		return nil
	}
	admitter := newAdmitter(e, paths, s.administrator, false)
	url := s.url(cmp.Or(c.Address, reachableAt(s.host)))
	invitation, err := admitter.Invite(url, s.server.Pin(), []farm.Role{farm.RoleSubmit, farm.RoleWork}, time.Duration(c.Lasts), 0)
	if err != nil {
		return err
	}
	e.printf("the farm is served on %s; this machine is %s in it\n", url, s.member.Name)
	e.printf("server         %s\nadministrator  %s\n", "SHA256:"+s.server.Pin(), farm.Fingerprint(s.administrator.Public()))
	e.printf("other machines join with this line, for %s:\n\n    blendtray farm join %s\n\n", time.Duration(c.Lasts), invitation)
	return admitter.Serve(ctx, s.client)
}

// reachableAt returns the address by which other machines reach a server that listens on a host.
func reachableAt(host string) string {
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return host
	}
	addresses, _ := net.InterfaceAddrs() // without them only this machine reaches it
	for _, address := range addresses {
		if n, ok := address.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}

// administratorKey returns the key of the administrator from a file. With create, the file is made when it is not there.
func administratorKey(path string, create bool) (farm.Key, error) {
	seed, err := os.ReadFile(path)
	switch {
	case err == nil:
		return farm.KeyOf(strings.TrimSpace(string(seed)))
	case !errors.Is(err, os.ErrNotExist):
		return farm.Key{}, fmt.Errorf("read the key of the administrator: %w", err)
	case !create:
		return farm.Key{}, noAdministratorKey(path)
	}
	key, err := farm.NewKey()
	if err != nil {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return key, err
	}
	if err := os.WriteFile(path, []byte(key.Seed()+"\n"), 0o600); err != nil {
		return key, fmt.Errorf("write the key of the administrator: %w", err)
	}
	return key, nil
}

// noAdministratorKey returns the error for a file with the key of the administrator that is not there.
func noAdministratorKey(path string) error {
	return fault.New(fault.Failed, "ask on the machine on which the farm was served first, or name the file of the key with --admin-key", "this machine does not administer the farm: there is no %s", path)
}

// ownMembership makes the machine of a server a member of its own farm, or has its membership name the
// server as it now is. administrator is the public key of the administrator. It fails when the machine
// is a member of another farm.
func ownMembership(paths home.Paths, s *servedFarm, administrator, name, url string) (*farm.Membership, error) {
	m, err := ownMember(paths, s.administrator, administrator, name)
	if err != nil || m.URL == url && m.Pin == s.server.Pin() {
		return m, err
	}
	m.URL, m.Pin, m.Pass = url, s.server.Pin(), "" // this server knows cards
	return m, m.Write(paths.FarmMembership())
}

// ownMember returns the membership of this machine in the farm of an administrator, or makes a membership with all
// roles, which has no server yet and is not written. It fails when the machine is a member of another farm.
func ownMember(paths home.Paths, key farm.Key, administrator, name string) (*farm.Membership, error) {
	m, err := farm.ReadMembership(paths.FarmMembership())
	if err == nil && m.Administrator != administrator {
		return nil, fault.New(fault.Failed, "`blendtray farm leave` first, or set BLENDTRAY_HOME to another folder for the server", "this machine has joined another farm, as %s", m.Name)
	}
	if err == nil || !errors.Is(err, farm.ErrNotMember) {
		return m, err
	}
	if name, err = machineName(name); err != nil {
		return nil, err
	}
	own, err := farm.NewKey()
	if err != nil {
		return nil, err
	}
	m = &farm.Membership{Administrator: administrator, Name: name, Seed: own.Seed()}
	m.Card, err = key.NewCard(farm.Card{Key: own.Public(), Name: name, Roles: farm.Roles()})
	return m, err
}

// machineName returns the name of this machine in a farm: the one that was chosen, or the host name.
func machineName(chosen string) (string, error) {
	if chosen != "" {
		return chosen, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fault.New(fault.Usage, "choose a name with --name", "this machine has no name: %w", err)
	}
	return name, nil
}

// newAdmitter returns what admits machines, with passes where the server knows no cards.
func newAdmitter(e *env, paths home.Paths, administrator farm.Key, passes bool) *farm.Admitter {
	return &farm.Admitter{
		Administrator: administrator, Members: paths.FarmMembers(), Passes: passes,
		Admitted: func(c farm.Card) {
			e.printf("%s has joined; its key is %s\n", c.Name, farm.Fingerprint(c.Key))
		},
	}
}

type farmInviteCmd struct {
	Roles   string    `default:"submit,work" placeholder:"ROLES" help:"What the machine may do: submit, work, administer, with commas between them (default: submit,work)."`
	Lasts   timeLimit `default:"1h" placeholder:"TIME" help:"How long the line can be used (default: 1h)."`
	Uses    int       `default:"1" placeholder:"N" help:"How many machines may join with it (default: 1)."`
	Address string    `placeholder:"HOST:PORT" help:"The address by which the machine reaches the server. Default: as this machine reaches it, or where that is this machine itself, its first address in the network."`
	adminKeyFlag
}

func (farmInviteCmd) Help() string {
	return `Prints the line with which a machine joins, and waits until it has joined: the administrator's key, which this machine must have, signs what the machine may do. A machine that only submits, such as an artist's, executes nothing; a machine that only works can't have anything executed.

    blendtray farm invite --roles submit
    blendtray farm invite --roles work --uses 20`
}

func (c *farmInviteCmd) Run(e *env) error {
	roles, err := farm.RolesOf(c.Roles)
	if err != nil {
		return fault.New(fault.Usage, "", "--roles %s: %w", c.Roles, err)
	}
	if c.Uses < 1 {
		return fault.New(fault.Usage, "", "--uses is 1 or more")
	}
	paths, err := home.Find()
	if err != nil {
		return err
	}
	administrator, err := administratorKey(c.path(paths), false)
	if err != nil {
		return err
	}
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := signal.NotifyContext(e, os.Interrupt, syscall.SIGTERM)
	defer stop()
	admitter := newAdmitter(e, paths, administrator, client.Member.Pass != "")
	url := invitedTo(client.Member.URL)
	if c.Address != "" {
		url = "tls://" + c.Address
	}
	invitation, err := admitter.Invite(url, client.Member.Pin, roles, time.Duration(c.Lasts), c.Uses)
	if err != nil {
		return err
	}
	ctx, end := context.WithTimeout(ctx, time.Duration(c.Lasts))
	defer end()
	told := admitter.Admitted
	admitter.Admitted = func(card farm.Card) {
		told(card)
		if admitter.Left() == 0 {
			end()
		}
	}
	e.printf("blendtray farm join %s\n", invitation)
	e.note("waiting for the machine to join, for %s at most (Ctrl-C takes the invitation back)", time.Duration(c.Lasts))
	return admitter.Serve(ctx, client)
}

type farmJoinCmd struct {
	Token string `arg:"" help:"The invitation, as \"blendtray farm serve\" or \"blendtray farm invite\" prints it."`
	Name  string `placeholder:"NAME" help:"The name of this machine in the farm. Default: its host name."`
	Yes   bool   `short:"y" help:"Do not ask."`
}

func (farmJoinCmd) Help() string {
	return `Shows whose farm it is and asks, because who may submit jobs there has code run here, as this user. Compare the fingerprints with those that the administrator sees. The engine of this machine, running or not yet, then takes jobs by itself; the table farm of the settings says when.`
}

func (c *farmJoinCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	invitation, card, err := farm.ReadInvitation(c.Token)
	if err != nil {
		return fault.New(fault.Usage, "", "%w", err)
	}
	if m, err := farm.ReadMembership(paths.FarmMembership()); err == nil {
		return fault.New(fault.Failed, "`blendtray farm leave` first", "this machine has joined a farm already, as %s on %s", m.Name, m.URL)
	} else if !errors.Is(err, farm.ErrNotMember) {
		return err
	}
	name, err := machineName(c.Name)
	if err != nil {
		return err
	}
	key, err := farm.NewKey()
	if err != nil {
		return err
	}
	var roles []string
	for _, role := range card.Roles {
		roles = append(roles, string(role))
	}
	server := "SHA256:" + invitation.Pin
	if invitation.Pin == "" {
		server = "as this system trusts its certificate"
	}
	e.writeErr(clean(fmt.Sprintf("farm           %s\nserver         %s\nadministrator  %s\nthis machine   %s, %s\nroles          %s\n",
		invitation.URL, server, farm.Fingerprint(invitation.Administrator), name, farm.Fingerprint(key.Public()), strings.Join(roles, ", "))))
	if err := c.confirm(e, card); err != nil {
		return err
	}
	ctx, stop := e.asking()
	defer stop()
	m, err := farm.Join(ctx, invitation, card, name, key)
	if err != nil {
		return farmError(err)
	}
	if err := m.Write(paths.FarmMembership()); err != nil {
		return fmt.Errorf("write down that this machine has joined: %w", err)
	}
	e.printf("this machine has joined the farm as %s\n", name)
	return nil
}

// confirm asks whether the machine is to join.
func (c *farmJoinCmd) confirm(e *env, card farm.Card) error {
	what := "Join this farm?"
	if card.Has(farm.RoleWork) {
		what = "Who may submit jobs there will have code run here. Join this farm?"
	}
	return confirm(e, c.Yes, what, "compare the fingerprints and add --yes")
}

// confirm asks the person at the terminal a question, unless a flag has said yes. The hint is for those who have
// no terminal. It fails when the answer is no.
func confirm(e *env, yes bool, question, hint string) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(e.stdin.Fd())) {
		return fault.New(fault.Usage, hint, "there is no terminal on which to ask")
	}
	e.writeErr(question + " [y/N] ")
	line, err := bufio.NewReader(e.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return fault.New(fault.Cancelled, "", "the answer was no, and nothing is changed")
	}
	return nil
}

type farmLeaveCmd struct {
	Now bool `help:"Give up the jobs that this machine has, and what they have made: the farm is told so."`
}

func (farmLeaveCmd) Help() string {
	return `This machine takes no more jobs, and no command here is a member any more. The engine ends the jobs that it has and reports them, with what they have made, also after it was restarted; then it removes the key and the card of this machine. With --now it cancels these jobs: those that may be repeated begin on another machine, the others are interrupted. The name stays taken; an administrator can invite the machine again.`
}

func (c *farmLeaveCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	where := "the farm"
	if m, err := farm.ReadMembership(paths.FarmMembership()); err == nil {
		where += " on " + clean(m.URL)
	}
	ctx, stop := e.asking()
	defer stop()
	engine := home.EngineRuns(paths)
	jobs, err := farm.Leave(ctx, farm.LeaveOptions{
		Membership: paths.FarmMembership(), Leaving: paths.FarmLeaving(), HeldDir: paths.FarmHeld(), Now: c.Now, Engine: engine,
	})
	switch {
	case err != nil:
		return farmError(err)
	case jobs == 0:
		e.printf("this machine has left %s\n", where)
	case c.Now:
		e.printf("this machine has left %s, and %s been given up\n", where, hasJobs(jobs))
	case engine:
		e.printf("this machine leaves %s when %s ended (--now gives up what it has)\n", where, hasJobs(jobs))
	default:
		e.printf("this machine leaves %s when its engine has started and %s ended (--now gives up what it has)\n", where, hasJobs(jobs))
	}
	return nil
}

// hasJobs says of some jobs that they have, before the word "ended" or the like.
func hasJobs(n int) string {
	if n == 1 {
		return "1 job has"
	}
	return fmt.Sprintf("%d jobs have", n)
}
