package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"blendtray/api"
	"blendtray/control"
	"blendtray/mcp"
)

// agentDoor answers agents over HTTP from the process of the engine, while the settings name a port.
type agentDoor struct {
	house *house
	// port is the port of the settings, or 0, and changed receives when the settings have changed.
	port    atomic.Uint32
	changed chan struct{}
}

// again is how long the door waits until it tries a port again that was taken.
const again = 5 * time.Second

// Serve answers agents until ctx ends. A port that is taken is told in the log and tried again, and ends
// nothing else.
func (d *agentDoor) Serve(ctx context.Context) error {
	client := control.NewClient(d.house.listener.Addr().String())
	options := agentOptions(d.house.paths)
	options.Settings = func(context.Context) (api.AgentSettings, error) { return d.house.owner.Current().MCP, nil }
	server := mcp.New(client, options)
	told := ""
	for ctx.Err() == nil {
		port := uint16(d.port.Load())
		if port == 0 {
			told = ""
			select {
			case <-d.changed:
			case <-ctx.Done():
			}
			continue
		}
		err := d.open(ctx, server, port)
		if err == nil {
			continue // the port has changed
		}
		if told != err.Error() {
			told = err.Error()
			d.house.announce(told, true)
		}
		select {
		case <-time.After(again):
		case <-d.changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// open answers agents on a port until the settings name another, or ctx ends. It fails when it can't.
func (d *agentDoor) open(ctx context.Context, server *mcp.Server, port uint16) error {
	if _, err := d.house.paths.AgentToken(); err != nil { // makes it if it is not there
		return err
	}
	l, err := mcp.Listen(fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("agents are not answered over HTTP: %w", err)
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	d.house.logs.Logger.Info("agents are answered over HTTP", "address", l.Addr().String())
	go func() {
		for {
			select {
			case <-d.changed:
				if uint16(d.port.Load()) != port {
					stop()
					return
				}
			case <-serving.Done():
				return
			}
		}
	}()
	return server.ServeHTTP(serving, l, d.house.paths.AgentTokenNow)
}

// apply gives the door new settings.
func (d *agentDoor) apply(s api.AgentSettings) {
	d.port.Store(uint32(s.HTTPPort))
	select {
	case d.changed <- struct{}{}:
	default: // it is about to look
	}
}
