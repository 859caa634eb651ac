//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// BenchmarkTheMenuFollowsBlender stops and starts a real Blender by the tray's menu, with a real
// panel. It measures the time from the engine's event until the menu shows it; it asks for the
// menu over D-Bus all the time. The program promises 100 ms.
func BenchmarkTheMenuFollowsBlender(b *testing.B) {
	d := newDesktop(b)
	d.panel()
	p := started(b, "")
	icon := d.tray(p)
	icon.says("· ready")
	facts := make(chan api.Event, 100)
	go func() {
		for ev, err := range control.NewClient(p.socket()).Events(b.Context(), false) {
			if err != nil {
				return
			}
			if ev.Kind == api.KindBlender {
				facts <- ev
			}
		}
	}()
	var took []time.Duration
	for b.Loop() {
		for _, step := range []struct {
			click, says string
			state       api.BlenderState
		}{{"Stop Blender", "Blender is stopped", api.BlenderStopped}, {"Start Blender", "· ready", api.BlenderReady}} {
			icon.click(step.click)
			var seen time.Time
			for seen.IsZero() {
				if lines := icon.menu(); len(lines) > 0 && strings.Contains(lines[0].label, step.says) {
					seen = time.Now()
				}
			}
			for ev := range facts {
				if ev.Blender.State == step.state {
					took = append(took, seen.Sub(ev.Time))
					break
				}
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/max")
}
