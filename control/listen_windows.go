package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// Address returns the path of the named pipe of the engine whose files lie in the absolute
// folder dir. All pipes of a machine share a single name space, so the name contains the user
// and the folder.
func Address(dir string) (string, error) {
	sid, err := userSID()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.ToLower(dir)))
	return fmt.Sprintf(`\\.\pipe\blendtray-%s-%s`, sid, hex.EncodeToString(sum[:8])), nil
}

// Prepare returns what [Address] does: there is nothing to prepare.
func Prepare(dir string) (string, error) { return Address(dir) }

// Listen makes the named pipe at path, which [Address] returned, for this user alone, and
// returns its listener. It fails with [ErrInUse] when an engine has the pipe already.
func Listen(path string) (net.Listener, error) {
	sid, err := userSID()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := winio.ListenPipe(path, &winio.PipeConfig{
		// P protects the descriptor: nothing is inherited. The last entry allows the user
		// everything. Programs on other machines come as the network logon, which the first
		// entry denies.
		SecurityDescriptor: "O:" + sid + "D:P(D;;GA;;;NU)(A;;GA;;;" + sid + ")",
		InputBufferSize:    64 << 10,
		OutputBufferSize:   64 << 10,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		err = fmt.Errorf("%w (%w)", ErrInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

// peerName returns "": Windows has no name for the programs that belong together.
func peerName(net.Conn) string { return "" }

func userSID() (string, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("find this user's id: %w", err)
	}
	return user.User.Sid.String(), nil
}

// dial returns a connection to the engine at path. The client's level is anonymous, so that a
// stranger who took the pipe's name can't act as this user.
func dial(ctx context.Context, path string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, path)
}

// nobodyThere reports whether err, from dial, means that no engine runs.
func nobodyThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
