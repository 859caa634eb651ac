# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a scene of many kinds of data-blocks, in the folder of sys.argv[-1]."""

import math
import os
import sys

import bpy

folder = sys.argv[-1]


def library():
    """Write a library with an object, and make a scene anew."""
    bpy.ops.mesh.primitive_monkey_add()
    bpy.context.object.name = "Linked"
    os.makedirs(os.path.join(folder, "parts"), exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "parts", "library.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True)


def meshes():
    bpy.ops.mesh.primitive_uv_sphere_add(segments=24, location=(1, 2, 3))
    ball = bpy.context.object
    ball.name = "Ball"
    ball["number"], ball["list"], ball["text"] = 7, [1.5, 2.5], "Grün"
    ball["nested"] = {"a": 1, "b": [1, 2, 3]}
    ball.vertex_groups.new(name="Group").add([0, 1, 2], 0.5, "ADD")
    ball.shape_key_add(name="Basis")
    key = ball.shape_key_add(name="Tall")
    for point in key.data:
        point.co.z *= 2
    ball.modifiers.new("Waves", "SUBSURF").levels = 2
    colour = ball.data.color_attributes.new("Colour", "FLOAT_COLOR", "POINT")
    for index, value in enumerate(colour.data):
        value.color = (index % 7 / 7, 0.5, 0.25, 1)
    ball.keyframe_insert("location", frame=1)
    ball.location.x = 5
    ball.keyframe_insert("location", frame=20)
    driver = ball.driver_add("rotation_euler", 2).driver
    driver.expression = "frame / 10"
    return ball


def shading(ball):
    material = bpy.data.materials.new("Paint")
    material.use_nodes = True
    tree = material.node_tree
    group = bpy.data.node_groups.new("Shade", "ShaderNodeTree")
    group.nodes.new("ShaderNodeMath").operation = "SINE"
    tree.nodes.new("ShaderNodeGroup").node_tree = group
    texture = tree.nodes.new("ShaderNodeTexImage")
    ball.data.materials.append(material)

    packed = bpy.data.images.new("Packed", 8, 8)
    packed.pixels[:] = [1.0 if i % 4 == 3 else (i % 5) / 5 for i in range(8 * 8 * 4)]
    packed.pack()
    texture.image = packed
    painted = bpy.data.images.new("Painted", 6, 4, float_buffer=True)
    painted.pixels[:] = [math.sin(i) for i in range(6 * 4 * 4)]
    painted.use_fake_user = True
    on_disk = bpy.data.images.new("Disk", 4, 4)
    on_disk.filepath_raw = os.path.join(folder, "disk.png")
    on_disk.file_format = "PNG"
    on_disk.save()
    on_disk.filepath = "//disk.png"
    on_disk.use_fake_user = True


def unused():
    bpy.data.meshes.new("Nobody").from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    bpy.data.materials.new("Nobody")["note"] = "kept"
    bpy.data.objects.new("Nobody", bpy.data.meshes["Nobody"])
    bpy.data.objects.new("Nothing", None)
    bpy.data.images.new("Nobody", 2, 2).pixels[:] = [0.5] * 16
    bpy.data.node_groups.new("Nobody", "GeometryNodeTree")
    bpy.data.actions.new("Nobody")
    bpy.data.collections.new("Nobody")
    bpy.data.texts.new("Nobody").write("print('text')\n")
    bpy.data.curves.new("Nobody", "CURVE").splines.new("BEZIER").bezier_points.add(3)


def scenes():
    second = bpy.data.scenes.new("Second")
    second.view_layers.new("Front")
    second.frame_current = 12
    second.world = bpy.data.worlds.new("Sky")
    second["mark"] = "second"
    bpy.context.window.scene = second
    bpy.context.window.view_layer = second.view_layers["Front"]
    second.collection.objects.link(bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig")))
    text = bpy.data.objects.new("Letters", bpy.data.curves.new("Letters", "FONT"))
    text.data.body = "abc"
    second.collection.objects.link(text)


library()
shading(meshes())
bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "own.blend"))
with bpy.data.libraries.load(
    os.path.join(folder, "parts", "library.blend"), link=True, relative=True
) as (here, there):
    there.objects = ["Linked"]
bpy.context.scene.collection.objects.link(bpy.data.objects["Linked"])
unused()
scenes()
for scene in bpy.data.scenes:
    for layer in scene.view_layers:
        layer.update()
