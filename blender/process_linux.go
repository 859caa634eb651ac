package blender

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// start starts the process in a session of its own, without a terminal where a script could ask
// for a password, and calls ended when the process has ended. It fails when the program can't be
// started.
//
// The kernel kills the process when the thread that started it dies. So no Blender outlives a
// parent that was killed, not even a Blender that hangs in C code and can't notice that. The
// kernel looks at the thread, not at the parent process: so the goroutine stays on a thread of its
// own for as long as the child lives. For Snap and Flatpak the process is a wrapper, and Blender
// is its child; there the life line ends Blender.
func (p *process) start(ended func()) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := p.cmd.Start()
		if err == nil {
			p.group = group{p.cmd.Process.Pid, markKin(p.cmd.Process.Pid)}
			noCore(p.cmd.Process.Pid)
			goesFirst(p.cmd.Process.Pid)
		}
		result <- err
		if err == nil {
			awaitEnd(p.cmd.Process.Pid)
			p.bury()
			_ = p.cmd.Wait() // ProcessState says how it ended
			ended()
		}
	}()
	return <-result
}

// awaitEnd waits for the end of a child and leaves it a zombie, so that its number, which is also
// the number of its group, stays taken.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return // the wait that follows reports another error
		}
	}
}

// noCore keeps a crash from writing a core dump of hundreds of megabytes into the script's folder,
// which would hold up the next run. A script that needs a core dump can raise the limit.
func noCore(pid int) {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &limit) == nil {
		limit.Cur = 0
		_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &limit, nil) // without the limit a crash writes a core dump, as it does in a shell
	}
}

// aboveEngine is how much higher Blender's score is than the engine's. The kernel's own part of a
// score is the process's share of the memory in thousandths: with 200, a Blender without a script
// goes before an engine that has a fifth of the machine's memory.
const aboveEngine = 200

// highestScore is the most that proc(5) accepts.
const highestScore = 1000

// goesFirst has the kernel end Blender, and what its scripts start, before this process when
// memory runs out. To raise a score takes no right.
func goesFirst(pid int) {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return // without /proc the scores stay equal
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	score := strconv.Itoa(min(own+aboveEngine, highestScore))
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(score), 0) // it fails when the process is gone
}
