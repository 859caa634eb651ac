package files

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestATreeIsFetchedOnceAndStaysWhereItIs(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	list := send(t, f.store(), map[string][]byte{"shot.blend": random(1, partBytes+7), "tex/a.png": []byte("a"), "tex/same.png": []byte("a")})
	s, c := f.store(), openCache(t, 0)
	out := c.get(t, s, list)
	if out.read(t, "tex/a.png") != "a" || out.read(t, "tex/same.png") != "a" || len(out.read(t, "shot.blend")) != partBytes+7 {
		t.Error("the files are others")
	}
	once := s.Fetched()
	if again := c.get(t, s, list); again.Dir != out.Dir || s.Fetched() != once {
		t.Errorf("fetched %d bytes again into %s", s.Fetched()-once, again.Dir)
	}
	// Another tree with the same file brings the file along.
	other := send(t, f.store(), map[string][]byte{"moved/shot.blend": random(1, partBytes+7), "new": []byte("new")})
	before := s.Fetched()
	if c.get(t, s, other); s.Fetched()-before > 4096 {
		t.Errorf("%d bytes were fetched of a tree whose large file is there", s.Fetched()-before)
	}
	// And so does the next process.
	reopened, err := OpenCache(c.dir, c.limit)
	if err != nil {
		t.Fatal(err)
	}
	before = s.Fetched()
	if again := reopened.get(t, s, list); again.read(t, "tex/a.png") != "a" || s.Fetched() != before {
		t.Errorf("the next process fetched %d bytes", s.Fetched()-before)
	}
}

func TestManyRunsThatBeginAtOnceFetchAFileOnce(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	list := send(t, f.store(), map[string][]byte{"a": random(1, 3<<20)})
	s, c := f.store(), openCache(t, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			out, err := c.CheckOut(t.Context(), s, list, nil)
			if err != nil {
				t.Error(err)
				return
			}
			out.Release()
		})
	}
	wg.Wait()
	if got := s.Fetched(); got > 3<<20+8*4096 {
		t.Errorf("%d bytes were fetched", got)
	}
}

