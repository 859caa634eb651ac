# SPDX-License-Identifier: GPL-3.0-or-later
"""Turntable: the camera goes once around a model.

    blendtray run turntable.py -- chair.blend --frames 36
    blender -b --factory-startup --python turntable.py -- chair.blend --frames 36

Without a file it turns around Blender's monkey. The frames are written to
`out/turntable_0001.png` and so on, beside this file.
"""

import argparse
import math
import os
import sys

import bpy
from mathutils import Vector

HERE = os.path.dirname(os.path.abspath(__file__))


def given():
    """Return the arguments that are the script's own."""
    if "--" in sys.argv:  # plain Blender: what comes before is Blender's
        return sys.argv[sys.argv.index("--") + 1 :]
    return sys.argv[1:] if "tcp_echo" in sys.modules else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?", help="a .blend file; default: the monkey")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=320, help="pixels, square")
    parser.add_argument("--engine", choices=("workbench", "eevee", "cycles"), default="workbench")
    chosen = parser.parse_args(given())
    if chosen.frames < 1 or chosen.size < 16:
        parser.error("at least 1 frame of 16 pixels is needed")
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
    look.diffuse_color = (0.8, 0.32, 0.16, 1.0)
    look.use_nodes = True
    look.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = look.diffuse_color
    made.data.materials.append(look)


def bounds(scene):
    """Return centre and radius of a sphere around all that a render shows."""
    points = [
        item.matrix_world @ Vector(corner)
        for item in scene.objects
        if item.type in {"MESH", "CURVE", "SURFACE", "META", "FONT"} and not item.hide_render
        for corner in item.bound_box
    ]
    if not points:
        raise SystemExit("there is nothing in the scene that a render would show")
    low = Vector(map(min, *points)) if len(points) > 1 else points[0]
    high = Vector(map(max, *points)) if len(points) > 1 else points[0]
    return (low + high) / 2, max((high - low).length / 2, 1e-3)


def set_up(scene, centre, radius, frames):
    """Add a camera on an arm that turns around the centre, and light."""
    arm = bpy.data.objects.new("Turntable", None)
    arm.location = centre
    lens = bpy.data.cameras.new("Turntable")
    camera = bpy.data.objects.new("Turntable camera", lens)
    distance = 1.05 * radius / math.sin(lens.angle / 2)
    camera.location = (0, -distance * math.cos(0.35), distance * math.sin(0.35))
    camera.rotation_euler = (math.pi / 2 - 0.35, 0, 0)
    camera.parent = arm
    lens.clip_end = 4 * distance
    sun = bpy.data.objects.new("Turntable sun", bpy.data.lights.new("Turntable sun", "SUN"))
    sun.data.energy = 3
    sun.rotation_euler = (0.7, 0.2, 0.6)
    for item in (arm, camera, sun):
        scene.collection.objects.link(item)
    scene.camera = camera
    scene.frame_start, scene.frame_end = 1, frames
    for frame, angle in ((1, 0.0), (frames + 1, 2 * math.pi)):
        arm.rotation_euler.z = angle
        arm.keyframe_insert("rotation_euler", index=2, frame=frame)
    curves = getattr(arm.animation_data.action, "fcurves", None)
    for curve in curves if curves is not None else ():  # Blender 5 has them elsewhere
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


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
        bpy.ops.wm.open_mainfile(filepath=os.path.abspath(chosen.file), load_ui=False)
    scene = bpy.context.scene
    bpy.context.view_layer.update()
    set_up(scene, *bounds(scene), chosen.frames)

    render = scene.render
    render.engine = engine_name(chosen.engine)
    render.resolution_x = render.resolution_y = chosen.size
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    render.film_transparent = False
    scene.display.shading.light = "STUDIO"
    scene.display.shading.show_cavity = True
    scene.display.shading.show_shadows = True
    if chosen.engine == "cycles":
        scene.cycles.samples = 16
        scene.cycles.use_denoising = False
    render.filepath = os.path.join(HERE, "out", "turntable_")
    bpy.ops.render.render(animation=True)
    return [render.frame_path(frame=frame) for frame in range(1, chosen.frames + 1)]


frames_made = main()
print(f"rendered {len(frames_made)} frames to {os.path.dirname(frames_made[0])}")
result = {"frames": frames_made}
