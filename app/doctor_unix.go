//go:build unix

package app

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// examineAccess says what is wrong with who may use a folder of the program, or nil.
func examineAccess(dir string, info fs.FileInfo, private bool) *finding {
	if unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
		f := wrong("home", "chmod u+rwx "+dir, "%s can't be written", dir)
		return &f
	}
	if private && info.Mode().Perm()&0o077 != 0 {
		f := wrong("home", "chmod 700 "+dir, "others may look into %s (mode %04o)", dir, info.Mode().Perm())
		return &f
	}
	return nil
}

// examineSocket looks at who may connect to the engine.
func examineSocket(address string) []finding {
	for path, want := range map[string]fs.FileMode{address: 0o600, filepath.Dir(address): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			return []finding{wrong("socket", "", "%v", err)}
		}
		if got := info.Mode().Perm(); got&^want != 0 {
			f := wrong("socket", "", "%s has mode %04o, which lets others in", path, got)
			f.Fix = "chmod " + map[bool]string{true: "700 ", false: "600 "}[info.IsDir()] + path
			return []finding{f}
		}
	}
	return []finding{right("socket", "it is for this user alone")}
}

// diskFree is how many bytes this user may still write where dir is.
func diskFree(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
