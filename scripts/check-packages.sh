#!/usr/bin/env bash
# Makes .deb and .rpm twice and compares, looks at the .deb with lintian, installs it on this
# machine, uses it as an ordinary user, upgrades and downgrades it while an engine works, removes it
# while one runs, and sees that nothing is left. It builds the program from the source archive.
# The .rpm is installed into a folder of its own, and on a copy of this machine. It takes root on a Debian; where
# blendtray is installed already, it touches nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'check-packages: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
# shellcheck source=scripts/packages_in.sh
. scripts/packages_in.sh
[ "$(id -u)" = 0 ] || fail "it installs a package, so run it as root"
command -v dpkg >/dev/null || fail "this machine has no dpkg"
! dpkg -s blendtray >/dev/null 2>&1 || fail "blendtray is installed here; this would replace and remove it"

work=$(mktemp -d)
manager=
finish() {
	[ -z "$manager" ] || kill "$manager" 2>/dev/null || true
	dpkg --purge blendtray >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

first=0.1.0
later=0.1.1
make_packages() {
	VERSION=$1 scripts/package.sh deb rpm source >"$work/log" 2>&1 || {
		cat "$work/log"
		fail "no packages of version $1"
	}
	cp "build/packages/blendtray_$1_$(dpkg --print-architecture).deb" "$work/$2.deb"
	cp "build/packages/blendtray-$1-1.$(uname -m).rpm" "$work/$2.rpm"
	cp "build/packages/blendtray-$1-source.tar.gz" "$work/$2.tar.gz"
}
say "making them"
make_packages $first one
make_packages $first two
for kind in deb rpm tar.gz; do
	cmp "$work/one.$kind" "$work/two.$kind" || fail "the same commit gave another .$kind"
	say "twice the same .$kind: $(sha256sum <"$work/one.$kind" | cut -c1-16)…"
done
make_packages $later later

lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$work/one.deb" || fail "lintian finds what is wrong"

say "building from the source archive, without a network"
mkdir "$work/source"
tar -C "$work/source" -xf "$work/one.tar.gz"
(cd "$work/source/blendtray-$first-source" && GOPROXY=off GOFLAGS=-mod=vendor CGO_ENABLED=0 go build -buildvcs=false -trimpath -tags headless -o "$work/from-source" .)
"$work/from-source" version

# The bundle for programs for agents on this machine.
TARGETS="linux/$(go env GOARCH)" VERSION=$first scripts/package.sh mcpb >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "there is no bundle for programs for agents"
}
scripts/mcpb.sh --check build/packages >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "the bundle for programs for agents is not right"
}
grep "NOT TESTED" "$work/log" >&2 || true

# What an ordinary user does.
chmod 755 "$work"
mkdir "$work/run"
home=$work/home
mkdir -p "$home/scripts"
cp examples/scene_report.py "$home/scripts/"
chown -R nobody "$home"
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
papers=/usr/share/doc/blendtray
grep -q "blendtray-$first-source.tar.gz" $papers/copyright || fail "copyright names no source"
# The program says what is in it, and each has its terms.
go version -m /usr/bin/blendtray | awk '$1 == "dep" {print $2}' | while read -r module; do
	grep -qF "Files: vendor/$module/*" $papers/copyright || fail "the terms of $module are not in copyright"
	grep -qF "pkg:golang/$module@" $papers/blendtray.cdx.json || fail "$module is not in the list of materials"
done
readelf -h /usr/bin/blendtray | grep -q "DYN (Position" || fail "the program is not position-independent"
missing=$(ldd /usr/bin/blendtray | grep "not found" || true)
[ -z "$missing" ] || fail "libraries are missing: $missing"
installed $first
as_user blendtray doctor >"$work/doctor" || true # no engine runs, which is wrong
grep -q "right  blender" "$work/doctor" || fail "the doctor finds no Blender"
man -l /usr/share/man/man1/blendtray.1.gz 2>/dev/null | grep -q "blendtray serve" || fail "the manual page can't be read"
XDG_RUNTIME_DIR=$work/run systemd-analyze --user verify --man=no /usr/lib/systemd/user/blendtray.service || fail "the unit is not right"
bash -c '. /usr/share/bash-completion/completions/blendtray && complete -p blendtray' >/dev/null || fail "the completions can't be read"

say "upgrading it while the service of a user works"
start_manager
replaced_by $later dpkg --install "$work/later.deb"
say "downgrading it"
replaced_by $first dpkg --install "$work/one.deb"
dpkg --install "$work/later.deb" >"$work/log" 2>&1

say "purging it while the service and an engine in a terminal run"
eventually "the engine is version $later" new_engine $later
as_user BLENDTRAY_HOME="$home/other" /usr/bin/blendtray serve >"$work/serve" 2>&1 &
eventually "the other engine answers" as_user BLENDTRAY_HOME="$home/other" /usr/bin/blendtray status
dpkg --purge blendtray >"$work/log" 2>&1 || {
	cat "$work/log"
	fail "it can't be purged"
}
nothing_runs
[ ! -e /etc/systemd/user/default.target.wants/blendtray.service ] || fail "the unit is still enabled"
[ -d "$home/.local/share/blendtray" ] || fail "the runs of the user are gone"
kill "$manager" 2>/dev/null || true
manager=
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
# There is no shell in the folder. scripts/check-rpm.sh tries the package's scripts.
in_root --install --noscripts --nodeps "$work/one.rpm"
in_root --verify --nodeps blendtray
"$root/usr/bin/blendtray" version | grep -F "blendtray $first " || fail "it does not say that it is version $first"
in_root --upgrade --noscripts --nodeps "$work/later.rpm"
"$root/usr/bin/blendtray" version | grep -F "blendtray $later " || fail "it does not say that it is version $later"
[ -e "$root/usr/share/zsh/site-functions/_blendtray" ] || fail "the completions of zsh are where Fedora does not look"
in_root --upgrade --oldpackage --noscripts --nodeps "$work/one.rpm"
in_root --erase --noscripts blendtray
left=$(find "$root" -path "$root/var" -prune -o -type f -print)
[ -z "$left" ] || fail "left are $left"
say "installing the .rpm on a copy of this machine"
scripts/check-rpm.sh "$work/one.rpm" "$work/later.rpm"
say "all is well"
