# expect: set, or an error where this Blender has one language
import bpy

view = bpy.context.preferences.view
try:
    view.language = "de_DE"
    view.use_translate_interface = view.use_translate_new_dataname = True
except TypeError:
    print("has one language")
bpy.ops.mesh.primitive_cube_add()
print("set")
