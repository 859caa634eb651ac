# expect: set
import bpy

bpy.app.debug_depsgraph = True
bpy.app.debug_value = 5
print("set")
