#!/usr/bin/env bash
# Installs the .rpm with rpm, and with the package's own scripts, on a copy of this machine: a layer over its
# root folder, which goes with this process. It upgrades and downgrades the package while the service of a user
# has a run running, and removes it while a run is running. It takes root, and a machine without blendtray.
# What the package needs has other names on a Debian, so that is not looked at.
#
# Usage: scripts/check-rpm.sh FIRST.rpm LATER.rpm
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'check-rpm: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
if [ -z "${INSIDE-}" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/layer" "$work/root"
	cp "$1" "$work/one.rpm"
	cp "$2" "$work/later.rpm"
	# Mounts and processes of its own: whatever happens, nothing of it stays.
	status=0
	unshare --mount --pid --fork true 2>/dev/null || status=77
	# shellcheck disable=SC2016
	[ "$status" = 77 ] || unshare --mount --pid --fork --kill-child bash -euc '
		mount -t tmpfs none "$1/layer"
		mkdir "$1/layer/upper" "$1/layer/work"
		mount -t overlay none -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" "$1/root" || exit 77
		mount -t proc proc "$1/root/proc"
		mount --rbind /sys "$1/root/sys"
		mount --rbind /dev "$1/root/dev"
		cp scripts/check-rpm.sh scripts/packages_in.sh "$1/root/srv/"
		INSIDE=$1 exec chroot "$1/root" bash /srv/check-rpm.sh
	' bash "$work" || status=$?
	if [ "$status" = 77 ]; then
		say "NOT TESTED: this machine lets nobody make a layer over its root folder"
		scripts/tested.sh "the .rpm's scripts" "NOT TESTED: no layer over the root folder"
		exit 0
	fi
	exit "$status"
fi

# In the copy.
work=$INSIDE
home=$work/home
# shellcheck source=scripts/packages_in.sh
. /srv/packages_in.sh
chmod 755 "$work"
mkdir "$home"
chown nobody "$home"
version() { rpm -qp --queryformat '%{VERSION}' "$work/$1.rpm"; }
first=$(version one)
later=$(version later)
rpm_() { rpm --dbpath "$work/rpm" --nodeps "$@"; }
rpm --dbpath "$work/rpm" --initdb
rpm_ --install "$work/one.rpm" >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "it can't be installed"
}
! grep "^blendtray:" "$work/log" || fail "a first installation speaks of other versions"
start_manager
eventually "the engine is version $first" new_engine "$first"
say "upgrading it while the service of a user works"
replaced_by "$later" rpm_ --upgrade "$work/later.rpm"
say "downgrading it"
replaced_by "$first" rpm_ --upgrade --oldpackage "$work/one.rpm"
say "removing it while a run is running"
start_run
as_user BLENDTRAY_HOME="$home/other" /usr/bin/blendtray serve >"$work/serve" 2>&1 &
eventually "the other engine answers" as_user BLENDTRAY_HOME="$home/other" /usr/bin/blendtray status
rpm_ --erase blendtray >"$work/log" 2>&1 &
removal=$!
eventually "the engines are asked to end" grep -q "are asked to end" "$work/log"
end_run
wait $removal || {
	cat "$work/log"
	fail "it can't be removed"
}
nothing_runs
[ -d "$home/.local/share/blendtray" ] || fail "the runs of the user are gone"
left=$(rpm -qlp "$work/one.rpm" | while read -r file; do [ -d "$file" ] || [ ! -e "$file" ] || echo "$file"; done)
[ -z "$left" ] || fail "left are $left"
[ ! -e /usr/share/doc/blendtray ] || fail "its folder is left"
say "all is well"
