package packaging

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rule says what a value of JSON must be like. It returns what is wrong, or "".
type rule func(value any) string

// text is a string that matches a pattern, and has a number of signs within bounds.
func text(pattern string, shortest, longest int) rule {
	matches := regexp.MustCompile(pattern)
	return func(value any) string {
		s, ok := value.(string)
		if n := len([]rune(s)); !ok || n < shortest || n > longest || !matches.MatchString(s) {
			return fmt.Sprintf("%v is no text of %d to %d signs like %s", value, shortest, longest, pattern)
		}
		return ""
	}
}

// oneOf is one of some words.
func oneOf(words ...string) rule {
	return text("^("+strings.Join(words, "|")+")$", 1, 100)
}

// list has at least one value, and none twice.
func list(most int, each rule) rule {
	return func(value any) string {
		all, ok := value.([]any)
		if !ok || len(all) == 0 || len(all) > most {
			return fmt.Sprintf("%v is no list of 1 to %d", value, most)
		}
		seen := map[string]bool{}
		for _, v := range all {
			if wrong := each(v); wrong != "" {
				return wrong
			}
			key := fmt.Sprint(v)
			if seen[key] {
				return key + " is there twice"
			}
			seen[key] = true
		}
		return ""
	}
}

// object has the fields that are required, and no others than those that are known.
func object(known map[string]rule, required ...string) rule {
	return func(value any) string {
		fields, ok := value.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is no object", value)
		}
		for _, name := range required {
			if fields[name] == nil {
				return name + " is missing"
			}
		}
		for name, v := range fields {
			check, ok := known[name]
			if !ok {
				return name + " is no such field"
			}
			if wrong := check(v); wrong != "" {
				return name + ": " + wrong
			}
		}
		return ""
	}
}

// with returns rules and further rules.
func with(rules, more map[string]rule) map[string]rule {
	all := maps.Clone(rules)
	maps.Copy(all, more)
	return all
}

var (
	address = text(`^https://[^$\s]+$`, 9, 2048)
	hash    = text(`^[0-9A-Fa-f]{64}$`, 64, 64)
	locale  = text(`^[a-zA-Z]{2,3}(-[a-zA-Z]{1,8})*$`, 2, 20)
)

// What winget's schemas 1.6.0 say, of the fields that make sense for Blendtray. Others are to be added
// when manifests.py writes them.
var (
	everyManifest = map[string]rule{
		"PackageIdentifier": text(`^[^.\s\\/:*?"<>|]{1,32}(\.[^.\s\\/:*?"<>|]{1,32}){1,7}$`, 3, 128),
		"PackageVersion":    text(`^[^\\/:*?"<>|]+$`, 1, 128),
		"ManifestVersion":   oneOf(`1\.6\.0`),
	}
	wingetInstaller = map[string]rule{
		"Architecture":    oneOf("x86", "x64", "arm", "arm64", "neutral"),
		"Scope":           oneOf("user", "machine"),
		"InstallerUrl":    address,
		"InstallerSha256": hash,
		"InstallerSwitches": object(map[string]rule{
			"Silent": text("", 1, 512), "SilentWithProgress": text("", 1, 512), "Interactive": text("", 1, 512), "InstallLocation": text("", 1, 512),
			"Log": text("", 1, 512), "Upgrade": text("", 1, 512), "Custom": text("", 1, 2048),
		}),
		"ElevationRequirement": oneOf("elevationRequired", "elevationProhibited", "elevatesSelf"),
		"InstallerType":        oneOf("msix", "msi", "appx", "exe", "zip", "inno", "nullsoft", "wix", "burn", "pwa", "portable"),
		"InstallModes":         list(3, oneOf("interactive", "silent", "silentWithProgress")),
		"UpgradeBehavior":      oneOf("install", "uninstallPrevious"),
		"Commands":             list(16, text("", 1, 40)),
		"ExpectedReturnCodes": list(128, object(map[string]rule{
			"InstallerReturnCode": number(1, 4294967295),
			"ReturnResponse":      oneOf("packageInUse", "fileInUse", "cancelledByUser", "alreadyInstalled", "downgrade", "systemNotSupported", "custom"),
		}, "InstallerReturnCode", "ReturnResponse")),
	}
	wingetManifests = map[string]rule{
		"Blendtray.Blendtray.yaml": object(with(everyManifest, map[string]rule{"DefaultLocale": locale, "ManifestType": oneOf("version")}),
			"PackageIdentifier", "PackageVersion", "DefaultLocale", "ManifestType", "ManifestVersion"),
		"Blendtray.Blendtray.installer.yaml": object(with(with(everyManifest, wingetInstaller), map[string]rule{
			"ManifestType": oneOf("installer"),
			"Installers":   list(1024, object(wingetInstaller, "Architecture", "InstallerUrl", "InstallerSha256")),
		}), "PackageIdentifier", "PackageVersion", "InstallerType", "Installers", "ManifestType", "ManifestVersion"),
		"Blendtray.Blendtray.locale.en-US.yaml": object(with(everyManifest, map[string]rule{
			"ManifestType": oneOf("defaultLocale"), "PackageLocale": locale, "Publisher": text("", 2, 256), "PackageName": text("", 2, 256),
			"PackageUrl": address, "License": text("", 3, 512), "ShortDescription": text("", 3, 256), "Tags": list(16, text("", 1, 40)),
		}), "PackageIdentifier", "PackageVersion", "PackageLocale", "Publisher", "PackageName", "License", "ShortDescription", "ManifestType", "ManifestVersion"),
	}
)

