#!/usr/bin/env bash
# Makes .deb and .rpm twice and compares, looks at the .deb with lintian, installs it on this
# machine, uses it as an ordinary user, upgrades it, removes it, and sees that nothing is left.
# The .rpm is installed into a folder of its own. It takes root on a Debian; where blendtray is
# installed already, it touches nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'check-packages: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
[ "$(id -u)" = 0 ] || fail "it installs a package, so run it as root"
command -v dpkg >/dev/null || fail "this machine has no dpkg"
! dpkg -s blendtray >/dev/null 2>&1 || fail "blendtray is installed here; this would replace and remove it"

work=$(mktemp -d)
finish() {
	dpkg --purge blendtray >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

first=0.1.0
later=0.1.1
make_packages() {
	VERSION=$1 scripts/package.sh deb rpm >"$work/log" 2>&1 || {
		cat "$work/log"
		fail "no packages of version $1"
	}
	cp "build/packages/blendtray_$1_$(dpkg --print-architecture).deb" "$work/$2.deb"
	cp "build/packages/blendtray-$1-1.$(uname -m).rpm" "$work/$2.rpm"
}
say "making them"
make_packages $first one
make_packages $first two
for kind in deb rpm; do
	cmp "$work/one.$kind" "$work/two.$kind" || fail "the same commit gave another .$kind"
	say "twice the same .$kind: $(sha256sum <"$work/one.$kind" | cut -c1-16)…"
done
make_packages $later later

lintian --allow-root --fail-on error --tag-display-limit 0 "$work/one.deb" || fail "lintian finds errors"

# What an ordinary user does.
chmod 755 "$work"
home=$work/home
mkdir -p "$home/scripts"
cp examples/scene_report.py "$home/scripts/"
chown -R nobody "$home"
as_user() {
	(cd / && setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups env -i PATH=/usr/bin:/bin HOME="$home" LANG=C.UTF-8 "$@")
}
installed() {
	as_user blendtray version | grep -F "blendtray $1 " || fail "it does not say that it is version $1"
	as_user timeout 300 blendtray serve --folder "$home/scripts" --run-existing --exit-after-runs 1 >"$work/serve" 2>&1 || {
		cat "$work/serve"
		fail "serve ended badly"
	}
	grep succeeded "$work/serve" || {
		cat "$work/serve"
		fail "the script did not run"
	}
	rm -rf "$home/.local"
}
say "installing the .deb"
apt-get install -y -q --no-install-recommends "$work/one.deb" >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "it can't be installed"
}
dpkg -L blendtray >"$work/files"
missing=$(ldd /usr/bin/blendtray | grep "not found" || true)
[ -z "$missing" ] || fail "libraries are missing: $missing"
installed $first
as_user blendtray doctor >"$work/doctor" || true # no engine runs, which is wrong
grep -q "right  blender" "$work/doctor" || fail "the doctor finds no Blender"
man -l /usr/share/man/man1/blendtray.1.gz 2>/dev/null | grep -q "blendtray serve" || fail "the manual page can't be read"
XDG_RUNTIME_DIR=$work systemd-analyze --user verify --man=no /usr/lib/systemd/user/blendtray.service || fail "the unit is not right"
bash -c '. /usr/share/bash-completion/completions/blendtray && complete -p blendtray' >/dev/null || fail "the completions can't be read"

say "upgrading it"
dpkg --install "$work/later.deb" >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "it can't be upgraded"
}
installed $later

say "removing it"
dpkg --purge blendtray >"$work/log" 2>&1
while read -r file; do
	[ -d "$file" ] || [ ! -e "$file" ] || fail "$file is left"
done <"$work/files"
[ ! -e /usr/share/doc/blendtray ] || fail "its folder is left"

# What it needs has other names here, and nothing of this machine's packages is to know of it.
say "installing the .rpm into a folder"
root=$work/root
mkdir "$root"
in_root() {
	rpm --root "$root" --dbpath /var/lib/rpm "$@" >"$work/log" 2>&1 || {
		cat "$work/log"
		fail "rpm $* fails"
	}
}
in_root --initdb
in_root --install --nodeps "$work/one.rpm"
in_root --verify --nodeps blendtray
"$root/usr/bin/blendtray" version | grep -F "blendtray $first " || fail "it does not say that it is version $first"
in_root --upgrade --nodeps "$work/later.rpm"
"$root/usr/bin/blendtray" version | grep -F "blendtray $later " || fail "it does not say that it is version $later"
[ -e "$root/usr/share/zsh/site-functions/_blendtray" ] || fail "the completions of zsh are where Fedora does not look"
in_root --erase blendtray
left=$(find "$root" -path "$root/var" -prune -o -type f -print)
[ -z "$left" ] || fail "left are $left"
say "all is well"
