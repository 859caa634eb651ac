//go:build !nofarmserver

package farm_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"blendtray/farm"
	"blendtray/farm/server"
)

func TestAStrangerIsNotLetIn(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	own, err := farm.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	member := h.member("desk", farm.RoleSubmit)
	forged := *member
	if forged.Card, err = own.NewCard(farm.Card{Key: own.Public(), Name: "desk", Roles: farm.Roles()}); err != nil {
		t.Fatal(err)
	}
	forged.Seed, forged.Administrator = own.Seed(), own.Public()
	stolen := *member // the card without its key
	stolen.Seed = own.Seed()
	ended := h.member("old", farm.RoleSubmit)
	key, err := farm.KeyOf(ended.Seed)
	if err != nil {
		t.Fatal(err)
	}
	ended.Card, err = h.administrator.NewCard(farm.Card{Key: key.Public(), Name: "old", Roles: farm.Roles(), Until: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]*farm.Membership{"a forged card": &forged, "a stolen card": &stolen, "a card that has ended": ended} {
		if c, err := farm.Dial(t.Context(), m, farm.DialOptions{}); !errors.Is(err, farm.ErrRefused) {
			t.Errorf("%s: %v", what, err)
			if err == nil {
				c.Close()
			}
		}
	}
	// Without anything, and without TLS.
	for _, url := range []string{"tls://" + h.listen, "nats://" + h.listen} {
		if nc, err := nats.Connect(url, nats.Timeout(patience), nats.MaxReconnects(0)); err == nil {
			nc.Close()
			t.Errorf("%s lets everybody in", url)
		}
	}
	// A server with another key is not the farm's.
	other := *member
	other.Pin = "AAAA"
	if c, err := farm.Dial(t.Context(), &other, farm.DialOptions{}); err == nil {
		c.Close()
		t.Error("it talks to a server that it has not joined")
	}
}

// publishes reports whether the server lets a member publish to a subject.
func publishes(t *testing.T, c *farm.Client, subject string) bool {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	nc := c.JetStream().Conn()
	refused := make(chan error, 1)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case refused <- err:
		default:
		}
	})
	if err := nc.Publish(subject, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	return nc.LastError() == nil || !strings.Contains(nc.LastError().Error(), subject)
}

func TestARoleAllowsWhatItNeedsAndNothingElse(t *testing.T) {
	onBoth(t, aRoleAllowsWhatItNeeds)
}

func aRoleAllowsWhatItNeeds(t *testing.T, h *hall) {
	worker, submitter := h.dial("worker", farm.RoleWork), h.dial("desk", farm.RoleSubmit)
	for _, x := range []struct {
		c       *farm.Client
		subject string
		may     bool
	}{
		{submitter, "bt.jobs.any.normal.abc", true},
		{submitter, "bt.results.abc", false},
		{submitter, "$KV.bt-claims.abc", false},
		{submitter, "$JS.API.CONSUMER.MSG.NEXT.bt-jobs.line-any_normal", false},
		{submitter, "$JS.ACK.bt-jobs.line-any_normal.1.1.1.1.0", false},
		{submitter, "$KV.bt-orders.drain.X", false},
		{submitter, "$JS.API.STREAM.DELETE.bt-jobs", false},
		{submitter, "$JS.API.STREAM.PURGE.bt-results", false},
		{worker, "bt.results.abc", true},
		{worker, "bt.jobs.any.normal.abc", false},
		{worker, "$KV.bt-classes.any_normal", false},
		{worker, "$KV.bt-orders.cancel.abc", false},
		{worker, "$KV.bt-machines.OTHER", false},
		{worker, "$JS.API.STREAM.UPDATE.bt-jobs", false},
		{worker, "$KV.bt-machines." + worker.Card.Key, true},
		{worker, "$KV.bt-machines.>", false},
		{worker, "$SYS.REQ.SERVER.PING", false},
		{worker, "_INBOX." + submitter.Card.Key + ".abc", false},
		{worker, "bt.join.abc", false},
		{submitter, "$KV.bt-machines." + worker.Card.Key, false},
		{submitter, "$JS.API.STREAM.CREATE.mine", false},
		{submitter, "$JS.API.ACCOUNT.PURGE.any", false},
	} {
		if may := publishes(t, x.c, x.subject); may != x.may {
			t.Errorf("%s to %s: allowed is %v", x.c.Card.Name, x.subject, may)
		}
	}
	if _, err := worker.Submit(t.Context(), script("ok"), ""); !errors.Is(err, farm.ErrRefused) {
		t.Errorf("a worker submits: %v", err)
	}
	nc := worker.JetStream().Conn()
	for _, subject := range []string{"bt.jobs.>", ">", "_INBOX.>", "_INBOX." + submitter.Card.Key + ".>", "$SYS.>", "bt.join.*"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a worker that reads along is refused "+subject, func() bool {
			return nc.LastError() != nil && strings.Contains(nc.LastError().Error(), "Subscription to \""+subject+"\"")
		})
	}
}

