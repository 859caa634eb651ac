#!/usr/bin/env bash
# Tests the program for Windows and the add-on as far as Wine goes. Blender is the module bpy for
# Windows from PyPI, in a Python for Windows, on the proactor loop: a real Blender without a window.
# On the posix loop, and where the module can't be had, Python alone takes its place, with the add-on
# and without a scene. The program is tested with the first version. With "window", the program with a
# window is made and opened as well; the first time that takes minutes. With "installer" or "window", the
# installer is made and tried. With "newer", the Wine is that of Debian's trixie, in a root folder, as root: Wine 8
# reads no images back in Blender 5. RUN in the environment has only the program's tests run whose names it
# matches: `make test-windows ARGS=installer RUN=TheInstaller`.
#
# Usage: scripts/test-windows.sh [window|installer|newer] [VERSION…]
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/go/bin:$PATH # where set-up puts a Go, if it had to
say() { printf 'test-windows: %s\n' "$*" >&2; }

# shellcheck source=scripts/tests_in.sh
. scripts/tests_in.sh

# CPython for Windows, of the version that Blender 4.2 brings, as Maven Central has it.
python_version=3.11.3-1.5.9
python_sum=3263a50b256447bb7b9e604d6587627e419891370fc33b94469e6a06ff4de834
python_url=https://repo1.maven.org/maven2/org/bytedeco/cpython/$python_version/cpython-$python_version-windows-x86_64.jar

window='' installer='' newer=''
case "${1-}" in
window) window=1 installer=1 && shift ;;
installer) installer=1 && shift ;;
newer) newer=1 && shift ;;
esac
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=("$([ -n "$newer" ] && echo 5.0.1 || echo 4.5.15)")

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
		scripts/tested.sh "Windows" "NOT TESTED: its Python can't be had"
		exit 0
	}
fi

prefix='prefix'
if [ -n "$newer" ]; then
	prefix='prefix-newer'
	# shellcheck source=scripts/debian_root.sh
	. scripts/debian_root.sh
	if ! make_root_with trixie-wine trixie usr/bin/wine wine64,wine; then
		say "NOT TESTED with a newer Wine: there is no root folder: $(tail -n 1 "$roots/trixie-wine.log")"
		scripts/tested.sh "Blender ${versions[*]}, Windows" "NOT TESTED: there is no newer Wine"
		exit 0
	fi
	for program in wine wineboot wineserver; do
		program_in trixie-wine "$roots/wine-bin/$program" "/usr/bin/$program"
	done
	PATH=$roots/wine-bin:$PATH
fi

# Wine has a debugger of its own, which looks at each program that crashes for many seconds.
export WINEPREFIX=$work/$prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES=winedbg.exe=d
if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
	say "making a Windows of $(wine --version 2>/dev/null)"
	rm -rf "$WINEPREFIX"
	DISPLAY='' wineboot --init >"$work/log" 2>&1 || {
		cat "$work/log"
		exit 1
	}
	if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then # Wine 8 has none
		x86_64-w64-mingw32-gcc -O2 -Wall -shared -o "$work/bcryptprimitives.dll" e2e/wine/standin/bcryptprimitives.c -ladvapi32
		cp "$work/bcryptprimitives.dll" "$WINEPREFIX/drive_c/windows/system32/"
	fi
fi
trap 'wineserver -k || true' EXIT
# This Windows goes on between the add-on's tests: each start of a Windows is a race with the end of the one
# before. Its services begin with a program that no test kills.
wineserver -w # the server that has made the Windows may be ending
wineserver -p 2>/dev/null # at its end the server lists what it holds
DISPLAY='' wine cmd /c exit

as_c() { printf 'L"Z:%s"' "${1//\//\\\\}"; }

# program NAME MODULES makes the blender.exe with these modules, and a `blender` for tests on Linux.
program() {
	local folder=$work/blenders/$1
	mkdir -p "$folder/path"
	x86_64-w64-mingw32-gcc -O2 -Wall -municode -DPYTHON="$(as_c "$python")" -DMODULES="$(as_c "$2")" \
		-DSCRIPT="$(as_c "$PWD/scripts/bpy_blender.py")" -o "$folder/blender.exe" e2e/wine/standin/blender.c
	printf '#!/bin/sh\nexec wine %s/blender.exe "$@"\n' "$folder" >"$folder/path/blender"
	chmod +x "$folder/path/blender"
}

# bpy VERSION installs the module for Windows with what it needs, once, and makes its program. It fails
# when the module can't be had. NumPy is of version 1, as in these Blenders: bpy 4.2 asks for any, and NumPy 2
# asks Wine 8 for functions that it does not have, with which Blender ends when it exports glTF.
bpy() {
	local modules=$work/bpy/$1/site-packages
	if [ ! -e "$work/bpy/$1/good" ]; then
		say "installing bpy $1 for Windows"
		rm -rf "$modules"
		mkdir -p "$work/bpy/$1"
		python3 -m pip install -q --disable-pip-version-check --target "$modules" --platform win_amd64 --python-version 311 \
			--implementation cp --only-binary=:all: "bpy==$1" 'numpy<2' >"$work/bpy/$1/log" 2>&1 || {
			rm -rf "$modules"
			return 1
		}
		touch "$work/bpy/$1/good"
	fi
	program "$1" "$modules"
}

