# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch export: each .blend of a folder becomes a .glb.

    blendtray run export_gltf.py -- ~/models --out ~/models/glb
    blender -b --factory-startup --python export_gltf.py -- ~/models

Folders are gone through with all that is below them. A file that can't be exported is named
and does not keep the others from being exported. A .glb that is newer than its .blend is left
alone, unless --force is given.
"""

import argparse
import os
import sys
import traceback

import addon_utils
import bpy

try:
    from tcp_echo import add_output, progress
except ImportError:  # plain Blender

    def add_output(path):
        pass

    def progress(fraction, text=""):
        print(f"{fraction:4.0%}  {text}")


HERE = os.path.dirname(os.path.abspath(__file__))


def given():
    """Return the arguments that are the script's own."""
    # Blender's own arguments come first.
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", nargs="*", default=[HERE], help=".blend files and folders")
    parser.add_argument("--out", help="folder for the .glb files; default: out, beside this file")
    parser.add_argument("--force", action="store_true", help="export what is up to date, too")
    return parser.parse_args(given())


def blend_files(sources):
    """Yield each file with the path that its .glb gets below the output folder."""
    for source in map(os.path.abspath, map(os.path.expanduser, sources)):
        if os.path.isfile(source):
            yield source, os.path.basename(source)
        elif os.path.isdir(source):
            for folder, below, names in os.walk(source):
                below[:] = sorted(name for name in below if not name.startswith("."))
                for name in sorted(names):
                    if name.lower().endswith(".blend"):
                        path = os.path.join(folder, name)
                        yield path, os.path.relpath(path, source)
        else:
            raise SystemExit(f"there is no file or folder {source}")


def export(source, target):
    """Write target from source, or leave target as it was."""
    bpy.ops.wm.open_mainfile(filepath=source, load_ui=False, use_scripts=False)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    unfinished = target[: -len(".glb")] + ".unfinished.glb"
    try:
        bpy.ops.export_scene.gltf(filepath=unfinished, export_format="GLB", export_apply=True)
        os.replace(unfinished, target)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def main():
    chosen = arguments()
    out = os.path.abspath(os.path.expanduser(chosen.out or os.path.join(HERE, "out")))
    files = list(blend_files(chosen.source))
    if "gltf" not in dir(bpy.ops.export_scene) and addon_utils.enable("io_scene_gltf2") is None:
        raise SystemExit("this Blender has no glTF add-on")
    if not files:
        print("there are no .blend files in " + ", ".join(chosen.source))
    done, errors, targets = {}, {}, {}
    for number, (source, name) in enumerate(files):
        progress(number / len(files), name)
        target = os.path.join(out, os.path.splitext(name)[0] + ".glb")
        if targets.setdefault(target, source) != source:
            errors[source] = f"its {target} is that of {targets[target]}"
            continue
        if not chosen.force and is_newer(target, source):
            done[source] = os.path.getsize(target)
            continue
        try:
            export(source, target)
        except Exception as error:
            traceback.print_exc()
            errors[source] = str(error).strip()
            continue
        done[source] = os.path.getsize(target)
        add_output(target)
    progress(1.0, f"{len(done)} of {len(files)}")
    return done, errors


def is_newer(target, source):
    try:
        return os.path.getmtime(target) > os.path.getmtime(source)
    except OSError:
        return False


exported, failed = main()
result = {"exported": exported, "failed": failed}
if failed:
    raise SystemExit(f"{len(failed)} could not be exported: " + ", ".join(sorted(failed)))