// A hostile server is one whose administrator is somebody else, and which lets everybody do all.
func TestNothingRunsThatIsNotSignedByWhoMaySubmit(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	admin := h.dial("boss", farm.Roles()...)
	m := h.machine("a", works)
	good := submit(t, admin, script("ok before"))
	resultOf(t, admin, good)
	stream, err := admin.JetStream().Stream(t.Context(), "bt-jobs")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(t.Context(), "bt.jobs.any.normal."+good.ID)
	if err != nil {
		t.Fatal(err)
	}
	var sealed map[string]any
	if err := json.Unmarshal(msg.Data, &sealed); err != nil {
		t.Fatal(err)
	}
	with := func(change func(map[string]any)) []byte {
		other := map[string]any{}
		for k, v := range sealed {
			other[k] = v
		}
		change(other)
		text, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	stranger, worker := h.member("x", farm.RoleSubmit), h.member("w", farm.RoleWork)
	for id, data := range map[string][]byte{
		"unsigned":  []byte(`{"id":"unsigned","kind":"script","code":"b2s="}`),
		"nothing":   nil,
		"changed":   with(func(m map[string]any) { m["text"] = "e30=" }),
		"nokey":     with(func(m map[string]any) { m["key"] = "" }),
		"othercard": with(func(m map[string]any) { m["card"] = stranger.Card }),
		"workscard": with(func(m map[string]any) { m["card"] = worker.Card }),
		"moved":     msg.Data, // signed, but for another place
	} {
		if _, err := admin.JetStream().Publish(t.Context(), "bt.jobs.any.normal."+id, data); err != nil {
			t.Fatal(err)
		}
		eventually(t, id+" is refused", func() bool {
			r, ok, err := admin.Result(t.Context(), id)
			return err == nil && ok && r.State == farm.StateRefused
		})
	}
	if len(m.runs) != 1 {
		t.Errorf("%d runs were made", len(m.runs))
	}
	// A result that no worker has signed is none.
	if _, err := admin.JetStream().Publish(t.Context(), "bt.results.forged", []byte(`{"job":"forged","state":"succeeded"}`)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := admin.Result(t.Context(), "forged"); ok || !errors.Is(err, farm.ErrRefused) {
		t.Errorf("a forged result: %v, %v", ok, err)
	}
	// Nor is the signed result of another job.
	results, err := admin.JetStream().Stream(t.Context(), "bt-results")
	if err != nil {
		t.Fatal(err)
	}
	ended, err := results.GetLastMsgForSubject(t.Context(), "bt.results."+good.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.JetStream().Publish(t.Context(), "bt.results.played", ended.Data); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := admin.Result(t.Context(), "played"); ok || !errors.Is(err, farm.ErrRefused) {
		t.Errorf("the result of another job: %v, %v", ok, err)
	}
}

// Who may submit may delete the line of a kind of job; the machines make the line anew.
func TestALineThatIsDeletedIsMadeAnew(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	admin := h.dial("boss", farm.Roles()...)
	h.machine("a", works)
	resultOf(t, admin, submit(t, admin, script("ok before")))
	stream, err := admin.JetStream().Stream(t.Context(), "bt-jobs")
	if err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for name := range stream.ConsumerNames(t.Context()).Name() {
		if err := stream.DeleteConsumer(t.Context(), name); err == nil {
			deleted++
		}
	}
	if deleted == 0 {
		t.Fatal("there was no line to delete")
	}
	if r := resultOf(t, admin, submit(t, admin, script("ok after"))); r.State != farm.StateSucceeded {
		t.Errorf("%+v", r)
	}
}

// Where two processes admit machines, the one that has made the invitation answers.
func TestOnlyWhoHasInvitedAMachineAnswersIt(t *testing.T) {
	onBoth(t, onlyWhoHasInvitedAnswers)
}

func onlyWhoHasInvitedAnswers(t *testing.T, h *hall) {
	admin := h.dial("boss", farm.Roles()...)
	members := filepath.Join(t.TempDir(), "members.json")
	stranger := &farm.Admitter{Administrator: h.administrator, Members: members, Passes: h.passes}
	inviter := &farm.Admitter{Administrator: h.administrator, Members: members, Passes: h.passes}
	go func() { _ = stranger.Serve(t.Context(), admin) }()
	token, err := inviter.Invite("tls://"+h.listen, h.server.Pin(), []farm.Role{farm.RoleSubmit}, time.Hour, 10)
	if err != nil {
		t.Fatal(err)
	}
	invitation, card, err := farm.ReadInvitation(token.String())
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = inviter.Serve(t.Context(), h.dial("other boss", farm.Roles()...)) }()
	key, err := farm.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the machine is admitted", func() bool {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := farm.Join(ctx, invitation, card, "one", key)
		if err != nil && strings.Contains(err.Error(), "has ended") {
			t.Fatal(err)
		}
		return err == nil
	})
}

