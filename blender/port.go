package blender

import (
	"context"
	"fmt"
	"net"
	"time"

	"blendtray/api"
)

// portError says that another program has the port on which Blender should listen.
type portError struct{ port uint16 }

func (e *portError) Error() string {
	return fmt.Sprintf("port %d of 127.0.0.1 is taken by another program; Blender starts when the port is free, "+
		"or set blender.port to another port, or to 0 for any", e.port)
}

// portInterval is the time between two looks at a port that is taken.
const portInterval = time.Second

// isFree returns whether a program can listen on a port of 127.0.0.1 now; port 0 always is free.
func isFree(port uint16) bool {
	if port == 0 {
		return true
	}
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// awaitPort waits until a port is free, until something else is wanted, or until ctx ends. While it
// waits, the status says so.
func (s *Supervisor) awaitPort(ctx context.Context, taken *portError) {
	s.log.Warn("blender can't start", "error", taken)
	s.set(func(st *api.BlenderStatus) {
		if s.want {
			*st = anew(*st, api.BlenderStarting, taken.Error())
		}
	})
	tick := time.NewTicker(portInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if isFree(taken.port) {
				return
			}
		case <-s.poke:
			return
		case <-ctx.Done():
			return
		}
	}
}