// What Scoop's schema says, of the fields that make sense for Blendtray.
var (
	scoopArchitecture = object(map[string]rule{
		"url": address, "hash": hash, "extract_dir": text("", 1, 200), "shortcuts": list(10, list(4, text("", 1, 200))),
	}, "url", "hash")
	scoopManifest = object(map[string]rule{
		"version": text(`^[\w.\-+]+$`, 1, 100), "description": text("", 1, 200), "homepage": address, "license": text("", 3, 100),
		"architecture": object(map[string]rule{"32bit": scoopArchitecture, "64bit": scoopArchitecture, "arm64": scoopArchitecture}, "64bit"),
		"bin":          text(`\.exe$`, 5, 100), "pre_uninstall": text("", 1, 1000),
	}, "version", "homepage", "license", "architecture")
)

// manifests writes the manifests of some packages, and returns the folder of both and the files of the
// packages with their hashes.
func manifests(t *testing.T) (folder string, hashes map[string]string) {
	t.Helper()
	folder, hashes = t.TempDir(), map[string]string{}
	for _, name := range []string{"blendtray-1.2.3-setup.exe", "blendtray-1.2.3-windows-amd64.zip", "blendtray-1.2.3-windows-arm64-headless.zip"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(name))
		hashes[name] = hex.EncodeToString(sum[:])
	}
	out, err := exec.Command("python3", "windows/manifests.py", "1.2.3", "https://example.org/1.2.3", folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder, hashes
}

// yaml reads a manifest of winget whose values are JSON, which is YAML, too.
func yaml(t *testing.T, file string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, ": ")
		var v any
		if err := json.Unmarshal([]byte(value), &v); !found || err != nil || fields[name] != nil {
			t.Fatalf("%s has the line %q: %v", file, line, err)
		}
		fields[name] = v
	}
	return fields
}

// checkPackage fails unless an address and a hash are of one of the packages.
func checkPackage(t *testing.T, hashes map[string]string, address, hash any) {
	t.Helper()
	name := strings.TrimPrefix(fmt.Sprint(address), "https://example.org/1.2.3/")
	if want, ok := hashes[name]; !ok || !strings.EqualFold(want, fmt.Sprint(hash)) {
		t.Errorf("%v has the hash %v, want %q", address, hash, want)
	}
}

