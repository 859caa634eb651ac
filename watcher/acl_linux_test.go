package watcher

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// access returns an access list of entries of three numbers: kind, permissions, and user or group.
func access(entries ...[3]uint32) []byte {
	list := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		list = binary.LittleEndian.AppendUint16(list, uint16(e[0]))
		list = binary.LittleEndian.AppendUint16(list, uint16(e[1]))
		list = binary.LittleEndian.AppendUint32(list, e[2])
	}
	return list
}

func TestWhoMayWriteByAnAccessListIsSeen(t *testing.T) {
	t.Parallel()
	asRoot(t)
	const none, userObj, mask, everybody = 0xffffffff, 0x01, 0x10, 0x20
	for name, c := range map[string]struct {
		entries [][3]uint32
		says    string
	}{
		"another user writes":            {[][3]uint32{{userObj, 7, none}, {aclUser, 7, other}, {aclGroupObj, 5, none}, {mask, 7, none}, {everybody, 5, none}}, "the user nobody may write to"},
		"another user reads":             {[][3]uint32{{userObj, 7, none}, {aclUser, 5, other}, {aclGroupObj, 5, none}, {mask, 7, none}, {everybody, 5, none}}, ""},
		"another user writes but a mask": {[][3]uint32{{userObj, 7, none}, {aclUser, 7, other}, {aclGroupObj, 5, none}, {mask, 5, none}, {everybody, 5, none}}, ""},
		"another group writes":           {[][3]uint32{{userObj, 7, none}, {aclGroupObj, 5, none}, {aclGroup, 7, other}, {mask, 7, none}, {everybody, 5, none}}, "the group nogroup may write to"},
		"its own group, of root, writes": {[][3]uint32{{userObj, 7, none}, {aclUser, 5, other}, {aclGroupObj, 7, none}, {mask, 7, none}, {everybody, 5, none}}, ""},
		"this user is named":             {[][3]uint32{{userObj, 7, none}, {aclUser, 7, 0}, {aclGroupObj, 5, none}, {mask, 7, none}, {everybody, 5, none}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := mkdir(t, t.TempDir()+"/a", 0o755)
			if err := unix.Setxattr(dir, aclName, access(c.entries...), 0); err != nil {
				t.Fatalf("this file system keeps no access lists: %v", err)
			}
			why := distrust(dir)
			if (why == "") != (c.says == "") || !strings.Contains(why, c.says) {
				t.Errorf("it says %q, want %q", why, c.says)
			}
		})
	}
}
