#!/usr/bin/env bash
# Tests the program for Windows, and the add-on on Python for Windows with both asyncio loops,
# as far as Wine goes. Blender is stood in for: by that Python, with the add-on and without a
# scene. With "window", the program with a window is made and opened as well; the first time
# that takes minutes.
#
# Usage: scripts/test-windows.sh [window]
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/go/bin:$PATH # where set-up puts a Go, if it had to
say() { printf 'test-windows: %s\n' "$*" >&2; }

# CPython for Windows, of the version that Blender 4.2 brings, as Maven Central has it.
python_version=3.11.3-1.5.9
python_sum=3263a50b256447bb7b9e604d6587627e419891370fc33b94469e6a06ff4de834
python_url=https://repo1.maven.org/maven2/org/bytedeco/cpython/$python_version/cpython-$python_version-windows-x86_64.jar

work=$PWD/build/wine
python=$work/python/org/bytedeco/cpython/windows-x86_64
mkdir -p "$work"
if [ ! -e "$python/python.exe" ]; then
	say "fetching Python for Windows, $python_version"
	python3 - "$python_url" "$python_sum" "$work/python" <<-'PY' || {
		import hashlib, io, sys, urllib.request, zipfile

		url, wanted, folder = sys.argv[1:]
		try:
		    data = urllib.request.urlopen(url, timeout=60).read()
		except OSError as error:
		    sys.exit(f"{url}: {error}")
		if hashlib.sha256(data).hexdigest() != wanted:
		    sys.exit(f"{url} is not what it was")
		zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
	PY
		say "NOT TESTED for Windows: its Python can't be had"
		exit 0
	}
fi

export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEARCH=win64
if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
	say "making a Windows of $(wine --version 2>/dev/null)"
	rm -rf "$WINEPREFIX"
	DISPLAY='' wineboot --init >"$work/log" 2>&1 || {
		cat "$work/log"
		exit 1
	}
	x86_64-w64-mingw32-gcc -O2 -Wall -shared -o "$work/bcryptprimitives.dll" e2e/wine/standin/bcryptprimitives.c -ladvapi32
	cp "$work/bcryptprimitives.dll" "$WINEPREFIX/drive_c/windows/system32/"
fi
trap 'wineserver -k || true' EXIT

as_c() { printf 'L"Z:%s"' "${1//\//\\\\}"; }
x86_64-w64-mingw32-gcc -O2 -Wall -municode -DSCRIPT="$(as_c "$PWD/scripts/bpy_blender.py")" \
	-DMODULES="$(as_c "$PWD/addon/tests/standin")" -o "$python/blender.exe" e2e/wine/standin/blender.c
mkdir -p "$work/path"
printf '#!/bin/sh\nexec wine %s/blender.exe "$@"\n' "$python" >"$work/path/blender"
chmod +x "$work/path/blender"

# Left out: what is about a scene, about POSIX, or not about the server.
not_here='Window|Install|Unpack|TestVersion|TestPurePython|TestOriginalCommandAndClientWork'
not_here+='|TestForeignLaunchersServe|TestLauncherPrefers|TestScriptFinds|TestEverythingIsPutBack'
not_here+='|TestHowAScriptEnds|TestResultIs|TestScene|TestFreshRemoves|TestOutputsAre'
not_here+='|TestScriptMayFork|TestBlenderEndsInAForeign|TestSIGTERM|TestUninstall|TestWhatAPerson'
not_here+='|TestAJournalTellsWhatARunDoes|TestExamplesOfTheDocument|TestClientThatNeverReads'
not_here+='|TestOtherVersions|TestScriptsHaveMoreDescriptors|TestArgumentsAreBlendersCommandLine|TestIsolatedRunFinds'
not_here+='|TestAJournalTellsOfTheTextBlocks|TestARunTellsWhichModules'
not_here+='|TestCodeIsCompletedFrom|TestACallIsTold'
not_here+='|TestFramesAreRendered|TestOtherFramesThan|TestAScriptIsFollowedByItsFrames|TestARenderThat'
# On Linux a signal ends it; here the job object does, with the engine.
not_here+='|TestBlenderEndsByItselfWhenItsSupervisorIsGone/C_that_holds_the_lock'
failed=0
for loop in proactor posix; do
	say "the add-on's server on the $loop loop of $("$work/path/blender" --python-expr 'import sys; print("Python", sys.version.split()[0], sys.platform)' 2>&1 </dev/null | head -n 1 | tr -d '\r')"
	BLENDTRAY_TEST_WINE=$loop PATH="$work/path:$PATH" go tool gotestsum --format pkgname -- -tags headless -count=1 \
		-timeout 10m -skip "$not_here" ./addon || failed=1
done

only=(-skip 'Window|VersionAndIcon')
if [ "${1:-}" = window ]; then
	say "making the program with a window"
	scripts/package.sh windows >"$work/log" 2>&1 || {
		cat "$work/log"
		exit 1
	}
	only=()
	# shellcheck disable=SC2012 # there is one
	WINDOWED_PROGRAM=$(ls -t "$PWD"/build/package/windows/*/blendtrayw.exe | head -n 1)
	# shellcheck disable=SC2012
	INSTALLER=$(ls -t "$PWD"/build/packages/*-setup.exe | head -n 1)
	export WINDOWED_PROGRAM INSTALLER
fi
say "the program"
STAND_IN_BLENDER=$python/blender.exe go tool gotestsum --format pkgname -- -tags wine -count=1 -timeout 10m "${only[@]}" ./e2e/wine || failed=1
exit $failed
