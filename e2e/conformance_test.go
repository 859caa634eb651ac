//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// conformance is the official suite of the protocol, which is pinned in scripts/ and speaks HTTP alone.
const conformance = "../build/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js"

// needsFixtures is how the suite says that the server has none of the tools, prompts and resources with which
// the suite tests the libraries of servers, or a part of the protocol that a server may leave out and that
// ours does not claim to have.
var needsFixtures = regexp.MustCompile(strings.Join([]string{
	`unknown (tool|prompt) \\?"test_`,
	`Tool 'json_schema_2020_12_tool' not found`,
	`^Failed: Resource not found$`, // test://…
	`method not found: "(completion/complete|resources/subscribe)"`,
	`^Not testable: server (does not list the diagnostic tool|exposes no tool with x-mcp-header)`,
	`^Expected InputRequiredResult with inputRequests`, `^Prerequisite failed: could not get initial InputRequiredResult`,
}, "|"))

// TestTheOfficialConformanceSuiteFindsNothing has the suite speak each revision. It knows those from 2025-06-18
// on, and speaks the two before as well, because the proxy puts their name into the handshake.
func TestTheOfficialConformanceSuiteFindsNothing(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs(conformance)
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Logf("not tested: the official suite of conformance, because npm is not there or Node is too old (%v)", err)
		return
	}
	p := started(t, "")
	p.config = filepath.Join(p.home, "settings.toml")
	address, token := p.agentsAddress()
	old := []string{"server-initialize", "ping", "logging-set-level", "tools-list", "resources-list", "prompts-list"}
	for _, x := range []struct {
		revision, of string
		passes       []string
	}{
		{"2024-11-05", "2025-06-18", old},
		{"2025-03-26", "2025-06-18", old},
		{"2025-06-18", "2025-06-18", old},
		{"2025-11-25", "2025-11-25", append(slices.Clone(old), "dns-rebinding-protection")},
		{"2026-07-28", "2026-07-28", []string{
			"server-stateless", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection", "caching",
			"http-header-validation", "sep-2164-resource-not-found", "server-sse-multiple-streams",
		}},
	} {
		t.Run(x.revision, func(t *testing.T) {
			t.Parallel()
			proxy, spoken := suiteProxy(t, address, token, x.revision)
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "node", "--import", "./testdata/conformance.mjs", program,
				"server", "--url", proxy+"/mcp", "--suite", "all", "--spec-version", x.of, "-o", dir)
			out, err := cmd.CombinedOutput() // it fails where a tool for tests is missing
			if !bytes.Contains(out, []byte("=== SUMMARY ===")) {
				t.Fatalf("the suite has not ended: %v\n%s", err, out)
			}
			if spoken.Load() < 20 {
				t.Errorf("%d requests were of the revision", spoken.Load())
			}
			passed := suiteChecks(t, dir)
			for _, scenario := range x.passes {
				if passed[scenario] == 0 {
					t.Errorf("nothing of %s was checked", scenario)
				}
			}
		})
	}
}

var handshake = regexp.MustCompile(`("method":"initialize".*"protocolVersion":")[0-9-]{10}"`)

// suiteProxy returns the address of a proxy that shows the token, which the suite can't, and that has the
// client begin with a revision; and how many requests were of the revision.
func suiteProxy(t *testing.T, address, token, revision string) (string, *atomic.Int64) {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
		r.Out.Host = r.In.Host // the suite tries hostile ones
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
	var spoken atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		body = handshake.ReplaceAll(body, []byte("${1}"+revision+`"`)) // it stays as long
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Header.Get("MCP-Protocol-Version") == revision {
			spoken.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, &spoken
}

// suiteChecks reads what the suite has written down, fails for what is wrong, and returns how much each
// scenario found to be right.
func suiteChecks(t *testing.T, dir string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]int{}
	for _, file := range files {
		// server-NAME-2026-01-02T03-04-05-678Z
		name := strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "server-")
		name = name[:max(0, len(name)-len("-2026-01-02T03-04-05-678Z"))]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct{ ID, Status, Description, ErrorMessage string }
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			switch {
			case c.Status == "SUCCESS":
				passed[name]++
			case c.Status == "FAILURE" && !needsFixtures.MatchString(c.ErrorMessage):
				t.Errorf("%s, %s: %s: %s", name, c.ID, c.Description, c.ErrorMessage)
			}
		}
	}
	return passed
}
