# shellcheck shell=bash
# A display and a bus of their own, for the scripts that take pictures: source it in bash, with `set -euo pipefail`.
# What these functions start ends with the script.

this=$(basename "$0" .sh)
children=()

# needs fails where a command is missing. The first argument names the packages of Debian that have them.
needs() {
	local packages=$1 command
	shift
	for command; do
		command -v "$command" >/dev/null || {
			echo "$this: $command is missing (Debian: $packages)" >&2
			exit 1
		}
	done
}

# on_own_bus runs the script again, with the arguments, on a bus of its own and in a new home. It returns in that
# second run alone. What the bus starts has this home, too.
on_own_bus() {
	[ -z "${OWN_BUS:-}" ] || return 0
	local home=/tmp/ada # shows in the pictures
	mkdir -m 700 "$home" 2>/dev/null || home=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder is this one
	trap "rm -rf '$home'" EXIT
	HOME=$home OWN_BUS=1 dbus-run-session -- "scripts/$this.sh" "$@"
	exit
}

# show_display starts a display of a size such as 1300x640, and sets what programs on it need.
show_display() {
	local number
	mkdir -p "$HOME/run"
	chmod 700 "$HOME/run"
	export XDG_RUNTIME_DIR=$HOME/run XDG_CONFIG_HOME=$HOME/.config BLENDTRAY_HOME=$HOME/bt
	export LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1
	coproc display { exec Xvfb -displayfd 1 -screen 0 "$1x24" -nolisten tcp -noreset 2>/dev/null; }
	children+=("$display_PID")
	trap finish EXIT
	read -r number <&"${display[0]}"
	export DISPLAY=:$number
}
finish() {
	kill "${children[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
}

# show_panel starts a panel at the top of the display, which shows tray icons, and a window manager where there is
# one: without, everything but the frames of windows is the same.
show_panel() {
	local settings=$HOME/.config/xfce4/xfconf/xfce-perchannel-xml manager
	mkdir -p "$settings"
	cat >"$settings/xfce4-panel.xml" <<'XML'
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
	xfce4-panel >/dev/null 2>&1 &
	children+=($!)
	for manager in openbox xfwm4; do
		if command -v "$manager" >/dev/null; then
			"$manager" >/dev/null 2>&1 &
			children+=($!)
			break
		fi
	done
	until_ has_panel
}
has_panel() {
	gdbus call --session --dest org.kde.StatusNotifierWatcher --object-path /StatusNotifierWatcher \
		--method org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher IsStatusNotifierHostRegistered | grep true
}

# until_ runs a command until it succeeds, and ends the script after two minutes.
until_() {
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	echo "$this: waited in vain for: $*" >&2
	exit 1
}

# ended succeeds when so many runs of the program have ended. The program is $program.
ended() { [ "$("${program:?}" runs --json -n 100 | grep -c '"finished_at": "')" -ge "$1" ]; }
