# expect: 2
import bpy

bpy.types.Object.case_double = property(lambda self: 2)
bpy.types.Scene.case_helper = lambda self: 3
print(bpy.context.object.case_double)
