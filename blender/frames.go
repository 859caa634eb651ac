package blender

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxFrame is the largest payload of a frame in bytes, as docs/protocol.md sets it.
const MaxFrame = 64 << 20

// maxUnproved is the largest payload in bytes before the other side has proved that it is Blender.
const maxUnproved = 4 << 10

// ErrFrameTooLong is returned for a frame whose payload is longer than [MaxFrame].
var ErrFrameTooLong = errors.New("frame is too long")

const frameHeader = 4

// frameReader cuts a stream into the payloads of frames.
type frameReader struct {
	in    *bufio.Reader
	buf   []byte
	limit int64 // the largest payload
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(r, 64<<10), limit: MaxFrame}
}

// next returns the payload of the next frame, which is valid until the next call. It fails with
// io.EOF at the end between two frames, with io.ErrUnexpectedEOF at the end within a frame, and
// with [ErrFrameTooLong].
//
// It allocates memory for the bytes that have come, not for those that the header announces.
func (r *frameReader) next() ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r.in, header[:]); err != nil {
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(header[:]))
	if length > r.limit {
		return nil, fmt.Errorf("%w: its header says %d bytes, and %d are the most", ErrFrameTooLong, length, r.limit)
	}
	r.buf = r.buf[:0]
	for int64(len(r.buf)) < length {
		if len(r.buf) == cap(r.buf) {
			r.buf = append(r.buf, make([]byte, min(max(4096, int64(len(r.buf))), length-int64(len(r.buf))))...)[:len(r.buf)]
		}
		room := r.buf[len(r.buf):min(int64(cap(r.buf)), length)]
		n, err := io.ReadFull(r.in, room)
		r.buf = r.buf[:len(r.buf)+n]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	payload := r.buf
	if cap(r.buf) > 1<<20 {
		r.buf = nil // a large frame is rare, and its memory is not kept for the small ones
	}
	return payload, nil
}

// appendFrame appends the frame that carries payload and returns the result. It fails with
// [ErrFrameTooLong].
func appendFrame(dst, payload []byte) ([]byte, error) {
	if len(payload) > MaxFrame {
		return dst, fmt.Errorf("%w: it has %d bytes, and %d are the most", ErrFrameTooLong, len(payload), MaxFrame)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...), nil
}
