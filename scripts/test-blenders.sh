#!/usr/bin/env bash
# Runs the tests of the add-on and of the supervisor with newer Blenders than the system's, and a
# test with each of them and the system's in one engine. They are the module bpy from PyPI, in
# environments of their own in build/blenders. One that can't be installed is named and left out;
# what needs a window, or Blender's own handler for crashes, is not in a module.
#
# Usage: scripts/test-blenders.sh [cases|brief] [VERSION…]: with cases it compares what scripts do in a
# fleet with what they do in a cold Blender, instead, which takes ten minutes a version. With brief it leaves out
# what scripts/test-windows.sh shows in the same version of Blender for Windows.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/go/bin:$PATH # where set-up puts a Go, if it had to
say() { printf 'test-blenders: %s\n' "$*" >&2; }

# shellcheck source=scripts/tests_in.sh
. scripts/tests_in.sh

# The one with long support that people have, the newest of it, and the newest of all, of those
# that are made for one Python.
cases='' brief=''
case "${1-}" in
cases) cases=1 && shift ;;
brief) brief=1 && shift ;;
esac
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(4.2.23 4.5.15 5.0.1)

# A module is made for one Python alone. The system has 3.11; 3.13, for Blender 5.1 and later, is that of
# Debian's trixie in a root folder.
python=
for candidate in python3.11 /usr/bin/python3 python3; do
	if [ "$("$candidate" -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null)" = 3.11 ]; then
		python=$candidate
		break
	fi
done

# shellcheck source=scripts/debian_root.sh
. scripts/debian_root.sh

# install_module VERSION FOLDER puts a module, its Python and a program `blender` into a folder. It fails when something
# of that can't be had, and says what.
install_module() {
	local version=$1 dir=$2 platform platforms=()
	case $version in
	2.* | 3.* | 4.* | 5.0.*)
		[ -n "$python" ] || {
			echo "there is no Python 3.11, which it is made for"
			return 1
		}
		"$python" -m venv "$dir" && "$dir/bin/pip" install -q --disable-pip-version-check "bpy==$version" || return 1
		printf '#!/bin/sh\nexec %s/bin/python -P %s/scripts/bpy_blender.py "$@"\n' "$dir" "$PWD" >"$dir/blender"
		;;
	*)
		{ [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v mmdebstrap; } >/dev/null || {
			echo "Python 3.13, which it is made for, needs root and mmdebstrap"
			return 1
		}
		make_root trixie && program_in trixie "$dir/venv" /usr/bin/python3 -m venv --without-pip || return 1
		"$dir/venv" "$dir" || return 1
		for platform in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${platform}_$(uname -m)"); done
		python3 -m pip install -q --disable-pip-version-check --no-compile --target "$dir/lib/python3.13/site-packages" "${platforms[@]}" \
			--python-version 313 --ignore-requires-python --implementation cp --only-binary=:all: "bpy==$version" || return 1
		program_in trixie "$dir/blender" "$dir/bin/python" -P "$PWD/scripts/bpy_blender.py"
		;;
	esac
	chmod +x "$dir/blender" && mv "$dir/blender" "$dir/bin/blender" # the sign that all is there
}

mkdir -p build/blenders
failed=0
for version in "${versions[@]}"; do
	dir=$PWD/build/blenders/$version
	if [ ! -x "$dir/bin/blender" ]; then
		say "installing bpy $version"
		rm -rf "$dir"
		if ! install_module "$version" "$dir" >"$dir.log" 2>&1; then
			rm -rf "$dir"
			scripts/tested.sh "add-on and supervisor, Linux, Blender $version" "NOT TESTED: it can't be had"
			say "NOT TESTED with Blender $version: bpy $version can't be installed: $(tail -n 1 "$dir.log")"
			continue
		fi
	fi
	# A folder of its own, so that no other program is taken from there.
	mkdir -p "$dir/path"
	ln -sf ../bin/blender "$dir/path/blender"
	say "$(PATH="$dir/path:$PATH" blender --version)"
	run() { PATH="$dir/path:$PATH" gotestsum --format pkgname -- -tags headless -count=1 -timeout 10m "$@"; }
	if [ -n "$cases" ]; then
		BLENDTRAY_CASES=all run -timeout 40m -run 'EndAsInAColdBlender|IsNothingToTheNext|Edited|CanNotBeCleaned' ./fleet || failed=1
		continue
	fi
	# The module has no window, and not Blender's own handler for crashes with its report.
	result=ok
	skip='Window|FromBlendersReport|HangsWhileItCrashes|WordsOfACrash'
	if [ -n "$brief" ]; then
		run -skip "$skip" -run "$(in_files addon/stop_test.go addon/journal_test.go addon/original_test.go addon/render_test.go)" ./addon || result=FAILED
	else
		run -skip "$skip" ./addon ./blender || result=FAILED
	fi
	# Each folder in its own Blender: this one, and the system's, which is behind it on the PATH.
	TWO_BLENDERS=1 run -run 'TestTheAddonIsInstalled|TestEachFolderRunsItsScriptsInItsOwnBlender' ./e2e || result=FAILED
	scripts/tested.sh "add-on and supervisor, Linux, Blender $version" "$result"
	[ "$result" = ok ] || failed=1
done
exit $failed
