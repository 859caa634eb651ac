# expect: 0 objects
import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
print(len(bpy.data.objects), "objects")
