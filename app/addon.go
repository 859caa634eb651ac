package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"blendtray/addon"
	"blendtray/app/doctor"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/blender"
)

// addonCmd is `blendtray addon`: it manages the add-on in the Blenders that a person opens. The
// Blender that Blendtray supervises brings its own add-on.
type addonCmd struct {
	Install   addonInstallCmd   `cmd:"" help:"Install the add-on, and see that it works."`
	Uninstall addonUninstallCmd `cmd:"" help:"Remove the add-on and put back what was there before."`
	Status    addonStatusCmd    `cmd:"" help:"Show where the add-on is installed."`
}

func (addonCmd) Help() string {
	return `Installs the add-on "TCP Echo" into the Blenders of this machine, or the one that --blender names: as an extension from Blender 4.2 on, as an add-on before. Afterwards that Blender is started once without a window and runs code through the add-on, as proof. The Blender that "blendtray serve" keeps warm needs none of this.

Blender's preferences are not touched: enable "TCP Echo" there, and start serving. Then "blendtray run --attach script.py" runs a script in the Blender that you look at.

"blendtray addon status" ends with 0 when the add-on is installed in every Blender, with 1 when it is not.`
}

type addonFlags struct {
	Blender string `placeholder:"PATH" help:"This Blender only, not all that are found."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

type (
	addonInstallCmd struct {
		addonFlags
		Loop    string `enum:"auto,proactor,posix" default:"auto" help:"The asyncio loop of the server: auto (Proactor on Windows, the selector loop elsewhere), proactor, posix."`
		Replace bool   `help:"Replace an add-on of the same name that something else installed; it is kept, and put back by uninstall."`
	}
	addonUninstallCmd struct{ addonFlags }
	addonStatusCmd    struct{ addonFlags }
)

// AddonReport describes the add-on in a Blender, as `blendtray addon --json` prints it.
type AddonReport struct {
	Blender string `json:"blender"`
	// BlenderVersion is the version of the program.
	BlenderVersion string `json:"blender_version"`
	// Kind is "extension" or "add-on".
	Kind string `json:"kind"`
	// Module is the name by which Blender knows the add-on.
	Module string `json:"module"`
	// State is "installed", "not installed", "older", "newer", "modified" or "foreign".
	State   string `json:"state"`
	Version string `json:"version"`
	// Loop is the loop that was chosen. LoopInUse is the class of the loop in which a server
	// ran, when the report has tried the add-on.
	Loop      string `json:"loop"`
	LoopInUse string `json:"loop_in_use"`
	Path      string `json:"path"`
	// Verified is true when code has just run through the add-on.
	Verified bool `json:"verified"`
	// Kept is the path of a file or folder that was replaced and kept, or "".
	Kept  string `json:"kept"`
	Error string `json:"error"`

	dir string
}

// addonMark begins the lines in which a Blender answers.
const addonMark = "blendtray-addon "

// placesCode prints where the add-ons of Blender's user lie. It does not read the preferences,
// which may name a broken add-on.
const placesCode = `
import json
import bpy
extensions = ""
if bpy.app.version >= (4, 2, 0):
    for repo in bpy.context.preferences.extensions.repos:
        if repo.module == "user_default":
            extensions = repo.directory
    extensions = extensions or bpy.utils.user_resource("EXTENSIONS", path="user_default")
print("\n` + addonMark + `" + json.dumps({
    "version": bpy.app.version_string,
    "addons": bpy.utils.user_resource("SCRIPTS", path="addons"),
    "extensions": extensions,
}), flush=True)
`

// verifyCode enables the add-on for this process alone and serves until it is told to quit.
const verifyCode = `
import importlib, json, os, sys, threading, time
import addon_utils
import bpy
threading.Thread(target=lambda: (time.sleep(60), os._exit(3)), daemon=True).start()
module = os.environ.pop("BLENDTRAY_VERIFY_MODULE")
token = os.environ.pop("BLENDTRAY_VERIFY_TOKEN")
if addon_utils.enable(module) is None:
    sys.exit("Blender can't enable " + module)
served = importlib.import_module(module)
port = served.start_server_from_script(port=0, token=token)
print("\n` + addonMark + `" + json.dumps({"port": port, "file": served.__file__}), flush=True)
try:
    while not served.async_loop.kick_async_loop():
        time.sleep(0.005)
finally:
    served.cleanup_server()
`

// verifyTime is how long a Blender may take to start and to prove the add-on.
const verifyTime = time.Minute

// blenders returns the Blenders that the flags mean, each with the place for its add-on. It
// fails when no Blender is found.
func (f addonFlags) blenders(ctx context.Context) ([]AddonReport, error) {
	ctx, cancel := context.WithTimeout(ctx, doctor.FindTimeout)
	defer cancel()
	configured := f.Blender
	if configured != "" {
		if strings.ContainsAny(configured, `/\`) {
			abs, err := filepath.Abs(configured)
			if err != nil {
				return nil, err
			}
			configured = abs
		}
	} else if paths, err := home.Find(); err == nil {
		loaded, _ := homeSource(paths).Load() // the search works without the settings
		configured = loaded.Blender.Path
	}
	found, err := blender.Find(ctx, configured)
	if err != nil && len(found) == 0 {
		return nil, err
	}
	if f.Blender != "" && len(found) > 0 {
		found = found[:1]
	}
	var all []AddonReport
	for _, b := range found {
		if b.Error != "" && f.Blender == "" {
			continue // the doctor reports the error
		}
		all = append(all, addonIn(ctx, b))
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Failed, "name it: --blender PATH", "no Blender is found")
	}
	return all, nil
}

// addonIn returns the report on the add-on in a Blender. It starts the Blender for that.
func addonIn(ctx context.Context, b blender.Found) AddonReport {
	r := AddonReport{Blender: b.Path, BlenderVersion: b.Version, State: string(addon.Missing), Error: b.Error}
	if r.Error == "" {
		r.ask(ctx)
	}
	return r
}

// ask starts the Blender to find out where its add-on belongs, and records the state of the
// add-on.
func (r *AddonReport) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doctor.StartTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Blender, "--background", "--factory-startup", "--python-expr", placesCode)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	_, line, answered := bytes.Cut(out, []byte("\n"+addonMark))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	var places struct{ Version, Addons, Extensions string }
	if !answered || json.Unmarshal(line, &places) != nil {
		r.Error = fmt.Sprintf("Blender did not say where its add-ons lie: %v: %s", err, lastLine(out))
		return
	}
	r.Kind, r.Module, r.dir = "add-on", addon.Name, places.Addons
	if places.Extensions != "" {
		r.Kind, r.Module, r.dir = "extension", "bl_ext.user_default."+addon.Name, places.Extensions
	}
	if r.dir == "" || !filepath.IsAbs(r.dir) {
		r.Error = "it has no folder for the user's add-ons; BLENDER_USER_RESOURCES may name one"
		return
	}
	r.inspect()
}

func (r *AddonReport) inspect() {
	in, err := addon.Inspect(r.dir)
	r.State, r.Version, r.Loop, r.Path = string(in.State), in.Version, in.Loop, in.Path
	if err != nil {
		r.Error = err.Error()
	}
}

func (c *addonInstallCmd) Run(e *env) error {
	if c.Loop == "proactor" && runtime.GOOS != "windows" {
		return fault.New(fault.Usage, "leave --loop out", "asyncio has the Proactor loop on Windows only")
	}
	all, err := c.blenders(e)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].install(e, c.Loop, c.Replace)
	}
	return c.report(e, all)
}

// install installs the add-on and proves it, unless the report has an error already.
func (r *AddonReport) install(ctx context.Context, loop string, replace bool) {
	if r.Error != "" {
		return
	}
	kept, err := addon.Install(r.dir, loop, replace)
	if err != nil {
		r.Error = err.Error()
		if errors.Is(err, addon.ErrForeign) {
			r.Error += "; `blendtray addon install --replace` keeps it aside and takes its place"
		}
		return
	}
	r.Kept = kept
	r.inspect()
	if err := r.verify(ctx); err != nil {
		r.Error = "it is installed, but does not work: " + err.Error()
	}
}

func (c *addonUninstallCmd) Run(e *env) error {
	all, err := c.blenders(e)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].uninstall()
	}
	return c.report(e, all)
}

// uninstall removes the add-on, unless the report has an error already or nothing is installed.
func (r *AddonReport) uninstall() {
	if r.Error != "" || r.State == string(addon.Missing) {
		return
	}
	kept, err := addon.Uninstall(r.dir)
	if err != nil {
		r.Error = err.Error()
		return
	}
	r.Kept = kept
	r.inspect()
}

func (c *addonStatusCmd) Run(e *env) error {
	all, err := c.blenders(e)
	if err != nil {
		return err
	}
	if err := c.report(e, all); err != nil {
		return err
	}
	for _, r := range all {
		if r.State != string(addon.Current) {
			return fault.Quietly(fault.Failed)
		}
	}
	return nil
}

// words returns the state of the add-on in words.
func (r AddonReport) words() string {
	if r.Version == "" {
		return r.State
	}
	return r.State + ", version " + r.Version
}

func (f addonFlags) report(e *env, all []AddonReport) error {
	failed := false
	for i := range all {
		failed = failed || all[i].Error != ""
	}
	if f.JSON {
		if err := e.printJSON(all); err != nil {
			return err
		}
	} else {
		for _, r := range all {
			e.printf("Blender %s  %s\n", r.BlenderVersion, r.Blender)
			if r.Kind != "" {
				e.printf("  %-8s %s\n", r.Kind, r.words())
			}
			if r.Path != "" && r.State != string(addon.Missing) {
				e.printf("  %-8s %s\n", "in", r.Path)
			}
			if r.Verified {
				e.printf("  %-8s code has run through it, on the %s\n", "works", r.LoopInUse)
				e.printf("  %-8s in Preferences, Add-ons: \"TCP Echo\"\n", "enable")
			}
			if r.Kept != "" {
				e.printf("  %-8s what was there before: %s\n", "kept", r.Kept)
			}
			if r.Error != "" {
				e.printf("  %-8s %s\n", "error", clean(r.Error))
			}
		}
	}
	if failed {
		return fault.Quietly(fault.Failed)
	}
	return nil
}

// verify starts the Blender, without a window and without preferences, and runs code through the
// add-on in it. It fails when that does not work.
func (r *AddonReport) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	token := rand.Text()
	cmd := exec.CommandContext(ctx, r.Blender, "--background", "--factory-startup", "--python-exit-code", "1", "--python-expr", verifyCode)
	cmd.Env = append(os.Environ(), "BLENDTRAY_VERIFY_MODULE="+r.Module, "BLENDTRAY_VERIFY_TOKEN="+token)
	cmd.WaitDelay = 5 * time.Second
	said := &answer{mark: []byte("\n" + addonMark), found: make(chan []byte, 1)}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cancel() // this ends the Blender in every case
	var serves struct {
		Port int
		File string
	}
	select {
	case line := <-said.found:
		if err := json.Unmarshal(line, &serves); err != nil {
			return err
		}
	case err := <-ended:
		return fmt.Errorf("that Blender ended: %w: %s", err, lastLine(said.all()))
	}
	if filepath.Dir(serves.File) != filepath.Clean(r.Path) {
		return fmt.Errorf("that Blender loads another add-on of the same name: %s", serves.File)
	}
	session, err := blender.Dial(ctx, fmt.Sprintf("127.0.0.1:%d", serves.Port), token)
	if err != nil {
		return err
	}
	defer session.Close()
	call, err := session.Run(blender.Request{ID: "verify", Name: "<verify>", Code: []byte("import bpy\nresult = [6 * 7, bpy.app.version_string]\n"), Scene: "keep"}, nil, nil, nil)
	if err != nil {
		return err
	}
	select {
	case <-call.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	finished, err := call.Result()
	var result []any
	switch {
	case err != nil:
		return err
	case finished.Error != nil:
		return fmt.Errorf("the code failed: %s", finished.Error.Message)
	case json.Unmarshal(finished.Result, &result) != nil || len(result) != 2 || result[0] != 42.0:
		return fmt.Errorf("the code returned %s", finished.Result)
	}
	r.Verified, r.LoopInUse = true, session.Welcome.Loop
	if err := session.Quit(); err != nil {
		return err
	}
	select {
	case <-ended: // with 0, or killed: the add-on is proved already
	case <-ctx.Done():
	}
	return nil
}
