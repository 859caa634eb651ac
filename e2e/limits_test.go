//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestBigScriptsAndBigOutputsDoNotFillTheEngine(t *testing.T) {
	p := started(t, "")
	status, _ := p.status()

	big := p.save("big.py", strings.Repeat("# "+strings.Repeat("x", 97)+"\n", 50_000)+"result = 'ran'\n")
	if run := p.lastOf(big); string(run.Result) != `"ran"` {
		t.Errorf("a script of 5 MB: %s, %+v", run.State, run.Error)
	}

	loud := p.save("loud.py", "for i in range(1_000_000):\n    print('%099d' % i)\n")
	run := p.lastOf(loud)
	if run.OutputBytes != 100_000_000 {
		t.Errorf("a script printed 100,000,000 bytes, %d were counted", run.OutputBytes)
	}
	first, last := fmt.Sprintf("%099d\n", 0), fmt.Sprintf("%099d\n", 999_999)
	if len(run.Output) > 2<<20 || !strings.HasPrefix(run.Output, first) || !strings.HasSuffix(run.Output, last) {
		t.Errorf("%d bytes of output are kept, not its beginning and its end", len(run.Output))
	}
	if !strings.Contains(run.Output, "cut") {
		t.Error("the output does not say that something was cut")
	}
	if peak := peakMemory(t, status.Engine.PID); peak > 100<<20 {
		t.Errorf("the engine took %d MB", peak>>20)
	}
}

func TestAllOfALoudScriptReachesAReaderThatKeepsUp(t *testing.T) {
	p := started(t, "")
	r := p.call("run", "-c", "for i in range(20_000):\n    print(i, '\u20ac')\nimport sys\nprint('end', file=sys.stderr)")
	want := &strings.Builder{}
	for i := range 20_000 {
		fmt.Fprintf(want, "%d €\n", i)
	}
	want.WriteString("end\n")
	if r.code != 0 || r.stdout != want.String() {
		t.Errorf("exit %d, %d bytes of %d on standard output; %s", r.code, len(r.stdout), want.Len(), r.stderr)
	}
}

func TestTwoHundredClientsAtOnceAreAllAnswered(t *testing.T) {
	p := started(t, "")
	client := p.apiClient()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			run, err := client.wait(fmt.Sprintf("result = %d", i))
			if err != nil || string(run.Result) != fmt.Sprint(i) {
				t.Errorf("client %d: %s, %v", i, run.Result, err)
			}
		})
	}
	wg.Wait()
}

// freePort returns a port of this machine that nobody uses just now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestStrangersAtThePortAreRefusedAndHoldUpNobody(t *testing.T) {
	port := freePort(t)
	p := started(t, fmt.Sprintf("[blender]\nport = %d\n", port))
	p.eventually("the Blender for others listens", func() bool {
		status, ok := p.status()
		return ok && status.Blenders[0].Port == port
	})
	trace := filepath.Join(t.TempDir(), "ran")
	code := fmt.Sprintf("open(%q, 'w').close()", trace)

	p.connect(port) // says nothing, for as long as the test lasts
	half := p.connect(port)
	io.WriteString(half, `{"code": "`)

	response, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/", port), "text/plain", strings.NewReader(`{"code": "pass"}`))
	if err == nil {
		response.Body.Close()
		t.Errorf("a web page's POST was answered with %s", response.Status)
	}
	for name, text := range map[string]string{
		"no token":                 fmt.Sprintf(`{"code": %q}`, code),
		"a wrong token":            fmt.Sprintf(`{"token": "guess", "code": %q}`, code),
		"a token of another type":  fmt.Sprintf(`{"token": null, "code": %q}`, code),
		"a first frame of 4 GiB":   "\xff\xff\xff\xff{}",
		"a frame that is no hello": "\x00\x00\x00\x0f{\"type\":\"ping\"}",
		"a quit without a token":   `{"code": "quit_blender"}`,
	} {
		c := p.connect(port)
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(c) // a reset is an answer too
		if strings.Contains(string(answer), "OK") || strings.Contains(string(answer), "welcome") {
			t.Errorf("%s was answered with %s", name, answer)
		}
	}
	if run, code := p.runJSON("-c", "result = 'still here'"); code != 0 {
		t.Errorf("after the strangers: %+v", run)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("a stranger's code ran")
	}
	if again, _ := p.status(); again.Blenders[0].Port != port {
		t.Error("the Blender for others is gone")
	}
}

func TestCodeByOneMessageWithTheToken(t *testing.T) {
	port := freePort(t)
	p := started(t, fmt.Sprintf("[blender]\nport = %d\n", port))
	p.eventually("the Blender for others listens", func() bool {
		status, ok := p.status()
		return ok && status.Blenders[0].Port == port
	})
	message := fmt.Sprintf(`{"token": %q, "wait": true, "code": "result = '€'"}`, p.token())
	c := p.connect(port)
	for i := range len(message) { // a segment a byte, which splits the euro sign as well
		if _, err := io.WriteString(c, message[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(answer), "succeeded") {
		t.Errorf("answered with %s, %v", answer, err)
	}
}
