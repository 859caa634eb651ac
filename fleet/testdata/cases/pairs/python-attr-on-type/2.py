# expect: False False
import bpy

print(hasattr(bpy.types.Object, "case_double"), hasattr(bpy.types.Scene, "case_helper"))
