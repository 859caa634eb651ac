#!/bin/sh
# Runs when the package was removed: systemd forgets the unit of the package.
set -e
case ${1-} in
remove | purge | 0) ;;
*) exit 0 ;;
esac
# An administrator may have enabled the unit for every user.
rm -f /etc/systemd/user/default.target.wants/blendtray.service
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
	systemctl daemon-reload >/dev/null 2>&1 || true
	for user in $(systemctl list-units --legend=no --plain --state=active 'user@*.service' 2>/dev/null | sed -n 's/^user@\([0-9]*\)\.service.*/\1/p'); do
		systemctl --user --machine="$user@" daemon-reload >/dev/null 2>&1 || true
	done
fi
