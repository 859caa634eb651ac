package app

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The key of the administrator may lie in a file that is taken away afterwards.
func TestTheKeyOfTheAdministratorIsTakenFromItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "drive", "administrator.key")
	if _, err := administratorKey(path, false); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("without the file: %v", err)
	}
	made, err := administratorKey(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v: %v", info, err)
	}
	for _, create := range []bool{false, true} {
		if key, err := administratorKey(path, create); err != nil || key.Seed() != made.Seed() {
			t.Errorf("it is another key: %v", err)
		}
	}
}

func TestAClockIsToldThatIsFarFromTheServers(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{
		0: "", 29 * time.Second: "", -29 * time.Second: "", 90 * time.Second: "90.0 s ahead of", -time.Hour: "1 h 0 min behind",
	} {
		if got := clockText(ahead); got != want {
			t.Errorf("%s: %q", ahead, got)
		}
	}
}

func TestOthersAreInvitedToAnAddressThatTheyReach(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"tls://farm.example:4222", "tls://10.1.2.3:4222", "tls://127.0.0.1:1"} {
		if got := invitedTo(address); got != address { // nothing listens on port 1
			t.Errorf("%s: %s", address, got)
		}
	}
}
