#!/usr/bin/env bash
# Tries what takes too long for each change, in parts, and ends with a table of what came of it.
#
#   bare   the first commands of the README on a Debian with nothing but git and make: as root, as
#          an ordinary user, with Debian's Go and with none. Each try has a root folder of its own,
#          made by mmdebstrap, and processes and mounts of its own, which end with it.
#   cases  all scripts of fleet/testdata/cases, each beside a cold Blender, in this machine's Blender
#          and in 5.0.1 from PyPI; a script that brings its own NumPy has NumPy 2 and pandas.
#   newest the add-on and the supervisor in the newest Blender from PyPI, which is made for Python 3.13: as
#          root, in a root folder of Debian's trixie.
#   farm   a file of 1 GB travels once to each machine of a farm; needs 4 GB of disk for a minute.
#   agents a render of two minutes for a client whose calls may take one.
#   windows  the program and the add-on for Windows, with the Blenders that a change is not tested with.
#   macos  the program for macOS, signed with a certificate that is made for that.
#
# What is tried on bare machines is the commit that is checked out. Packages come from where this machine
# has them from: its mirror and the settings of its apt, pip and Go go along. Roots and logs are in
# build/roots.
#
# Usage: scripts/test-long.sh [PART…]
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'test-long: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(bare cases newest farm agents windows macos)

[ "$(uname -s)" = Linux ] || fail "this needs Linux"

work=$PWD/build/roots
root=$work/try # where a try happens
logs=$work/logs
table=()
failed=0
child=