# addon WHAT LOOP NAME SKIP [RUN] runs the tests of the add-on with the program NAME, or those that RUN matches.
# `tried` calls it.
# shellcheck disable=SC2317
addon() {
	say "the add-on in $1, on the $2 loop"
	BLENDTRAY_TEST_WINE=$2 PATH="$work/blenders/$3/path:$PATH" gotestsum --format pkgname -- -tags headless -count=1 \
		-parallel 2 -timeout 15m -run "${5:-.}" -skip "$4" ./addon
}

# What is about POSIX, or starts Blender's own program for more than its command line.
posix='Window|Install|Unpack|TestVersion|TestPurePython|TestForeignLaunchersServe|TestOriginalCommandAndClientWork'
posix+='|TestScriptMayFork|TestBlenderEndsInAForeign|TestSIGTERM|TestUninstall|TestWhatAPerson'
posix+='|TestTheEndOfTheSupervisorWakesNoScript|TestOtherVersions|TestScriptsHaveMoreDescriptors|TestStrangersTakeFewDescriptors|TestEverythingIsPutBack'
# On Linux a signal ends it; here the job object does, with the engine.
posix+='|TestBlenderEndsByItselfWhenItsSupervisorIsGone/C_that_holds_the_lock'
# What is about a scene, or about paths that the stand-in does not know.
scene='TestLauncherPrefers|TestScriptFinds|TestHowAScriptEnds|TestResultIs|TestScene|TestFreshRemoves|TestOutputsAre'
scene+='|TestAJournalTellsWhatARunDoes|TestExamplesOfTheDocument|TestClientThatNeverReads'
scene+='|TestArgumentsAreBlendersCommandLine|TestIsolatedRunFinds|TestAJournalTellsOfTheTextBlocks|TestARunTellsWhichModules'
scene+='|TestCodeIsCompletedFrom|TestACancelThatBlenderHasSwallowed|TestACallIsTold|TestFramesAreRendered|TestFramesHaveTheFormat|TestOtherFramesThan|TestAScriptIsFollowedByItsFrames|TestARenderThat'

# What draws with OpenGL, which the module does not have under Wine; flags of Blender's command line that the
# module's program does not know; and what asks Python about POSIX.
module='TestOtherFramesThan|TestFramesHaveTheFormat|TestHowAScriptEndsIsTold|TestClientThatNeverReads'

system="Windows ($(wine --version | cut -d ' ' -f 1))"
failed=0

# tried WHAT COMMAND… runs a part, and notes for the closing table what came of it.
tried() {
	local what=$1 start=$SECONDS
	shift
	if "$@"; then
		scripts/tested.sh "$what" "ok, $((SECONDS - start)) s"
	else
		failed=1
		scripts/tested.sh "$what" FAILED
	fi
}

program stand-in "$PWD/addon/tests/standin"
# What a loop does is the wire and the life of the process; runs are tested on the other loop.
[ -n "${RUN-}" ] ||
	tried "add-on's server, posix loop, $system, without Blender" addon "Python for Windows" posix stand-in "$posix|$scene" \
		"$(in_files addon/wire_test.go addon/stop_test.go addon/original_test.go)"

blender=stand-in number=4.2.0
for version in "${versions[@]}"; do
	if ! bpy "$version"; then
		say "NOT TESTED with Blender $version for Windows: bpy can't be installed: $(tail -n 1 "$work/bpy/$version/log")"
		scripts/tested.sh "Blender $version, $system" "NOT TESTED: it can't be had"
		continue
	fi
	[ -n "${RUN-}" ] || tried "add-on, proactor loop, $system, Blender $version" addon "Blender $version" proactor "$version" "$posix|$module"
	[ "$blender" != stand-in ] || blender=$version number=$version
done
[ "$blender" != stand-in ] || [ -n "${RUN-}" ] ||
	tried "add-on's server, proactor loop, $system, without Blender" addon "Python for Windows" proactor stand-in "$posix|$scene"

skip='Window|VersionAndIcon'
[ -n "$installer" ] || skip+='|TheInstaller'
if [ -n "$window" ]; then
	say "making the program with a window"
	scripts/package.sh windows >"$work/log" 2>&1 || {
		cat "$work/log"
		exit 1
	}
	skip='^$'
	# shellcheck disable=SC2012 # there is one
	WINDOWED_PROGRAM=$(ls -t "$PWD"/build/package/windows/*/blendtrayw.exe | head -n 1)
	export WINDOWED_PROGRAM
fi
# The module for Linux, whose pictures are compared, is that of scripts/test-blenders.sh.
LINUX_BLENDER=$PWD/build/blenders/$blender/bin/blender
if [ "$blender" = stand-in ]; then
	skip+='|InBlender'
elif [ ! -x "$LINUX_BLENDER" ]; then
	say "NOT TESTED whether Blender $blender for Windows renders as for Linux: scripts/test-blenders.sh has not installed that"
	scripts/tested.sh "renders of $system beside Linux" "NOT TESTED: there is no Blender $blender for Linux"
	skip+='|InBlenderASaveRenders'
fi
export LINUX_BLENDER WINDOWS_BLENDER=$work/blenders/$blender/blender.exe WINDOWS_BLENDER_VERSION=$number WINDOWS_PYTHON=$python/python.exe
# The program's tests keep a Windows of their own, with a display.
wineserver -k || true
wineserver -w
say "the program, with Blender $blender"
tried "program, $system, Blender $blender" gotestsum --format pkgname -- -tags wine -count=1 -timeout 40m -run "${RUN:-.}" -skip "$skip" ./e2e/wine
exit $failed
