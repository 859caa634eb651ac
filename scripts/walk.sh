#!/usr/bin/env bash
# Goes through the window by script: with the keys alone and with the mouse alone, dark and light, in
# English, German and Chinese, at 1000×700 and 1920×1080, at single and double scale, with names of
# scripts in Latin, Chinese, Japanese, Arabic and emoji. The pictures are in build/walk, for a person to
# look at.
#
# Usage: scripts/walk.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:?usage: scripts/walk.sh PROGRAM}")
walk() {
	local name=$1
	shift
	echo "walk: $name" >&2
	env SCREENSHOTS_OUT="build/walk/$name" "$@" scripts/screenshots.sh "$program" >/dev/null 2>"build/walk/$name.log" || {
		echo "walk: $name failed:" >&2
		tail -n 5 "build/walk/$name.log" >&2
		return 1
	}
	rm "build/walk/$name.log"
}
rm -rf build/walk
mkdir -p build/walk
walk keys SCREENSHOTS_SIZE=1000x700 SCREENSHOTS_NAMES=wide
walk mouse SCREENSHOTS_SIZE=1000x700 SCREENSHOTS_BY=mouse
walk large SCREENSHOTS_SIZE=1920x1080
walk double SCREENSHOTS_SIZE=1920x1360 SCREENSHOTS_SCALE=2
walk german SCREENSHOTS_SIZE=1000x700 SCREENSHOTS_LANGUAGE=de
walk chinese SCREENSHOTS_SIZE=1000x700 SCREENSHOTS_LANGUAGE=zh SCREENSHOTS_NAMES=wide
find build/walk -name '*.png' | sort
