package main

import "testing"

func TestAFolderComesIntoPathAndGoesWithoutTouchingOthers(t *testing.T) {
	t.Parallel()
	const folder = `C:\Users\ada\AppData\Local\Programs\Blendtray`
	for _, c := range []struct{ before, with, after string }{
		{"", folder, ""},
		{`C:\a`, `C:\a;` + folder, `C:\a`},
		{`%USERPROFILE%\bin;;"C:\x;y"`, `%USERPROFILE%\bin;;"C:\x;y";` + folder, `%USERPROFILE%\bin;;"C:\x;y"`},
		{`C:\a;`, `C:\a;` + folder, `C:\a`},
		{`c:\users\ADA\AppData\Local\Programs\Blendtray\;C:\a`, `c:\users\ADA\AppData\Local\Programs\Blendtray\;C:\a`, `C:\a`},
		{`C:\a;"` + folder + `"`, `C:\a;"` + folder + `"`, `C:\a`},
		{folder + `2`, folder + `2;` + folder, folder + `2`},
	} {
		got := with(c.before, folder)
		if got != c.with {
			t.Errorf("%q becomes %q", c.before, got)
		}
		if again := with(got, folder); again != got {
			t.Errorf("it comes twice: %q", again)
		}
		if left := without(got, folder); left != c.after {
			t.Errorf("%q becomes %q when the folder goes, want %q", got, left, c.after)
		}
	}
}
