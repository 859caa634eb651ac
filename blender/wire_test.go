//go:build unix

package blender

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"blendtray/api"
)

func FuzzFrameReader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}\x00\x00\x00\x00"), 1)
	f.Add([]byte("\xff\xff\xff\xff{}"), 3)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 5)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		// The reference: frames cut off the front of what is all there.
		var want [][]byte
		rest := data
		for len(rest) >= 4 {
			length := uint64(binary.BigEndian.Uint32(rest))
			if length > MaxFrame || uint64(len(rest)-4) < length {
				break
			}
			want = append(want, rest[4:4+length])
			rest = rest[4+length:]
		}
		r := newFrameReader(io.Reader(bytes.NewReader(data)))
		if step%2 == 0 {
			r = newFrameReader(iotest.OneByteReader(bytes.NewReader(data)))
		}
		for i := 0; ; i++ {
			payload, err := r.next()
			if err != nil {
				if i != len(want) {
					t.Fatalf("%d frames and %v, want %d", i, err, len(want))
				}
				tooLong := len(rest) >= 4 && binary.BigEndian.Uint32(rest) > MaxFrame
				if errors.Is(err, ErrFrameTooLong) != tooLong || !tooLong && (err == io.EOF) != (len(rest) == 0) {
					t.Fatalf("error %v with %d bytes left", err, len(rest))
				}
				return
			}
			if i >= len(want) || !bytes.Equal(payload, want[i]) {
				t.Fatalf("frame %d is %q", i, payload)
			}
		}
	})
}

func TestAFrameTakesMemoryAsItsBytesCome(t *testing.T) {
	header := []byte{0x04, 0, 0, 0} // 64 MiB, of which nothing follows
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := newFrameReader(bytes.NewReader(header)).next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 1<<20 {
		t.Errorf("%d bytes were taken for a frame of which nothing came", allocated)
	}
}

func TestALargeFrameComesThroughWhole(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 3_000_000)
	frame, err := appendFrame(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newFrameReader(iotest.HalfReader(bytes.NewReader(frame))).next()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := appendFrame(nil, make([]byte, MaxFrame+1)); !errors.Is(err, ErrFrameTooLong) {
		t.Errorf("a frame over the limit: %v", err)
	}
}

// takenApart is what a stream makes of pieces, written down as one text.
func takenApart(secret string, pieces ...[]byte) string {
	var b strings.Builder
	s := newStream(secret, func(p []byte) { b.Write(p) }, func(kind markKind, rest []byte) {
		fmt.Fprintf(&b, "<%s|%s>", kind, rest)
	})
	for _, p := range pieces {
		s.Write(p)
	}
	s.Close()
	return b.String()
}

// takenApartSimply is the same for a text that is all there, done as plainly as can be.
func takenApartSimply(secret, text string) string {
	prefix := "\x1eblendtray " + secret + " "
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, prefix)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		line, rest, ended := strings.Cut(after, "\n")
		switch {
		case len(line) >= maxMark: // no mark is so long
			b.WriteString(prefix)
			text = after
		case !ended: // the stream ended within it
			b.WriteString(prefix + after)
			return b.String()
		default:
			kind, what, _ := strings.Cut(line, " ")
			fmt.Fprintf(&b, "<%s|%s>", kind, what)
			text = rest
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("text\x1eblendtray s begin 1:a\nmore"), []byte{3, 1, 7})
	f.Add([]byte("\x1e\x1eblendtray s end \n\x1eblendtray s "), []byte{1})
	f.Add([]byte("\x1eblendtray s \x1eblendtray s end 1:a\n\n"), []byte{13, 1, 1, 1})
	f.Add(append([]byte("\x1eblendtray s "), bytes.Repeat([]byte("x"), maxMark+1)...), []byte{200, 200, 127})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		want := takenApartSimply("s", string(data))
		pieces := [][]byte{}
		rest := data
		for _, cut := range cuts {
			n := min(int(cut), len(rest))
			pieces = append(pieces, slices.Clone(rest[:n]))
			rest = rest[n:]
		}
		if got := takenApart("s", append(pieces, rest)...); got != want {
			t.Errorf("in pieces %q, want %q", got, want)
		}
	})
}

func TestMarksAreTakenOutOfTheTextAndForeignOnesAreNot(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"a\x1eblendtray s begin 1:x\nb":    "a<begin|1:x>b",
		"\x1eblendtray other begin 1:x\n":  "\x1eblendtray other begin 1:x\n",
		"\x1eblendtray s begin":            "\x1eblendtray s begin",
		"\x1eblendtray s end 1:x\n\x1eble": "<end|1:x>\x1eble",
		"\x1eblendtray s " + strings.Repeat("x", 2*maxMark) + "\n": "\x1eblendtray s " + strings.Repeat("x", 2*maxMark) + "\n",
	} {
		if got := takenApart("s", []byte(text)); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// door keeps how other programs reach a Blender.
type door struct {
	mu    sync.Mutex
	port  int
	token string
	shut  int // how often a Blender that was reached so has gone
}

// open is an Announce.
func (d *door) open(_, port int, token string) func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.port, d.token = port, token
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.port, d.token = 0, ""
		d.shut++
	}
}

