# expect: 2
import bpy

bpy.types.VertexGroup.case_number = 2
print(bpy.types.VertexGroup.case_number)