func TestWhatARunHasDoneToTheFilesIsGoneForTheNext(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	list := send(t, f.store(), map[string][]byte{"a/b.txt": []byte("right"), "gone": []byte("gone"), "replaced": []byte("replaced"), "dir/x": []byte("x")})
	s, c := f.store(), openCache(t, 0)
	out := c.get(t, s, list)
	elsewhere := t.TempDir()
	for _, err := range []error{
		os.Chmod(filepath.Join(out.Dir, "a/b.txt"), 0o600),
		os.WriteFile(filepath.Join(out.Dir, "a/b.txt"), []byte("wrong"), 0o600), // as long, and in the cache, too
		os.Remove(filepath.Join(out.Dir, "gone")),
		os.Remove(filepath.Join(out.Dir, "replaced")),
		os.WriteFile(filepath.Join(out.Dir, "replaced"), []byte("by another"), 0o600),
		os.RemoveAll(filepath.Join(out.Dir, "dir")),
		os.Symlink(elsewhere, filepath.Join(out.Dir, "dir")),
		os.MkdirAll(filepath.Join(out.Dir, "left/behind"), 0o700),
		os.WriteFile(filepath.Join(out.Dir, "left/behind/log"), nil, 0o600),
		os.Chmod(filepath.Join(out.Dir, "left/behind"), 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out.Release()
	if _, err := os.Lstat(filepath.Join(out.Dir, "left")); err == nil {
		t.Error("what a run has left is there after the last run")
	}
	out = c.get(t, s, list)
	for name, want := range map[string]string{"a/b.txt": "right", "gone": "gone", "replaced": "replaced", "dir/x": "x"} {
		if got := out.read(t, name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if found, err := os.ReadDir(elsewhere); err != nil || len(found) > 0 {
		t.Errorf("a link led elsewhere: %v %v", found, err)
	}
}

func TestTheTreeThatWasUsedTheLongestAgoGoesAndNoneThatIsUsed(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	const size = 1 << 20
	s, c := f.store(), openCache(t, 3*size+1000)
	lists := make([]Blob, 5)
	for i := range lists {
		lists[i] = send(t, f.store(), map[string][]byte{"a": random(uint64(i), size)})
	}
	there := func(i int) bool {
		_, err := os.Stat(filepath.Join(c.treePath(lists[i].Hash), "a"))
		return err == nil
	}
	used := c.get(t, s, lists[0]) // stays in use
	for _, i := range []int{1, 2, 1, 3} {
		c.get(t, s, lists[i]).Release()
	}
	if !there(0) || !there(1) || there(2) || !there(3) {
		t.Errorf("there are %v %v %v %v", there(0), there(1), there(2), there(3))
	}
	if got := c.Bytes(); got != 3*size {
		t.Errorf("%d bytes are kept", got)
	}
	used.Release()
	c.get(t, s, lists[4])
	if there(0) || !there(4) {
		t.Error("the tree that was used first is still there")
	}
	big := send(t, f.store(), map[string][]byte{"a": random(9, 2*size), "b": random(10, 2*size)})
	if _, err := c.CheckOut(t.Context(), s, big, nil); !errors.Is(err, ErrTooBig) {
		t.Errorf("a tree that is larger than the cache: %v", err)
	}
	if !there(4) {
		t.Error("something went for a tree that can't be had")
	}
}

func TestHostileListsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	s, c := f.store(), openCache(t, 0)
	ok, err := s.PutBytes(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/etc/passwd", "../up", "a/../../up", "a//b", "./a", "", ".", `a\..\b`, "a\x00b", "a\nb", "\xff", strings.Repeat("a/", 600) + "b"} {
		if err := CheckName(name); err == nil {
			t.Errorf("%q is a name", name)
		}
		data, err := Tree{[]Entry{{name, ok}}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.PutBytes(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := c.CheckOut(t.Context(), s, list, nil); err == nil {
			t.Errorf("%q was put into %s", name, out.Dir)
		}
		if err := Receive(t.Context(), s, []Entry{{name, ok}}, t.TempDir()); err == nil {
			t.Errorf("%q was received", name)
		}
	}
	for _, tree := range []Tree{
		{[]Entry{{"a", ok}, {"a", ok}}},
		{[]Entry{{"a", ok}, {"a/b", ok}}},
		{[]Entry{{"a", Blob{"../../x", 1}}}},
		{[]Entry{{"a", Blob{ok.Hash, -1}}}},
	} {
		if err := tree.check(false); err == nil {
			t.Errorf("%v is a tree", tree)
		}
	}
	for _, name := range []string{"NUL", "con.png", "a/COM1", "lpt9.txt", "aux .x", "a:b", "a.", "a ", "what?", "CONIN$"} {
		if err := checkName(name, true); err == nil {
			t.Errorf("%q is a name on Windows", name)
		}
	}
	for _, name := range []string{"a.png", "α/β γ.png", "console.png", "COM10", "..a", "a..b", ".hidden"} {
		if err := checkName(name, true); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsReceivedIsWholeAndStaysInItsFolder(t *testing.T) {
	t.Parallel()
	s, dir, elsewhere := newFarm(t).store(), filepath.Join(t.TempDir(), "to"), t.TempDir()
	blob, err := s.PutBytes(t.Context(), []byte("picture"))
	if err != nil {
		t.Fatal(err)
	}
	all := []Entry{{"0001.png", blob}, {"passes/0001.exr", blob}}
	write(t, []byte("old"), dir, "0001.png")
	for range 2 {
		if err := Receive(t.Context(), s, all, dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range all {
		if data, err := os.ReadFile(filepath.Join(dir, e.Name)); err != nil || string(data) != "picture" {
			t.Errorf("%s is %q: %v", e.Name, data, err)
		}
	}
	if err := Receive(t.Context(), s, []Entry{{"0002.png", Blob{HashOf([]byte("?")), 1}}}, dir); !errors.Is(err, ErrMissing) {
		t.Errorf("a file that is not there: %v", err)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) != 2 {
		t.Errorf("there are %v: %v", found, err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if err := Receive(t.Context(), s, []Entry{{"out/x", blob}}, dir); err == nil {
		t.Error("a file was received through a link")
	}
	if found, err := os.ReadDir(elsewhere); err != nil || len(found) > 0 {
		t.Errorf("a link led elsewhere: %v %v", found, err)
	}
}

func TestAFileThatChangesWhileItIsSentIsNoticed(t *testing.T) {
	t.Parallel()
	s := newFarm(t).store()
	path := write(t, random(1, 2*partBytes), t.TempDir(), "a")
	_, err := s.PutFile(t.Context(), path, func(int64) { write(t, random(2, 2*partBytes), path) })
	if !errors.Is(err, ErrChanged) {
		t.Errorf("the error is %v", err)
	}
}

// TestALongFileTravelsOncePerMachine sends 96 MB; 1 GB where BLENDTRAY_LONG is set.
func TestALongFileTravelsOncePerMachine(t *testing.T) {
	t.Parallel()
	size := int64(96 << 20)
	if os.Getenv("BLENDTRAY_LONG") != "" {
		size = 1 << 30
	}
	path := filepath.Join(t.TempDir(), "shot.blend")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(out, rand.NewChaCha8([32]byte{1}), size); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f := newFarm(t)
	store := func(js jetstream.JetStream) *Store {
		s, err := Create(t.Context(), js, "files", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// little is what is said besides.
	little := uint64(size / 50)
	sender := f.connect()
	var lists []Blob
	for i := range 3 { // three commands, with another file besides
		list, _, err := Send(t.Context(), store(sender), []Source{
			{"shot.blend", path}, {"other", write(t, []byte{byte(i)}, t.TempDir(), "other")},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, list)
	}
	if got := sender.Conn().Stats().OutBytes; got < uint64(size) || got > uint64(size)+little {
		t.Errorf("the sender sent %d bytes of %d", got, size)
	}
	for range 2 {
		machine := f.connect()
		s, c := store(machine), openCache(t, 0)
		for _, list := range lists {
			c.get(t, s, list)
			c.get(t, s, list)
		}
		if got := machine.Conn().Stats().InBytes; got < uint64(size) || got > uint64(size)+little {
			t.Errorf("a machine got %d bytes of %d", got, size)
		}
	}
}
