package mcp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// lines reads the messages of an agent, one a line, and passes on what the protocol's library can read. The
// library ends the connection at the first line that it can't, and the agent's session with it. Here such a
// line is answered with an error, and the next line is read.
type lines struct {
	io.Closer
	in      *bufio.Reader
	out     io.Writer
	most    int    // bytes of a line
	left    []byte // of what was passed on and not read yet
	batches bool   // the revision has them
}

const noMessage = `the line is no message of JSON-RPC: an object with "jsonrpc": "2.0", a "method", and an "id" that is a text or a whole number`

// Read reads of the messages that are passed on.
func (l *lines) Read(p []byte) (int, error) {
	for len(l.left) == 0 {
		line, over, err := l.line()
		if err != nil {
			return 0, err
		}
		if l.left, err = l.accepted(line, over); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

// line returns the next line that is not empty, and whether it is too long; its text is cut then.
func (l *lines) line() (line []byte, over bool, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		if over = over || len(line)+len(part) > l.most; !over {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
		case over || len(bytes.TrimSpace(line)) > 0:
			return line, over, nil // an error comes again
		case err != nil:
			return nil, false, err
		default:
			line = line[:0]
		}
	}
}

// accepted returns what is passed on of a line, which is nothing where the line is answered with an error.
func (l *lines) accepted(line []byte, over bool) ([]byte, error) {
	line = bytes.TrimSpace(line)
	switch {
	case over:
		return nil, l.refuse(nil, invalid(fmt.Sprintf("the message is over %d bytes", l.most)))
	case !json.Valid(line):
		return nil, l.refuse(nil, &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "the line is no JSON"})
	case line[0] == '[':
		return l.batch(line)
	}
	message, refused := decode(line)
	if refused != nil {
		return nil, l.refuse(line, refused)
	}
	if request, ok := message.(*jsonrpc.Request); ok && request.Method == "initialize" {
		var params struct {
			ProtocolVersion string `json:"protocolVersion"`
		}
		_ = json.Unmarshal(request.Params, &params) // the library says what is wrong with them
		l.batches = params.ProtocolVersion == "2025-03-26" || params.ProtocolVersion == "2024-11-05"
	}
	return append(line, '\n'), nil
}

// batch returns what is passed on of a batch: the notifications, each for itself, and the requests together,
// for whose answers the library waits.
func (l *lines) batch(line []byte) ([]byte, error) {
	if !l.batches {
		return nil, l.refuse(nil, invalid("batches are of the revisions 2024-11-05 and 2025-03-26 alone"))
	}
	var all, requests []json.RawMessage
	if err := json.Unmarshal(line, &all); err != nil || len(all) == 0 {
		return nil, l.refuse(nil, invalid("the batch is empty"))
	}
	var passed bytes.Buffer
	ids := map[jsonrpc.ID]bool{}
	for _, one := range all {
		message, refused := decode(one)
		if refused != nil {
			return nil, l.refuse(one, refused)
		}
		request, ok := message.(*jsonrpc.Request)
		switch {
		case !ok || !request.ID.IsValid():
			passed.Write(append(one, '\n'))
		case ids[request.ID]:
			return nil, l.refuse(one, invalid("two requests of the batch have one id"))
		default:
			ids[request.ID] = true
			requests = append(requests, one)
		}
	}
	if len(requests) > 0 {
		text, err := json.Marshal(requests)
		if err != nil {
			return nil, err
		}
		passed.Write(append(text, '\n'))
	}
	return passed.Bytes(), nil
}

// decode returns the message of a line, or the error with which the line is refused: also for an id that the
// library would read as another, which is a number that is not whole, or too large for the library's numbers,
// and null.
func decode(line []byte) (jsonrpc.Message, *jsonrpc.Error) {
	if refused := checkMessage(line); refused != nil {
		return nil, refused
	}
	message, err := jsonrpc.DecodeMessage(line)
	var of struct {
		ID json.RawMessage `json:"id"`
	}
	if err != nil || json.Unmarshal(line, &of) != nil {
		return nil, invalid(noMessage)
	}
	if len(of.ID) > 0 && of.ID[0] != '"' {
		const most = 1 << 53 // whole numbers up to it are the same as floating-point numbers
		if n, err := strconv.ParseInt(string(of.ID), 10, 64); err != nil || n > most || n < -most {
			return nil, invalid(noMessage)
		}
	}
	return message, nil
}

// invalid returns the error of a message that the protocol does not have.
func invalid(why string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: why}
}

// refuse answers a message that is not passed on.
func (l *lines) refuse(message []byte, refused *jsonrpc.Error) error {
	text, err := refusalOf(message, refused)
	if err != nil {
		return err
	}
	_, err = l.out.Write(append(text, '\n'))
	return err
}

// oneWriter writes for several goroutines, a message at a time.
type oneWriter struct {
	mu sync.Mutex
	io.WriteCloser
}

func (w *oneWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.WriteCloser.Write(p)
}
