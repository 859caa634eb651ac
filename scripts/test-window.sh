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

work=$PWD/build/windows
mkdir -p "$work"
table=()
failed=0
row() {
	say "$1: $2"
	table+=("$1	$2")
}

# make_root makes the root folder of a suite, once, with this machine's mirror and settings of apt.
make_root() {
	local suite=$1 from
	[ ! -x "$work/$suite/usr/bin/blender" ] || return 0
	say "making a root folder of Debian's $suite, with Blender"
	apt-config dump --empty=no Acquire | grep -E '^Acquire::(http|https|ftp|Max-|Retries|Force|Allow)' |
		grep -vi 'proxy-auto-detect' >"$work/apt.conf" || true
	# shellcheck disable=SC2016
	from=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
	rm -rf "$work/$suite.new"
	# A mirror that is kept back has lists whose time is over. libgl1 is only a recommendation of Blender's.
	mmdebstrap --quiet --variant=minbase --components=main --aptopt="$work/apt.conf" \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include=blender,libgl1,libegl1,libgl1-mesa-dri,python3-numpy,python3-requests \
		"$suite" "$work/$suite.new" ${from:+"$from"} >"$work/$suite.log" 2>&1 || return 1
	mv "$work/$suite.new" "$work/$suite"
}

# make_program writes a program "blender" that is the Blender of a root folder, with this machine's folder for
# temporary files and this checkout in their places. The process stays the same, so that signals and inherited
# files reach Blender; the mounts end with it.
make_program() {
	mkdir -p "$work/$1-bin"
	cat >"$work/$1-bin/blender" <<PROGRAM
#!/bin/sh
exec unshare --mount sh -euc '
root=\$1 checkout=\$2
shift 2
mount -t proc proc "\$root/proc"
mount --rbind /sys "\$root/sys"
mount --rbind /dev "\$root/dev"
mkdir -p "\$root\$checkout"
mount --rbind /tmp "\$root/tmp"
mount --rbind "\$checkout" "\$root\$checkout"
exec chroot "\$root" /usr/bin/env -C "\$PWD" /usr/bin/blender "\$@"
' sh '$work/$1' '$PWD' "\$@"
PROGRAM
	chmod +x "$work/$1-bin/blender"
}

for suite in "${suites[@]}"; do
	if ! make_root "$suite"; then
		row "Debian $suite" "NOT TESTED: there is no root folder: $(tail -n 1 "$work/$suite.log")"
		[ "$suite" = sid ] || failed=1
		continue
	fi
	make_program "$suite"
	version=$(PATH=$work/$suite-bin:$PATH blender --version | head -n 1)
	pictures=$work/$suite-pictures
	rm -rf "$pictures"
	mkdir -p "$pictures"
	status=0
	# The display and the tests are this machine's. Drawing is by software.
	PATH=$work/$suite-bin:$PATH TMPDIR=/tmp TEST_PICTURES=$pictures go tool gotestsum --format testname -- \
		-tags headless -count=1 -timeout 30m -p 1 -parallel 1 \
		-run 'BlenderWithAWindow|AClickInTheWindow|BlenderThatIsOpen|BlenderThatOneLooksAt|TestTheAddonIsInstalled' ./addon ./e2e || status=$?
	if [ "$status" = 0 ]; then
		row "$version (Debian $suite)" "ok; look at ${pictures#"$PWD"/}"
	else
		failed=1
		row "$version (Debian $suite)" "FAILED"
	fi
done

printf '\n%s\n' "${table[@]}" | column -t -s '	'
exit $failed
