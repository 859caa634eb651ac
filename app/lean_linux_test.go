package app

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// present returns how many pages of a span are in the memory of this process.
func present(t *testing.T, s span) (pages int) {
	t.Helper()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := uintptr(os.Getpagesize())
	text := make([]byte, 8*((s.to-s.from)/size))
	if _, err := f.ReadAt(text, int64(8*(s.from/size))); err != nil {
		t.Fatal(err)
	}
	for ; len(text) > 0; text = text[8:] {
		if binary.NativeEndian.Uint64(text)&pageIsThere != 0 {
			pages++
		}
	}
	return pages
}

// It counts pages of the whole process, which other tests use meanwhile: only some of them.
func TestAProgramAtRestKeepsFewPagesOfItsFile(t *testing.T) {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	spans, err := fixedSpans(path)
	if err != nil || len(spans) < 2 {
		t.Fatalf("the program is mapped at %v, %v", spans, err)
	}
	before, after := 0, 0
	for _, s := range spans {
		// As if the program had used each page.
		if err := advise(s, unix.MADV_POPULATE_READ); err != nil {
			t.Fatal(err)
		}
		before += present(t, s)
	}
	if err := unmapFile(path); err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		after += present(t, s)
	}
	if after > before/2 {
		t.Errorf("of %d pages %d are left", before, after)
	}
}

func TestWhatWasWrittenIntoAMappingStays(t *testing.T) {
	t.Parallel()
	size := os.Getpagesize()
	path := filepath.Join(t.TempDir(), "a file with a name of words")
	if err := os.WriteFile(path, bytes.Repeat([]byte("f"), 5*size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// mapped maps the file, uses all pages, and writes to the third, as the loader does with addresses.
	mapped := func(rights int) ([]byte, span) {
		all, err := unix.Mmap(int(f.Fd()), 0, 5*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(all) })
		for n := range 5 {
			_ = bytes.Count(all[n*size:(n+1)*size], []byte("f"))
		}
		all[2*size] = 'w'
		if err := unix.Mprotect(all, rights); err != nil {
			t.Fatal(err)
		}
		at := uintptr(unsafe.Pointer(unsafe.SliceData(all)))
		return all, span{at, at + uintptr(5*size)}
	}
	fixed, fixedAt := mapped(unix.PROT_READ)
	open, openAt := mapped(unix.PROT_READ | unix.PROT_WRITE)
	if err := unmapFile(path); err != nil {
		t.Fatal(err)
	}
	if pages := present(t, fixedAt); pages != 1 {
		t.Errorf("%d pages are left, want the page that was written to", pages)
	}
	if pages := present(t, openAt); pages != 5 {
		t.Errorf("of a mapping that may be written to, %d pages are left", pages)
	}
	want := append(bytes.Repeat([]byte("f"), 2*size), 'w')
	want = append(want, bytes.Repeat([]byte("f"), 3*size-1)...)
	if !bytes.Equal(fixed, want) || !bytes.Equal(open, want) {
		t.Error("the mappings have other bytes than before")
	}
}
