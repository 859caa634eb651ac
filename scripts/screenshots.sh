#!/usr/bin/env bash
# Takes pictures of the tray and of every tab of the window, in both themes, on a display, bus
# and panel of their own: build/screenshots/*.png.
#
# Usage: scripts/screenshots.sh PROGRAM, with these variables:
#   SCREENSHOTS_OUT       the folder of the pictures
#   SCREENSHOTS_LANGUAGE  the language of the window: en, de or zh
#   SCREENSHOTS_SIZE      the size of the window, such as 1920x1080, which is 980x670 by itself
#   SCREENSHOTS_SCALE     2 has everything twice as large, as on a display with many pixels
#   SCREENSHOTS_BY        mouse goes through the tabs with the mouse alone; without, keys do it alone
#   SCREENSHOTS_NAMES     wide has scripts with names of Chinese, Japanese, Arabic and emoji, too
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:?usage: scripts/screenshots.sh PROGRAM}")
# shellcheck source=scripts/display.sh
. scripts/display.sh
needs "xvfb dbus xfce4-panel xdotool imagemagick curl" Xvfb dbus-run-session xfce4-panel xdotool import curl
on_own_bus "$program"

out=${SCREENSHOTS_OUT:-build/screenshots}
size=${SCREENSHOTS_SIZE:-980x670}
scale=${SCREENSHOTS_SCALE:-1}
home=$HOME
rm -rf "$out"
mkdir -p "$out"
export FYNE_SCALE=$scale BLENDTRAY_WINDOW_LANGUAGE=${SCREENSHOTS_LANGUAGE:-en}
show_display "$((${size%x*} + 140))x$((${size#*x} + 130))"
show_panel
for theme in dark light; do
	rm -rf "$BLENDTRAY_HOME" "$home/Blendtray" "$home/.config/fyne"
	FYNE_THEME=$theme "$program" >/dev/null 2>&1 &
	tray=$!
	children+=("$tray")
	until_ ended 1
	sleep 1 # the first page shows the picture
	window=$(xdotool search --name '^Blendtray · ' | tail -n 1)
	import -window "$window" "$out/first-$theme.png"
	printf '\n[runs]\npreview = "cycles"\n' >>"$BLENDTRAY_HOME/settings.toml"
	curl -sf --unix-socket "$BLENDTRAY_HOME/run/control.sock" -X POST http://blendtray/folders/reload >/dev/null
	cat >"$home/Blendtray/report.py" <<'PY'
import bpy

print("objects:", [o.name for o in bpy.data.objects])
result = {"objects": len(bpy.data.objects)}
PY
	until_ ended 2
	printf 'import bpy\n\nprint("looking for a monkey")\nbpy.data.objects["Monkey"]\n' >"$home/Blendtray/monkey.py"
	until_ ended 3
	cp examples/procedural_scene.py "$home/Blendtray/town.py"
	until_ ended 4
	if [ "${SCREENSHOTS_NAMES:-}" = wide ]; then
		ran=4
		for name in 渲染测试 シーンを作る مشهد "🙂 smile 👩‍🚀"; do
			ran=$((ran + 1))
			printf 'print("%s", "漢字かな", "مرحبا", "🙂👩‍🚀")\n' "$name" >"$home/Blendtray/$name.py"
			until_ ended "$ran"
		done
	fi
	sleep 1 # the window shows it
	window=$(xdotool search --name '^Blendtray · ' | tail -n 1)
	xdotool windowmove "$window" 60 50 windowsize "$window" "${size%x*}" "${size#*x}"
	xdotool windowfocus --sync "$window"
	sleep 1
	number=0
	for tab in activity:60 pictures:150 queue:245 blender:340 folders:438 console:535 log:616 settings:705; do
		number=$((number + 1))
		if [ "${SCREENSHOTS_BY:-}" = mouse ]; then # where the tabs are in English
			xdotool mousemove --window "$window" $((${tab#*:} * scale)) $((70 * scale)) click 1
		else
			xdotool key "ctrl+$number"
		fi
		tab=${tab%:*}
		sleep 1.5 # pictures are read
		import -window "$window" "$out/$tab-$theme.png"
	done
	# The run that failed: the newest is first.
	if [ "${SCREENSHOTS_BY:-}" = mouse ]; then
		xdotool mousemove --window "$window" $((60 * scale)) $((70 * scale)) click 1 \
			mousemove --window "$window" $((150 * scale)) $((188 * scale)) click 1
	else
		xdotool key ctrl+1 Home Down
	fi
	sleep 1
	import -window "$window" "$out/failed-$theme.png"
	if [ "${SCREENSHOTS_BY:-}" = mouse ]; then
		xdotool mousemove --window "$window" $((490 * scale)) $((267 * scale)) click 1
	else
		xdotool key alt+2
	fi
	sleep 1
	import -window "$window" "$out/code-$theme.png"
	if [ "$theme" = dark ]; then
		read -r width _ < <(xdotool getdisplaygeometry)
		xdotool mousemove $((width - 20)) 16 click 3
		sleep 1
		import -window root -crop "400x520+$((width - 400))+0" +repage "$out/tray.png"
		xdotool key Escape mousemove 0 "$((${size#*x} + 120))" # a tip of the panel would cover the window
	fi
	kill "$tray"
	wait "$tray" 2>/dev/null || true
done
ls "$out"
