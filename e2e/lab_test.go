//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"blendtray/api"
)

// askAsLab calls a function of the client's connection with each code, and prints the answers. Codes
// that begin with @ are tools of the server, which it sends as code.
const askAsLab = `
import ast, json, os, sys, types
# Its __init__ wants the whole MCP kit, which the connection does not need.
package = sys.modules["blmcp"] = types.ModuleType("blmcp")
package.__path__ = [os.path.join(os.environ["PYTHONPATH"], "blmcp")]
import blmcp.tools_helpers as helpers
from blmcp.tools_helpers.connection import send_code

def tool(name, params):
    path = os.path.join(os.path.dirname(helpers.__file__), "..", "tools", name + ".py")
    call = helpers.toolcode_wrap_with_calling_convention(helpers.toolcode_load_from_filepath(path))
    # The server passes a named tuple, whose repr is a call of the class that the code defines.
    text = "Params(**%r)" % params if params is not None else "None"
    return call.replace("__BLMCP_PARAMS__", text)

for name, strict, params in ast.literal_eval(sys.stdin.read()):
    code = tool(name[1:], params) if name.startswith("@") else name
    print(json.dumps(send_code(code, strict)))
`

type labAnswer struct {
	Status, Message, Stdout, Stderr string
	Result                          map[string]any
}

func TestBlenderLabsServerWorksOverASupervisedBlender(t *testing.T) {
	t.Parallel()
	// Blender Lab's MCP server with a search for Blenders added; where the environment names a port, it
	// sends what Blender Lab's server sends.
	client := fromPyPI(t, "labclient", "blmcp")
	port := freePort(t)
	p := started(t, fmt.Sprintf("[mcp]\nlab_port = %d\n", port))
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p.eventually("the port answers", func() bool {
		c, err := net.Dial("tcp4", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	ask := func(calls string) (all []labAnswer) {
		t.Helper()
		cmd := exec.Command("python3", "-c", askAsLab)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+client, "BLENDER_MCP_HOST=127.0.0.1", fmt.Sprint("BLENDER_MCP_PORT=", port))
		cmd.Stdin = strings.NewReader(calls)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		for line := range strings.Lines(string(out)) {
			var a labAnswer
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, a)
		}
		return all
	}

	a := ask(`[
		("import bpy, sys\nprint('hello'); print('oops', file=sys.stderr)\nbpy.data.objects['Cube'].name = 'Box'\nresult = {'o': bpy.data.objects['Box']}", False, None),
		("result = {'o': __import__('bpy').data.objects['Box']}", True, None),
		("print('hello')\n1/0", True, None),
		("import sys; sys.exit(3)", True, None),
		("@get_objects_summary", True, None),
		("@get_object_detail_summary", True, {"name": "Box"}),
		("@get_blendfile_summary_datablocks", True, None),
		("@get_blendfile_summary_path_info", True, None),
		("@render_thumbnail_to_path", True, {"output_path": "thumb.png"}),
	]`)
	if a[0].Status != "ok" || a[0].Stdout != "hello\n" || a[0].Stderr != "oops\n" || !strings.Contains(fmt.Sprint(a[0].Result["o"]), "bpy.data.objects['Box']") {
		t.Errorf("code: %+v", a[0])
	}
	if a[1].Status != "error" || !strings.Contains(a[1].Message, "not JSON serializable") {
		t.Errorf("a result that is no JSON: %+v", a[1])
	}
	if a[2].Status != "error" || a[2].Stdout != "hello\n" || !strings.Contains(a[2].Message, `line 2, in <module>`) || !strings.Contains(a[2].Message, "ZeroDivisionError") {
		t.Errorf("an exception: %+v", a[2])
	}
	if a[3].Status != "error" {
		t.Errorf("sys.exit: %+v", a[3])
	}
	if text := fmt.Sprint(a[4].Result); a[4].Status != "ok" || !strings.Contains(text, "Box") {
		t.Errorf("the tool get_objects_summary: %+v", a[4])
	}
	for i := 5; i < len(a); i++ {
		if a[i].Status != "ok" || a[i].Result["status"] != "ok" {
			t.Errorf("call %d: %+v", i, a[i])
		}
	}
	if picture, _ := a[8].Result["filepath"].(string); picture == "" {
		t.Errorf("no picture: %+v", a[8])
	} else if _, err := os.Stat(picture); err != nil {
		t.Error(err)
	}

	p.eventually("the status names the client", func() bool {
		agents, err := p.client().Agents(t.Context())
		return err == nil && len(agents) == 1 && agents[0].Transport == api.OverLab && agents[0].Runs == len(a) && agents[0].Calling == 0
	})

	all := slices.DeleteFunc(p.runs(), func(r api.Run) bool { return r.Session != "blender-lab" })
	if len(all) != len(a) {
		t.Errorf("the history has %d runs of %d requests", len(all), len(a))
	}
	failed := 0
	for _, run := range all {
		if run.Client != "mcp: Blender Lab" {
			t.Errorf("run %s is of %q", run.ID, run.Client)
		}
		if run.State == api.Failed {
			failed++
		}
	}
	if failed != 3 {
		t.Errorf("%d runs have failed, want 3", failed)
	}

	// A Blender that crashes is replaced, and the client told.
	a = ask(`[("import os; os.abort()", True, None), ("result = {'n': len(__import__('bpy').data.objects)}", True, None)]`)
	if a[0].Status != "error" || !strings.Contains(a[0].Message, "crashed Blender") {
		t.Errorf("a crash: %+v", a[0])
	}
	if a[1].Status != "ok" || a[1].Result["n"] != 3.0 || !strings.Contains(a[1].Stdout, "begins anew") {
		t.Errorf("after a crash: %+v", a[1])
	}

	// The port is closed and opened by the settings.
	if r := p.call("settings", "mcp.lab_port", "0"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	p.eventually("the port is closed", func() bool {
		c, err := net.Dial("tcp4", address)
		if err != nil {
			return true
		}
		defer c.Close()
		_, _ = io.WriteString(c, "{}")
		got, _ := io.ReadAll(c)
		return !strings.Contains(string(got), "Blender Lab")
	})
}
