# SPDX-License-Identifier: GPL-3.0-or-later
"""Turntable: the camera goes once around a model.

    blendtray run turntable.py -- chair.blend --frames 36
    blender -b --factory-startup --python turntable.py -- chair.blend --frames 36

Without a file it turns around Blender's monkey. The camera brings its own light along, so that
all sides are lit alike; lamps of the file stay dark. The frames are written to
`out/turntable_0001.png` and so on, beside this file.
"""

import argparse
import math
import os
import sys

import bpy
from mathutils import Vector

try:
    from tcp_echo import progress
except ImportError:  # plain Blender

    def progress(fraction, text=""):
        print(f"{fraction:4.0%}  {text}")


HERE = os.path.dirname(os.path.abspath(__file__))
TILT = 0.3  # radians that the camera looks down
SKY = (0.3, 0.38, 0.44)


def given():
    """Return the arguments that are the script's own."""
    # Blender's own arguments come first.
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?", help="a .blend file; default: the monkey")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=320, help="pixels, square")
    parser.add_argument("--engine", choices=("workbench", "eevee", "cycles"), default="workbench")
    chosen = parser.parse_args(given())
    if chosen.frames < 1 or chosen.size < 16:
        raise SystemExit("at least 1 frame of 16 pixels is needed")
    return chosen


def monkey():
    """Put a smooth, coloured monkey in place of the factory scene's cube."""
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    bpy.ops.mesh.primitive_monkey_add(size=2)
    made = bpy.context.object
    made.modifiers.new("Smoother", "SUBSURF").levels = 2
    bpy.ops.object.shade_smooth()
    look = bpy.data.materials.new("Clay")
    look.diffuse_color = (0.7, 0.16, 0.06, 1.0)
    look.use_nodes = True
    look.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = look.diffuse_color
    made.data.materials.append(look)
    bpy.context.scene.view_settings.view_transform = "Standard"


def corners(scene):
    """Return the corners of the boxes around all that a render shows."""
    shown = {"MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "VOLUME", "POINTCLOUD"}
    graph = bpy.context.evaluated_depsgraph_get()
    found = [
        instance.matrix_world @ Vector(corner)
        for instance in graph.object_instances  # what collections and modifiers repeat, too
        if instance.object.type in shown and not instance.object.hide_render
        for corner in instance.object.bound_box
    ]
    if not found:
        raise SystemExit("there is nothing in the scene that a render would show")
    return found


def set_up(scene, points):
    """Add a camera and a sun on an arm that turns, and return the arm."""
    low, high = Vector(map(min, *points)), Vector(map(max, *points))
    arm = bpy.data.objects.new("Turntable", None)
    arm.location = (low + high) / 2
    lens = bpy.data.cameras.new("Turntable")
    camera = bpy.data.objects.new("Turntable camera", lens)
    # As near as all corners stay in view, wherever on their way around they are.
    sine, cosine, distance = math.sin(TILT), math.cos(TILT), 1e-3
    spread = 0.94 * math.tan(lens.angle / 2)
    for x, y, z in (point - arm.location for point in points):
        for step in range(48):
            angle, out = step * math.pi / 24, math.hypot(x, y)
            right, ahead = out * math.cos(angle), out * math.sin(angle)
            across = max(abs(right), abs(ahead * sine + z * cosine))
            distance = max(distance, z * sine - ahead * cosine + across / spread)
    camera.location = (0, -distance * cosine, distance * sine)
    camera.rotation_euler = (math.pi / 2 - TILT, 0, 0)
    lens.clip_start, lens.clip_end = distance / 1000, 4 * distance
    sun = bpy.data.objects.new("Turntable sun", bpy.data.lights.new("Turntable sun", "SUN"))
    sun.data.energy, sun.data.color, sun.data.angle = 2.6, (1.0, 0.93, 0.84), 0.2
    sun.rotation_euler = (0.8, 0.0, -0.9)
    for item in (camera, sun):
        item.parent = arm
    for item in scene.objects:
        if item.type == "LIGHT":
            item.hide_render = True
    for item in (arm, camera, sun):
        scene.collection.objects.link(item)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("Turntable")
    scene.world.color = SKY  # for Workbench
    scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*SKY, 1)
    return arm


def engine_name(wanted):
    if wanted == "eevee":
        engines = bpy.types.RenderSettings.bl_rna.properties["engine"].enum_items.keys()
        return "BLENDER_EEVEE_NEXT" if "BLENDER_EEVEE_NEXT" in engines else "BLENDER_EEVEE"
    return {"workbench": "BLENDER_WORKBENCH", "cycles": "CYCLES"}[wanted]


def main():
    chosen = arguments()
    if chosen.file is None:
        monkey()
    elif not os.path.isfile(chosen.file):
        raise SystemExit(f"there is no file {os.path.abspath(chosen.file)}")
    else:
        bpy.ops.wm.open_mainfile(
            filepath=os.path.abspath(chosen.file), load_ui=False, use_scripts=False
        )
    scene = bpy.context.scene
    arm = set_up(scene, corners(scene))

    render = scene.render
    render.engine = engine_name(chosen.engine)
    render.resolution_x = render.resolution_y = chosen.size
    render.resolution_percentage = 100
    render.use_border = render.use_compositing = render.use_sequencer = False
    render.film_transparent = False
    if hasattr(render.image_settings, "media_type"):  # Blender 5
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format = "PNG"
    scene.display.shading.light = "STUDIO"
    scene.display.shading.show_cavity = True
    scene.display.shading.show_shadows = True
    if chosen.engine == "cycles":
        scene.cycles.samples = 16
        scene.cycles.use_denoising = False  # not every build has a denoiser
    frames = []
    for number in range(chosen.frames):
        progress(number / chosen.frames, f"frame {number + 1} of {chosen.frames}")
        arm.rotation_euler.z = 2 * math.pi * number / chosen.frames
        render.filepath = os.path.join(HERE, "out", f"turntable_{number + 1:04}.png")
        bpy.ops.render.render(write_still=True)
        frames.append(render.filepath)
    progress(1.0)
    return frames


frames_made = main()
print(f"rendered {len(frames_made)} frames to {os.path.dirname(frames_made[0])}")
result = {"frames": frames_made}
