# expect: exchanged
import bpy


class CASE_PT_own(bpy.types.Panel):
    bl_label = "Own"
    bl_space_type, bl_region_type, bl_context = "PROPERTIES", "WINDOW", "object"


bpy.utils.unregister_class(bpy.types.OBJECT_PT_display)
bpy.utils.register_class(CASE_PT_own)
print("exchanged")
