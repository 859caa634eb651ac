package app

import (
	"strings"
	"testing"

	"blendtray/api"
)

func TestTheStatusOfAFolderSaysWhatIsSpecialAboutIt(t *testing.T) {
	t.Parallel()
	got := (&env{terminal: &terminal{}}).describeFolder(api.FolderStatus{
		Path: "/srv/scripts", Method: "inotify", Error: "b.py cannot be read", Note: "1 script is a link",
		Waiting: []api.WaitingScript{{Path: "/srv/scripts/a.py", Hint: "it waits until sh (process 7) has closed it"}},
	}, false)
	for _, want := range []string{
		"/srv/scripts (inotify)\n", "\n         b.py cannot be read\n", "\n         1 script is a link\n",
		"waiting /srv/scripts/a.py: it waits until sh (process 7) has closed it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