# The trap calls it.
# shellcheck disable=SC2317
finish() {
	# The first process of a try ends with this one, and all others and the mounts with that.
	[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
	rm -rf "$root" "$work/settings" "$work"/*.new || { sleep 2 && rm -rf "$root"; }
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# row adds a line to the table: what was tried, and what came of it.
row() {
	say "$1: $2"
	table+=("$1	$2")
}

# --- A root folder ---------------------------------------------------------------------------

# settings writes down what this machine has set for apt, pip and Go: apt.conf, environment.
settings() {
	mkdir -p "$work/settings"
	# Where packages are fetched from and how, but no helpers, which a bare machine does not have.
	apt-config dump --empty=no Acquire | grep -E '^Acquire::(http|https|ftp|Check-|Max-|Retries|Languages|Force|Allow)' |
		grep -vi 'proxy-auto-detect' >"$work/settings/apt.conf" || true
	# Variables, some of which are written small.
	env | grep -iE '^(https?_proxy|no_proxy|all_proxy|ftp_proxy|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|PROXY|RETRIES|DEFAULT_TIMEOUT)|GO(PROXY|SUMDB|NOSUMDB|NOSUMCHECK|PRIVATE|NOPROXY|INSECURE|VCS)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)=' \
		>"$work/settings/environment" || true
	if command -v go >/dev/null 2>&1; then
		for name in GOPROXY GOSUMDB GONOSUMDB GOPRIVATE GONOPROXY GOINSECURE; do
			value=$(GOTOOLCHAIN=local go env "$name")
			[ -z "$value" ] || echo "$name=$value"
		done >>"$work/settings/environment"
	fi
}

# mirror names the mirror of Debian that this machine uses; where that is not a Debian,
# mmdebstrap knows one.
mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1
}

# bare_root makes the root folder of a bare Debian, once: bare_root SUITE PACKAGES sets image.
bare_root() {
	local from recipe
	from=$(mirror)
	case $from in https:*) set -- "$1" "$2,ca-certificates" ;; esac
	recipe=$(printf '%s\n' "$1" "$2" "$from" "$(cat "$work/settings/apt.conf")" | sha256sum | cut -c 1-12)
	image=$work/debian-$1,$2.$recipe.tar
	[ ! -e "$image" ] || return 0
	rm -f "$work/debian-$1,$2."*.tar*
	say "making a bare root of Debian's $1, with $2"
	mmdebstrap --quiet --format=tar --variant=minbase --include="$2" --aptopt="$work/settings/apt.conf" \
		"$1" "$image.new" ${from:+"$from"}
	mv "$image.new" "$image"
}

# fresh unpacks the image for a try, and puts into it what is tried.
fresh() {
	rm -rf "$root"
	mkdir -p "$root" "$work/archives/partial" "$logs"
	tar -C "$root" --exclude='./dev/*' -xf "$image"
	# What the network needs of this machine.
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
	mkdir -p "$root/usr/local/share/ca-certificates"
	find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$root/usr/local/share/ca-certificates/" \; 2>/dev/null || true
	for file in /etc/pip.conf "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
		[ ! -e "$file" ] || cat "$file" >>"$root/etc/pip.conf"
	done
	# It may be root that reads another user's checkout here.
	git -c safe.directory='*' bundle create -q "$root/srv/blendtray.bundle" HEAD
}

# inside runs a script in the root, from the user's home: inside LOG USER SCRIPT. What it prints
# goes to the log.
inside() {
	local variables=() home=/home/$2 status=0
	mapfile -t variables <"$work/settings/environment"
	[ "$2" != root ] || home=/root
	# In namespaces of its own: whatever happens, nothing of it stays mounted or running.
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child bash -euc '
		root=$1
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		# What one try has fetched the next need not.
		mkdir -p "$root/var/cache/apt/archives"
		mount --bind "$2" "$root/var/cache/apt/archives"
		shift 2
		exec chroot "$root" "$@"
	' bash "$root" "$work/archives" \
		/usr/bin/env -i "${variables[@]}" USER="$2" LOGNAME="$2" HOME="$home" TERM=dumb \
		PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		timeout 45m setpriv --reuid="$2" --regid="$2" --init-groups bash -euxc "cd; $3" \
		>>"$logs/$1.log" 2>&1 </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}

# try runs a script in the root and notes what came of it: try WHAT LOG USER SCRIPT [CHECKOUT].
# A demo must leave its picture in the CHECKOUT.
try() {
	local start=$SECONDS status=0 result pictures
	say "$1 …"
	: >"$logs/$2.log"
	inside "$2" "$3" "$4" || status="status $?"
	result="ok, $((SECONDS - start)) s"
	if [ "$status" = 0 ] && [ -n "${5-}" ]; then
		pictures=("$root/$5"/build/demo/folder/out/*.png)
		if [ "$(head -c 4 "${pictures[0]}" | tail -c 3)" = PNG ]; then
			cp "${pictures[0]}" "$logs/$2.png"
			result+=", picture; $("$root/$5/build/blendtray-headless" version --json | sed -n 's/.*"go": *"\([^"]*\)".*/\1/p')"
			if [ -e "$root/$5/build/go" ]; then result+=" from build/go"; fi
		else
			status="no picture"
		fi
	fi
	if [ "$status" = 0 ]; then
		row "$1" "$result"
	else
		failed=1
		tail -n 30 "$logs/$2.log" >&2
		row "$1" "FAILED: $status, see build/roots/logs/$2.log"
	fi
}

# --- The parts -------------------------------------------------------------------------------

clone() { echo "git clone -q /srv/blendtray.bundle '$1'; cd '$1'"; }

bare() {
	[ "$(id -u)" = 0 ] || fail "this needs root, for root folders and mounts in them: sudo make test-long"
	settings

	bare_root bookworm git,make
	fresh
	try "Debian 12, root, no Go: make demo" 12-none root "$(clone blendtray); make demo" root/blendtray
	try "  after that: make test, for the watcher and a test of the tray" 12-test root \
		"cd blendtray; make test ARGS='./watcher'; make test ARGS='-run TestAFirstStart ./e2e'"
	try "  make demo in a folder of someone else" 12-foreign root \
		"chown -R 1234:1234 blendtray; cd blendtray; make demo; chown -R root:root ." root/blendtray
	try "  a newer Go of one's own is there now" 12-newer root \
		"cd blendtray; cp -r build/go /usr/local/go; make demo; [ ! -e build/go ]" root/blendtray

	fresh
	try "Debian 12, root, golang-go: make demo" 12-debian root \
		"apt-get update -q; apt-get install -y -q --no-install-recommends golang-go; go version; $(clone blendtray); make demo" root/blendtray
	# Debian's, in the place of a person's own.
	local old="cd blendtray; rm -rf build/go; mkdir -p /usr/local/go/bin; cp /usr/lib/go-1.19/bin/go /usr/local/go/bin/"
	try "  an old Go of one's own: refused" 12-refused root "$old; if make demo; then exit 1; fi; [ ! -e build/go ]"
	try "  asked on a terminal: no" 12-no root \
		"$old; if echo n | script -qec 'make setup-run' /dev/null; then exit 1; fi; [ ! -e build/go ]"
	try "  asked on a terminal: yes" 12-yes root "$old; echo y | script -qec 'make setup-run' /dev/null; [ -e build/go ]"
	try "  make demo BRING_GO=1" 12-bring root "$old; make demo BRING_GO=1" root/blendtray

	bare_root bookworm git,make,sudo
	fresh
	# What of the settings is in the environment reaches apt-get through sudo, too.
	inside 12-user root "useradd -m -s /bin/bash ada; echo 'Defaults env_keep += \"http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY\"
ada ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ada" || fail "there is no ordinary user, see build/roots/logs/12-user.log"
	try "Debian 12, a user with sudo, no Go, a space in the path: make demo" 12-user ada \
		"$(clone 'my blendtray'); make demo" "home/ada/my blendtray"

	bare_root trixie git,make
	fresh
	try "Debian 13, root, no Go: make demo" 13-none root "$(clone blendtray); make demo" root/blendtray
	fresh
	try "Debian 13, root, golang-go: make demo" 13-debian root \
		"apt-get update -q; apt-get install -y -q --no-install-recommends golang-go; go version; $(clone blendtray); make demo; [ ! -e build/go ]" root/blendtray
}

# beside runs all cases with the command and arguments that follow: beside WHAT LOG COMMAND…
beside() {
	local what=$1 log=$logs/$2.log start=$SECONDS
	shift 2
	say "$what …"
	if BLENDTRAY_CASES=all BLENDTRAY_SITE_PACKAGES="$packages" "$@" >"$log" 2>&1; then
		if grep -q 'NOT TESTED' "$log"; then
			row "$what" "NOT TESTED, see build/roots/logs/${log##*/}"
		else
			row "$what" "ok, $((SECONDS - start)) s"
		fi
	else
		failed=1
		tail -n 30 "$log" >&2
		row "$what" "FAILED, see build/roots/logs/${log##*/}"
	fi
}

cases() {
	local python=/usr/bin/python3 venv=$work/numpy
	mkdir -p "$logs"
	if [ ! -e "$venv/good" ]; then
		rm -rf "$venv"
		"$python" -m venv "$venv" 2>/dev/null || python3 -m venv "$venv"
		"$venv/bin/pip" install -q --disable-pip-version-check 'numpy>=2' pandas && touch "$venv/good"
	fi
	packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	beside "cases, $(blender --version | head -n 1)" cases-system \
		go test -tags headless -count=1 -timeout 40m -run 'ColdBlender|IsNothingToTheNext' ./fleet
	beside "cases, Blender 5.0.1 from PyPI" cases-newest scripts/test-blenders.sh cases 5.0.1
}

newest() {
	mkdir -p "$logs"
	packages=
	scripts/setup.sh run
	beside "add-on and supervisor, Blender 5.3.0 from PyPI" newest \
		env -u BLENDTRAY_CASES -u BLENDTRAY_SITE_PACKAGES scripts/test-blenders.sh 5.3.0
}

farm() {
	mkdir -p "$logs"
	packages=
	BLENDTRAY_LONG=1 beside "a file of 1 GB on a farm" farm \
		go test -tags headless -count=1 -timeout 30m -run 'ALongFile' ./farm/files
}

agents() {
	mkdir -p "$logs"
	packages=
	# The engine refuses variables named BLENDTRAY_ that are no settings.
	beside "a render of two minutes for an agent" agents \
		env -u BLENDTRAY_CASES -u BLENDTRAY_SITE_PACKAGES LONG_RENDER=1 go test -tags headless -count=1 -timeout 30m -run 'ARenderMayTakeLonger' ./e2e
}

# windows_with VERSION NAME OPTION has scripts/test-windows.sh try a Blender, with a log of that name.
windows_with() {
	local log=$logs/$2.log start=$SECONDS
	say "Blender $1 for Windows …"
	scripts/tested.sh begin
	if scripts/test-windows.sh "$3" "$1" >"$log" 2>&1; then
		row "Windows, Blender $1" "ended well, $((SECONDS - start)) s:"
	else
		failed=1
		tail -n 30 "$log" >&2
		row "Windows, Blender $1" "FAILED, see build/roots/logs/$2.log"
	fi
	while IFS=$'\t' read -r what result; do row "  $what" "$result"; done <build/tested.txt
}

windows() {
	mkdir -p "$logs"
	scripts/setup.sh windows
	windows_with 4.2.23 windows installer
	windows_with 5.0.1 windows-newer newer # Wine 8 reads no images back in it
}

macos() {
	mkdir -p "$logs"
	packages=
	beside "macOS, the program signed by rcodesign" macos scripts/check-macos.sh
}

for part in "${parts[@]}"; do
	case $part in
	bare) bare ;;
	cases) cases ;;
	newest) newest ;;
	farm) farm ;;
	agents) agents ;;
	windows) windows ;;
	macos) macos ;;
	*) fail "there is no part $part; the parts are: bare cases newest farm agents windows macos" ;;
	esac
done

printf '\n' >&2
for line in "${table[@]}"; do printf 'test-long: %-68s %s\n' "${line%%	*}" "${line#*	}" >&2; done
exit "$failed"