func TestAMachineJoinsByAnInvitation(t *testing.T) {
	onBoth(t, aMachineJoins)
}

func aMachineJoins(t *testing.T, h *hall) {
	admin := h.dial("boss", farm.Roles()...)
	a := &farm.Admitter{Administrator: h.administrator, Members: filepath.Join(t.TempDir(), "members.json"), Passes: h.passes}
	go func() { _ = a.Serve(t.Context(), admin) }()
	invite := func(lasts time.Duration, uses int) string {
		i, err := a.Invite("tls://"+h.listen, h.server.Pin(), []farm.Role{farm.RoleSubmit}, lasts, uses)
		if err != nil {
			t.Fatal(err)
		}
		return i.String()
	}
	join := func(token, name string) (m *farm.Membership, err error) {
		i, card, err := farm.ReadInvitation(token)
		if err != nil {
			return nil, err
		}
		key, err := farm.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the administrator answers", func() bool {
			m, err = farm.Join(t.Context(), i, card, name, key)
			return err == nil || !strings.Contains(err.Error(), "does not answer")
		})
		return m, err
	}
	token := invite(time.Hour, 2)
	m, err := join(token, "one")
	if err != nil {
		t.Fatal(err)
	}
	if job, err := connect(t, m).Submit(t.Context(), script("ok"), ""); err != nil || job.By != "one" {
		t.Errorf("%v %+v", err, job)
	}
	for _, x := range []struct{ token, name, says string }{
		{token, "one", "another machine has the name"},
		{token, "a b", "other signs than"},
		{token[:len(token)-8], "two", "no invitation"},
		{invite(-time.Minute, 1), "two", "ended"},
		{token, "two", ""},
		{token, "three", "the invitation has ended"},
	} {
		if _, err := join(x.token, x.name); (err == nil) != (x.says == "") || err != nil && !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s joins: %v", x.name, err)
		}
	}
	// The key of an invitation opens nothing else.
	i, _, err := farm.ReadInvitation(invite(time.Hour, 1))
	if err != nil {
		t.Fatal(err)
	}
	guest := &farm.Membership{URL: i.URL, Pin: i.Pin, Administrator: i.Administrator, Name: "guest", Seed: i.Seed, Card: i.Card, Pass: i.Pass}
	for _, subject := range []string{"bt.jobs.any.normal.abc", "bt.join.another", "$JS.API.INFO", "_INBOX." + h.administrator.Public()} {
		if publishes(t, connect(t, guest), subject) {
			t.Errorf("an invitation may publish to %s", subject)
		}
	}
}

func TestAServerKeepsItsKey(t *testing.T) {
	t.Parallel()
	key, err := farm.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	dir, pins := t.TempDir(), map[string]bool{}
	for range 2 {
		s, err := server.Start(server.Config{Dir: dir, Listen: "127.0.0.1:0", Administrator: key.Public()})
		if err != nil {
			t.Fatal(err)
		}
		pins[s.Pin()] = true
		s.Stop()
	}
	if len(pins) != 1 {
		t.Error("each start has another key")
	}
	if _, err := server.Start(server.Config{Dir: dir, Listen: "nowhere", Administrator: key.Public()}); err == nil {
		t.Error("it listens nowhere")
	}
}
