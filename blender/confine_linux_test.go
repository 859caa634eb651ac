package blender

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"blendtray/api"
)

// verdict is what a filter says of a system call, by the few instructions that ours has.
func verdict(t *testing.T, program []unix.SockFilter, arch, number uint32) uint32 {
	t.Helper()
	a := uint32(0)
	for i := 0; i < len(program); i++ {
		in := program[i]
		yes := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = map[uint32]uint32{offsetNumber: number, offsetArch: arch}[in.K]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			yes = a == in.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			yes = a >= in.K
		default:
			t.Fatalf("instruction %d is unknown: %+v", i, in)
		}
		if yes {
			i += int(in.Jt)
		} else {
			i += int(in.Jf)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}

func TestTheFilterRefusesSocketsAndAllowsTheRest(t *testing.T) {
	t.Parallel()
	for arch, audit := range map[string]uint32{"amd64": auditX8664, "arm64": auditArm64} {
		program, err := socketFilter(arch)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			number, want uint32
		}{
			{unix.SYS_SOCKET, seccompErrno | uint32(unix.EACCES)},
			{unix.SYS_IO_URING_SETUP, seccompErrno | uint32(unix.ENOSYS)},
			{unix.SYS_SOCKETPAIR, seccompAllow},
			{unix.SYS_READ, seccompAllow},
			{unix.SYS_SOCKET | x32Bit, seccompErrno | uint32(unix.ENOSYS)},
		} {
			if got := verdict(t, program, audit, x.number); got != x.want {
				t.Errorf("%s: %d: %#x, want %#x", arch, x.number, got, x.want)
			}
		}
		if got := verdict(t, program, 3, unix.SYS_READ); got != seccompKill {
			t.Errorf("%s: another architecture: %#x", arch, got)
		}
	}
	if _, err := socketFilter("riscv64"); err == nil || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("%v", err)
	}
}

func TestBlenderIsNotStartedWhereItCantBeConfined(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/bin/true")
	if err := confine(cmd, api.Confinement{}, t.TempDir(), nil, nil); err == nil || cmd.Path != "/bin/true" {
		t.Errorf("without a folder: %v, %s", err, cmd.Path)
	}
	if err := probe("/bin/false", nil); err == nil || !strings.Contains(err.Error(), "can be confined") {
		t.Errorf("a bwrap that fails: %v", err)
	}
	if err := probe(filepath.Join(t.TempDir(), "bwrap"), nil); err == nil {
		t.Error("a bwrap that is not there")
	}
}

func TestWhatIsNamedIsSeenAndWhatIsHiddenIsNot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{"hidden/work", "shown", "own"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := func(path string) string { return filepath.Join(root, path) }
	for _, file := range []string{"hidden/secret", "shown/file"} {
		if err := os.WriteFile(at(file), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "-c", `
		test ! -e "$0/hidden/secret" && test -e "$0/shown/file" || exit 1
		echo y > "$0/own/file" && echo y > file || exit 2
		{ echo y > "$0/shown/other"; } 2>/dev/null && exit 3
		{ echo y > /usr/other; } 2>/dev/null && exit 4
		exit 0`, root)
	walls := api.Confinement{Workspace: at("hidden/work"), Hidden: []string{at("hidden")}}
	socket, err := os.Open(os.DevNull) // in the place of Blender's socket
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	cmd.ExtraFiles = []*os.File{socket}
	if err := confine(cmd, walls, t.TempDir(), []string{at("shown")}, []string{at("own")}); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, file := range []string{"hidden/work/file", "own/file"} {
		if _, err := os.Stat(at(file)); err != nil {
			t.Error(err)
		}
	}
}
