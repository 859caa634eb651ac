# expect: True False
import bpy

print(hasattr(bpy.types, "OBJECT_PT_display"), hasattr(bpy.types, "CASE_PT_own"))
