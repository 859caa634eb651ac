//go:build unix

package watcher

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// manyLinks is how many symbolic links a path may lead through, as in the kernel.
const manyLinks = 40

// distrust returns why somebody other than this user and root could put a file into a folder, or
// could put another folder into its place; it returns "" when nobody can. It looks at the folder
// and at each folder above it up to the root, on the way of every symbolic link that the path leads
// through. In a folder above, a sticky bit is enough: there nobody can rename what others own.
//
// It believes the owners, modes and access lists that the system shows. Of a network file system
// that may be less than the server allows.
func distrust(dir string) string {
	at, rest := "/", split(dir)
	for links := 0; ; {
		why, sticky := distrustDir(at, len(rest) == 0)
		if why != "" || len(rest) == 0 {
			return why
		}
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return fmt.Sprintf("it can't be found out who may write to it: %v", err)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if owner := ownerOf(info); sticky && !trusted(owner) {
			return fmt.Sprintf("the link %s belongs to %s", next, userName(owner))
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > manyLinks {
			return fmt.Sprintf("it can't be found out where the link %s leads", next)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(split(target), rest...)
	}
}

// split returns the names of a path, without those that mean nothing.
func split(path string) (names []string) {
	for _, name := range strings.Split(path, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// distrustDir returns why others could change a folder, whose path has no links in it, or "".
// last says that the folder is the one that is watched, where a sticky bit is not enough: whoever
// may write there can make a new file. sticky is true when others may write to the folder and the
// sticky bit protects what is in it.
func distrustDir(path string, last bool) (why string, sticky bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Sprintf("it can't be found out who may write to it: %v", err), false
	}
	if owner := ownerOf(info); !trusted(owner) {
		return fmt.Sprintf("%s belongs to %s", path, userName(owner)), false
	}
	who := mayWrite(info, func(buf []byte) (int, error) { return readACL(path, buf) })
	if who != "" && !last && info.Mode()&fs.ModeSticky != 0 {
		return "", true
	}
	return sentence(who, path), false
}

// distrustFile returns why somebody other than this user and root could have written a file or
// could put another in its place, or "". open is the file, opened, or nil; info is what it is.
func distrustFile(path string, open *os.File, info fs.FileInfo) string {
	if owner := ownerOf(info); !trusted(owner) {
		return "it belongs to " + userName(owner)
	}
	who := mayWrite(info, func(buf []byte) (int, error) {
		if open != nil {
			return readOpenACL(open, buf)
		}
		return readACL(path, buf)
	})
	if who != "" {
		return sentence(who, "it")
	}
	if why := distrust(filepath.Dir(path)); why != "" {
		return why
	}
	// A link is followed to where it leads, where others must not write, either.
	if link, err := os.Lstat(path); err == nil && link.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return fmt.Sprintf("it can't be found out where it leads: %v", err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Dir(path) + "/" + target // not cleaned: .. is the parent of where a link leads
		}
		return distrustTarget(target)
	}
	return ""
}

// distrustTarget returns why others could change which file a link leads to, or "".
func distrustTarget(path string) string {
	for range manyLinks {
		i := strings.LastIndexByte(strings.TrimRight(path, "/"), '/')
		dir := path[:max(i, 0)] + "/"
		if why := distrust(dir); why != "" {
			return why
		}
		next, err := os.Readlink(path)
		switch {
		case errors.Is(err, syscall.EINVAL): // no link: this is the file
			return ""
		case err != nil:
			return fmt.Sprintf("it can't be found out where it leads: %v", err)
		case filepath.IsAbs(next):
			path = next
		default:
			path = dir + next
		}
	}
	return "it leads through too many links"
}

func sentence(who, what string) string {
	if who == "" {
		return ""
	}
	return who + " may write to " + what
}

// mayWrite returns in words who, besides this user and root, may write to a file or folder by its
// mode and its access list, or "".
func mayWrite(info fs.FileInfo, acl func(buf []byte) (int, error)) string {
	mode := info.Mode().Perm()
	switch {
	case mode&0o002 != 0:
		return "everybody"
	case mode&0o020 == 0:
		return "" // with an access list these bits are its mask, without which nobody else may write
	}
	gid := groupOf(info)
	if who, has := aclWriters(acl, gid); has {
		return who
	}
	return groupWriters(gid)
}

// groupWriters returns the name of a group, in words, if somebody other than this user and root is
// in it, or "".
func groupWriters(gid uint32) string {
	if groups.private(gid) {
		return ""
	}
	name := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(name); err == nil {
		name = g.Name
	}
	return "the group " + name
}

// trusted reports whether a user is this user or root.
func trusted(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "the user " + u.Username
	}
	return "the user with the number " + id
}

func ownerOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
func groupOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Gid }
