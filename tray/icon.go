package tray

import (
	"blendtray/api"
	"blendtray/assets"
)

// IconOf returns the icon for a state.
func IconOf(s State) assets.Icon {
	switch s.Link {
	case Connecting:
		return assets.Starting
	case Lost:
		return assets.Attention
	}
	switch b, r := s.blender(), s.current(); {
	case r != nil:
		if p := r.Progress; p != nil && p.Fraction >= 0 {
			return assets.Running(p.Fraction)
		}
		return assets.RunningUnknown
	case b.State == api.BlenderFailed:
		return assets.Failed
	case b.State == api.BlenderStarting, b.State == api.BlenderStopping:
		return assets.Starting
	case b.State == api.BlenderStopped:
		return assets.Stopped
	}
	for _, f := range s.Status.Folders {
		if f.Method == "" && f.Error != "" || f.Refused > 0 { // not watched at all, or scripts of it do not run
			return assets.Attention
		}
	}
	if s.Status.WatchingPaused {
		return assets.Attention
	}
	return assets.Ready
}
