//go:build unix

package doctor

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// examineAccess returns what is wrong with the access to a folder of the program, or nil.
func examineAccess(dir string, info fs.FileInfo, private bool) *Finding {
	if unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
		f := Wrong("home", "chmod u+rwx "+dir, "%s can't be written", dir)
		return &f
	}
	if private && info.Mode().Perm()&0o077 != 0 {
		f := Wrong("home", "chmod 700 "+dir, "others may look into %s (mode %04o)", dir, info.Mode().Perm())
		return &f
	}
	return nil
}

// examineSocket examines who may connect to the engine.
func examineSocket(address string) []Finding {
	for path, want := range map[string]fs.FileMode{address: 0o600, filepath.Dir(address): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			return []Finding{Wrong("socket", "", "%v", err)}
		}
		if got := info.Mode().Perm(); got&^want != 0 {
			f := Wrong("socket", "", "%s has mode %04o, which lets others in", path, got)
			f.Fix = "chmod " + map[bool]string{true: "700 ", false: "600 "}[info.IsDir()] + path
			return []Finding{f}
		}
	}
	return []Finding{Right("socket", "it is for this user alone")}
}

// diskFree returns how many bytes this user may still write where dir is.
func diskFree(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
