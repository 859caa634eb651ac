//go:build !headless

package tray

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"golang.org/x/sys/unix"

	"blendtray/api"
)

// The window's goroutine does little for a filter, however many runs there are. Its time on a processor
// is told, which others who are busy change little.
func TestTenThousandRunsAreFiltered(t *testing.T) {
	var runs []api.Run
	for n := range 10_000 {
		runs = append(runs, api.Run{Script: fmt.Sprintf("/srv/%d.py", n%300), Folder: "/srv", State: []api.State{api.Succeeded, api.Failed}[n%2], QueuedAt: time.Now()})
	}
	o := openWindow(t, runs...)
	o.Resize(fyne.NewSize(1000, 700))
	all := func() {
		o.until("all runs are listed", func() bool {
			o.runs.list.ScrollToBottom()
			return o.runs.activity.complete
		})
	}
	all()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() time.Duration {
		var r unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &r); err != nil {
			t.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	takes := func(what string, do func(), ok func() bool) {
		t.Helper()
		longest := time.Duration(0)
		call := func(f func()) {
			began := used()
			f()
			longest = max(longest, used()-began)
		}
		calls := o.calls
		call(do)
		o.until(what, func() bool {
			for len(calls) > 0 {
				call(<-calls)
			}
			return ok()
		})
		t.Logf("%s: the window is held up for %v", what, longest) // 12 ms at most, without the race detector
	}
	some := func() bool { return len(o.runs.activity.runs) > 0 && !o.runs.loading }
	takes("a search", func() { o.runs.search.SetText("17") }, some)
	takes("no filter", func() { o.runs.setFilter(runFilter{}) }, some)
	takes("what has failed", func() { o.runs.setFilter(runFilter{States: "Failed", Folder: "/srv", When: whenToday}) }, some)
	takes("scripts", func() { o.runs.setGrouped(true) }, func() bool { return len(o.runs.scripts.scripts) == 150 })
	takes("all runs", func() {
		o.runs.setGrouped(false)
		o.runs.setFilter(runFilter{})
	}, some)
	all()
	takes("runs that arrive", func() {
		go func() {
			for n := range 300 {
				o.backend.add(api.Run{Script: fmt.Sprintf("/srv/%d.py", n), State: api.Queued})
			}
		}()
	}, func() bool { return len(o.runs.activity.runs) == 10_300 })
}
