package mcp

import (
	"bufio"
	"context"
	"errors"
	"io"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxMessage is how long a message of an agent over a pipe may be: a script, as JSON.
const maxMessage = 64 << 20

// ServePipe serves one agent over a pipe, a message a line, until in ends or ctx does. It returns nil then,
// and the error of the pipe otherwise. Runs of the agent that go on then are not ended. A line that is no
// message is answered with an error.
func (s *Server) ServePipe(ctx context.Context, in io.ReadCloser, out io.WriteCloser) error {
	defer s.report(ctx)()
	writer := &oneWriter{WriteCloser: out}
	reader := &lines{Closer: in, in: bufio.NewReader(in), out: writer, most: maxMessage}
	err := s.sdk.Run(withCarrier(ctx, ctx), &sdk.IOTransport{Reader: reader, Writer: writer, MaxLineLength: 2 * maxMessage})
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil
	}
	return err
}
