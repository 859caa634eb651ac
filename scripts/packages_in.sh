# What the checks of the packages share; it is sourced. Who sources it has set work, a folder, and home, that of
# the user nobody, and has the functions say and fail.
# shellcheck shell=bash disable=SC2154

# as_user runs a command as an ordinary user with a bare environment.
as_user() {
	(cd / && setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups env -i PATH=/usr/bin:/bin HOME="$home" LANG=C.UTF-8 "$@")
}

# eventually waits until a command succeeds, and fails after two minutes: eventually WHAT COMMAND…
eventually() {
	local what=$1 end=$((SECONDS + 120))
	shift
	until "$@" >"$work/last" 2>&1; do
		[ $SECONDS -lt $end ] || {
			cat "$work/last"
			fail "waited in vain until $what"
		}
		sleep 0.1
	done
}

# start_manager starts the engine of the user as a service, and sets manager, a process that is to be ended.
# A user's systemd needs a login. In its place is a script of that name, which starts the engine again as
# systemd does; that systemd does so, a test in e2e shows with the real one.
start_manager() {
	cat >"$work/systemd" <<-'SH'
		#!/bin/sh
		trap 'kill $!; exit 0' TERM
		while :; do
		    NOTIFY_SOCKET=/nonexistent /usr/bin/blendtray serve &
		    wait $!
		    [ $? != 0 ] || exit 0
		done
	SH
	chmod 755 "$work/systemd"
	as_user "$work/systemd" >"$work/manager.log" 2>&1 &
	# shellcheck disable=SC2034 # who reads this file ends it
	manager=$!
	eventually "the engine answers" as_user /usr/bin/blendtray status
}

# start_run has the service start a run that ends by itself when gate is there, and sets run, a process.
start_run() {
	gate=$home/gate
	rm -f "$gate"
	cat >"$home/long.py" <<-PY
		import os, time
		while not os.path.exists("$gate"):
		    time.sleep(0.05)
		print("the run has ended by itself")
	PY
	as_user timeout 300 blendtray run "$home/long.py" >"$work/long" 2>&1 &
	run=$!
	# shellcheck disable=SC2317 # eventually calls it
	runs() { as_user blendtray runs --state running | grep -q long.py; }
	eventually "the run is running" runs
}

# end_run opens the gate and fails unless the run ends by itself.
end_run() {
	: >"$gate"
	if ! wait "$run" || ! grep "has ended by itself" "$work/long"; then
		cat "$work/long"
		fail "the run is lost"
	fi
}

# new_engine tells whether the engine is of a version, and of the installed program.
new_engine() { as_user blendtray status | grep -F "version $1," && ! as_user blendtray status | grep outdated; }

# replaced_by replaces the package while a run is running: the run ends by itself, and then the new engine is
# there: replaced_by VERSION COMMAND…
replaced_by() {
	local version=$1
	shift
	start_run
	"$@" >"$work/log" 2>&1 || {
		cat "$work/log"
		fail "it can't be installed: $*"
	}
	grep "the service of nobody (process [0-9]*) goes on with the new version" "$work/log" || {
		cat "$work/log"
		fail "nobody is told of the old engine"
	}
	as_user blendtray status | grep outdated || fail "status does not tell that the engine is outdated"
	end_run
	eventually "the engine is version $version" new_engine "$version"
}

# nothing_runs fails when a process has the installed program.
nothing_runs() {
	local process
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe") in
		/usr/bin/blendtray*) fail "$process still runs: $(tr '\0' ' ' <"$process/cmdline")" ;;
		esac
	done
}
