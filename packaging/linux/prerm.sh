#!/bin/sh
# Runs before the package is removed or upgraded. It takes what dpkg or rpm tells: "remove", or how many
# versions will be left. An upgrade stops nothing: see postinst.
set -e
case ${1-} in
remove | 0) ;;
*) exit 0 ;;
esac
program=/usr/bin/blendtray
[ -x $program ] || exit 0

# What would start a program that is gone: the services, each with the rights of its user. Their
# settings and runs stay.
for unit in /etc/systemd/system/blendtray-*.service; do
	[ -e "$unit" ] || continue
	user=$(sed -n 's/^User=//p' "$unit")
	grep -q "^ExecStart=\"$program\" " "$unit" || continue
	$program service uninstall --system --user "$user" >/dev/null 2>&1 || true
	[ -e "$unit" ] || echo "blendtray: the service of the machine for $user is removed"
done
getent passwd | while IFS=: read -r user _ number _ _ home _; do
	units=$home/.config/systemd/user
	case $home in '' | /) continue ;; esac
	grep -q "^ExecStart=\"$program\" " "$units/blendtray.service" 2>/dev/null || [ -L "$units/default.target.wants/blendtray.service" ] || continue
	# In the name of the user, and with the manager of the user where there is one.
	setpriv --reuid "$number" --regid "$(id -g "$user")" --init-groups env -i HOME="$home" PATH=/usr/bin:/bin \
		XDG_RUNTIME_DIR="$(runtime=/run/user/$number; [ -d "$runtime" ] && echo "$runtime")" \
		$program service uninstall >/dev/null 2>&1 || true
	[ -e "$units/blendtray.service" ] || [ -L "$units/default.target.wants/blendtray.service" ] || echo "blendtray: the service of $user is removed"
done

# Every engine, tray and window of this program.
here=$(stat -L -c %d:%i /) # not the processes in other roots
running() {
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe" 2>/dev/null) in
		"$program" | "$program (deleted)") ;;
		*) continue ;;
		esac
		[ "$(stat -L -c %d:%i "$process/root" 2>/dev/null)" = "$here" ] || continue
		echo "${process#/proc/}"
	done
}
[ -n "$(running)" ] || exit 0
echo "blendtray: engines and trays that run are asked to end; a run may end for a minute"
for process in $(running); do
	# Who waits for a run ends with it, and would cancel the run when asked to end.
	case $(tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null | cut -d ' ' -f 2) in
	run | render) ;;
	*) kill -TERM "$process" 2>/dev/null || true ;; # it may have ended
	esac
done
seconds=0
while [ -n "$(running)" ] && [ $seconds -lt 90 ]; do
	sleep 1
	seconds=$((seconds + 1))
done
processes=$(running)
# The list is of numbers.
# shellcheck disable=SC2086
[ -z "$processes" ] || kill -KILL $processes 2>/dev/null || true
