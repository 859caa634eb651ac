#!/usr/bin/env bash
# Runs the tests of a Blender with a window in Debian's own Blenders, newer than this system's: each in a
# root folder that mmdebstrap makes once, in build/windows. Sid changes, and may be missing for a day; then it is
# named in the table at the end as not tested. This system's own Blender is part of `make test`.
#
# Pictures that a person should look at are in build/windows/SUITE-pictures.
#
# Usage: scripts/test-window.sh [SUITE…], as root: trixie has Blender 4.3, sid the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/go/bin:$PATH # where set-up puts a Go, if it had to
say() { printf 'test-window: %s\n' "$*" >&2; }

if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
	say "this needs Linux, and root for root folders and mounts in them"
	exit 1
fi
for need in mmdebstrap Xvfb xdotool import unshare; do
	command -v "$need" >/dev/null || {
		say "$need is missing (Debian: mmdebstrap xvfb xdotool imagemagick util-linux)"
		exit 1
	}
done
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(trixie sid)

# shellcheck source=scripts/tests_in.sh
. scripts/tests_in.sh
# shellcheck source=scripts/debian_root.sh
. scripts/debian_root.sh

table=()
failed=0
row() {
	say "$1: $2"
	table+=("$1	$2")
}

for suite in "${suites[@]}"; do
	if ! make_root "$suite"; then
		row "Debian $suite" "NOT TESTED: there is no root folder: $(tail -n 1 "$roots/$suite.log")"
		[ "$suite" = sid ] || failed=1
		continue
	fi
	program_in "$suite" "$roots/$suite-bin/blender" /usr/bin/blender
	version=$(PATH=$roots/$suite-bin:$PATH blender --version | head -n 1)
	pictures=$roots/$suite-pictures
	rm -rf "$pictures"
	mkdir -p "$pictures"
	status=0
	# The display and the tests are this machine's. Drawing is by software.
	PATH=$roots/$suite-bin:$PATH TMPDIR=/tmp TEST_PICTURES=$pictures gotestsum --format testname -- \
		-tags headless -count=1 -timeout 30m -p 1 -parallel 1 \
		-run 'BlenderWithAWindow|AClickInTheWindow|BlenderThatIsOpen|InAnOpenBlender|BlenderThatOneLooksAt|TestTheAddonIsInstalled' ./addon ./e2e || status=$?
	if [ "$status" = 0 ]; then
		row "$version (Debian $suite)" "ok; look at ${pictures#"$PWD"/}"
	else
		failed=1
		row "$version (Debian $suite)" "FAILED"
	fi
done

printf '\n%s\n' "${table[@]}" | column -t -s '	'
exit $failed
