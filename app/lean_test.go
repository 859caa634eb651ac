package app

import "testing"

func TestAProcessGivesMemoryBackOnceInEachTimeOfRest(t *testing.T) {
	t.Parallel()
	const little, much = quietBytes / 4, 4 * quietBytes
	var l leanness
	total, back := uint64(0), ""
	for _, bytes := range []uint64{much, little, little, much, little, little, little, little, little, little, much, little, little, little} {
		total += bytes
		if l.rests(total) {
			back += "B"
		} else {
			back += "."
		}
	}
	if want := "......B......B"; back != want {
		t.Errorf("memory is given back at %s, want %s", back, want)
	}
}
