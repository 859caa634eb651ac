# Makes a project in the folder that is the last argument: shots/scene.blend, with what a .blend
# can use.
import os
import sys
import wave

import bpy

ROOT = sys.argv[-1]
OUTSIDE = os.path.join(os.path.dirname(ROOT), "outside")
for name in ("shots", "textures", "lib/tex", "lib/deep", "seq", "snd", "cache/fluid/data"):
    os.makedirs(os.path.join(ROOT, name), exist_ok=True)
os.makedirs(OUTSIDE, exist_ok=True)


def path(name):
    return os.path.join(ROOT, *name.split("/"))


def picture(file, colour):
    image = bpy.data.images.new("x", 8, 8)
    image.pixels = [*colour, 1] * 64
    image.filepath_raw = file
    image.file_format = "PNG"
    image.save()
    bpy.data.images.remove(image)


def put(name, data):
    with open(path(name), "wb") as file:
        file.write(data)


def cube(name, file, x):
    bpy.ops.mesh.primitive_cube_add(location=(x, 0, 0))
    item = bpy.context.object
    item.name = name
    item.animation_data_clear()
    item.keyframe_insert("rotation_euler", frame=1)
    item.rotation_euler.z = 3
    item.keyframe_insert("rotation_euler", frame=20)
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    item.data.materials.append(material)
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(file)
    material.node_tree.nodes.active = node
    return item, node


def begin(name):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=path(name))


picture(path("textures/wood.png"), (1, 0.5, 0))
picture(os.path.join(OUTSIDE, "absolute.png"), (0, 1, 0))
for tile in (1001, 1002, 1011):
    picture(path(f"textures/udim.{tile}.png"), (0, 0, 1))
for n in range(1, 6):
    picture(path(f"seq/s_{n:04}.png"), (n / 5, 0, 0))
    picture(path(f"seq/v_{n:04}.png"), (n / 5, 0, 0))
    put(f"cache/smoke_{n:04}.vdb", b"vdb%d" % n)
picture(path("lib/tex/lib.png"), (1, 0, 1))
picture(path("lib/deep/deep.png"), (0, 1, 1))
put("textures/a.ies", b"IESNA91\n")
put("textures/a.osl", b"shader a(){}")
put("cache/a.pc2", b"POINTCACHE2")
with wave.open(path("snd/a.wav"), "wb") as sound:
    sound.setnchannels(1)
    sound.setsampwidth(2)
    sound.setframerate(8000)
    sound.writeframes(b"\0" * 800)

# A library whose texture has an absolute path, and a library with relative paths that links it.
begin("lib/deep/deep.blend")
cube("Deep", path("lib/deep/deep.png"), 3)
bpy.ops.wm.save_mainfile()

begin("lib/lib.blend")
item, node = cube("Lib", path("lib/tex/lib.png"), -3)
node.image.filepath = "//tex/lib.png"
collection = bpy.data.collections.new("Both")
with bpy.data.libraries.load(path("lib/deep/deep.blend"), link=True, relative=True) as (_, wanted):
    wanted.objects = ["Deep"]
bpy.context.scene.collection.children.link(collection)
collection.objects.link(bpy.data.objects["Deep"])
collection.objects.link(item)
bpy.ops.wm.save_mainfile(compress=True)

begin("shots/scene.blend")
scene = bpy.context.scene
with bpy.data.libraries.load(path("lib/lib.blend"), link=True, relative=True) as (_, wanted):
    wanted.collections = ["Both"]
scene.collection.children.link(bpy.data.collections["Both"])
item, node = cube("Wood", path("textures/wood.png"), 0)
node.image.filepath = "//../textures/wood.png"
cache = item.modifiers.new("cache", "MESH_CACHE")
cache.filepath, cache.show_render = "//../cache/a.pc2", False
script = item.data.materials[0].node_tree.nodes.new("ShaderNodeScript")
script.mode, script.filepath = "EXTERNAL", "//../textures/a.osl"
item, node = cube("Tiles", path("textures/udim.1001.png"), 0)
item.location.z = 3
node.image.source = "TILED"
node.image.filepath = "//../textures/udim.<UDIM>.png"
item, node = cube("Sequence", path("seq/s_0001.png"), 0)
item.location.z = -3
node.image.source = "SEQUENCE"
node.image.filepath = "//../seq/s_0001.png"
node.image_user.frame_duration = 5
item, node = cube("Outside", os.path.join(OUTSIDE, "absolute.png"), 6)
fluid = item.modifiers.new("fluid", "FLUID")
fluid.fluid_type, fluid.show_render = "DOMAIN", False
fluid.domain_settings.cache_directory = "//../cache/fluid"
light = bpy.data.lights.new("Light", "SUN")
light.use_nodes = True
node = light.node_tree.nodes.new("ShaderNodeTexIES")
node.mode, node.filepath = "EXTERNAL", "//../textures/a.ies"
scene.collection.objects.link(bpy.data.objects.new("Light", light))
volume = bpy.data.volumes.new("Smoke")
volume.filepath, volume.is_sequence, volume.frame_duration = "//../cache/smoke_0001.vdb", True, 5
smoke = bpy.data.objects.new("Smoke", volume)
smoke.hide_render = True
scene.collection.objects.link(smoke)
editor = scene.sequence_editor_create()
strip = editor.sequences.new_image("v", path("seq/v_0001.png"), 1, 1)
for n in range(2, 6):
    strip.elements.append(f"v_{n:04}.png")
editor.sequences.new_sound("a", "//../snd/a.wav", 2, 1)
scene.render.use_sequencer = False
gone = bpy.data.images.new("gone", 8, 8)
gone.source, gone.filepath, gone.use_fake_user = "FILE", "//../textures/gone.png", True

camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
camera.location, camera.rotation_euler = (1, -22, 0), (1.5708, 0, 0)
scene.collection.objects.link(camera)
scene.camera = camera
scene.render.engine = "BLENDER_WORKBENCH"
scene.display.shading.color_type = "TEXTURE"
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = (
    64,
    48,
    100,
)
scene.frame_start, scene.frame_end = 1, 20
scene.render.filepath = "//pictures/shot_###"
scene.render.image_settings.file_format = "PNG"
bpy.ops.wm.save_mainfile()
put("cache/fluid/data/f.vdb", b"f")  # last, because Blender empties the folder of a new cache
