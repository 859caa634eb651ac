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
if [ -z "${SCREENSHOTS_SESSION:-}" ]; then
	for need in Xvfb dbus-run-session xfce4-panel xdotool import curl; do
		command -v "$need" >/dev/null || {
			echo "screenshots: $need is missing (Debian: xvfb dbus xfce4-panel xdotool imagemagick curl)" >&2
			exit 1
		}
	done
	# What the bus starts has this home, too.
	home=/tmp/ada # shows in the pictures
	mkdir -m 700 "$home" 2>/dev/null || home=$(mktemp -d)
	trap 'rm -rf "$home"' EXIT
	HOME=$home SCREENSHOTS_SESSION=1 dbus-run-session -- "$0" "$program"
	exit
fi

out=${SCREENSHOTS_OUT:-build/screenshots}
size=${SCREENSHOTS_SIZE:-980x670}
scale=${SCREENSHOTS_SCALE:-1}
home=$HOME
rm -rf "$out"
mkdir -p "$out" "$home/run" "$home/.config/xfce4/xfconf/xfce-perchannel-xml"
chmod 700 "$home/run"
export XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/.config BLENDTRAY_HOME=$home/bt
export LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1 FYNE_SCALE=$scale BLENDTRAY_WINDOW_LANGUAGE=${SCREENSHOTS_LANGUAGE:-en}
cat >"$home/.config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator"><property name="expand" type="bool" value="true"/></property>
    <property name="plugin-2" type="string" value="systray"/>
  </property>
</channel>
XML

coproc display { exec Xvfb -displayfd 1 -screen 0 $((${size%x*} + 140))x$((${size#*x} + 130))x24 -nolisten tcp 2>/dev/null; }
read -r number <&"${display[0]}"
export DISPLAY=:$number
children=("$display_PID")
finish() {
	kill "${children[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
}
trap finish EXIT
xfce4-panel >/dev/null 2>&1 &
children+=($!)
for manager in openbox xfwm4; do # as on a desktop; without one, everything but its frames is the same
	if command -v "$manager" >/dev/null; then
		"$manager" >/dev/null 2>&1 &
		children+=($!)
		break
	fi
done
host() {
	gdbus call --session --dest org.kde.StatusNotifierWatcher --object-path /StatusNotifierWatcher \
		--method org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher IsStatusNotifierHostRegistered | grep true
}

# until runs a command until it succeeds.
until_() {
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	echo "screenshots: waited in vain for: $*" >&2
	exit 1
}
ended() { [ "$("$program" runs --json -n 100 | grep -c '"finished_at": "')" -ge "$1" ]; }

until_ host
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
		xdotool key Escape
	fi
	kill "$tray"
	wait "$tray" 2>/dev/null || true
done
ls "$out"