func (d *door) address() (addr, token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("127.0.0.1:%d", d.port), d.token
}

func TestSessionsOfOthersAreServedToo(t *testing.T) {
	t.Parallel()
	var door door
	s := serve(t, Config{Announce: door.open})
	ready(t, s)
	addr, token := door.address()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := Dial(ctx, addr, "wrong"); !errors.Is(err, ErrImpostor) {
		t.Errorf("a wrong token: %v", err)
	}
	session, err := Dial(ctx, addr, token)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Ping(ctx); err != nil {
		t.Error(err)
	}
	if text, err := session.Status(ctx); err != nil || !strings.Contains(string(text), `"queued"`) {
		t.Errorf("status %s, %v", text, err)
	}
	if err := session.Wake(); err != nil {
		t.Error(err)
	}
	var calls []*Call
	for i := range 100 { // all sent before the first is waited for
		call, err := session.Run(Request{ID: fmt.Sprint("p", i), Code: fmt.Appendf(nil, "result = %d", i)}, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	for i, call := range calls {
		<-call.Done()
		if f, err := call.Result(); err != nil || string(f.Result) != fmt.Sprint(i) {
			t.Errorf("call %d: %s, %v", i, f.Result, err)
		}
	}
	if _, err := s.Run(ctx, Request{ID: "own", Code: []byte("pass")}, newRecorder()); err != nil {
		t.Error(err)
	}
}

// A program that has taken the port of a Blender gets neither the token nor a script.
func TestAnImpostorLearnsNothingAndIsFoundOut(t *testing.T) {
	t.Parallel()
	const token = "the-token-of-a-blender-that-is-gone"
	hello := helloFrame{}
	for what, answer := range map[string]func() any{
		"it says welcome":                             func() any { return message{"type": "welcome", "protocol": 1, "session": 1} },
		"it sends the nonce back":                     func() any { return message{"type": "challenge", "nonce": hello.Nonce, "proof": hello.Nonce} },
		"it proves another token":                     func() any { return challenge("other", hello.Nonce) },
		"it hands on another port's proof":            func() any { return challenge(token, hello.Nonce) },
		"it sends much before it has proved anything": func() any { return message{"type": "error", "message": strings.Repeat("x", maxUnproved)} },
		"its nonce is empty": func() any {
			return message{"type": "challenge", "nonce": "", "proof": greeting{token: token}.proof(serverSide, hello.Nonce, "")}
		},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan []byte, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			frames := newFrameReader(conn)
			first, _ := frames.next()
			_ = json.Unmarshal(first, &hello)
			text, _ := encode(answer())
			_, _ = conn.Write(text)
			rest, _ := io.ReadAll(conn)
			heard <- append(first, rest...)
		}()
		if _, err := Dial(t.Context(), l.Addr().String(), token); !errors.Is(err, ErrImpostor) {
			t.Errorf("%s: %v", what, err)
		}
		if got := string(<-heard); strings.Contains(got, token) || strings.Contains(got, `"proof"`) {
			t.Errorf("%s: it has heard %s", what, got)
		}
		l.Close()
	}
}

type message map[string]any

// challenge returns the frame of a server that listens on another port.
func challenge(token, clientNonce string) message {
	nonce := strings.Repeat("a", nonceLength)
	return message{"type": "challenge", "nonce": nonce, "proof": greeting{token: token, port: "1"}.proof(serverSide, clientNonce, nonce)}
}

// BenchmarkMessage is one message on an open session, from Go to Blender and back.
func BenchmarkMessage(b *testing.B) {
	var door door
	s := New(Config{BlenderSpec: api.BlenderSpec{Dir: b.TempDir(), BlenderSettings: api.BlenderSettings{FactoryStartup: true}}, Announce: door.open})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(ctx) }()
	defer func() { cancel(); <-done }()
	if err := s.Ready(ctx); err != nil {
		b.Fatal(err)
	}
	addr, token := door.address()
	session, err := Dial(ctx, addr, token)
	if err != nil {
		b.Fatal(err)
	}
	defer session.Close()
	var took []time.Duration
	for b.Loop() {
		at := time.Now()
		call, err := session.Run(Request{ID: fmt.Sprint(len(took)), Code: []byte("x=1")}, nil, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		<-call.Done()
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
