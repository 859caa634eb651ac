//go:build unix

package addon

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// originalClient is the code of a client for the original of this add-on, word for word.
const originalClient = `
import json, socket, sys

def send(data):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.connect(("localhost", int(sys.argv[1])))
        s.sendall(json.dumps(data).encode("utf-8"))
        return json.loads(s.recv(1024).decode("utf-8"))

for text in sys.argv[2:]:
    answer = send(json.loads(text))
    print(answer["response"], "|", answer["message"], "|", answer["source"])
`

// runOriginalClient sends messages, one connection each, and returns a line for each answer.
func runOriginalClient(t *testing.T, port int, messages ...string) []string {
	t.Helper()
	args := append([]string{"-c", originalClient, strconv.Itoa(port)}, messages...)
	out, err := exec.Command("python3", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// freePort returns a port that no program uses, and most likely none will use soon.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// ownHome returns variables that keep a Blender from the settings of the user who runs the tests.
func ownHome(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	return []string{
		"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + dir,
		"BLENDTRAY_TOKEN_FILE=", "BLENDER_HTTP_ECHO_PORT=",
	}
}

// startByHand starts a launcher as the documentation of the original describes.
func startByHand(t *testing.T, launcher string, env ...string) *process {
	t.Helper()
	port := freePort(t)
	env = append(append(ownHome(t), "BLENDER_HTTP_ECHO_PORT="+strconv.Itoa(port)), env...)
	p := startProcess(t, env, "blender", "--background", "--python", launcher)
	p.port = port
	p.await(t, fmt.Sprintf("serving on 127.0.0.1:%d\n", port))
	return p
}

// checkServesOriginally has the original client run code and end Blender.
func checkServesOriginally(t *testing.T, p *process) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cubes")
	code := fmt.Sprintf(`{"code": "bpy.ops.mesh.primitive_cube_add()\nopen('%s', 'w').write(str(len(bpy.data.objects)))"}`, file)
	got := runOriginalClient(t, p.port, `{"message": "hello"}`, `{"code": "x = 1 / 0"}`, code)
	source := fmt.Sprintf(" | tcp://127.0.0.1:%d", p.port)
	check(t, "the answers", got, []string{
		"OK | Printed message: hello" + source, "OK | Code execution scheduled." + source, "OK | Code execution scheduled." + source,
	})
	// The next run is executed after that code.
	check(t, "the answer with wait", ask(t, p.port, message{"code": "", "wait": true})["response"], "OK")
	cubes, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("the code did not run: %v\n%s", err, p.text())
	}
	check(t, "how many objects there are", string(cubes), "4")
	p.await(t, "ZeroDivisionError: division by zero\n")
	if got := runOriginalClient(t, p.port, `{"code": "quit_blender"}`); got[0] != "OK | Shutdown requested by client."+source {
		t.Errorf("quit is answered with %q", got)
	}
	check(t, "the exit code", p.exitCode(t), 0)
}

func TestOriginalCommandAndClientWork(t *testing.T) {
	t.Parallel()
	checkServesOriginally(t, startByHand(t, launcherPath(t)))
}

func TestQuitAsTheOriginalClientsMaySendIt(t *testing.T) {
	t.Parallel()
	p := startByHand(t, launcherPath(t))
	ask(t, p.port, message{"code": "while True: pass"})
	// White space aside, and while a script runs.
	check(t, "the response", ask(t, p.port, message{"code": "\n quit_blender\t\n"})["message"], "Shutdown requested by client.")
	check(t, "the exit code", p.exitCode(t), 0)
}

