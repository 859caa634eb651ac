#!/bin/sh
# Installs what a task needs and this machine lacks, with the system's own packages. It says
# what it does before it does it, and does nothing when nothing is missing.
#
# Usage: scripts/setup.sh run|test|lint|build|headless|package|windows
set -eu

# What is needed: the program to look for, for which tasks, and the packages that hold it
# for apt-get, dnf, pacman and brew ("-": it comes with something else, or is not needed there).
#
#  program      tasks                apt-get          dnf              pacman       brew
needs='
  go           run,test,lint,build,headless,package,windows  golang-go    golang           go           go
  git          run,test,lint,build,headless,package  git          git              git          git
  blender      run,test             blender          blender          blender      blender
  numpy        run,test             python3-numpy    python3-numpy    python-numpy -
  python3      test,lint,windows    python3          python3          python       python
  venv         lint                 python3-venv     -                -            -
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
  xfce4-panel  test                 xfce4-panel      xfce4-panel      xfce4-panel  -
  dbus-daemon  test                 dbus             dbus-daemon      dbus         -
  systemd      test                 systemd          systemd          systemd      -
  makensis     package              nsis             mingw32-nsis     -            makensis
  x86_64-w64-mingw32-gcc package,windows gcc-mingw-w64-x86-64 mingw64-gcc  mingw-w64-gcc mingw-w64
  zip          package              zip              zip              zip          zip
  lintian      test,package           lintian          -                -            -
  rpm          test,package           rpm              -                -            -
  wine         windows              wine             wine             wine         wine-stable
  rsync        test                 rsync            rsync            rsync        rsync
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
	lintian | rpm) [ "$manager" != apt-get ] || command -v "$1" >/dev/null 2>&1 ;;
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
	Xvfb | xwininfo | xfce4-panel | dbus-daemon | systemd) [ "$system" != Linux ] || command -v "$1" >/dev/null 2>&1 ;;
	# Only there does the window need it.
	pkg-config) [ "$system" != Linux ] || command -v pkg-config >/dev/null 2>&1 ;;
	blender) command -v blender >/dev/null 2>&1 || [ -e /Applications/Blender.app ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

# Go itself fetches the version that go.mod asks for, from 1.21 on.
go_is_too_old() {
	version=$(GOTOOLCHAIN=local go version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
	[ -n "$version" ] && [ "$version" -lt 21 ]
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
	sudo=
	if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 ||
			fail "missing:$missing. Ask an administrator to install:$packages"
		sudo=sudo
	fi
	say "missing:$missing; installing with $manager:$packages"
	# The packages are a list.
	# shellcheck disable=SC2086
	case $manager in
	apt-get)
		install="env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages"
		# A list of packages that is old or not there is mended once.
		$sudo $install >/dev/null || { $sudo apt-get update -q && $sudo $install; }
		;;
	dnf) $sudo dnf install -y $packages ;;
	pacman) $sudo pacman -Sy --needed --noconfirm $packages ;;
	brew) for package in $packages; do
		case $package in blender) brew install --cask blender ;; *) brew install "$package" ;; esac
	done ;;
	esac
	still=
	for need in $missing; do has "$need" || still="$still $need"; done
	[ -z "$still" ] || fail "installed, and yet missing:$still"
fi

if go_is_too_old; then
	if [ "$manager" = apt-get ]; then
		sudo=
		[ "$(id -u)" = 0 ] || sudo=sudo
		for newer in golang-1.26-go golang-1.25-go golang-1.24-go golang-1.23-go golang-1.22-go golang-1.21-go; do
			version=${newer#golang-}
			path=/usr/lib/go-${version%-go}/bin/go
			[ -x "$path" ] && fail "Go on the PATH is too old; put ${path%/go} before it: PATH=${path%/go}:\$PATH"
			if apt-cache show "$newer" >/dev/null 2>&1; then
				say "Go on the PATH is too old; installing $newer"
				$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$newer"
				fail "now put it on the PATH and try again: PATH=${path%/go}:\$PATH"
			fi
		done
	fi
	fail "$(GOTOOLCHAIN=local go version) is too old: any Go from 1.21 on will do, see https://go.dev/dl/"
fi
