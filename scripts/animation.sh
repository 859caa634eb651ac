#!/usr/bin/env bash
# Makes the animated picture of the README: a save in an editor on the left, and what comes of it in the
# window on the right, on a display and a bus of their own: build/screenshots/save.gif.
#
# Usage: scripts/animation.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:?usage: scripts/animation.sh PROGRAM}")
if [ -z "${ANIMATION_SESSION:-}" ]; then
	for need in Xvfb dbus-run-session xdotool import convert xterm vim; do
		command -v "$need" >/dev/null || {
			echo "animation: $need is missing (Debian: xvfb dbus xdotool imagemagick xterm vim)" >&2
			exit 1
		}
	done
	home=/tmp/ada # shows in the picture
	mkdir -m 700 "$home" 2>/dev/null || home=$(mktemp -d)
	trap 'rm -rf "$home"' EXIT
	HOME=$home ANIMATION_SESSION=1 dbus-run-session -- "$0" "$program"
	exit
fi

out=build/screenshots
home=$HOME
frames=$home/frames
mkdir -p "$out" "$home/run" "$frames"
chmod 700 "$home/run"
export XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/.config BLENDTRAY_HOME=$home/bt
export LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1 FYNE_THEME=dark

coproc display { exec Xvfb -displayfd 1 -screen 0 1300x640x24 -nolisten tcp 2>/dev/null; }
read -r number <&"${display[0]}"
export DISPLAY=:$number
children=("$display_PID")
finish() {
	kill "${children[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
}
trap finish EXIT

# until_ runs a command until it succeeds.
until_() {
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	echo "animation: waited in vain for: $*" >&2
	exit 1
}
ended() { [ "$("$program" runs --json -n 100 | grep -c '"finished_at": "')" -ge "$1" ]; }
shown() { xdotool search --name "$1"; }

# frame takes a picture of the display, which stays for some hundredths of a second.
count=0
frame() {
	count=$((count + 1))
	import -window root "$(printf '%s/%03d-%04d.png' "$frames" "$count" "$1")"
}
# key presses keys in the editor, with a picture after each.
key() {
	for one; do
		xdotool key --window "$editor" "$one"
		sleep 0.1
		frame 25
	done
}

"$program" >/dev/null 2>&1 &
children+=($!)
until_ ended 1
window=$(xdotool search --name '^Blendtray' | tail -n 1)
xdotool windowmove "$window" 600 0 windowsize "$window" 700 640
example=$home/Blendtray/first_light.py
xterm -geometry 72x41+0+0 -fa 'DejaVu Sans Mono' -fs 10 -bg '#17181a' -fg '#d7d9dc' -title editor \
	-e vim -u NONE -N -n -c 'syntax on' -c 'set background=dark laststatus=0 noruler nowrap' -c 14 -c 'normal zt' "$example" 2>/dev/null &
children+=($!)
until_ shown '^editor$'
editor=$(shown '^editor$' | tail -n 1)
xdotool windowfocus "$editor"
sleep 2
# Whoever closes the banner about the missing panel sees more of the picture.
xdotool mousemove 1272 24 click 1
xdotool windowfocus "$editor"
sleep 1
frame 200
key slash S P H E R E S Return w w
key c w 1 5 0 Escape
xdotool type --window "$editor" ':w'
sleep 0.2
frame 80
xdotool key --window "$editor" Return
for _ in $(seq 100); do
	ended 2 && break
	frame 25
	sleep 1
done
sleep 1
frame 350

# Frames that are like the one before make that one stay longer.
arguments=()
for picture in "$frames"/*.png; do
	stay=$((10#$(basename "$picture" .png | cut -d- -f2)))
	arguments+=(-delay "$stay" "$picture")
done
convert "${arguments[@]}" -loop 0 -resize 1000x492 +dither -colors 160 -fuzz 2% -layers Optimize "$out/save.gif"
ls -l "$out/save.gif"