// scriptsFolder makes a folder for BLENDER_USER_SCRIPTS with the add-on in it.
func scriptsFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "addons", "tcp_echo"), os.DirFS("tcp_echo")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForeignLaunchersServe(t *testing.T) {
	t.Parallel()
	for what, launcher := range map[string]string{
		"that loop for ever": `
import time, addon_utils
addon_utils.enable("tcp_echo")
import tcp_echo
from tcp_echo import async_loop
tcp_echo.start_server_from_script()
while True:
    async_loop.kick_async_loop()
    time.sleep(0.01)
`,
		"that loop until no work is left": `
import sys, time, bpy
bpy.ops.preferences.addon_enable(module="tcp_echo")
import tcp_echo
from tcp_echo.async_loop import kick_async_loop
serving = lambda: bpy.context.scene.tcp_echo_server_running
print("before", serving())
tcp_echo.start_server_from_script()
print("while", serving())
bpy.context.scene.tcp_echo_server_running = False
print("still", serving())
print("again", tcp_echo.start_server_from_script(), "twice")
print("message", tcp_echo.process_message({"message": "x"}))
try:
    while not kick_async_loop():
        time.sleep(0.01)
except SystemExit as end:
    print("end", end.code, serving())
finally:
    tcp_echo.cleanup_server()
    tcp_echo.cleanup_server()
print("after", serving(), tcp_echo.process_message({"message": "x"})["response"])
bpy.ops.preferences.addon_disable(module="tcp_echo")
print("disabled", hasattr(bpy.types.Scene, "tcp_echo_server_running"))
bpy.ops.preferences.addon_enable(module="tcp_echo")
print("port", tcp_echo.start_server_from_script() > 0, serving())
tcp_echo.cleanup_server()
tcp_echo.cleanup_server()
sys.stdout.flush()
`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			file := writeFile(t, filepath.Join(t.TempDir(), "launcher.py"), launcher)
			p := startByHand(t, file, "BLENDER_USER_SCRIPTS="+scriptsFolder(t))
			checkServesOriginally(t, p)
			if !strings.Contains(launcher, "serving()") {
				return
			}
			for _, want := range []string{
				"before False\n", "while True\n", "still True\n",
				fmt.Sprintf("again %d twice\n", p.port),
				"message {'response': 'OK', 'message': 'Printed message: x', 'source': ",
				"\nx\n",
				"end 0 False\n", "after False error\n", "disabled False\n", "port True True\n",
			} {
				if !strings.Contains(p.text(), want) {
					t.Errorf("did not print %q:\n%s", want, p.text())
				}
			}
		})
	}
}

func TestLauncherPrefersTheAddOnBesideItToOneThatIsEnabled(t *testing.T) {
	t.Parallel()
	scripts := scriptsFolder(t)
	other := filepath.Join(scripts, "addons", "tcp_echo", "__init__.py")
	source, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, other, string(source)+"\nprint('THE OTHER ONE WAS IMPORTED')\nother = True\n")
	port := freePort(t)
	env := append(ownHome(t), "BLENDER_HTTP_ECHO_PORT="+strconv.Itoa(port), "BLENDER_USER_SCRIPTS="+scripts)
	p := startProcess(t, env, "blender", "--background", "--addons", "tcp_echo", "--python", launcherPath(t))
	p.port = port
	p.await(t, fmt.Sprintf("serving on 127.0.0.1:%d\n", port))
	p.await(t, "THE OTHER ONE WAS IMPORTED\n")
	got := ask(t, p.port, message{"code": "import tcp_echo; result = hasattr(tcp_echo, 'other')", "wait": true})
	check(t, "whether the other one serves", got["result"], false)
	checkServesOriginally(t, p)
}

func TestPortThatIsTakenEndsTheLauncherWith98(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	t.Run("by hand", func(t *testing.T) {
		env := append(ownHome(t), "BLENDER_HTTP_ECHO_PORT="+strconv.Itoa(port))
		p := startProcess(t, env, "blender", "--background", "--python", launcherPath(t))
		check(t, "the exit code", p.exitCode(t), 98)
		if want := fmt.Sprintf("tcp_echo: port %d on 127.0.0.1 can't be had", port); !strings.Contains(p.text(), want) {
			t.Errorf("did not print %q:\n%s", want, p.text())
		}
	})
	t.Run("supervised", func(t *testing.T) {
		p := startProcess(t, nil, "blender", "--background", "--factory-startup",
			"--python", launcherPath(t), "--", "--supervised")
		if _, err := fmt.Fprintf(p.stdin.(io.Writer), "{\"token\":\"t\",\"mark\":%q,\"port\":%d}\n", testMark, port); err != nil {
			t.Fatal(err)
		}
		check(t, "the exit code", p.exitCode(t), 98)
		if want := fmt.Sprintf("port %d ", port); !strings.Contains(p.text(), want) {
			t.Errorf("did not print %q:\n%s", want, p.text())
		}
	})
}

