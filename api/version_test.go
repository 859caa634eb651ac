package api

import "testing"

func TestAVersionMeansTheBlendersThatBeginWithItsNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		said, asked string
		is          bool
	}{
		{"4.5.3", "4", true},
		{"4.5.3", "4.5", true},
		{"4.5.3", "4.5.3", true},
		{"4.5.3", "4.5.2", false},
		{"4.5.3", "5", false},
		{"4.50.3", "4.5", false},
		{"14.5.3", "4.5", false},
		{"4.5", "4.5.0", true},
		{"4.5", "4.5.1", false},
		{"4.10.1", "4.1", false},
		{"5.1.0-alpha", "5.1.0", true},
		{"", "4", false},
		{"4.5.3", "", false},
		{"4.5.3", "4.", false},
		{"4.5.3", "4.5.3.1", false},
		{"4.5.3", "v4", false},
	} {
		if is := IsOfVersion(c.said, c.asked); is != c.is {
			t.Errorf("Blender %q is %q: %v", c.said, c.asked, is)
		}
	}
}
