# shellcheck shell=bash
# Root folders of newer Debians than this system, with their Blender and Python or their Wine, and programs in
# them. It is sourced in the checkout's folder; to make a root folder needs root and mmdebstrap.

roots=$PWD/build/windows

# make_root SUITE makes the root folder of a suite, once, with Blender; see make_root_with.
make_root() {
	# A root folder that was made before the module needed a library is made anew. libgl1 is only a
	# recommendation of Blender's, and libsm6 is what the module bpy needs beside what Blender does.
	make_root_with "$1" "$1" 'usr/lib/*/libSM.so.6' \
		blender,libgl1,libegl1,libgl1-mesa-dri,libsm6,python3-numpy,python3-requests
}

# make_root_with FOLDER SUITE SIGN PACKAGES makes a root folder of a suite with some packages, unless it has the file
# SIGN, with this machine's mirror and settings of apt. It fails when that can't be had; then the log beside the root
# folder says why.
make_root_with() {
	local folder=$1 suite=$2 from
	if compgen -G "$roots/$folder/$3" >/dev/null; then return 0; fi
	say "making a root folder of Debian's $suite, with ${4%%,*}"
	mkdir -p "$roots"
	apt-config dump --empty=no Acquire | grep -E '^Acquire::(http|https|ftp|Max-|Retries|Force|Allow)' |
		grep -vi 'proxy-auto-detect' >"$roots/apt.conf" || true
	# shellcheck disable=SC2016
	from=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
	rm -rf "$roots/$folder.new"
	# A mirror that is kept back has lists whose time is over.
	mmdebstrap --quiet --variant=minbase --components=main --aptopt="$roots/apt.conf" \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$4" "$suite" "$roots/$folder.new" ${from:+"$from"} >"$roots/$folder.log" 2>&1 || return 1
	rm -rf "${roots:?}/$folder"
	mv "$roots/$folder.new" "$roots/$folder"
}

# program_in FOLDER FILE COMMAND… writes a program that is a command in a root folder, with this machine's folder
# for temporary files and this checkout in their places. The process stays the same, so that signals and inherited
# files reach the command; the mounts end with it.
program_in() {
	local folder=$1 file=$2
	shift 2
	mkdir -p "${file%/*}"
	cat >"$file" <<PROGRAM
#!/bin/sh
exec unshare --mount sh -euc '
root=\$1 checkout=\$2
shift 2
mount -t proc proc "\$root/proc"
mount --rbind /sys "\$root/sys"
mount --rbind /dev "\$root/dev"
mkdir -p "\$root\$checkout"
mount --rbind /tmp "\$root/tmp"
mount --rbind "\$checkout" "\$root\$checkout"
exec chroot "\$root" /usr/bin/env -C "\$PWD" "\$@"
' sh '$roots/$folder' '$PWD' $(printf "'%s' " "$@")"\$@"
PROGRAM
	chmod +x "$file"
}
