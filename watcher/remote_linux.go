package watcher

import "golang.org/x/sys/unix"

// remoteTypes are the file systems on which other machines can write. The kernel then sends no
// events, and does not know who has a file open.
var remoteTypes = map[uint32]bool{
	unix.NFS_SUPER_MAGIC:   true,
	unix.SMB_SUPER_MAGIC:   true,
	unix.CIFS_SUPER_MAGIC:  true,
	unix.SMB2_SUPER_MAGIC:  true,
	unix.FUSE_SUPER_MAGIC:  true, // sshfs, rclone; a local one cannot be told from these
	unix.V9FS_MAGIC:        true, // virtual machines, and Windows' drives in WSL 2
	unix.AFS_SUPER_MAGIC:   true,
	unix.AFS_FS_MAGIC:      true,
	unix.CODA_SUPER_MAGIC:  true,
	unix.NCP_SUPER_MAGIC:   true,
	unix.CEPH_SUPER_MAGIC:  true,
	unix.OCFS2_SUPER_MAGIC: true,
	0x01161970:             true, // gfs2
	0x0bd00bd0:             true, // lustre
	0x47504653:             true, // gpfs
	0x786f4256:             true, // vboxsf
	0x7c7c6673:             true, // prl_fs
	0xbacbacbc:             true, // vmhgfs
	0x53464846:             true, // drvfs in WSL 1
}

// IsRemote reports whether a folder lies where the system's events can't be relied on.
func IsRemote(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false // it is gone or can't be read, which the caller finds out next
	}
	return remoteTypes[uint32(st.Type)]
}
