package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// farm is a server of a test.
type farm struct {
	t   *testing.T
	url string
}

// newFarm starts a server with a folder of its own.
func newFarm(t *testing.T) *farm {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not start")
	}
	return &farm{t, s.ClientURL()}
}

// connect returns a connection of a machine.
func (f *farm) connect() jetstream.JetStream {
	f.t.Helper()
	nc, err := nats.Connect(f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		f.t.Fatal(err)
	}
	return js
}

// store returns the store as a machine of its own has it.
func (f *farm) store() *Store {
	f.t.Helper()
	s, err := Create(f.t.Context(), f.connect(), "files", Limits{})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// random returns bytes that differ from those of another seed.
func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// write writes a file of a test and returns its path.
func write(t *testing.T, data []byte, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// send sends the files of a folder, with the names of the map.
func send(t *testing.T, s *Store, all map[string][]byte) Blob {
	t.Helper()
	dir := t.TempDir()
	var sources []Source
	for name, data := range all {
		sources = append(sources, Source{name, write(t, data, dir, filepath.FromSlash(name))})
	}
	list, _, err := Send(t.Context(), s, sources, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func openCache(t *testing.T, limit int64) *Cache {
	t.Helper()
	c, err := OpenCache(filepath.Join(t.TempDir(), "cache"), func() int64 { return limit })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cache) get(t *testing.T, s *Store, list Blob) *CheckOut {
	t.Helper()
	out, err := c.CheckOut(t.Context(), s, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Release)
	return out
}

func (o *CheckOut) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(o.Dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFilesOfAllLengthsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	s := newFarm(t).store()
	for _, n := range []int{0, 1, chunkBytes, chunkBytes + 1, partBytes - 1, partBytes, partBytes + 1, 2*partBytes + 12345} {
		data := random(uint64(n), n)
		blob, err := s.PutBytes(t.Context(), data)
		if err != nil || blob.Size != int64(n) || blob.Hash != HashOf(data) {
			t.Fatalf("%d bytes: %v, %v", n, blob, err)
		}
		var got bytes.Buffer
		if err := s.Get(t.Context(), blob, &got); err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d bytes come back as %d bytes: %v", n, got.Len(), err)
		}
	}
}

func TestAFileIsSentOnceByWhomeverAndOfANewVersionOnlyTheParts(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	first, second := f.store(), f.store()
	data := random(1, 3*partBytes+100)
	path := write(t, data, t.TempDir(), "a.blend")
	if _, err := first.PutFile(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	if got := first.Sent(); got != int64(len(data)) {
		t.Errorf("%d bytes were sent of %d", got, len(data))
	}
	if _, err := second.PutFile(t.Context(), path, nil); err != nil || second.Sent() != 0 {
		t.Errorf("%d bytes were sent again: %v", second.Sent(), err)
	}
	data[partBytes+5]++ // in the second part
	if _, err := second.PutFile(t.Context(), write(t, data, path), nil); err != nil || second.Sent() != partBytes {
		t.Errorf("of a new version %d bytes were sent: %v", second.Sent(), err)
	}
}

func TestManySendAtOnceMoreThanTheServerTakesAtATime(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	const machines, size = 24, 12 << 20 // the server takes 128 MB at a time
	var wg sync.WaitGroup
	blobs := make([]Blob, machines)
	for i := range machines {
		s, data := f.store(), random(uint64(i), size)
		wg.Go(func() {
			var err error
			if blobs[i], err = s.PutBytes(t.Context(), data); err != nil {
				t.Errorf("machine %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	s := f.store()
	for i, b := range blobs {
		if err := s.Get(t.Context(), b, io.Discard); err != nil {
			t.Errorf("the file of machine %d: %v", i, err)
		}
	}
}

func TestAFileWhoseSendingWasCutOffIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newFarm(t).store()
	data := random(2, chunkBytes*3)
	blob, err := s.PutBytes(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	// The entry is there, and one of its messages is not.
	info, err := s.objects.GetInfo(t.Context(), partName+string(blob.Hash))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := s.js.Stream(t.Context(), "OBJ_files")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("$O.files.C."+info.NUID), jetstream.WithPurgeKeep(1)); err != nil {
		t.Fatal(err)
	}
	before := s.Sent()
	if _, err := s.PutBytes(t.Context(), data); err != nil || s.Sent()-before != int64(len(data)) {
		t.Fatalf("%d bytes were sent: %v", s.Sent()-before, err)
	}
	if err := s.Get(t.Context(), blob, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestAServerThatHasOtherBytesIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newFarm(t).store()
	short, long := random(3, 1000), random(4, partBytes+10)
	for _, data := range [][]byte{short, long} {
		blob, err := s.PutBytes(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		part := HashOf(data[:min(len(data), partBytes)])
		wrong := bytes.Clone(data[:min(len(data), partBytes)])
		wrong[0]++
		if _, err := s.objects.PutBytes(t.Context(), partName+string(part), wrong); err != nil {
			t.Fatal(err)
		}
		if err := s.Get(t.Context(), blob, io.Discard); !errors.Is(err, ErrTorn) {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
	// A list of other parts, each of which is what it says.
	blob := Blob{HashOf(long), int64(len(long))}
	a, b := random(5, partBytes), random(6, 10)
	for _, data := range [][]byte{a, b} {
		if _, err := s.PutBytes(t.Context(), data); err != nil {
			t.Fatal(err)
		}
	}
	list := fmt.Sprintf(`{"size":%d,"parts":["%s","%s"]}`, len(long), HashOf(a), HashOf(b))
	if _, err := s.objects.PutBytes(t.Context(), indexName+string(blob.Hash), []byte(list)); err != nil {
		t.Fatal(err)
	}
	if err := s.Get(t.Context(), blob, io.Discard); !errors.Is(err, ErrTorn) {
		t.Errorf("other parts: %v", err)
	}
	if err := s.Get(t.Context(), Blob{HashOf([]byte("?")), 1}, io.Discard); !errors.Is(err, ErrMissing) {
		t.Errorf("a file that nobody has sent: %v", err)
	}
}

func TestAServerWithoutRoomSaysSo(t *testing.T) {
	t.Parallel()
	s, err := Create(t.Context(), newFarm(t).connect(), "small", Limits{MaxBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutBytes(t.Context(), random(7, 6<<20)); !errors.Is(err, ErrFull) {
		t.Errorf("the error is %v", err)
	}
	blob, err := s.PutBytes(t.Context(), []byte("small"))
	if err != nil {
		t.Fatalf("what has room: %v", err)
	}
	if err := s.Get(t.Context(), blob, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsUsedAgainBeforeItsTimeIsOverIsSentAgain(t *testing.T) {
	t.Parallel()
	js := newFarm(t).connect()
	s, err := Create(t.Context(), js, "brief", Limits{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutBytes(t.Context(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), js, "brief")
	if err != nil || again.ttl != time.Hour {
		t.Fatalf("the time is %v: %v", again.ttl, err)
	}
	if _, err := again.PutBytes(t.Context(), []byte("a")); err != nil || again.Sent() != 0 {
		t.Errorf("%d bytes are sent again at once: %v", again.Sent(), err)
	}
	again.ttl = time.Nanosecond // as if half of the time were over
	if _, err := again.PutBytes(t.Context(), []byte("a")); err != nil || again.Sent() != 1 {
		t.Errorf("%d bytes are sent again later: %v", again.Sent(), err)
	}
}

// cutter forwards connections to an address and cuts each off after so many bytes from the client.
type cutter struct {
	net.Listener
	to string
	mu sync.Mutex
	n  int64 // after how many bytes; 0 is never
}

func newCutter(t *testing.T, url string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: strings.TrimPrefix(url, "nats://")}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.forward(in)
		}
	}()
	return c
}

func (c *cutter) forward(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer out.Close()
	c.mu.Lock()
	n := c.n
	c.n = 0 // the next connection holds
	c.mu.Unlock()
	go func() {
		defer in.Close()
		_, _ = io.Copy(in, out)
	}()
	if n > 0 {
		_, _ = io.CopyN(out, in, n)
		return
	}
	_, _ = io.Copy(out, in)
}

func TestANetworkThatIsCutOffOnlyCostsAPart(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	f.store() // makes it
	c := newCutter(t, f.url)
	c.mu.Lock()
	c.n = partBytes*2 + 1<<20
	c.mu.Unlock()
	nc, err := nats.Connect("nats://"+c.Addr().String(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), js, "files")
	if err != nil {
		t.Fatal(err)
	}
	data := random(8, 4*partBytes)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	blob, err := s.PutBytes(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	if s.Sent() != int64(len(data)) {
		t.Errorf("%d bytes count as sent", s.Sent())
	}
	if err := f.store().Get(t.Context(), blob, io.Discard); err != nil {
		t.Error(err)
	}
	if nc.Stats().Reconnects == 0 {
		t.Error("the connection was not cut")
	}
}
