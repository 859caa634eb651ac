# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene report: what is in .blend files and what is wrong with them, as JSON.

    blendtray run scene_report.py -- set.blend props.blend
    blendtray run --scene keep scene_report.py     # of what the last script left
    blender -b set.blend --python scene_report.py

The report is printed, written to `out/scene_report.json` beside this file, and is the
`result` of the run.
"""

import argparse
import json
import os
import sys
from collections import Counter

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))


def given():
    """Return the arguments that are the script's own."""
    # Blender's own arguments come first.
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", help=".blend files; default: what is open")
    return parser.parse_args(given())


def missing(blocks):
    """Return the paths of those that name a file which is not there."""
    found = []
    for block in blocks:
        path = bpy.path.abspath(block.filepath, library=block.library) if block.filepath else ""
        path = os.path.normpath(path) if path else ""
        if path and getattr(block, "packed_file", None) is None and not os.path.exists(path):
            found.append(path)
    return sorted(found)


def geometry(scene):
    """Return counts of what a render sees, modifiers applied."""
    graph = bpy.context.evaluated_depsgraph_get()
    counts = Counter(vertices=0, faces=0)
    for instance in graph.object_instances:
        data = getattr(instance.object, "data", None)
        if instance.object.type == "MESH" and data is not None:
            counts["vertices"] += len(data.vertices)
            counts["faces"] += len(data.polygons)
    return dict(counts)


def problems(scene, images, libraries):
    """Yield sentences about what will probably go wrong."""
    if scene.camera is None:
        yield "the scene has no camera"
    for path in images:
        yield f"an image is missing: {path}"
    for path in libraries:
        yield f"a library is missing: {path}"
    for item in scene.objects:
        if item.type != "MESH":
            continue
        scale = [round(value, 4) for value in item.scale]
        if min(scale) < 0:
            yield f"{item.name} has a negative scale {tuple(scale)}"
        elif any(value != 1.0 for value in scale):
            yield f"{item.name} has a scale that is not applied {tuple(scale)}"
        textured = any(
            node.type == "TEX_IMAGE"
            for slot in item.material_slots
            if slot.material is not None and slot.material.node_tree is not None
            for node in slot.material.node_tree.nodes
        )
        if textured and not item.data.uv_layers:
            yield f"{item.name} has an image texture and no UV map"
        if not item.data.polygons and not item.modifiers:
            yield f"{item.name} has no faces"


def report():
    """Describe the file that is open."""
    scene = bpy.context.scene
    images = missing(image for image in bpy.data.images if image.source == "FILE")
    libraries = missing_libraries()
    unused = {
        kind: sorted(block.name for block in getattr(bpy.data, kind) if block.users == 0)
        for kind in ("meshes", "materials", "images", "node_groups", "actions")
    }
    render = scene.render
    return {
        "file": bpy.data.filepath,
        "scene": scene.name,
        "objects": dict(sorted(Counter(item.type for item in scene.objects).items())),
        "geometry": geometry(scene),
        "materials": sorted(material.name for material in bpy.data.materials if material.users),
        "render": {
            "engine": render.engine,
            "resolution": [
                render.resolution_x * render.resolution_percentage // 100,
                render.resolution_y * render.resolution_percentage // 100,
            ],
            "frames": [scene.frame_start, scene.frame_end],
            "fps": round(render.fps / render.fps_base, 3),
        },
        "missing": {"images": images, "libraries": libraries},
        "unused": {kind: names for kind, names in unused.items() if names},
        "problems": list(problems(scene, images, libraries)),
    }


def missing_libraries():
    paths = (os.path.normpath(bpy.path.abspath(item.filepath)) for item in bpy.data.libraries)
    return sorted(path for path in paths if not os.path.exists(path))


def main():
    reports = []
    for file in arguments().files:
        path = os.path.abspath(os.path.expanduser(file))
        if not os.path.isfile(path):
            raise SystemExit(f"there is no file {path}")
        try:
            bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)
        except RuntimeError as error:
            reports.append({"file": path, "problems": [str(error).strip()]})
            continue
        reports.append(report())
    if not reports:
        reports.append(report())
    text = json.dumps(reports, indent=2, ensure_ascii=False)
    print(text)
    out = os.path.join(HERE, "out", "scene_report.json")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out + ".new", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(out + ".new", out)
    if "tcp_echo" in sys.modules:
        sys.modules["tcp_echo"].add_output(out)
    return reports


result = main()
