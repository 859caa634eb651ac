//go:build unix && !linux && !darwin

package blender

// families returns each Blender alone: these systems do not tell what belongs to it.
func families(leaders []int) map[int][]int { return withDescendants(leaders, nil) }
