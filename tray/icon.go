package tray

import (
	"blendtray/assets"
	"blendtray/control"
)

// IconOf is the icon for a state.
func IconOf(s State) assets.Icon {
	switch s.Link {
	case Connecting:
		return assets.Starting
	case Lost:
		return assets.Attention
	}
	switch b := s.blender(); {
	case s.Current != nil && s.Current.State == control.Running:
		if p := s.Current.Progress; p != nil && p.Fraction >= 0 {
			return assets.Running(p.Fraction)
		}
		return assets.RunningUnknown
	case b.State == control.BlenderFailed:
		return assets.Failed
	case b.State == control.BlenderStarting, b.State == control.BlenderStopping:
		return assets.Starting
	case b.State == control.BlenderStopped:
		return assets.Stopped
	}
	for _, f := range s.Status.Folders {
		if f.Method == "" && f.Error != "" { // not watched at all
			return assets.Attention
		}
	}
	if s.Status.WatchingPaused {
		return assets.Attention
	}
	return assets.Ready
}
