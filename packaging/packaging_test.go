package packaging

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata again")

func TestTheTextsOfServices(t *testing.T) {
	t.Parallel()
	plain := Service{Program: "/usr/bin/blendtray", Log: "/Users/ada/Library/Logs/blendtray.log"}
	odd := Service{
		Program: `/opt/my "tools"/100% $HOME\x/blendtray`, Home: `/srv/a & b/%h "x" $Y`, Log: "/var/log/<a>.log",
		Groups: []string{"video", "render"}, Unconfined: true,
	}
	of := func(s Service, user string) Service { s.User = user; return s }
	for name, c := range map[string]struct {
		make func(Service) (string, error)
		of   Service
	}{
		"systemd-user":       {Systemd, plain},
		"systemd-user-odd":   {Systemd, odd},
		"systemd-system":     {Systemd, of(plain, "render")},
		"systemd-system-odd": {Systemd, of(odd, "render")},
		"launchd-agent":      {Launchd, plain},
		"launchd-daemon-odd": {Launchd, of(odd, "render")},
		"windows-task":       {Task, of(plain, `PC\ada`)},
		"windows-task-home":  {Task, of(Service{Program: `C:\Program Files\Blendtray\blendtray.exe`, Home: `D:\a & b`}, `PC\ada`)},
	} {
		got, err := c.make(c.of)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(got, Mark) {
			t.Errorf("%s does not have the mark", name)
		}
		if strings.HasPrefix(got, "<?xml") {
			wellFormed(t, name, strings.Replace(got, `"UTF-16"`, `"UTF-8"`, 1))
		}
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
}

func wellFormed(t *testing.T, name, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestWhatNoServiceCanHoldIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []Service{{Program: "/a\nExecStartPre=x"}, {Program: "/a", Home: "/b\x00"}, {Program: "/a", User: "x\n"}} {
		for _, make := range []func(Service) (string, error){Systemd, Launchd, Task} {
			if text, err := make(s); err == nil {
				t.Errorf("%+v is taken:\n%s", s, text)
			}
		}
	}
}
