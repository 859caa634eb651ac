package blender

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"blendtray/api"
)

// This file confines a Blender by bubblewrap. It sees no network, no other process and no file of
// the engine; it may write into the folders that are named for it, and nowhere else. A filter of system
// calls keeps it from the sockets of other programs: a file system that can't be written does not.

// howToConfine says what a person does where Blender can't be confined.
const howToConfine = "install bubblewrap (the program bwrap)"

// seccompFile is the descriptor on which bwrap reads the filter: it comes behind Blender's socket.
const seccompFile = firstExtraFile + 1

// probeTime is how long bwrap may take to say whether it works here.
const probeTime = 20 * time.Second

// confine has a command start confined, by bubblewrap. files are what Blender needs of the folders that it
// does not see, and own the folders in which it may write. It fails when Blender can't be confined here.
func confine(cmd *exec.Cmd, c api.Confinement, dir string, files, own []string) error {
	bwrap, err := findWalls()
	if err != nil {
		return err
	}
	hidden := append(slices.Clone(c.Hidden), dir)
	if runtimeDir := os.Getenv("XDG_RUNTIME_DIR"); runtimeDir != "" {
		hidden = append(hidden, runtimeDir)
	}
	workspace, err := workspaceOf(c, hidden)
	if err != nil {
		return err
	}
	args := append([]string{bwrap}, wallArgs()...)
	for _, path := range hidden {
		path, err := filepath.EvalSymlinks(path)
		if err != nil || inside(path, "/tmp") || path == "/" {
			continue // it is not there, or is not seen already
		}
		args = append(args, "--tmpfs", path)
	}
	program, err := filepath.EvalSymlinks(cmd.Path)
	if err != nil {
		return err
	}
	for _, seen := range []struct {
		how   string
		paths []string
	}{
		{"--ro-bind", append(slices.Clone(files), filepath.Dir(program))},
		{"--bind", append(slices.Clone(own), workspace)},
	} {
		for _, path := range seen.paths {
			if path, err = filepath.EvalSymlinks(path); err != nil {
				return err
			}
			args = append(args, seen.how, path, path)
		}
	}
	filter, err := filterFile()
	if err != nil {
		return err
	}
	args = append(args, "--seccomp", fmt.Sprint(seccompFile), "--chdir", workspace, "--", cmd.Path)
	cmd.Args = append(args, cmd.Args[1:]...)
	cmd.Path = bwrap
	cmd.ExtraFiles = append(cmd.ExtraFiles, filter)
	return nil
}

func inside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// wallArgs are the arguments of bwrap that are the same for each Blender. Without --unshare-user, root
// would keep its rights. The folders for temporary files are private.
func wallArgs() []string {
	return []string{
		"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
		"--disable-userns", "--cap-drop", "ALL", "--die-with-parent",
		"--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
	}
}

// walls is what was found out last about bwrap.
var walls struct {
	sync.Mutex
	path string
	err  error
	at   time.Time
}

// wallsTime is for how long that is believed.
const wallsTime = 10 * time.Second

// findWalls returns the path of bwrap, or fails when it can't confine a Blender.
func findWalls() (string, error) {
	walls.Lock()
	defer walls.Unlock()
	if !walls.at.IsZero() && time.Since(walls.at) < wallsTime {
		return walls.path, walls.err
	}
	walls.path, walls.err = exec.LookPath("bwrap")
	if walls.err != nil {
		walls.err = errors.New("no Blender can be confined: there is no bwrap; " + howToConfine)
	} else if _, walls.err = socketFilter(runtime.GOARCH); walls.err == nil {
		walls.err = probe(walls.path, wallArgs())
	}
	walls.at = time.Now()
	return walls.path, walls.err
}

// WhyNotConfined returns why no Blender can be confined on this machine as it is to be, or "".
func WhyNotConfined(c api.Confinement) string {
	_, err := findWalls()
	if err == nil {
		_, err = workspaceOf(c, c.Hidden)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// workspaceOf makes the folder in which a confined Blender may write, and returns the folder without links: bwrap makes no
// folder behind an absolute link. It fails when something that is to be hidden lies in that folder.
func workspaceOf(c api.Confinement, hidden []string) (string, error) {
	if c.Workspace == "" {
		return "", errors.New("blender can't be confined: there is no folder in which it may write")
	}
	if err := os.MkdirAll(c.Workspace, 0o700); err != nil {
		return "", fmt.Errorf("make the folder in which a confined Blender may write: %w", err)
	}
	workspace, err := filepath.EvalSymlinks(c.Workspace)
	if err != nil {
		return "", fmt.Errorf("the folder in which a confined Blender may write: %w", err)
	}
	for _, path := range hidden {
		if path, err := filepath.EvalSymlinks(path); err == nil && inside(path, workspace) {
			return "", fmt.Errorf("blender can't be confined to %s: %s lies there, which it must not see; choose another folder with mcp.workspace", workspace, path)
		}
	}
	return workspace, nil
}

// probe fails with what bwrap says when it can't confine a program here, such as in a container that
// allows no user namespaces.
func probe(bwrap string, walls []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, bwrap, append(slices.Clone(walls), "--", "/proc/self/exe", "--version")...).CombinedOutput()
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("no Blender can be confined here: bwrap: %w: %s", err, line)
	}
	return nil
}

// filterFile returns a file with the filter of system calls, as bwrap reads it.
func filterFile() (*os.File, error) {
	program, err := socketFilter(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("blendtray-filter", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "filter")
	if err = binary.Write(f, binary.NativeEndian, program); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// These are of linux/seccomp.h and linux/audit.h.
const (
	seccompAllow = 0x7fff0000
	seccompErrno = 0x00050000
	seccompKill  = 0x80000000
	auditX8664   = 0xc000003e
	auditArm64   = 0xc00000b7
	x32Bit       = 0x40000000
	offsetNumber = 0
	offsetArch   = 4
)

// socketFilter returns a filter by which a program has no sockets of its own: socket(2) fails, and so
// does io_uring, which can do the same. What it was given stays, and so do pairs. A program for another
// architecture is killed, whose system calls have other numbers. It fails for an architecture that it does not know.
func socketFilter(arch string) ([]unix.SockFilter, error) {
	audit := map[string]uint32{"amd64": auditX8664, "arm64": auditArm64}[arch]
	if audit == 0 {
		return nil, fmt.Errorf("no Blender can be confined: the system calls of %s are not known", arch)
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(kind uint16, value uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | kind | unix.BPF_K, Jt: yes, Jf: no, K: value}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	return []unix.SockFilter{
		load(offsetArch),
		jump(unix.BPF_JEQ, audit, 1, 0),
		end(seccompKill),
		load(offsetNumber),
		jump(unix.BPF_JGE, x32Bit, 0, 1),
		end(seccompErrno | uint32(unix.ENOSYS)),
		jump(unix.BPF_JEQ, uint32(unix.SYS_SOCKET), 0, 1),
		end(seccompErrno | uint32(unix.EACCES)),
		jump(unix.BPF_JEQ, uint32(unix.SYS_IO_URING_SETUP), 0, 1),
		end(seccompErrno | uint32(unix.ENOSYS)),
		end(seccompAllow),
	}, nil
}
