#!/usr/bin/env bash
# Makes the bundles for programs for agents, one for each system and architecture, and server.json for
# the registry of the Model Context Protocol: the same bytes from the same commit.
#
# Usage: scripts/mcpb.sh OUT, called by scripts/package.sh; scripts/mcpb.sh --check OUT validates what
# is in OUT with the official tool, and asks the bundle of this machine for its tools.
# VERSION, SOURCE_DATE_EPOCH and RELEASES, the address of the folder of all versions, are in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'mcpb: %s\n' "$*" >&2; }

# A bundle has the program without tray and window, which a program for agents has no use for.
# TARGETS in the environment are fewer.
targets=${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}

bundle() { # SYSTEM ARCHITECTURE FILE
	local dir=build/mcpb/$1-$2 platform=$1 program=blendtray
	case $1 in windows) platform=win32 program=blendtray.exe ;; esac
	mkdir -p "$dir/bin"
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 go build -trimpath -ldflags "-s -w -X blendtray/app.version=$VERSION" \
		-tags headless -o "$dir/bin/$program" .
	sed "s/@VERSION@/$VERSION/; s/@PROGRAM@/$program/; s/@PLATFORM@/$platform/" packaging/mcp/manifest.json.in >"$dir/manifest.json"
	cp assets/png/app.png "$dir/icon.png"
	cp LICENSE "$dir/"
	# The terms of the libraries in the program, and their list.
	build/mcpb/notices -version "$VERSION" -out build/mcpb/papers "$dir/bin/$program"
	cp build/mcpb/papers/THIRD-PARTY.txt build/mcpb/papers/blendtray.cdx.json "$dir/"
	chmod 755 "$dir/bin/$program"
	find "$dir" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	rm -f "$3"
	(cd "$dir" && find . -type f -printf '%P\n' | sort | zip -q -X -9 "$3" -@)
}

make_all() { # OUT
	local out file packages=
	out=$(realpath "$1")
	RELEASES=${RELEASES:-https://blendtray.org/releases}
	rm -rf build/mcpb "$out"/*.mcpb # server.json names no others
	go build -o build/mcpb/notices ./packaging/notices
	for target in $targets; do
		file=blendtray-$VERSION-${target/\//-}.mcpb
		bundle "${target%/*}" "${target#*/}" "$out/$file"
		packages+="${packages:+,}
    {
      \"registryType\": \"mcpb\",
      \"identifier\": \"$RELEASES/$VERSION/$file\",
      \"fileSha256\": \"$(sha256sum "$out/$file" | cut -d ' ' -f 1)\",
      \"transport\": { \"type\": \"stdio\" }
    }"
	done
	cat >"$out/server.json" <<-END
		{
		  "\$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
		  "name": "org.blendtray/blendtray",
		  "title": "Blendtray",
		  "description": "Runs Python in a supervised Blender without a window: model, look, render.",
		  "version": "$VERSION",
		  "websiteUrl": "https://blendtray.org",
		  "packages": [$packages
		  ]
		}
	END
	python3 -m json.tool "$out/server.json" >/dev/null
}

check_all() { # OUT
	local file
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	for file in "$1"/*.mcpb; do
		mkdir "$work/one"
		unzip -q "$file" -d "$work/one"
		# The program says what is in it.
		go version -m "$work/one/bin/"* | awk '$1 == "dep" {print $2, $3}' | while read -r module release; do
			if ! grep -qF "$module $release (" "$work/one/THIRD-PARTY.txt" || ! grep -qF "pkg:golang/$module@" "$work/one/blendtray.cdx.json"; then
				say "the terms of $module are not in $file"
				exit 1
			fi
		done
		command -v npx >/dev/null || {
			say "NOT TESTED whether $file is a bundle: npx is not there"
			rm -rf "$work/one"
			continue
		}
		npx --yes @anthropic-ai/mcpb@2.1.2 validate "$work/one/manifest.json" >"$work/said" 2>&1 || {
			cat "$work/said" >&2
			say "$file is no bundle"
			exit 1
		}
		case $file in
		*-"$(go env GOOS)-$(go env GOARCH).mcpb")
			local ask='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"check","version":"1"}}}'
			: >"$work/answer"
			# The end of its input ends the program, so the input stays open until it has answered.
			# shellcheck disable=SC2094
			{
				printf '%s\n' "$ask"
				for _ in $(seq 300); do
					grep -q '"id":1' "$work/answer" && break
					sleep 0.2
				done
			} | BLENDTRAY_HOME=$work/home "$work/one/bin/blendtray" mcp >"$work/answer" 2>"$work/errors" || true
			grep -q '"serverInfo"' "$work/answer" || {
				cat "$work/answer" "$work/errors" >&2
				say "the program in $file does not answer"
				exit 1
			}
			;;
		esac
		grep -q "$(sha256sum "$file" | cut -d ' ' -f 1)" "$1/server.json" || {
			say "server.json names another $file"
			exit 1
		}
		rm -rf "$work/one"
	done
	say "the bundles in $1 are valid"
}

if [ "${1-}" = --check ]; then check_all "$2"; else make_all "$1"; fi
