package watcher

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// aclName is where Linux keeps the access list of a file: acl(5).
const aclName = "system.posix_acl_access"

// The kinds of entries of an access list, and the permission to write.
const (
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclWrite    = 0x02

	aclVersion   = 2
	aclHeadBytes = 4
	aclBytes     = 8 // of an entry: kind, permissions, and the number of a user or group
)

func readACL(path string, buf []byte) (int, error) { return unix.Lgetxattr(path, aclName, buf) }

func readOpenACL(f *os.File, buf []byte) (int, error) {
	return unix.Fgetxattr(int(f.Fd()), aclName, buf)
}

// aclWriters returns in words who, besides this user and root, may write by an access list, or "".
// has is false when there is no access list. gid is the group of the file. The caller has seen that
// the mask lets write.
func aclWriters(read func(buf []byte) (int, error), gid uint32) (who string, has bool) {
	buf := make([]byte, 64<<10) // the most that an attribute may have
	n, err := read(buf)
	switch err {
	case nil:
	case unix.ENODATA, unix.EOPNOTSUPP, unix.ENOSYS:
		return "", false
	default:
		return "somebody in an access list that can't be read", true
	}
	if n < aclHeadBytes || binary.LittleEndian.Uint32(buf) != aclVersion {
		return "somebody in an access list of an unknown kind", true
	}
	for list := buf[aclHeadBytes:n]; len(list) >= aclBytes; list = list[aclBytes:] {
		kind, permissions := binary.LittleEndian.Uint16(list), binary.LittleEndian.Uint16(list[2:])
		id := binary.LittleEndian.Uint32(list[4:])
		if permissions&aclWrite == 0 {
			continue
		}
		switch kind {
		case aclUser:
			if !trusted(id) {
				return userName(id), true
			}
		case aclGroupObj:
			id = gid
			fallthrough
		case aclGroup:
			if who := groupWriters(id); who != "" {
				return who, true
			}
		}
	}
	return "", true
}