func TestWhatIsSetWrongIsToldAndEndsTheLauncherWith2(t *testing.T) {
	t.Parallel()
	empty := writeFile(t, filepath.Join(t.TempDir(), "token"), " \n")
	for _, test := range []struct{ name, value, want string }{
		{"BLENDER_HTTP_ECHO_PORT", "http", "BLENDER_HTTP_ECHO_PORT is 'http'"},
		{"BLENDER_HTTP_ECHO_PORT", "65536", "BLENDER_HTTP_ECHO_PORT is '65536'"},
		{"BLENDER_HTTP_ECHO_PORT", "-1", "BLENDER_HTTP_ECHO_PORT is '-1'"},
		{"BLENDTRAY_TOKEN_FILE", empty, empty},
		// A Blender without its token file must not serve everybody.
		{"BLENDTRAY_TOKEN_FILE", "/no/such/token", "/no/such/token"},
	} {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			t.Parallel()
			env := append(ownHome(t), "BLENDER_HTTP_ECHO_PORT=0", test.name+"="+test.value)
			p := startProcess(t, env, "blender", "--background", "--python", launcherPath(t))
			check(t, "the exit code", p.exitCode(t), 2)
			if !strings.Contains(p.text(), test.want) {
				t.Errorf("did not print %q:\n%s", test.want, p.text())
			}
		})
	}
}

func TestTokenFileGuardsALauncherStartedByHand(t *testing.T) {
	t.Parallel()
	file := writeFile(t, filepath.Join(t.TempDir(), "token"), testToken+"\n")
	p := startByHand(t, launcherPath(t), "BLENDTRAY_TOKEN_FILE="+file)
	code, mark := leaveMark(t)
	check(t, "the response without", ask(t, p.port, message{"code": code, "wait": true})["response"], "error")
	check(t, "the response to quit without", ask(t, p.port, message{"code": "quit_blender"})["response"], "error")
	check(t, "the response with it", ask(t, p.port, message{"code": "", "wait": true, "token": testToken})["response"], "OK")
	check(t, "whether the first one ran", exists(mark), false)
	ask(t, p.port, message{"code": "quit_blender", "token": testToken})
	check(t, "the exit code", p.exitCode(t), 0)
}

func TestScriptThatStopsTheServerEndsBlenderWithoutATraceback(t *testing.T) {
	t.Parallel()
	p := startByHand(t, launcherPath(t))
	ask(t, p.port, message{"code": "import tcp_echo; tcp_echo.cleanup_server()", "wait": true})
	check(t, "the exit code", p.exitCode(t), 0)
	if strings.Contains(p.text(), "Traceback") {
		t.Errorf("it printed a traceback:\n%s", p.text())
	}
}

// The examples of the document are what it says they are.
func TestExamplesOfTheDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "## One bare message")
	_, rest, _ = strings.Cut(rest, "```json\n")
	example, _, whole := strings.Cut(rest, "\n```")
	if !found || !whole {
		t.Fatal("docs/protocol.md has no example of a bare message")
	}
	p := sharedBlender(t)
	s := connect(t, p)
	s.succeed("", message{"scene": "fresh"})
	answer := readAnswer(t, raw(t, p.port, []byte(strings.Replace(example, "…", testToken, 1))))
	check(t, "the answer", answer, message{
		"response": "OK", "message": "Code execution scheduled.", "source": fmt.Sprintf("tcp://127.0.0.1:%d", p.port),
	})
	check(t, "how many objects there are", s.succeed("result = len(bpy.data.objects)"), 4.0)
	for _, sentence := range []string{"Code execution scheduled.", "Printed message: ", "Shutdown requested by client.", "blendtray 1 server PORT N M", "blendtray 1 client PORT N M"} {
		if !strings.Contains(string(text), sentence) {
			t.Errorf("the document does not have %q", sentence)
		}
	}
}
