//go:build unix && !linux

package watcher

import (
	"errors"
	"os"
)

// Access lists of this system are not looked at.

func readACL(string, []byte) (int, error)       { return 0, errors.ErrUnsupported }
func readOpenACL(*os.File, []byte) (int, error) { return 0, errors.ErrUnsupported }

func aclWriters(func([]byte) (int, error), uint32) (who string, has bool) { return "", false }