func TestWingetTakesTheManifests(t *testing.T) {
	t.Parallel()
	folder, hashes := manifests(t)
	files, err := filepath.Glob(filepath.Join(folder, "winget", "*"))
	if err != nil || len(files) != len(wingetManifests) {
		t.Fatalf("there are %v, %v", files, err)
	}
	all := map[string]map[string]any{}
	for _, file := range files {
		name := filepath.Base(file)
		check, ok := wingetManifests[name]
		if !ok {
			t.Errorf("winget knows no %s", name)
			continue
		}
		fields := yaml(t, file)
		if wrong := check(fields); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
		data, _ := os.ReadFile(file) // read a moment ago
		if schema := fmt.Sprintf("# yaml-language-server: $schema=https://aka.ms/winget-manifest.%s.%s.schema.json\n", fields["ManifestType"], fields["ManifestVersion"]); !strings.HasPrefix(string(data), schema) {
			t.Errorf("%s names another schema than its own", name)
		}
		if id := fmt.Sprint(fields["PackageIdentifier"]); !strings.HasPrefix(name, id+".") || fields["PackageVersion"] != "1.2.3" {
			t.Errorf("%s is about %s %v", name, id, fields["PackageVersion"])
		}
		all[fmt.Sprint(fields["ManifestType"])] = fields
	}
	if l := all["defaultLocale"]; all["version"]["DefaultLocale"] != l["PackageLocale"] {
		t.Errorf("the default language is %v, and there is %v", all["version"]["DefaultLocale"], l["PackageLocale"])
	}
	// winget chooses by these, so no two may be the same.
	seen := map[string]bool{}
	for _, v := range all["installer"]["Installers"].([]any) {
		one := v.(map[string]any)
		checkPackage(t, hashes, one["InstallerUrl"], one["InstallerSha256"])
		key := fmt.Sprint(one["Architecture"], " ", one["Scope"])
		if seen[key] {
			t.Errorf("two installers are for %s", key)
		}
		seen[key] = true
	}

	// By these winget finds what is installed, and so what to upgrade.
	installer, err := os.ReadFile("windows/installer.nsi")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf(`"DisplayName" "%s"`, all["defaultLocale"]["PackageName"]), fmt.Sprintf(`"Publisher" "%s"`, all["defaultLocale"]["Publisher"]),
		`"DisplayVersion" "${VERSION}"`, `Switch "/ALLUSERS"`,
	} {
		if !strings.Contains(string(installer), want) {
			t.Errorf("the installer has no %s", want)
		}
	}
	for _, v := range all["installer"]["ExpectedReturnCodes"].([]any) {
		if code := v.(map[string]any)["InstallerReturnCode"]; !strings.Contains(string(installer), fmt.Sprintf(" %v\n", code)) {
			t.Errorf("the installer never ends with %v", code)
		}
	}
}

func TestScoopTakesTheManifest(t *testing.T) {
	t.Parallel()
	folder, hashes := manifests(t)
	data, err := os.ReadFile(filepath.Join(folder, "blendtray.scoop.json"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	if wrong := scoopManifest(fields); wrong != "" {
		t.Error(wrong)
	}
	for name, v := range fields["architecture"].(map[string]any) {
		one := v.(map[string]any)
		checkPackage(t, hashes, one["url"], one["hash"])
		// The folder in the archive: see scripts/package.sh.
		if want := map[string]string{"64bit": "blendtray-1.2.3", "arm64": "blendtray-1.2.3-arm64"}[name]; one["extract_dir"] != want {
			t.Errorf("%s: the folder in the archive is %v, want %s", name, one["extract_dir"], want)
		}
	}
}

// A rule that finds nothing wrong would be no test.
func TestTheRulesOfManifestsFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	folder, _ := manifests(t)
	good := func() map[string]any {
		return yaml(t, filepath.Join(folder, "winget", "Blendtray.Blendtray.installer.yaml"))
	}
	first := func(m map[string]any) map[string]any { return m["Installers"].([]any)[0].(map[string]any) }
	check := wingetManifests["Blendtray.Blendtray.installer.yaml"]
	for name, edit := range map[string]func(m map[string]any){
		"no version":        func(m map[string]any) { delete(m, "PackageVersion") },
		"another kind":      func(m map[string]any) { m["ManifestType"] = "version" },
		"no installer":      func(m map[string]any) { m["Installers"] = []any{} },
		"a short hash":      func(m map[string]any) { first(m)["InstallerSha256"] = "abc" },
		"no architecture":   func(m map[string]any) { delete(first(m), "Architecture") },
		"an unknown field":  func(m map[string]any) { first(m)["Arch"] = "x64" },
		"an unknown mode":   func(m map[string]any) { m["InstallModes"] = []any{"quiet"} },
		"an empty switch":   func(m map[string]any) { first(m)["InstallerSwitches"] = map[string]any{"Custom": ""} },
		"the same mode two": func(m map[string]any) { m["InstallModes"] = []any{"silent", "silent"} },
	} {
		m := good()
		if wrong := check(m); wrong != "" {
			t.Fatalf("%s: %s", name, wrong)
		}
		edit(m)
		if check(m) == "" {
			t.Errorf("%s: nothing is found", name)
		}
	}
}
