// Package files carries files between the machines of a farm. It keeps them by content, under their
// SHA-256, in an object store of JetStream, and knows no jobs and no Blender.
//
// A [Store] is the object store. What is there already is not sent again. A [Tree] is a folder of
// files, with their relative names, and is kept as a file itself. A [Cache] is what one machine has
// fetched: [Cache.CheckOut] returns a folder with the files of a tree. [Receive] brings files from the
// store into a folder that a person has named.
//
// Every file is checked by its hash when it comes, so that neither the server nor the network can
// change it.
package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
)

// Hash is the SHA-256 of the bytes of a file, in hexadecimal.
type Hash string

var wellFormed = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Valid reports whether the text is a hash. A hash that another machine has sent is part of paths and
// names only when it is valid.
func (h Hash) Valid() bool { return wellFormed.MatchString(string(h)) }

// Short returns the beginning of the hash, for a person.
func (h Hash) Short() string { return string(h[:min(12, len(h))]) }

// Blob names the content of a file.
type Blob struct {
	Hash Hash  `json:"hash"`
	Size int64 `json:"size"`
}

// check fails when the blob, which another machine has sent, can't be that of a file.
func (b Blob) check() error {
	if !b.Hash.Valid() || b.Size < 0 {
		return fmt.Errorf("%q with %d bytes is no file by content", b.Hash, b.Size)
	}
	return nil
}

// HashOf returns the hash of bytes.
func HashOf(data []byte) Hash {
	sum := sha256.Sum256(data)
	return Hash(hex.EncodeToString(sum[:]))
}

// BlobOf returns the blob of what r reads to its end. It fails as r does.
func BlobOf(r io.Reader) (Blob, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return Blob{Hash(hex.EncodeToString(h.Sum(nil))), n}, err
}
