#!/bin/sh
# Runs when the package was installed or upgraded. It takes what dpkg or rpm tells: "configure" and the
# version before, or how many versions there are now.
set -e
case ${1-} in
configure) before=${2-} ;;
[0-9]*) [ "$1" -gt 1 ] && before=another || before= ;;
*) exit 0 ;;
esac

# Units may be new. Where no systemd runs, there is nobody to tell.
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
	systemctl daemon-reload >/dev/null 2>&1 || true
	for user in $(systemctl list-units --legend=no --plain --state=active 'user@*.service' 2>/dev/null | sed -n 's/^user@\([0-9]*\)\.service.*/\1/p'); do
		systemctl --user --machine="$user@" daemon-reload >/dev/null 2>&1 || true
	done
fi
[ -n "$before" ] || exit 0

# Which engines and trays are still the old program. An engine that is a service ends by itself when no
# run is running, and the service starts the new program: no run is lost.
here=$(stat -L -c %d:%i /) # not the processes in other roots
for process in /proc/[0-9]*; do
	case $(readlink "$process/exe" 2>/dev/null) in
	"/usr/bin/blendtray (deleted)" | /usr/bin/blendtray.dpkg-*) ;;
	*) continue ;;
	esac
	[ "$(stat -L -c %d:%i "$process/root" 2>/dev/null)" = "$here" ] || continue
	user=$(stat -c %U "$process" 2>/dev/null) || continue
	id=${process#/proc/}
	role=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null | cut -d ' ' -f 2)
	parent=$(sed -n 's/^PPid:[[:space:]]*//p' "$process/status" 2>/dev/null)
	case $role in
	serve)
		if [ "$(cat "/proc/${parent:-0}/comm" 2>/dev/null)" = systemd ]; then
			echo "blendtray: the service of $user (process $id) goes on with the new version when no run is running and no session or kept scene is in use"
		else
			echo "blendtray: an engine of $user (process $id) is still the old version; end it and start it again when it suits"
		fi
		;;
	'') echo "blendtray: the tray of $user (process $id) is still the old version; quit it and start it again when it suits" ;;
	esac
done
