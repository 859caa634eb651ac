#!/usr/bin/env bash
# Makes the animated picture of the README: a save in an editor on the left, and what comes of it in the
# window on the right, on a display and a bus of their own: build/screenshots/save.gif.
#
# Usage: scripts/animation.sh PROGRAM
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:?usage: scripts/animation.sh PROGRAM}")
# shellcheck source=scripts/display.sh
. scripts/display.sh
needs "xvfb dbus xdotool imagemagick xterm vim" Xvfb dbus-run-session xdotool import convert xterm vim
on_own_bus "$program"

out=build/screenshots
home=$HOME
frames=$home/frames
mkdir -p "$out" "$frames"
export FYNE_THEME=dark
show_display 1300x640
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
