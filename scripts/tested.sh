#!/usr/bin/env bash
# Notes in build/tested.txt what was tested and what came of it, prints the table of all that, and
# compares it with docs/platforms.md.
#
# Usage: scripts/tested.sh WHAT RESULT   adds a line
#        scripts/tested.sh begin         empties the table
#        scripts/tested.sh               prints the table
#        scripts/tested.sh check         fails where docs/platforms.md says of a Blender that each
#                                        change is tested with it, and nothing in the table is about it
set -euo pipefail
cd "$(dirname "$0")/.."
table=build/tested.txt
mkdir -p build

check() {
	local missing=0 version linux windows
	# | Blender | on Linux | on Windows |
	while IFS='|' read -r _ version linux windows _; do
		version=$(tr -d ' ' <<<"$version")
		for system in Linux Windows; do
			local cell=$linux
			[ "$system" = Linux ] || cell=$windows
			case $cell in *"each change"*) ;; *) continue ;; esac
			grep -qE "$system.*Blender $version|Blender $version.*$system" "$table" || {
				echo "tested: docs/platforms.md says that each change is tested with Blender $version on $system, and it was not" >&2
				missing=1
			}
		done
	done < <(grep -E '^\| [0-9]+\.[0-9]+\.[0-9]+ +\|' docs/platforms.md)
	return $missing
}

case "${1-}" in
begin) : >"$table" ;;
check) check ;;
"")
	[ -e "$table" ] || exit 0
	printf '\nwhat was tested:\n'
	while IFS=$'\t' read -r what result; do printf '  %-72s %s\n' "$what" "$result"; done <"$table"
	;;
*) printf '%s\t%s\n' "$1" "$2" >>"$table" ;;
esac
